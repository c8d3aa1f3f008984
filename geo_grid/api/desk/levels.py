"""GET and PUT /levels: what the levels of the grid are called, and which of them settle matters."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.layers import grid_levels

router = APIRouter(tags=["incidents"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class Levels(BaseModel):
    """All levels, the outermost first."""

    levels: list[grid_levels.KeptLevel]


@router.get("/levels")
async def get_levels(request: Request) -> Levels:
    """List the levels of the grid; how many there are is said with `geo-grid levels`."""
    async with reading(request) as database:
        return Levels(levels=await grid_levels.level_rules(database))


@router.put("/levels/{grid_level}", responses={404: PROBLEM})
async def put_level(
    request: Request, grid_level: Annotated[int, Path(ge=1, le=9)], rules: grid_levels.LevelRules
) -> grid_levels.KeptLevel:
    """Change what a level is called, from which zoom it is drawn, and whether it settles matters."""
    async with writing(request) as database:
        return await grid_levels.change_level(database, grid_level, rules)
