"""Patrol: mandatory stops, check-ins, completion, and routes."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request

from geo_grid.api.server.asking import account_of, reading, with_rights, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import ROUTES
from geo_grid.moments import Day
from geo_grid.response.patrol import PatrolPlan, PatrolQuestion, plan, read_task
from geo_grid.response.stops import CheckedIn, CheckIn, Completion, Stop, check_in, completion, stops

router = APIRouter(prefix="/patrol", tags=["patrol"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

ZoneCode = Annotated[str | None, Query(max_length=32, description="of a patrol zone; all if not given")]


@router.get("/stops")
async def get_stops(request: Request, zone_code: ZoneCode = None) -> list[Stop]:
    """List mandatory stops with their time windows; they are set with their zone, in a draft of boundaries."""
    async with reading(request) as database:
        return await stops(database, zone_code)


@router.post("/check-ins", status_code=201, responses={404: PROBLEM})
async def post_check_in(request: Request, given: CheckIn) -> CheckedIn:
    """Store that a unit is at a stop; it must be within 150 m of it."""
    async with writing(request) as database:
        return await check_in(database, given, server_of(request).settings.timezone)


@router.get("/completion")
async def get_completion(
    request: Request,
    day: Annotated[Day | None, Query(description="on which the shifts begin; today if not given")] = None,
    zone_code: ZoneCode = None,
) -> list[Completion]:
    """Return how many due stops were visited, by zone and shift, and which were missed."""
    server = server_of(request)
    zone, shifts = ZoneInfo(server.settings.timezone), server.patrol_shifts
    now = datetime.now(zone)
    return await with_rights(request, lambda c: completion(c, day or now.date(), shifts, now, zone, zone_code), ROUTES)


@router.post("/routes", responses={404: PROBLEM})
async def post_routes(request: Request, question: PatrolQuestion) -> PatrolPlan:
    """Plan routes of units to the stops of a zone; nothing is stored."""
    server = server_of(request)
    now, zone = datetime.now(UTC), ZoneInfo(server.settings.timezone)
    router, travel = server.upkeep.router, server.upkeep.travel
    task = await with_rights(request, lambda connection: read_task(connection, question, now, zone), ROUTES)
    return await ROUTES.run(account_of(request), plan, task, router, travel)
