"""Joint meetings 联席会: what was resolved becomes matters, filed through the same door as any incident."""

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.layers.grid_cells import refuse_unknown_cell
from geo_grid.layers.incidents import Step
from geo_grid.moments import CLOCK_TOLERANCE, Moment
from geo_grid.workflow import NewIncident, file_in, report

QUERIES = load_queries("geo_grid.field", "meetings.sql")
_ONE, _NEWEST = (f"{QUERIES['meetings']} {QUERIES[which]}" for which in ("of_meeting", "newest"))
Unit = Annotated[str, Field(min_length=1, max_length=200)]


class NewResolution(BaseModel):
    """What was resolved, as the matter that it becomes."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=4000, description="the description of the matter")
    category: str = Field(min_length=1, max_length=100, description="code of a category, or its name")
    responsible_unit: Unit
    lon: float = Field(description="longitude, or easting in the units of source_crs")
    lat: float = Field(description="latitude, or northing in the units of source_crs")
    source_crs: str = Field("EPSG:4490", max_length=200, description="EPSG code, GCJ-02 or BD-09")


class NewMeeting(BaseModel):
    """A meeting that was held; units, never people."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=200)
    held_at: Moment
    grid_code: str | None = Field(None, max_length=32, description="cell whose meeting it was; null: the city's")
    units: Annotated[list[Unit], Field(min_length=1, max_length=50, description="units that took part")]
    resolutions: Annotated[list[NewResolution], Field(max_length=50)] = []


class Resolution(BaseModel):
    """A resolution, and how far its matter is."""

    number: int
    responsible_unit: str
    incident_id: int
    category: str
    step: Step
    text: str = Field(description="read with the right incidents.text; emptied in time")
    due_at: datetime | None
    is_open: bool


class Meeting(BaseModel):
    """A meeting with the resolutions whose matters one may see."""

    meeting_id: int
    title: str
    held_at: datetime
    grid_code: str | None
    units: list[str]
    actor_name: str
    recorded_at: datetime
    resolutions: list[Resolution]


async def hold(connection: AsyncConnection, new: NewMeeting, key: str | None) -> tuple[Meeting, bool]:
    """Record a meeting, and file its resolutions, in the caller's one transaction; swapped coordinates were refused before.

    Parameters
    ----------
    key
        Idempotency-Key: the same key with the same content returns the first meeting again.

    Returns
    -------
    The meeting, and whether it is new.

    Raises
    ------
    Forbidden
        The cell, or the place of a resolution, is none of the caller's.
    Conflict
        The key was used for another meeting.
    UserError
        It is in the future, or of no cell that there is; see `report` for a resolution that cannot be filed.
    """
    if new.held_at > datetime.now(UTC) + CLOCK_TOLERANCE:
        message = f"held_at {new.held_at.isoformat()} is in the future: record a meeting once it was held"
        raise UserError(message)
    digest = hashlib.sha256(new.model_dump_json().encode()).digest() if key is not None else None
    sent = {"sent_key": key, "digest": digest}
    try:
        made = await fetch_one(connection, QUERIES["record"], new.model_dump(exclude={"resolutions"}) | sent)
    except psycopg.errors.InsufficientPrivilege:
        message = "this cell is none of yours: name one of your grid cells in grid_code"
        raise Forbidden(message) from None
    if not made:
        return await _sent_before(connection, sent), False
    await refuse_unknown_cell(connection, new.grid_code)

    for number, one in enumerate(new.resolutions, start=1):
        matter = NewIncident.model_validate(
            one.model_dump(include={"lon", "lat", "source_crs", "category"}) | {"description": one.text}
        )
        incident, _ = await report(partial(file_in, connection), matter, None, _checked)
        resolution = {"number": number, "unit": one.responsible_unit, "incident_id": incident.incident_id}
        await connection.execute(QUERIES["resolve"], {**made, **resolution})
    return await get_meeting(connection, made["meeting_id"]), True


async def get_meeting(connection: AsyncConnection, meeting_id: int) -> Meeting:
    """Read one meeting. Raises NotFound."""
    found = await fetch_one(connection, _ONE, {"meeting_id": meeting_id})
    if not found:
        message = f"there is no meeting {meeting_id}"
        raise NotFound(message)
    return Meeting.model_validate(found)


async def meetings(connection: AsyncConnection, limit: int, before: int | None = None) -> list[Meeting]:
    """Read meetings, the newest first; `before` is the last meeting_id of the previous page."""
    previous = await get_meeting(connection, before) if before is not None else None
    values = {"limit": limit, "before_id": before, "before_at": previous.held_at if previous else None}
    rows = await (await connection.execute(_NEWEST, values)).fetchall()
    return [Meeting.model_validate(row) for row in rows]


async def _checked(_lon: float, _lat: float) -> None:
    """Refuse nothing: places were checked before the transaction began."""


async def _sent_before(connection: AsyncConnection, sent: dict[str, Any]) -> Meeting:
    before = await fetch_one(connection, QUERIES["sent"], sent)
    if bytes(before["request_digest"]) != sent["digest"]:
        message = "this Idempotency-Key was already used for a different meeting: use a new key"
        raise Conflict(message)
    return await get_meeting(connection, before["meeting_id"])
