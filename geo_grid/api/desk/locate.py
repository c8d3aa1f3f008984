"""GET /locate and GET /desk."""

import contextlib
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request

from geo_grid.api.server.asking import account_of, identity_of, reading
from geo_grid.api.server.parameters import AnswerCrs, At, Lat, Lon, Point, SourceCrs, moment_of, place
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import RANKING
from geo_grid.db import Reading
from geo_grid.desk import DeskCard, desk_card, drawn_in, read_surroundings
from geo_grid.errors import UserError
from geo_grid.locate import Location
from geo_grid.workflow import get

router = APIRouter(tags=["locate"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


@router.get("/locate")
async def get_locate(
    request: Request,
    lon: Lon,
    lat: Lat,
    source_crs: SourceCrs = "EPSG:4490",
    at: At = None,
    crs: AnswerCrs = "EPSG:4490",
) -> Location:
    """Say who is responsible for a point: the chain of grid cells with duties, zone, circles."""
    # parameters are read here, not by dependencies of FastAPI: resolving four of them would double the time of the request
    here = await place(request, lon, lat, source_crs)
    return (await _locate(request, lambda: reading(request), here, at)).drawn_in(crs)


@router.get("/desk")
async def get_desk(
    request: Request,
    lon: Annotated[float | None, Query()] = None,
    lat: Annotated[float | None, Query()] = None,
    source_crs: SourceCrs = "EPSG:4490",
    incident: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="incident_id, instead of lon and lat")
    ] = None,
    at: At = None,
    crs: AnswerCrs = "EPSG:4490",
) -> DeskCard:
    """Return everything a dispatcher needs about one point, or about the place of an incident."""
    if (lon is None) != (lat is None) or (incident is None) == (lon is None):
        message = "ask either with lon and lat, or with incident"
        raise UserError(message)
    here = Point(0.0, 0.0) if lon is None or lat is None else await place(request, lon, lat, source_crs)
    server, everywhere = server_of(request), identity_of(request).seen.everywhere
    async with reading(request) as database:  # one snapshot; roads are asked after the connection is returned
        found = None
        if incident is not None:
            found = await get(database, incident)
            here = Point(found.lon, found.lat)
        location = await _locate(request, lambda: contextlib.nullcontext(database), here, at)
        around = await read_surroundings(database, location, everywhere)
    now = datetime.now(ZoneInfo(server.settings.timezone))
    async with RANKING.turn(account_of(request)):
        card = await desk_card(location, around, server.upkeep.router, server.upkeep.travel, now, found)
    return drawn_in(card, crs)


async def _locate(request: Request, database: Reading, here: Point, at: datetime | None) -> Location:
    server, seen = server_of(request), identity_of(request).seen
    await server.locations.refuse_swapped(database, seen, here.lon, here.lat)
    error_m = server.settings.positional_error_m
    return await server.locations.locate(database, seen, here.lon, here.lat, moment_of(request, at), error_m)
