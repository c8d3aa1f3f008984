"""Visits 走访 of grid workers: recorded once for each key, in the compound where their phone is, or that they chose."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

import psycopg
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, NotFound, NotOnRoster, OutsideRounds, UserError
from geo_grid.field.workers import require_account
from geo_grid.moments import CLOCK_TOLERANCE, Moment

QUERIES = load_queries("geo_grid.field", "visits.sql")
_ONE, _NEWEST = (f"{QUERIES['visits']} {QUERIES[which]}" for which in ("of_visit", "newest"))
LATEST = timedelta(days=31)
"""How long a visit may have waited on a phone."""
_NEAR_M, _NEAR_AT_MOST_M = 50.0, 500.0
"""A position this far outside of one's compounds still counts as in the nearest: as far as its own accuracy says, within these."""


class NewVisit(BaseModel):
    """A visit as the phone sends it: with its position, else the compound that was chosen, or both."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    visited_at: Moment
    grid_code: Annotated[str | None, Field(max_length=32, description="compound that was chosen")] = None
    lon: float | None = Field(None, description="longitude, or easting in the units of source_crs; not kept")
    lat: float | None = Field(None, description="latitude, or northing in the units of source_crs; not kept")
    accuracy_m: float | None = Field(None, ge=0, le=1e6, description="of the position, in metres")
    source_crs: str = Field("EPSG:4490", max_length=200, description="EPSG code, GCJ-02 or BD-09")
    note: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if (self.lon is None) != (self.lat is None) or (self.lon is None and self.grid_code is None):
            message = "say where it was: lon and lat of the phone, or grid_code of the compound"
            raise ValueError(message)
        return self


class Visit(BaseModel):
    """A recorded visit."""

    visit_id: int
    grid_code: str
    grid_name: str | None
    person_name: str | None = Field(description="of the worker, for those who see the duty roster")
    visited_at: datetime
    recorded_at: datetime
    place_from: Literal["position", "cell"] = Field(description="what said which compound it was")
    note: str = Field(description="read with the right incidents.text; deleted in time")
    is_demo: bool


async def record_visit(connection: AsyncConnection, new: NewVisit, sent_key: str | None) -> tuple[Visit, bool]:
    """Record a visit, in the caller's transaction on behalf of the worker.

    The position decides the compound: the one of theirs that covers it, else the nearest within its accuracy (50 to 500 m),
    of equally near ones the chosen one.

    Returns
    -------
    The visit, and whether it is new: the same key with the same content returns the first one again.

    Raises
    ------
    NotLoggedIn
        The session has just ended.
    Conflict
        The key was used for other content.
    NotOnRoster
        The account is no person of the duty roster.
    OutsideRounds
        The place is in none of their compounds.
    UserError
        visited_at is in the future, or too long ago.
    InvalidCoordinates, UnknownCrs
        The position cannot be read.
    """
    await require_account(connection)
    digest = hashlib.sha256(new.model_dump_json().encode()).digest() if sent_key is not None else None
    if sent_key is not None and (before := await fetch_one(connection, QUERIES["sent"], {"sent_key": sent_key})):
        return await _sent_before(connection, before, digest), False
    now = datetime.now(UTC)
    if new.visited_at > now + CLOCK_TOLERANCE:
        message = f"visited_at {new.visited_at.isoformat()} is in the future: check the phone's clock"
        raise UserError(message)
    if new.visited_at < now - LATEST:
        message = f"visited_at {new.visited_at.isoformat()} is more than {LATEST.days} days ago: it counts no more"
        raise UserError(message)
    found = await _compound(connection, new)
    values = {
        "grid_code": found["grid_code"], "duty_id": found["duty_id"], "visited_at": new.visited_at,
        "place_from": "cell" if new.lon is None else "position", "sent_key": sent_key, "digest": digest,
    }  # fmt: skip
    try:
        made = await fetch_one(connection, QUERIES["record"], values)
    except psycopg.errors.InsufficientPrivilege:
        message = (
            f"{found['name']} is in none of the cells of your account: ask whoever keeps accounts to bind it to them"
        )
        raise OutsideRounds(message) from None
    if not made:  # the same request at the same time
        before = await fetch_one(connection, QUERIES["sent"], {"sent_key": sent_key})
        return await _sent_before(connection, before, digest), False
    if new.note:
        await connection.execute(QUERIES["note"], {**made, "note": new.note})
    return await _one(connection, made["visit_id"]), True


async def newest_visits(
    connection: AsyncConnection, limit: int, before: int | None = None, within: str | None = None
) -> list[Visit]:
    """Read visits, newest first; `before` is the last visit_id of the previous page, `within` a cell with all below."""
    previous = await _one(connection, before) if before is not None else None
    values = {
        "limit": limit, "within": within, "before_id": before,
        "before_at": previous.visited_at if previous else None,
    }  # fmt: skip
    rows = await connection.execute(_NEWEST, values)
    return [Visit.model_validate(row) for row in await rows.fetchall()]


async def _compound(connection: AsyncConnection, new: NewVisit) -> dict[str, Any]:
    lon, lat = (None, None) if new.lon is None or new.lat is None else to_lonlat(new.lon, new.lat, new.source_crs)
    values = {"lon": lon, "lat": lat, "grid_code": new.grid_code}
    compounds = await (await connection.execute(QUERIES["compounds"], values)).fetchall()
    if not compounds:
        message = "your account has no compounds on the duty roster: whoever keeps the roster says which person it is"
        raise NotOnRoster(message)
    nearest = compounds[0]
    if lon is None:
        if nearest["grid_code"] != new.grid_code:
            message = f"{new.grid_code} is none of your compounds: choose one of them"
            raise OutsideRounds(message)
        return nearest
    near = min(max(_NEAR_M, new.accuracy_m or 0.0), _NEAR_AT_MOST_M)
    if nearest["distance_m"] > near:
        message = (
            f"this place is {nearest['distance_m']:,.0f} m from {nearest['name']}, the nearest of your compounds: record"
            " the visit for a compound without the position, if you were there"
        )
        raise OutsideRounds(message)
    if nearest["distance_m"] > 0:  # between several the chosen one
        return next((one for one in compounds if one["is_chosen"] and one["distance_m"] <= near), nearest)
    return nearest


async def _sent_before(connection: AsyncConnection, before: dict[str, Any], digest: bytes | None) -> Visit:
    if bytes(before["request_digest"]) != digest:
        message = "this Idempotency-Key was already used for a different visit: use a new key"
        raise Conflict(message)
    return await _one(connection, before["visit_id"])


async def _one(connection: AsyncConnection, visit_id: int) -> Visit:
    row = await fetch_one(connection, _ONE, {"visit_id": visit_id})
    if not row:
        message = f"there is no visit {visit_id}"
        raise NotFound(message)
    return Visit.model_validate(row)
