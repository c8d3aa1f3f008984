"""What a grid worker needs on the way: their compounds, this week's visits, their open matters."""

from datetime import date, datetime, timedelta

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.field.norms import VISIT_DAYS
from geo_grid.field.reminders import Reminders, reminders
from geo_grid.field.workers import require_account

QUERIES = load_queries("geo_grid.field", "rounds.sql")


class Compound(BaseModel):
    """A compound, or basic cell, of one's rounds; lon, lat in degrees (EPSG:4490), of a point in it."""

    grid_code: str
    name: str
    household_count: int | None
    lon: float
    lat: float
    visits_this_week: int
    visited_at: datetime | None = Field(description="one's last visit there")


class Rounds(BaseModel):
    """What a grid worker needs on the way."""

    login_name: str
    person_name: str | None = Field(description="of the duty roster; null: nobody said who the account is")
    compounds: list[Compound]
    days_visited: int = Field(description="days of this week with a visit")
    days_needed: int
    matters: Reminders


async def rounds(connection: AsyncConnection, today: date, timezone: str) -> Rounds:
    """Read what the person of an account needs; `today` is in the city's time zone, `timezone`. Raises NotLoggedIn."""
    await require_account(connection)
    monday = today - timedelta(days=today.weekday())
    values = {"first": monday, "after": monday + timedelta(days=7), "zone": timezone, "most": VISIT_DAYS}
    who = await fetch_one(connection, QUERIES["who"])
    compounds = await (await connection.execute(QUERIES["compounds"], values)).fetchall()
    week = await fetch_one(connection, QUERIES["week"], values)
    matters = await reminders(connection)
    return Rounds.model_validate({**who, **week, "compounds": compounds, "matters": matters})
