"""How much cameras see: of cells, key places and roads; and where more of them would see most."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.ogc.geojson import ShiftableFeatures, datum_of
from geo_grid.api.server.asking import account_of, apart, asker_of, identity_of, reading, reading_much, while_wanted
from geo_grid.api.server.parameters import AnswerCrs
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import BULK, SOLVING
from geo_grid.cameras.coverage import Coverage, PlaceCoverage, blind_spots, coverage, places_seen
from geo_grid.cameras.roads import RoadsSeen, roads_seen_apart
from geo_grid.cameras.siting import CameraSites, Question, site_apart
from geo_grid.db import acting_conninfo
from geo_grid.layers.geojson import Feature

router = APIRouter(prefix="/cameras", tags=["cameras"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_MOST_STRETCHES = 2_000


@router.get("/coverage", responses={404: PROBLEM})
async def get_coverage(
    request: Request,
    level: Annotated[int | None, Query(ge=1, le=9, description="of cells: the innermost if not given")] = None,
    within: Annotated[str | None, Query(max_length=32, description="only within this cell")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 200,
) -> Coverage:
    """Say how much of each cell cameras see, least first; secret cameras do not count."""
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        return await coverage(database, level, within, limit)


class PlacesSeen(BaseModel):
    """Key places by how many cameras see them."""

    places: list[PlaceCoverage]


@router.get("/coverage/places", responses={404: PROBLEM})
async def get_places_seen(
    request: Request,
    within: Annotated[str | None, Query(max_length=32, description="only within this cell")] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> PlacesSeen:
    """Count the cameras that see each key place, school, hospital and town hall; those that none sees first."""
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        return PlacesSeen(places=await places_seen(database, within, limit))


class RoadsAnswer(RoadsSeen):
    """What cameras see of the roads in a cell."""

    coord_ref_sys: str = Field(serialization_alias="coordRefSys", description="of the stretches")


@router.get("/coverage/roads", responses={404: PROBLEM})
async def get_roads_seen(
    request: Request,
    within: Annotated[str, Query(min_length=1, max_length=32, description="only within this cell")],
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
    crs: AnswerCrs = "EPSG:4490",
) -> RoadsAnswer:
    """Say how much of each road cameras see that are not reported as off, and which stretches none does; secret ones do not count."""
    shift, uri = datum_of(crs)
    found = await apart(request, SOLVING, roads_seen_apart, within, limit, _MOST_STRETCHES, shift)
    return RoadsAnswer(**dict(found), coord_ref_sys=uri)


class CameraSitingQuestion(BaseModel):
    """Where more cameras would see most."""

    model_config = ConfigDict(extra="forbid")

    within: str = Field(min_length=1, max_length=32, description="grid_code of a township or smaller cell")
    count: int = Field(5, ge=1, le=100, description="how many cameras")
    range_m: float | None = Field(
        None, ge=5, le=1000, description="of each, which sees around; what is usual here if not given"
    )


@router.post("/siting", responses={404: PROBLEM})
async def post_camera_siting(request: Request, asked: CameraSitingQuestion) -> CameraSites:
    """Propose places for cameras that would see most of the roads in a cell that none sees: at crossings, and along these roads.

    Takes up to minutes; cancelled when the client disconnects.
    """
    server = server_of(request)
    question = Question(asked.within, asked.count, asked.range_m or server.settings.camera_range_m)

    async def work() -> CameraSites:
        async with server.solvers.turn() as turn:
            found: CameraSites = await turn.do(
                site_apart, acting_conninfo(server.conninfo, asker_of(request)), question
            )
            return found

    with server.calculations.held(identity_of(request).principal_id):
        return await while_wanted(request, work())


class BlindProperties(BaseModel):
    """Properties of blind spots."""

    grid_code: str


@router.get("/coverage/{grid_code}/blind-spots", responses={404: PROBLEM})
async def get_blind_spots(
    request: Request, grid_code: Annotated[str, Path(max_length=32)], crs: AnswerCrs = "EPSG:4490"
) -> ShiftableFeatures[BlindProperties]:
    """Draw what no camera sees of an innermost cell."""
    shift, uri = datum_of(crs)
    async with reading(request) as database:
        shape = await blind_spots(database, grid_code, shift)
    feature = Feature[BlindProperties](geometry=shape, properties=BlindProperties(grid_code=grid_code))
    return ShiftableFeatures[BlindProperties](features=[feature], coord_ref_sys=uri)
