"""Deadlines: what is due, and the limits, working hours and working days that it comes from."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import AtMost, moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.moments import FIRST_STORED, LAST_STORED, AskedMoment, Day
from geo_grid.workflow import deadlines, working_time
from geo_grid.workflow.deadlines import Deadline, KeptPolicy, Policy
from geo_grid.workflow.working_time import KeptDay, KeptSchedule, Schedule, WorkingDay

router = APIRouter(tags=["deadlines"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

Code = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,31}$")]


class Deadlines(BaseModel):
    """A page of deadlines, the most urgent first."""

    deadlines: list[Deadline]
    next: str | None


@router.get("/incidents/deadlines", responses={404: PROBLEM})
async def get_deadlines(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    before: Annotated[AskedMoment | None, Query(description="only deadlines before this moment")] = None,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this incident_id")] = None,
) -> Deadlines:
    """List open incidents by the first deadline that they have not met; `next` leads to later ones."""
    async with reading(request) as database:
        page = await deadlines.open_deadlines(database, limit, moment_of(request, before), after)
    return Deadlines(deadlines=page, next=here(request, after=page[-1].incident_id) if len(page) == limit else None)


@router.get("/deadlines/policies")
async def get_policies(request: Request) -> list[KeptPolicy]:
    """List the limits of incidents, those that win first."""
    async with reading(request) as database:
        return await deadlines.policies(database)


@router.put("/deadlines/policies/{policy_code}", responses={409: PROBLEM})
async def put_policy(request: Request, policy_code: Code, policy: Policy) -> KeptPolicy:
    """Make or replace limits; the deadlines of open incidents follow within seconds."""
    async with writing(request) as database:
        return await deadlines.set_policy(database, policy_code, policy)


@router.delete("/deadlines/policies/{policy_code}", status_code=204, responses={404: PROBLEM})
async def delete_policy(request: Request, policy_code: Code) -> Response:
    """Remove limits; open incidents get those of the next policy that fits."""
    async with writing(request) as database:
        await deadlines.remove_policy(database, policy_code)
    return Response(status_code=204)


@router.get("/deadlines/schedules")
async def get_schedules(request: Request) -> list[KeptSchedule]:
    """List working hours."""
    async with reading(request) as database:
        return await working_time.schedules(database)


@router.put("/deadlines/schedules/{schedule_code}")
async def put_schedule(request: Request, schedule_code: Code, schedule: Schedule) -> KeptSchedule:
    """Make or replace working hours."""
    async with writing(request) as database:
        return await working_time.set_schedule(database, schedule_code, schedule)


@router.get("/deadlines/days")
async def get_days(request: Request, year: Annotated[int, Query(ge=FIRST_STORED, le=LAST_STORED)]) -> list[KeptDay]:
    """List the days of a year: which are worked."""
    async with reading(request) as database:
        return await working_time.days_of(database, year)


@router.put("/deadlines/days/{day}")
async def put_day(request: Request, day: Day, what: WorkingDay) -> KeptDay:
    """Say whether a day is worked; no later list of holidays changes it."""
    async with writing(request) as database:
        return await working_time.set_day(database, day, what)
