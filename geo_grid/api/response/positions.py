"""Positions and tracks of units."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.parameters import moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.locate.lookup import city_extent
from geo_grid.moments import AskedMoment
from geo_grid.reported import MOST_AT_ONCE
from geo_grid.response import Position, Taken, TrackPoint, take_positions, track

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
    """Store positions. The newest of each unit becomes its position; invalid ones are refused one by one and listed."""
    async with writing(request) as database:
        return await take_positions(database, batch.positions, await city_extent(database))


class Track(BaseModel):
    """Track of a unit, oldest point first."""

    unit_code: str
    positions: list[TrackPoint]


@router.get("/units/{unit_code}/track", responses={404: PROBLEM})
async def get_track(
    request: Request,
    unit_code: Annotated[str, Path(max_length=32)],
    since: Annotated[AskedMoment | None, Query(description="an hour ago if not given")] = None,
    until: Annotated[AskedMoment | None, Query(description="now if not given")] = None,
) -> Track:
    """Return the track of a unit, as far back as it is kept."""
    end = (moment_of(request, until) or datetime.now(UTC) + timedelta(minutes=2)).astimezone(UTC)
    async with reading(request) as database:
        return Track(
            unit_code=unit_code,
            positions=await track(database, unit_code, moment_of(request, since) or end - timedelta(hours=1), end),
        )
