"""GET /search: whatever has a name; GET /search/datums: what a pair of numbers can mean."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from geo_grid.api.server.asking import account_of, identity_of, reading
from geo_grid.api.server.parameters import AtMost, Lat, Lon
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import SEARCHES
from geo_grid.errors import UserError
from geo_grid.names import Found, Readings, readings

router = APIRouter(tags=["locate"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class FoundNames(BaseModel):
    """What is called so, the best match first."""

    found: list[Found]


@router.get("/search")
async def get_search(
    request: Request,
    q: Annotated[
        str,
        Query(
            max_length=200,
            description="part of a name or several parts, a code, first letters of its pinyin, or two roads for their crossing",
        ),
    ],
    lon: Annotated[
        float | None, Query(ge=-180, le=180, description="of equally good matches the nearer come first")
    ] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    limit: Annotated[int, Query(ge=1), AtMost(50)] = 12,
) -> FoundNames:
    """Find cells, zones, posts, units, cameras, facilities, places, roads and crossings by name; what one may see of them."""
    if (lon is None) != (lat is None):
        message = "give lon and lat both, or neither"
        raise UserError(message)
    near = None if lon is None or lat is None else (lon, lat)
    server, seen = server_of(request), identity_of(request).seen
    async with SEARCHES.turn(account_of(request)), reading(request) as database:
        return FoundNames(found=await server.names.find(database, seen, q, near, limit))


@router.get("/search/datums")
async def get_datums(request: Request, lon: Lon, lat: Lat) -> Readings:
    """Say what lon and lat mean in CGCS2000, GCJ-02 and BD-09, and which of them seems to be meant."""
    async with reading(request) as database:
        return await readings(database, lon, lat)
