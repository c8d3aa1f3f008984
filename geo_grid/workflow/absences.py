"""Who is away and who stands in for them, and who is at the one-stop desk of their community on which day."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, NotFound, UserError
from geo_grid.moments import Moment

QUERIES = load_queries("geo_grid.workflow", "absences.sql")
DESK_PEOPLE = 2
"""People of each community at its one-stop desk each day (Xingtai's own account)."""


class NewAbsence(BaseModel):
    """Somebody on duty is away for a time."""

    model_config = ConfigDict(extra="forbid")

    duty_id: int = Field(ge=1, le=2**63 - 1)
    substitute_id: int | None = Field(
        None, ge=1, le=2**63 - 1, description="duty of who stands in; null: whoever comes next"
    )
    valid_from: Moment
    valid_to: Moment | None = Field(None, description="exclusive; null: until it is ended")

    @model_validator(mode="after")
    def _ends_later(self) -> "NewAbsence":
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            message = "valid_to must be later than valid_from"
            raise ValueError(message)
        if self.substitute_id == self.duty_id:
            message = "somebody who is away does not stand in for themselves"
            raise ValueError(message)
        return self


class Absence(BaseModel):
    """Somebody who is away, and who stands in."""

    absence_id: int
    duty_id: int
    grid_code: str
    duty_role: str
    person_name: str
    substitute_id: int | None
    substitute_name: str | None
    valid_from: datetime
    valid_to: datetime | None


class DeskDay(BaseModel):
    """Who of a community is where on a day."""

    duty_id: int
    grid_code: str
    duty_role: str
    person_name: str
    at_desk: bool


class DeskRoster(BaseModel):
    """The people of a community on a day."""

    grid_code: str
    day: date
    wanted: int = Field(DESK_PEOPLE, description="people who should be at the desk")
    people: list[DeskDay]


async def absences(connection: AsyncConnection, grid_code: str | None = None) -> list[Absence]:
    """List who is away now or later, in one cell or everywhere that is seen."""
    rows = await connection.execute(QUERIES["absences"], {"grid_code": grid_code, "absence_id": None})
    return [Absence.model_validate(row) for row in await rows.fetchall()]


async def add_absence(connection: AsyncConnection, new: NewAbsence) -> Absence:
    """Note that somebody is away.

    Raises
    ------
    NotFound
        There is no such duty where the caller may write.
    Conflict
        They are away then already.
    """
    values = new.model_dump()
    for name in ("duty_id", "substitute_id"):
        wanted = values[name]
        if wanted is not None and not (await connection.execute(QUERIES["duty"], {"duty_id": wanted})).rowcount:
            message = f"there is no duty {wanted} in your grid cells: GET /duties/desk lists them"
            raise NotFound(message)
    if (await connection.execute(QUERIES["overlapping"], values)).rowcount:
        message = "this person is away then already: end that absence first"
        raise Conflict(message)
    made = await fetch_one(connection, QUERIES["add"], values)
    return Absence.model_validate(await fetch_one(connection, QUERIES["absences"], {**made, "grid_code": None}))


async def end_absence(connection: AsyncConnection, absence_id: int) -> None:
    """End an absence now; one that has not begun is deleted. Raises NotFound."""
    for name in ("forget", "end"):
        if (await connection.execute(QUERIES[name], {"absence_id": absence_id})).rowcount:
            return
    message = f"there is no absence {absence_id} that could be ended"
    raise NotFound(message)


async def desk_roster(connection: AsyncConnection, grid_code: str, day: date, zone: ZoneInfo) -> DeskRoster:
    """Read who of a community is at the desk on a day, and who is in the field. Raises NotFound: nobody is on duty there."""
    values = {"grid_code": grid_code, **_span(day, zone)}
    people = await (await connection.execute(QUERIES["roster"], values)).fetchall()
    if not people:
        message = f"nobody is on duty in {grid_code} on {day.isoformat()}: check the grid code"
        raise NotFound(message)
    return DeskRoster.model_validate({"grid_code": grid_code, "day": day, "people": people})


async def set_desk_roster(
    connection: AsyncConnection, grid_code: str, day: date, zone: ZoneInfo, duty_ids: list[int]
) -> DeskRoster:
    """Say who of a community is at the desk on a day; the others are in the field.

    Raises
    ------
    NotFound
        Nobody is on duty there.
    UserError
        One of them is not on duty in this community on that day.
    Forbidden
        The community is not the caller's to write for.
    """
    known = {one.duty_id for one in (await desk_roster(connection, grid_code, day, zone)).people}
    if strangers := sorted(set(duty_ids) - known):
        message = f"{', '.join(map(str, strangers))}: not on duty in {grid_code} on {day.isoformat()}"
        raise UserError(message)
    values = {"grid_code": grid_code, **_span(day, zone)}
    await connection.execute(QUERIES["clear_day"], {**values, "known": sorted(known)})
    await connection.execute(QUERIES["put_day"], {**values, "duty_ids": sorted(set(duty_ids))})
    return await desk_roster(connection, grid_code, day, zone)


def _span(day: date, zone: ZoneInfo) -> dict[str, datetime]:
    """Return when a day of the city begins and ends."""
    return {
        "day_begins": datetime.combine(day, time(), zone),
        "day_ends": datetime.combine(day + timedelta(days=1), time(), zone),
    }
