"""Coverage by circles, and measured response times."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from geo_grid.api.server.asking import account_of, identity_of, reading, reading_much, while_wanted
from geo_grid.api.server.parameters import CIRCLES_KNOWN, At, in_city, moment_of
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import BULK, SOLVING
from geo_grid.locate.lookup import circles_known
from geo_grid.response.coverage import Group, Grouping, response_times

router = APIRouter(tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class CoverageAnswer(BaseModel):
    """Coverage by group."""

    by: Grouping
    posts: int | None = Field(description="posts that you see that count at the moment; null: it is not known")
    response_known: bool = Field(description=CIRCLES_KNOWN)
    groups: list[Group] = Field(description="empty where the circles of that time are not known")


@router.get("/response/coverage")
async def get_coverage(
    request: Request,
    by: Annotated[Grouping, Query(description="hour: the whole city at each hour of the day")] = "city",
    at: At = None,
) -> CoverageAnswer:
    """Return the shares of area, households, incidents of 12 months and key places within 1, 3 and 5 minutes.

    For a past time there are no figures, since past circles and posts are not stored.
    """
    server = server_of(request)
    async with reading(request) as database:
        if not await circles_known(database, moment_of(request, at)):
            return CoverageAnswer(by=by, posts=None, response_known=False, groups=[])
    moment = in_city(request, at)
    coverage = await server.covered.read(by, moment)
    seen = identity_of(request).seen
    groups = await SOLVING.run(account_of(request), coverage.groups, by, moment, seen.only_cells)
    return CoverageAnswer(by=by, posts=coverage.count(moment, seen.only_posts), response_known=True, groups=groups)


class StageTimes(BaseModel):
    """Measured times in seconds, of incidents with all clock fields."""

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
    """Return measured response times by stage, of the incidents that the principal sees, with the number excluded and why."""
    zone = server_of(request).settings.timezone

    async def read() -> list[dict[str, Any]]:
        async with BULK.turn(account_of(request)), reading_much(request) as database:
            return await response_times(database, by, months, zone)

    rows = await while_wanted(request, read())
    return [StageTimes.model_validate(row) for row in rows]
