"""Minutes on roads: where units are, what a place reaches or is reached from, and how far the circles are drawn."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import shapely
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.ogc.features import read_boxes
from geo_grid.api.ogc.geojson import Feature, FeatureCollection
from geo_grid.api.server.asking import account_of, identity_of, reading, while_wanted, with_rights, writing
from geo_grid.api.server.parameters import At, Lat, Lon, SourceCrs, moment_of, place
from geo_grid.api.server.problems import PROBLEM_RESPONSES, Problem
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import MAPS, ROADS, ROUTES, SOLVING
from geo_grid.layers.boxes import Box, cut_to
from geo_grid.layers.geojson import as_geojson
from geo_grid.layers.published import CRS84
from geo_grid.locate.lookup import circles_known, city_extent
from geo_grid.moments import AskedMoment
from geo_grid.response import (
    MOST_AT_ONCE,
    Position,
    Taken,
    TrackPoint,
    closures_around,
    isolated_posts,
    siting,
    take_positions,
    track,
)
from geo_grid.response.coverage import Group, Grouping, response_times
from geo_grid.response.graph import read_manifest
from geo_grid.response.moveup import BareZone, bare_zones, read_zones
from geo_grid.response.router import Why
from geo_grid.response.unions import Union, UnionGrouping

_KNOWN = "false: it was asked as of a former time, whose circles are not kept"
router = APIRouter(tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
LARGEST_BODY = 2 << 20
"""Bytes: 5,000 positions."""
MOST_VALUES = 30_000
"""Of 5,000 positions, five each."""


class Positions(BaseModel):
    """A batch of positions, of any units, in any order."""

    model_config = ConfigDict(extra="forbid")

    positions: list[Position] = Field(min_length=1, max_length=MOST_AT_ONCE)


@router.post("/units/positions")
async def post_positions(request: Request, batch: Positions) -> Taken:
    """Take where units are. Each unit's newest becomes where it is; what is wrong is left out and named."""
    async with writing(request) as database:
        return await take_positions(database, batch.positions, await city_extent(database))


class Track(BaseModel):
    """Where a unit was, oldest first."""

    unit_code: str
    positions: list[TrackPoint]


@router.get("/units/{unit_code}/track", responses={404: {"model": Problem}})
async def get_track(
    request: Request,
    unit_code: Annotated[str, Path(max_length=32)],
    since: Annotated[AskedMoment | None, Query(description="an hour ago if not given")] = None,
    until: Annotated[AskedMoment | None, Query(description="now if not given")] = None,
) -> Track:
    """Play back where a unit was, as long as it is kept."""
    end = moment_of(request, until) or datetime.now(UTC) + timedelta(minutes=2)
    async with reading(request) as database:
        return Track(
            unit_code=unit_code,
            positions=await track(database, unit_code, moment_of(request, since) or end - timedelta(hours=1), end),
        )


class AreaProperties(BaseModel):
    """What an area is."""

    tier_minutes: Literal[1, 3, 5]
    direction: Literal["outbound", "inbound"]
    method: str = Field(
        description="valhalla: on roads; geodesic_estimate: a straight line, a speed and a detour factor"
    )
    travel_s: int
    on_foot_m: float = Field(description="metres of the way on foot: the nearest road is so far off")
    estimated_because: Why | None = Field(None, description="why it is an estimate; null: it is none")


@router.get("/response/areas")
async def get_areas(
    request: Request,
    lon: Lon,
    lat: Lat,
    source_crs: SourceCrs = "EPSG:4490",
    direction: Annotated[
        Literal["outbound", "inbound"], Query(description="from the place, or to it, such as to an incident")
    ] = "inbound",
) -> FeatureCollection[AreaProperties]:
    """Draw what a car reaches from a place within 1, 3 and 5 minutes, or from where one reaches it, now; the largest first."""
    here = await place(request, lon, lat, source_crs)
    upkeep = server_of(request).upkeep
    now = _in_city(request, None)
    async with reading(request) as database:
        closures = await closures_around(database, (here.lon, here.lat))
    ride = upkeep.travel.ride("car", now, closures)
    limits = (60, 180, 300)
    found = await ROADS.run(
        account_of(request), upkeep.router.areas, (here.lon, here.lat), limits, ride, direction == "inbound"
    )
    features = [
        Feature[AreaProperties](
            geometry=as_geojson(shape),
            properties=AreaProperties.model_validate(
                {
                    "tier_minutes": limit // 60,
                    "direction": direction,
                    "method": found.method,
                    "travel_s": limit,
                    "on_foot_m": round(found.on_foot_m),
                    "estimated_because": found.why,
                }
            ),
        )
        for limit, shape in reversed(list(zip(limits, found.shapes, strict=True)))
    ]
    return FeatureCollection[AreaProperties](features=features)


class UnionProperties(BaseModel):
    """Circles of several posts as one."""

    code: str = Field(description="zone_code or responsible_unit; empty for the city")
    name: str
    tier_minutes: Literal[1, 3, 5]
    posts: int
    method: str = Field(description="geodesic_estimate when one of the circles is")


class Unions(FeatureCollection[UnionProperties]):
    """Circles joined, the longest tier first."""

    response_known: bool = Field(description=_KNOWN)


@router.get("/response/unions")
async def get_unions(
    request: Request,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees: cut there")],
    by: Annotated[UnionGrouping, Query()] = "zone",
    at: At = None,
) -> Unions:
    """Draw what the posts of a zone, of a unit or of the city reach together, of the posts that count at the moment.

    The longest tier first. Asked as of a former time it draws nothing: the circles of then are not kept.
    """
    server, boxes = server_of(request), read_boxes(bbox, CRS84)
    moment = _in_city(request, at)
    async with reading(request) as database:
        if not await circles_known(database, moment_of(request, at)):
            return Unions(features=[], response_known=False)
        circles = await server.unions.read(database, by, moment)
    budget = SOLVING if circles.joined is None else MAPS
    found = await budget.run(account_of(request), server.unions.join, circles)
    return Unions(features=await MAPS.run(account_of(request), _cut, found, boxes), response_known=True)


def _in_city(request: Request, at: datetime | None) -> datetime:
    """Return a moment in the city's own time; None: now."""
    return (moment_of(request, at) or datetime.now(UTC)).astimezone(ZoneInfo(server_of(request).settings.timezone))


def _cut(unions: list[Union], boxes: Sequence[Box]) -> list[Feature[UnionProperties]]:
    features: list[Feature[UnionProperties]] = []
    for one in unions:
        for box in boxes:
            shape = cut_to(one.shape, box)
            if not shapely.is_empty(shape):
                properties = UnionProperties.model_validate(one._asdict())
                features.append(Feature[UnionProperties](geometry=as_geojson(shape), properties=properties))
    return features


class CoverageAnswer(BaseModel):
    """What is covered, by group."""

    by: Grouping
    posts: int | None = Field(description="posts that you see that count at the moment; null: it is not known")
    response_known: bool = Field(description=_KNOWN)
    groups: list[Group] = Field(description="empty where the circles of that time are not known")


@router.get("/response/coverage")
async def get_coverage(
    request: Request,
    by: Annotated[Grouping, Query(description="hour: the whole city at each hour of the day")] = "city",
    at: At = None,
) -> CoverageAnswer:
    """Say which share of area, households, incidents of 12 months and key places is within 1, 3 and 5 minutes.

    Asked as of a former time it tells no figures: neither the circles nor the posts of then are kept.
    """
    server = server_of(request)
    async with reading(request) as database:
        if not await circles_known(database, moment_of(request, at)):
            return CoverageAnswer(by=by, posts=None, response_known=False, groups=[])
    moment = _in_city(request, at)
    coverage = await server.covered.read(by, moment)
    seen = identity_of(request).seen
    groups = await SOLVING.run(account_of(request), coverage.groups, by, moment, seen.only_cells)
    return CoverageAnswer(by=by, posts=coverage.count(moment, seen.only_posts), response_known=True, groups=groups)


class StageTimes(BaseModel):
    """Seconds that clocks of incidents say, of those that have all of them."""

    code: str
    n: int
    no_clock: int = Field(description="left out: a clock is missing")
    out_of_order: int = Field(description="left out: a clock is before the one before it")
    over_a_day: int = Field(description="left out: longer than a day")
    dispatch_p50_s: float | None
    dispatch_p90_s: float | None
    turnout_p50_s: float | None
    turnout_p90_s: float | None
    travel_p50_s: float | None
    travel_p90_s: float | None
    whole_p50_s: float | None = Field(description="from the call to the arrival")
    whole_p90_s: float | None
    within_1: float | None = Field(description="share whose travel took at most 1 minute; beside the modelled share")
    within_3: float | None
    within_5: float | None


@router.get("/response/times")
async def get_times(
    request: Request,
    by: Annotated[Grouping, Query()] = "city",
    months: Annotated[int, Query(ge=1, le=120)] = 12,
) -> list[StageTimes]:
    """Say how long it really took, from the incidents that whoever asks sees; stages apart, exclusions counted."""
    async with reading(request) as database:
        rows = await response_times(database, by, months, server_of(request).settings.timezone)
    return [StageTimes.model_validate(row) for row in rows]


@router.get("/response/move-up")
async def get_move_up(request: Request) -> list[BareZone]:
    """Name the zones that no car or motorcycle is free in now, and who could move up; most open incidents first."""
    server = server_of(request)
    now = _in_city(request, None)
    router, travel = server.upkeep.router, server.upkeep.travel
    asked = await with_rights(request, lambda connection: read_zones(connection, now), ROUTES)
    return await ROUTES.run(account_of(request), bare_zones, asked, router, travel, now)


class SitingQuestion(BaseModel):
    """Where posts should be."""

    model_config = ConfigDict(extra="forbid")

    within: str = Field(min_length=1, max_length=32, description="grid_code of a county, township or smaller cell")
    model: Literal["maximal_covering", "set_covering", "p_median"] = "maximal_covering"
    tier_minutes: Literal[1, 3, 5] = 3
    count: int | None = Field(
        None,
        ge=1,
        le=500,
        description="how many are placed, besides posts that stay; none for set covering, which finds the fewest",
    )
    demand: Literal["households", "incidents"] = "households"
    candidates: Literal["governance_centres", "mandatory_stops"] = "governance_centres"
    keeps_posts: bool = True
    capacity: float | None = Field(None, gt=0, description="most demand one post can serve")


class SitingSite(BaseModel):
    """A post there is, or a place for one."""

    code: str
    name: str
    is_post: bool
    lon: float
    lat: float
    adds: float = Field(description="share of all demand that it alone covers")


class SitingAnswer(BaseModel):
    """Where they should be, beside today; shares between 0 and 1."""

    sites: list[SitingSite]
    covered: float
    covered_today: float
    mean_s: float | None = Field(description="seconds to the nearest, by demand")
    mean_today_s: float | None
    demand: float
    estimated: float = Field(description="share of travel times that are straight-line estimates")


@router.post("/response/siting")
async def post_siting(request: Request, asked: SitingQuestion) -> SitingAnswer:
    """Say where posts or standby points should be within a cell; up to minutes for a county, ended when nobody waits."""
    upkeep, question = server_of(request).upkeep, siting.Question(**asked.model_dump())
    given_up = Event()

    async def work() -> siting.Answer:
        async with server_of(request).solvers.turn() as turn:
            places = await with_rights(request, lambda connection: siting.read_places(connection, question), SOLVING)
            seconds, estimated = await ROUTES.run(
                account_of(request), siting.travel_times, places, upkeep.router, upkeep.travel, given_up
            )
            found: siting.Answer = await turn.do(siting.solve, places, seconds, estimated)
            return found

    with server_of(request).calculations.held(identity_of(request).principal_id):
        try:
            return SitingAnswer.model_validate(asdict(await while_wanted(request, work())))
        finally:
            given_up.set()


class Roads(BaseModel):
    """The roads that travel times are from."""

    extract: str
    built_at: datetime
    valhalla: str


class DrawingState(BaseModel):
    """How far the circles are drawn again; those before are served until then."""

    done: int
    total: int = Field(description="posts that you see whose circles were out of date when it was last looked")
    isolated: list[str] = Field(
        description="posts from which next to nothing is reached on the roads, such as by closures"
    )
    roads: Roads | None = Field(description="null: no road graph is here, and travel times are estimated")


@router.get("/response/drawing")
async def get_drawing(request: Request) -> DrawingState:
    """Tell how far this server is with drawing circles, and from which roads."""
    upkeep = server_of(request).upkeep
    graph = upkeep.router.graph
    manifest = read_manifest(graph) if graph is not None else None
    roads = Roads.model_validate(vars(manifest)) if manifest else None
    async with reading(request) as database:
        isolated = await isolated_posts(database)
    progress = upkeep.drawing.progress(identity_of(request).seen.only_posts)
    return DrawingState(**progress, isolated=isolated, roads=roads)
