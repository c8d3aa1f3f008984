"""Storing incidents, exactly once for each idempotency key, with their owners; and reading them."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import psycopg
from pydantic import BaseModel, Field, computed_field

from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.layers import find_layer
from geo_grid.layers.incidents import Step
from geo_grid.moments import CLOCK_TOLERANCE, Moment

LAYER = find_layer("incidents")


class NewIncident(BaseModel):
    """An incident as it is reported."""

    lon: float = Field(description="longitude, or easting in the units of source_crs")
    lat: float = Field(description="latitude, or northing in the units of source_crs")
    source_crs: str = Field("EPSG:4490", max_length=200, description="EPSG code, GCJ-02 or BD-09")
    category: str = Field(
        min_length=1, max_length=100, description="code of a category (GET /incidents/categories), or its name"
    )
    subtype: str = Field("", max_length=100)
    description: str = Field("", max_length=10_000)
    address: str = Field("", max_length=400)
    caller_number: str | None = Field(None, max_length=40, description="shown in full to the handling dispatcher alone")
    received_at: Moment | None = Field(None, description="when the call came; now if not given")

    model_config = {"extra": "forbid", "str_strip_whitespace": True}


class Incident(BaseModel):
    """A stored incident and who owns it."""

    incident_id: int
    incident_number: str | None
    category: str = Field(description="code, or a name that is not listed among the categories")
    subtype: str
    description: str
    address: str
    caller_number: Annotated[str | None, Field(description="masked, but for the dispatcher who handles it")]
    step: Step
    received_at: datetime
    dispatched_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    handled_at: datetime | None
    feedback_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    lon: float
    lat: float
    grid_code: str | None
    grid_name: str | None
    zone_code: str | None
    zone_name: str | None
    edition_id: int | None
    unassigned: bool
    handler_id: int | None = Field(description="account of the dispatcher who handles it")
    is_demo: bool
    loop_code: str = Field(description="loop it goes through: GET /incidents/{id}/steps names its stages")
    accepted_at: datetime | None
    unit_codes: list[str] = Field(description="patrol units that have it now")
    unit_names: list[str] = Field(description="their names, in the same order")
    assigned_cell: str | None = Field(description="grid cell whose manager or lead has it")
    assigned_role: str | None
    assigned_duty: int | None = Field(description="duty of the person who has it")
    assigned_name: str | None = Field(description="their name, for those who see the duty roster")
    assigned_rule: str | None = Field(
        description="what decided who has it: leaf, ancestor, level (it rose to), substitute, zone, units, city"
    )
    held_level: int | None = Field(description="grid level that it rose to; 0: the city; null: it never rose")
    merged_into: int | None = Field(description="incident that it is a second report of")
    merged_here: list[int] = Field(description="incidents that are second reports of it")
    return_count: int = Field(description="how often it was sent back 退单")
    is_final: bool = Field(description="the level above decided who has it")
    suspended_at: datetime | None = Field(description="since when its clock stands; null: it runs")
    suspended_s: float = Field(description="seconds that its clock stood before")
    outcome: str | None
    evaluation: int | None
    step_count: int = Field(description="steps taken: send it as `seen` with the next")
    policy_code: str | None = Field(description="policy that its limits come from")
    accept_due_at: datetime | None
    arrive_due_at: datetime | None
    settle_due_at: datetime | None
    due_at: datetime | None = Field(description="first deadline that is not met; null: none, or its clock stands")
    due_for: Literal["accept", "arrive", "settle"] | None
    warn_at: datetime | None = Field(description="when the warning before due_at is given")
    is_warned: bool
    is_overdue: bool
    is_on_time: bool | None = Field(description="of a closed one: settled within its limit; null: open, or no limit")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_open(self) -> bool:
        """Whether the incident is not closed."""
        return self.closed_at is None


def _incident(row: dict[str, Any]) -> Incident:
    place = {"lon": round(row["lon"], 8), "lat": round(row["lat"], 8)}  # eight decimals give the lattice point back
    return Incident.model_validate({**row, **place})


type File = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Stores an incident with the reporter's rights, by itself (`Filing.file`) or in a transaction (`file_in`); returns its row."""

type Check = Callable[[float, float], Awaitable[None]]
"""Raises InvalidCoordinates for a place (lon, lat in degrees) with swapped coordinates."""


async def report(file: File, new: NewIncident, idempotency_key: str | None, check: Check) -> tuple[Incident, bool]:
    """Store an incident: `store` of what `prepare` returns, and what both raise."""
    return await store(file, await prepare(new, idempotency_key, check))


async def prepare(new: NewIncident, idempotency_key: str | None, check: Check) -> dict[str, Any]:
    """Return what is stored of an incident.

    Raises
    ------
    InvalidCoordinates, UnknownCrs
        The place is not valid.
    UserError
        received_at is in the future.
    """
    lon, lat = to_lonlat(new.lon, new.lat, new.source_crs)
    if new.received_at is not None and new.received_at > datetime.now(UTC) + CLOCK_TOLERANCE:
        message = f"received_at {new.received_at.isoformat()} is in the future: check the sender's clock"
        raise UserError(message)
    await check(lon, lat)
    digest = hashlib.sha256(new.model_dump_json().encode()).hexdigest() if idempotency_key is not None else None
    return {**new.model_dump(mode="json"), "lon": lon, "lat": lat, "key": idempotency_key, "digest": digest}


async def store(file: File, asked: dict[str, Any]) -> tuple[Incident, bool]:
    """Store what `prepare` returned; the database assigns its owner, and makes the reporting user its handling dispatcher.

    Returns
    -------
    The committed incident, and whether it is new: the same key with the same content returns the first one again.

    Raises
    ------
    Conflict
        The key was used for other content.
    Forbidden
        The place is not in the reporter's grid cells.
    """
    try:
        row = await file(asked)
    except psycopg.errors.InsufficientPrivilege:
        message = "this place is in none of your grid cells: give the call to the command centre of the city"
        raise Forbidden(message) from None
    if row["is_new"] is None:
        message = "this Idempotency-Key was already used for a different incident: use a new key"
        raise Conflict(message)
    return _incident(row), row["is_new"]


async def get(connection: AsyncConnection, incident_id: int) -> Incident:
    """Read one incident. Raises NotFound."""
    row = await (await connection.execute(LAYER.query("one"), {"incident_id": incident_id})).fetchone()
    if row is None:
        message = f"there is no incident {incident_id}"
        raise NotFound(message)
    return _incident(row)


class Counts(BaseModel):
    """How many incidents are open; those of the other fields are among them."""

    open: int
    unassigned: int = Field(description="nobody was sent yet, or no grid cell covers them")
    under_way: int = Field(description="somebody was sent, and has not said that it is handled")
    overdue: int = Field(description="their first deadline that is not met has passed")


async def counts(connection: AsyncConnection) -> Counts:
    """Count the open incidents that the principal of the connection sees."""
    return Counts.model_validate(await (await connection.execute(LAYER.query("counts"))).fetchone())


async def newest(
    connection: AsyncConnection,
    limit: int = 100,
    open_only: bool = False,
    unassigned: bool | None = None,
    before: int | None = None,
    mine: bool = False,
) -> list[Incident]:
    """Read incidents, newest first, or only those the caller handles; `before` is the last incident_id of the previous page."""
    previous = await get(connection, before) if before is not None else None
    rows = await connection.execute(
        LAYER.query("newest"),
        {
            "limit": limit,
            "open_only": open_only,
            "unassigned": unassigned,
            "mine": mine,
            "before_at": previous.received_at if previous else None,
            "before_id": previous.incident_id if previous else None,
        },
    )
    return [_incident(row) for row in await rows.fetchall()]
