"""GET /locate and GET /desk."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from geo_grid.api.parameters import At, Configured, Database, Lat, Located, Lon, SourceCrs, place
from geo_grid.api.problems import PROBLEM_RESPONSES
from geo_grid.desk import DeskCard, desk_card, desk_card_of_incident
from geo_grid.errors import UserError
from geo_grid.locate import Location, Locations

router = APIRouter(tags=["locate"], responses=PROBLEM_RESPONSES)


@router.get("/locate")
async def get_locate(
    request: Request, lon: Lon, lat: Lat, source_crs: SourceCrs = "EPSG:4490", at: At = None
) -> Location:
    """Say who is responsible for a point: the chain of grid cells with duties, zone, circles."""
    # the state is read here, not by dependencies: solving four of them takes as long as all the rest
    locations: Locations = request.app.state.locations
    here = await place(lon, lat, source_crs)
    await locations.refuse_swapped(here.lon, here.lat)
    return await locations.locate(here.lon, here.lat, at, request.app.state.settings.positional_error_m)


@router.get("/desk")
async def get_desk(
    database: Database,
    locations: Located,
    settings: Configured,
    lon: Annotated[float | None, Query()] = None,
    lat: Annotated[float | None, Query()] = None,
    source_crs: SourceCrs = "EPSG:4490",
    incident: Annotated[int | None, Query(ge=1, description="incident_id, instead of lon and lat")] = None,
    at: At = None,
) -> DeskCard:
    """Give the dispatcher everything about one point, or about the place of an incident."""
    if incident is not None and lon is None and lat is None:
        return await desk_card_of_incident(database, locations, incident, settings.positional_error_m)
    if incident is not None or lon is None or lat is None:
        message = "ask either with lon and lat, or with incident"
        raise UserError(message)
    here = await place(lon, lat, source_crs)
    await locations.refuse_swapped(here.lon, here.lat)
    return await desk_card(database, locations, here.lon, here.lat, at, settings.positional_error_m)
