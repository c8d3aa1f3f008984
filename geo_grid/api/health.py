"""GET /healthz and /readyz."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from geo_grid.api.asking import asker_of
from geo_grid.api.parameters import Located
from geo_grid.api.problems import PROBLEM_RESPONSES
from geo_grid.api.rights import GuardedRoute
from geo_grid.db import acting, load_queries, read_migrations
from geo_grid.errors import DatabaseUnavailable

router = APIRouter(tags=["health"], route_class=GuardedRoute)
QUERIES = load_queries("geo_grid.api", "health.sql")


class Health(BaseModel):
    """The server runs."""

    status: str = "ok"


class Readiness(BaseModel):
    """The server can answer."""

    status: str = "ready"
    migration: int
    edition: int | None
    is_demo: bool
    index_edition: int | None = Field(description="edition that answers from memory; none: PostGIS answers")


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process runs; asks nobody else."""
    return Health()


@router.get("/readyz", responses=PROBLEM_RESPONSES)
async def readyz(request: Request, locations: Located) -> Readiness:
    """Say whether the database answers and is migrated to what this program needs."""
    async with acting(request.app.state.reserved, asker_of(request)) as database:
        found = await (await database.execute(QUERIES["ready"])).fetchone()
    needed = len(read_migrations())
    if found is None or found["migration"] != needed:
        message = f"the database is not at migration {needed}: run geo-grid migrate"
        raise DatabaseUnavailable(message)
    held = locations.snapshot()
    return Readiness.model_validate({**found, "index_edition": held.city.edition if held else None})
