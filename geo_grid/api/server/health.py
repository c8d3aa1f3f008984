"""GET /healthz and /readyz."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from geo_grid.access import Identity
from geo_grid.api.server.parameters import Configured, Located
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.clocks import clock_trouble
from geo_grid.db import Asker, acting, fetch_one, load_queries, read_migrations
from geo_grid.derived import DerivedNow
from geo_grid.errors import DatabaseUnavailable, StorageUnavailable
from geo_grid.state_folder import storage_trouble

router = APIRouter(tags=["health"], route_class=GuardedRoute)
QUERIES = load_queries("geo_grid.api.server", "health.sql")


class Health(BaseModel):
    """The server runs."""

    status: str = "ok"


class Readiness(BaseModel):
    """The server can answer, and store what it accepts."""

    status: str = "ready"
    warnings: list[str] = Field(description="what is not as it should be, though requests are answered")
    migration: int
    edition: int | None
    is_demo: bool
    derived: list[DerivedNow] | None = Field(
        description="what the server keeps in memory; told to whoever has the right metrics"
    )
    index_edition: int | None = Field(description="edition that answers from memory; none: PostGIS answers")


@router.get("/healthz")
async def healthz() -> Health:
    """Answer that the process runs, without any other check."""
    return Health()


@router.get("/readyz", responses=PROBLEM_RESPONSES)
async def readyz(request: Request, settings: Configured, locations: Located) -> Readiness:
    """Answer whether the database can be reached and is migrated, and the disks have room."""
    for name, folder in server_of(request).storage.items():
        if trouble := storage_trouble(folder, settings.least_free_mb):
            message = f"nothing more may be stored in {name}: {trouble}"
            raise StorageUnavailable(message)
    server = server_of(request)

    async def ask() -> dict[str, Any]:
        async with acting(server.reserved, Asker("")) as database:
            return await fetch_one(database, QUERIES["ready"])

    found = await server.readiness.ask(ask)  # anybody may ask, and as often as they like
    needed = len(read_migrations())
    if found.get("migration") != needed:
        message = f"the database is not at migration {needed}: run geo-grid migrate"
        raise DatabaseUnavailable(message)
    held = locations.snapshot()
    trouble = clock_trouble(found["now"], found["newest"])
    warnings = [trouble] if trouble else []
    identity: Identity | None = request.scope["geo_grid.identity"]
    states = server.derived
    warnings += [
        f"work that is due fails ({kind}, tried {attempts} times): geo-grid doctor says why"
        for kind, attempts in server.due.failing.items()
    ]
    if server.replicas is not None and server.replicas.trouble:
        warnings += ["heavy reads go to the primary: geo-grid doctor says what is wrong with the replicas"]
    return Readiness.model_validate(
        {
            **found,
            "warnings": warnings,
            "derived": states.now() if identity and "metrics" in identity.rights else None,
            "index_edition": held.city.edition if held else None,
        }
    )
