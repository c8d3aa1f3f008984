"""Progress of drawing circles, and the road graph in use."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from geo_grid.api.server.asking import identity_of, reading
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.response import isolated_posts
from geo_grid.response.graph import read_manifest

router = APIRouter(tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class Roads(BaseModel):
    """The road graph that travel times are computed on."""

    extract: str
    built_at: datetime
    valhalla: str


class DrawingState(BaseModel):
    """Progress of redrawing stale circles; the old ones are served until then."""

    done: int
    total: int = Field(description="posts that you see whose circles were out of date when it was last looked")
    isolated: list[str] = Field(
        description="posts from which next to nothing is reached on the roads, such as by closures"
    )
    roads: Roads | None = Field(description="null: no road graph is here, and travel times are estimated")


@router.get("/response/drawing")
async def get_drawing(request: Request) -> DrawingState:
    """Return this server's progress of drawing circles, and its road graph."""
    upkeep = server_of(request).upkeep
    graph = upkeep.router.graph
    manifest = read_manifest(graph) if graph is not None else None
    roads = Roads.model_validate(vars(manifest)) if manifest else None
    async with reading(request) as database:
        isolated = await isolated_posts(database)
    progress = upkeep.drawing.progress(identity_of(request).seen.only_posts)
    return DrawingState(**progress, isolated=isolated, roads=roads)
