"""What is known of cameras beside the layer: their ids in words, source platforms, states, and what is to be decided."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.ogc.features import read_boxes
from geo_grid.api.ogc.geojson import ShiftableFeatures, answer_of, datum_of
from geo_grid.api.ogc.narrowing import Only
from geo_grid.api.server.asking import account_of, identity_of, reading, reading_much, viewing, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import AnswerCrs, AtMost, moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import BULK, MAPS
from geo_grid.cameras.platforms import Platform, PlatformGiven, ask_again, describe_platform, platforms
from geo_grid.cameras.positions import (
    CameraPosition,
    PositionProperties,
    TakenPositions,
    positions_in,
    take_camera_positions,
)
from geo_grid.cameras.proposals import (
    Decided,
    DecidedAll,
    Decision,
    DecisionOfAll,
    Proposal,
    ProposalKind,
    WaitingProposals,
    decide,
    decide_all,
    proposals,
    waiting,
)
from geo_grid.cameras.register import IdExplained, explain_id
from geo_grid.cameras.states import (
    Availability,
    CameraState,
    Grouping,
    StateReport,
    TakenStates,
    availability,
    not_online,
    take_states,
)
from geo_grid.cameras.views import ViewProperties, views_in
from geo_grid.errors import UserError
from geo_grid.layers.boxes import Box
from geo_grid.layers.geojson import feature_texts
from geo_grid.layers.published import CRS84
from geo_grid.moments import AskedMoment
from geo_grid.reported import MOST_AT_ONCE

router = APIRouter(prefix="/cameras", tags=["cameras"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
LARGEST_BODY = 2 << 20
"""Bytes: 5,000 reports."""
MOST_VALUES = 35_000
"""Of 5,000 reports, three each of states, six of positions."""
_MOST_STATES = 20_000
_MOST_VIEWS = 2_000
_MOST_POSITIONS = 5_000


@router.get("/ids/{gb28181_id}")
async def get_id(gb28181_id: Annotated[str, Path(max_length=64)]) -> IdExplained:
    """Explain a device id of GB/T 28181, whether or not there is such a camera here."""
    return explain_id(gb28181_id)


class Platforms(BaseModel):
    """The source platforms."""

    platforms: list[Platform]


@router.get("/platforms")
async def get_platforms(request: Request) -> Platforms:
    """List the platforms whose registers are imported, with the datum of each."""
    async with reading(request) as database:
        return Platforms(platforms=await platforms(database))


@router.put("/platforms/{platform_code}", responses={409: PROBLEM})
async def put_platform(
    request: Request,
    platform_code: Annotated[str, Path(pattern=r"^[0-9A-Za-z._-]{1,32}$")],
    given: PlatformGiven,
) -> Platform:
    """Say of a platform what it is called, which datum its coordinates are in, and whether it may register over SIP; takes the
    right in the whole city, and to see secret cameras.
    """
    async with writing(request) as database:
        return await describe_platform(database, platform_code, given, server_of(request).settings.sip_id)


@router.post(
    "/platforms/{platform_code}/queries",
    status_code=202,
    responses={404: PROBLEM, 409: PROBLEM},
)
async def post_query(
    request: Request, platform_code: Annotated[str, Path(pattern=r"^[0-9A-Za-z._-]{1,32}$")]
) -> Platform:
    """Have the catalogue of a platform queried again, over SIP, as soon as it is there; its `link` says how it comes."""
    async with writing(request) as database:
        return await ask_again(database, platform_code)


class Proposals(BaseModel):
    """A page of what waits for a decision, the oldest first, and how much waits in all."""

    proposals: list[Proposal]
    waiting: list[WaitingProposals]
    next: str | None


@router.get("/proposals")
async def get_proposals(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 500,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="continue after this proposal_id")] = 0,
    kind: Annotated[ProposalKind | None, Query()] = None,
    source: Annotated[str | None, Query(max_length=300)] = None,
) -> Proposals:
    """List what imports propose about cameras: that one moved, has its national id now, or is stored twice."""
    async with reading(request) as database:
        page = await proposals(database, limit, after, kind, source)
        counts = await waiting(database)
    following = here(request, after=page[-1].proposal_id) if len(page) == limit else None
    return Proposals(proposals=page, waiting=counts, next=following)


@router.post("/proposals/decisions", responses={404: PROBLEM, 409: PROBLEM})
async def post_decisions(request: Request, decision: DecisionOfAll) -> DecidedAll:
    """Accept or refuse all proposals of a kind and a source that wait, such as those of a register that was wrong."""
    async with writing(request) as database:
        return await decide_all(database, decision, identity_of(request).login_name)


@router.post("/proposals/{proposal_id}/decision", responses={404: PROBLEM, 409: PROBLEM})
async def post_decision(
    request: Request, proposal_id: Annotated[int, Path(ge=1, le=2**63 - 1)], decision: Decision
) -> Decided:
    """Accept a proposal, which is then done, or refuse it."""
    async with writing(request) as database:
        return await decide(database, proposal_id, decision.is_accepted, identity_of(request).login_name)


class StateReports(BaseModel):
    """A batch of states, of any cameras, in any order."""

    model_config = ConfigDict(extra="forbid")

    states: list[StateReport] = Field(min_length=1, max_length=MOST_AT_ONCE)


@router.post("/states")
async def post_states(request: Request, batch: StateReports) -> TakenStates:
    """Report states of cameras; what is wrong is refused one by one. No edit: neither audit nor maps hear of it."""
    async with writing(request) as database:
        return await take_states(database, batch.states)


class DrawnViews(ShiftableFeatures[ViewProperties]):
    """What cameras see, as far as it is drawn at once."""

    truncated: bool = Field(description="more cameras see into the box: ask for a smaller one")


@router.get("/views", response_model=DrawnViews)
async def get_views(
    request: Request,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")],
    only: Only,
    crs: AnswerCrs = "EPSG:4490",
) -> Response:
    """Draw what the cameras see that see into the box, cut by buildings (their heights are not looked at)."""
    box = _one_box(bbox)
    shift, uri = datum_of(crs)
    async with viewing(request) as database:
        rows = await views_in(database, box, _MOST_VIEWS + 1, only)
    features = await MAPS.run(account_of(request), feature_texts, rows[:_MOST_VIEWS], ViewProperties, shift)
    return answer_of(DrawnViews(features=[], truncated=len(rows) > _MOST_VIEWS, coord_ref_sys=uri), features)


def _one_box(bbox: str) -> Box:
    """Read a box that does not cross 180 degrees. Raises UserError."""
    boxes = read_boxes(bbox, CRS84)
    if len(boxes) != 1:
        message = "bbox crosses 180 degrees: ask for its halves"
        raise UserError(message)
    return boxes[0]


class StatesAnswer(BaseModel):
    """Cameras that are not online; all others are, or nobody reported on them."""

    states: list[CameraState]
    truncated: bool


@router.get("/states")
async def get_states(
    request: Request, bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")]
) -> StatesAnswer:
    """List the cameras in view that are reported as offline or faulty: a few of many, which a map asks for again and again."""
    box = _one_box(bbox)
    async with reading(request) as database:
        found = await not_online(database, box, _MOST_STATES + 1)
    return StatesAnswer(states=found[:_MOST_STATES], truncated=len(found) > _MOST_STATES)


class CameraPositions(BaseModel):
    """A batch of positions, of any cameras, in any order."""

    model_config = ConfigDict(extra="forbid")

    positions: list[CameraPosition] = Field(min_length=1, max_length=MOST_AT_ONCE)


@router.post("/positions")
async def post_positions(request: Request, batch: CameraPositions) -> TakenPositions:
    """Report where cameras are that move; what is wrong is refused one by one. The newest of each is kept, and no track. No edit:
    neither audit nor maps hear of it.
    """
    async with writing(request) as database:
        return await take_camera_positions(database, batch.positions)


class MovingCameras(ShiftableFeatures[PositionProperties]):
    """Where cameras are that move."""

    truncated: bool


@router.get("/positions", response_model=MovingCameras)
async def get_positions(
    request: Request,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")],
    only: Only,
    crs: AnswerCrs = "EPSG:4490",
) -> Response:
    """Draw the cameras in view that move, each at its last position if that is at most five minutes old."""
    box = _one_box(bbox)
    shift, uri = datum_of(crs)
    async with viewing(request) as database:
        rows = await positions_in(database, box, _MOST_POSITIONS + 1, only)
    collection = MovingCameras(features=[], truncated=len(rows) > _MOST_POSITIONS, coord_ref_sys=uri)
    features = await MAPS.run(account_of(request), feature_texts, rows[:_MOST_POSITIONS], PositionProperties, shift)
    return answer_of(collection, features)


class AvailabilityAnswer(BaseModel):
    """How many cameras work, by group."""

    by: Grouping
    as_of: datetime
    groups: list[Availability]


@router.get("/availability")
async def get_availability(
    request: Request,
    by: Annotated[Grouping, Query()] = "cell",
    level: Annotated[int | None, Query(ge=1, le=9, description="of cells: the innermost if not given")] = None,
    since: Annotated[AskedMoment | None, Query(description="by hour: 24 hours before `until` if not given")] = None,
    until: Annotated[AskedMoment | None, Query(description="by hour: now if not given; 72 hours at most")] = None,
) -> AvailabilityAnswer:
    """Count cameras by state: by cell, zone, owner or network as it is now, or hour by hour."""
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        groups = await availability(database, by, level, moment_of(request, since), moment_of(request, until))
    return AvailabilityAnswer(by=by, as_of=datetime.now().astimezone(), groups=groups)
