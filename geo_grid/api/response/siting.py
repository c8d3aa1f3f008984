"""Siting of posts, and move-up of units to bare zones."""

from dataclasses import asdict
from threading import Event
from typing import Literal, get_args

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import account_of, identity_of, while_wanted, with_rights
from geo_grid.api.server.parameters import in_city
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import ROUTES, SOLVING
from geo_grid.layers.response_circles import Why
from geo_grid.response import siting
from geo_grid.response.moveup import BareZone, bare_zones, read_zones

router = APIRouter(tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


@router.get("/response/move-up")
async def get_move_up(request: Request) -> list[BareZone]:
    """List the zones without a free car or motorcycle, and the units that could move there; most open incidents first."""
    server = server_of(request)
    now = in_city(request, None)
    router, travel = server.upkeep.router, server.upkeep.travel
    asked = await with_rights(request, lambda connection: read_zones(connection, now), ROUTES)
    return await ROUTES.run(account_of(request), bare_zones, asked, router, travel, now)


class SitingQuestion(BaseModel):
    """A siting question."""

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
    """A chosen place: an existing post, or a candidate."""

    code: str
    name: str
    is_post: bool
    lon: float
    lat: float
    adds: float = Field(description="share of all demand that it alone covers")


class SitingAnswer(BaseModel):
    """The chosen places, compared with the existing posts; shares between 0 and 1."""

    sites: list[SitingSite]
    covered: float
    covered_today: float
    mean_s: float | None = Field(description="seconds to the nearest, by demand")
    mean_today_s: float | None
    demand: float
    estimated: float = Field(description="share of travel times that are straight-line estimates")
    estimated_because: dict[str, float] = Field(
        description=f"that share by why, {', '.join(get_args(Why))}; empty: none is an estimate"
    )


@router.post("/response/siting")
async def post_siting(request: Request, asked: SitingQuestion) -> SitingAnswer:
    """Propose places of posts or standby points within a cell. Takes up to minutes for a county; cancelled when the client
    disconnects.
    """
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
