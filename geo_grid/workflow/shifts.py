"""Notes that a shift leaves to the next, which acknowledges them 交接班; and units on scene that must be heard of."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound
from geo_grid.layers.grid_cells import refuse_unknown_cell

QUERIES = load_queries("geo_grid.workflow", "shifts.sql")


class NewShiftNote(BaseModel):
    """What the next shift must know."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    note: str = Field(min_length=1, max_length=4000)
    grid_code: str | None = Field(None, max_length=64, description="cell whose desk it is for; null: the city's")


class ShiftNote(NewShiftNote):
    """A note, and who acknowledged it."""

    shift_note_id: int
    written_by: str
    written_at: datetime
    is_own: bool = Field(description="whoever asks wrote it: somebody else acknowledges it")
    acknowledged_by: str | None
    acknowledged_at: datetime | None


class ShiftDesk(BaseModel):
    """A cell for whose desk one may leave a note."""

    grid_code: str
    name: str


class CheckInDue(BaseModel):
    """A unit on scene, and until when it must be heard of."""

    incident_id: int
    category: str
    unit_code: str
    unit_name: str
    arrived_at: datetime
    heard_at: datetime = Field(description="when it arrived, or was heard of last")
    due_at: datetime
    is_overdue: bool


async def shift_notes(connection: AsyncConnection, open_only: bool, limit: int) -> list[ShiftNote]:
    """List notes, the newest first; open ones were acknowledged by nobody."""
    rows = await connection.execute(QUERIES["notes"], {"open_only": open_only, "limit": limit})
    return [ShiftNote.model_validate(row) for row in await rows.fetchall()]


async def shift_desks(connection: AsyncConnection) -> list[ShiftDesk]:
    """List the cells that the caller answers for, without those below them; none: those of the whole city need none."""
    rows = await connection.execute(QUERIES["desks"])
    return [ShiftDesk.model_validate(row) for row in await rows.fetchall()]


async def add_shift_note(connection: AsyncConnection, new: NewShiftNote) -> ShiftNote:
    """Leave a note. Raises Forbidden: the desk it is for is none of the caller's; UserError: there is no such cell."""
    may = await (await connection.execute(QUERIES["may"], {"grid_code": new.grid_code})).fetchone()
    if may is None or not may["may"]:
        message = "this desk is none of yours: name one of your grid cells in grid_code"
        raise Forbidden(message)
    await refuse_unknown_cell(connection, new.grid_code)
    row = await (await connection.execute(QUERIES["add"], new.model_dump())).fetchone()
    return ShiftNote.model_validate(row)


async def acknowledge(connection: AsyncConnection, shift_note_id: int) -> ShiftNote:
    """Acknowledge a note.

    Raises
    ------
    NotFound
        There is no such note.
    Conflict
        The caller wrote it, or somebody acknowledged it before.
    """
    key = {"shift_note_id": shift_note_id}
    row = await (await connection.execute(QUERIES["one"], key)).fetchone()
    if row is None:
        message = f"there is no note {shift_note_id}"
        raise NotFound(message)
    if row["acknowledged_at"] is not None:
        message = (
            f"{row['acknowledged_by']} acknowledged this note at {row['acknowledged_at'].isoformat(timespec='minutes')}"
        )
        raise Conflict(message)
    if row["is_own"]:
        message = "whoever wrote a note does not acknowledge it: the next shift does"
        raise Conflict(message)
    return ShiftNote.model_validate(await (await connection.execute(QUERIES["acknowledge"], key)).fetchone())


async def check_ins(connection: AsyncConnection) -> list[CheckInDue]:
    """List units on scene that must be heard of, those that are overdue longest first."""
    rows = await connection.execute(QUERIES["check_ins"])
    return [CheckInDue.model_validate(row) for row in await rows.fetchall()]
