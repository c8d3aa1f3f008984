"""/duties: who is away and who stands in, and who is at the one-stop desk of a community on a day."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.moments import Day
from geo_grid.workflow.absences import (
    Absence,
    DeskRoster,
    NewAbsence,
    absences,
    add_absence,
    desk_roster,
    end_absence,
    set_desk_roster,
)

router = APIRouter(tags=["duties"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
GridCode = Annotated[str, Path(min_length=1, max_length=64)]
DayOfCity = Annotated[Day, Path(description="a day of the city's time zone")]


class Absences(BaseModel):
    """Who is away now or later."""

    absences: list[Absence]


class AtDesk(BaseModel):
    """Who is at the desk."""

    model_config = ConfigDict(extra="forbid")

    duty_ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(max_length=50)


@router.get("/duties/absences")
async def get_absences(
    request: Request, grid_code: Annotated[str | None, Query(min_length=1, max_length=64)] = None
) -> Absences:
    """List who is away now or later, and who stands in."""
    async with reading(request) as database:
        return Absences(absences=await absences(database, grid_code))


@router.post("/duties/absences", status_code=201, responses={404: PROBLEM, 409: PROBLEM})
async def post_absence(request: Request, new: NewAbsence) -> Absence:
    """Note that somebody is away: matters go to their substitute, or to whoever comes next."""
    async with writing(request) as database:
        return await add_absence(database, new)


@router.delete("/duties/absences/{absence_id}", status_code=204, responses={404: PROBLEM})
async def delete_absence(request: Request, absence_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> None:
    """End an absence now."""
    async with writing(request) as database:
        await end_absence(database, absence_id)


@router.get("/duties/desk/{grid_code}/{day}", responses={404: PROBLEM})
async def get_desk(request: Request, settings: Configured, grid_code: GridCode, day: DayOfCity) -> DeskRoster:
    """List the people of a community, and who of them is at its one-stop desk on a day."""
    async with reading(request) as database:
        return await desk_roster(database, grid_code, day, ZoneInfo(settings.timezone))


@router.put("/duties/desk/{grid_code}/{day}", responses={404: PROBLEM})
async def put_desk(
    request: Request, settings: Configured, grid_code: GridCode, day: DayOfCity, at_desk: AtDesk
) -> DeskRoster:
    """Say who is at the one-stop desk of a community on a day; the others are in the field."""
    async with writing(request) as database:
        return await set_desk_roster(database, grid_code, day, ZoneInfo(settings.timezone), at_desk.duty_ids)
