"""Stability-risk assessments 稳评 of major projects: recorded, and whether all that should be assessed is 应评尽评."""

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import NotFound, UserError
from geo_grid.moments import Day

QUERIES = load_queries("geo_grid.workflow", "assessments.sql")
Risk = Literal["low", "medium", "high"]
Decision = Literal["proceed", "proceed_partly", "postpone", "refuse"]


class Assessment(BaseModel):
    """What an assessment found."""

    model_config = ConfigDict(extra="forbid")

    assessed_on: Day
    valid_until: Day
    risk_level: Risk
    decision: Decision

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_until < self.assessed_on:
            message = f"valid_until {self.valid_until} is before assessed_on {self.assessed_on}"
            raise ValueError(message)
        return self


class Project(BaseModel):
    """A major project that should be assessed, with its newest assessment."""

    place_code: str
    name: str
    responsible_unit: str
    grid_code: str | None
    lon: float
    lat: float
    state: Literal["missing", "out_of_date", "valid"] = Field(description="of its assessment")
    assessed_on: date | None
    valid_until: date | None
    risk_level: Risk | None
    decision: Decision | None


async def projects(
    connection: AsyncConnection,
    today: date,
    due_only: bool = True,
    limit: int = 100,
    after: str | None = None,
    only: str | None = None,
) -> list[Project]:
    """List projects that should be assessed, by code; `after` is the last code of the previous page.

    Parameters
    ----------
    today
        Day in the city's time zone.
    due_only
        Only those whose assessment is missing or out of date.
    only
        Only the one of this code, even if it need not be assessed.
    """
    values = {"today": today, "due_only": due_only, "limit": limit, "after": after, "only": only}
    rows = await (await connection.execute(QUERIES["projects"], values)).fetchall()
    return [Project.model_validate(row) for row in rows]


async def assess(connection: AsyncConnection, place_code: str, given: Assessment, today: date) -> Project:
    """Record an assessment of a project, in the caller's transaction on behalf of whoever records it.

    Raises
    ------
    NotFound
        They see no such place.
    UserError
        It is no major project, or was assessed in the future.
    """
    found = await fetch_one(connection, QUERIES["project"], {"place_code": place_code})
    if not found:
        message = (
            f"there is no place {place_code} in the registers: POST /collections/registered_places/items makes one"
        )
        raise NotFound(message)
    if found["place_kind"] != "major_project":
        message = f"{place_code} is a hidden danger: only major projects are assessed; list it for supervision instead"
        raise UserError(message)
    if given.assessed_on > today:
        message = f"assessed_on {given.assessed_on} is in the future: today is {today}"
        raise UserError(message)
    await connection.execute(QUERIES["record"], {**found, **given.model_dump()})
    return (await projects(connection, today, due_only=False, only=place_code))[0]
