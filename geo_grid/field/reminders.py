"""One's open matters: what is overdue, due soon, or waits until one says that one has seen it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.layers.incidents import Step

QUERIES = load_queries("geo_grid.field", "reminders.sql")
SOON_H = 2.0
"""Where no warning is set: hours before a deadline from which it is due soon."""


class Reminder(BaseModel):
    """A matter that one handles, or that was given to one's duty."""

    incident_id: int
    category: str
    step: Step
    grid_code: str | None
    grid_name: str | None
    received_at: datetime
    due_at: datetime | None
    due_for: Literal["accept", "arrive", "settle"] | None
    is_mine_by: Literal["duty", "handler"]
    state: Literal["overdue", "due_soon", "open"]
    to_acknowledge: bool = Field(
        description="somebody else gave it to one, and one has taken no step since: acknowledge it, or act"
    )


class Reminders(BaseModel):
    """One's open matters, the most urgent first."""

    matters: list[Reminder]
    overdue: int
    due_soon: int
    to_acknowledge: int
    shift_notes: int = Field(description="notes of former shifts in one's cells that nobody has acknowledged")


async def reminders(connection: AsyncConnection) -> Reminders:
    """Read the open matters of whoever asks."""
    rows = await (await connection.execute(QUERIES["mine"], {"soon_h": SOON_H})).fetchall()
    matters = [Reminder.model_validate(row) for row in rows]
    return Reminders(
        matters=matters,
        overdue=sum(one.state == "overdue" for one in matters),
        due_soon=sum(one.state == "due_soon" for one in matters),
        to_acknowledge=sum(one.to_acknowledge for one in matters),
        shift_notes=(await fetch_one(connection, QUERIES["shift_notes"]))["open"],
    )
