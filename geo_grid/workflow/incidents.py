"""Taking an incident in, once, with its owner; and reading incidents back."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import psycopg
from pydantic import BaseModel, Field, computed_field

from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.layers import find_layer
from geo_grid.layers.incidents import Step
from geo_grid.locate import refuse_swapped
from geo_grid.moments import Moment

_CLOCK_TOLERANCE = timedelta(minutes=5)
LAYER = find_layer("incidents")
CATEGORIES = load_queries("geo_grid.layers", "incident_categories.sql")


class NewIncident(BaseModel):
    """An incident as it is reported."""

    lon: float = Field(description="longitude, or easting in the units of source_crs")
    lat: float = Field(description="latitude, or northing in the units of source_crs")
    source_crs: str = Field("EPSG:4490", max_length=200, description="EPSG code, GCJ-02 or BD-09")
    category: str = Field(
        min_length=1, max_length=100, description="code of a category (GET /incidents/categories), or its name"
    )
    subtype: str = Field("", max_length=100)
    description: str = Field("", max_length=4000)
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

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_open(self) -> bool:
        """Whether it is still being worked on."""
        return self.closed_at is None


def _incident(row: dict[str, Any]) -> Incident:
    place = {"lon": round(row["lon"], 8), "lat": round(row["lat"], 8)}  # eight decimals give the lattice point back
    return Incident.model_validate({**row, **place})


type Check = Callable[[AsyncConnection, float, float], Awaitable[None]]


async def report(
    connection: AsyncConnection, new: NewIncident, idempotency_key: str | None = None, check: Check = refuse_swapped
) -> tuple[Incident, bool]:
    """Store an incident; the database gives it its owner, and makes the user who asks its handling dispatcher.

    Parameters
    ----------
    connection
        The caller's transaction, on behalf of whoever reports: stored is what they commit.
    check
        Refuses a place, lon, lat in degrees, whose coordinates are swapped; the database is asked if nothing else is said.

    Returns
    -------
    The incident, and whether it is new: the same key with the same content gives the first one again.

    Raises
    ------
    InvalidCoordinates, UnknownCrs
        The place cannot be read.
    Conflict
        The key was used for other content.
    Forbidden
        The place is not in their grid cells.
    UserError
        It was received in the future.
    """
    lon, lat = to_lonlat(new.lon, new.lat, new.source_crs)
    if new.received_at is not None and new.received_at > datetime.now(UTC) + _CLOCK_TOLERANCE:
        message = f"received_at {new.received_at.isoformat()} is in the future: check the sender's clock"
        raise UserError(message)
    digest = hashlib.sha256(new.model_dump_json().encode()).digest()
    asked = {"key": idempotency_key, "digest": digest}
    if idempotency_key is not None:
        await connection.execute(LAYER.query("lock_key"), asked)
        found = await (await connection.execute(LAYER.query("find_key"), asked)).fetchone()
        if found is not None:
            if bytes(found["request_digest"]) != digest:
                message = "this Idempotency-Key was already used for a different incident: use a new key"
                raise Conflict(message)
            return await get(connection, found["incident_id"]), False
    await check(connection, lon, lat)
    try:
        stored = await (
            await connection.execute(LAYER.query("insert"), {**new.model_dump(), "lon": lon, "lat": lat})
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        message = "this place is in none of your grid cells: give the call to the command centre of the city"
        raise Forbidden(message) from None
    if stored is None:
        message = "insert returned no row"
        raise AssertionError(message)
    if idempotency_key is not None:
        await connection.execute(LAYER.query("claim_key"), {**asked, "incident_id": stored["incident_id"]})
    return await get(connection, stored["incident_id"]), True


class Category(BaseModel):
    """A category of incidents 警情类别."""

    category_code: str
    name_zh: str
    name_en: str


async def list_categories(connection: AsyncConnection) -> list[Category]:
    """List the categories of incidents."""
    rows = await connection.execute(CATEGORIES["all"])
    return [Category.model_validate(row) for row in await rows.fetchall()]


async def get(connection: AsyncConnection, incident_id: int) -> Incident:
    """Read one incident. Raises NotFound."""
    row = await (await connection.execute(LAYER.query("one"), {"incident_id": incident_id})).fetchone()
    if row is None:
        message = f"there is no incident {incident_id}"
        raise NotFound(message)
    return _incident(row)


async def newest(
    connection: AsyncConnection,
    limit: int = 100,
    open_only: bool = False,
    unassigned: bool | None = None,
    before: int | None = None,
) -> list[Incident]:
    """Read incidents, newest first; `before` is the incident_id that ended the page before."""
    previous = await get(connection, before) if before is not None else None
    rows = await connection.execute(
        LAYER.query("newest"),
        {
            "limit": limit,
            "open_only": open_only,
            "unassigned": unassigned,
            "before_at": previous.received_at if previous else None,
            "before_id": previous.incident_id if previous else None,
        },
    )
    return [_incident(row) for row in await rows.fetchall()]
