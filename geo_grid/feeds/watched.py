"""Openings of cameras: their record; who may see a camera, who saw it, and which openings are worth a look."""

from datetime import datetime, time
from typing import Literal, NamedTuple

import psycopg
from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, translated_errors
from geo_grid.errors import NotFound, UserError
from geo_grid.feeds.addresses import QUERIES


class Recorded(NamedTuple):
    """An opening: the number of its record, and which camera it is."""

    audit_id: int
    camera_id: int


class Viewer(BaseModel):
    """An account that may open a camera now."""

    login_name: str
    display_name: str
    principal_kind: Literal["user", "machine"]
    role: str
    city_wide: bool
    sees_secret: bool


class PastOpening(BaseModel):
    """One opening of a camera."""

    audit_id: int
    opened_at: datetime
    login_name: str
    role: str
    reason: str
    incident_id: int | None
    ended_at: datetime | None = Field(
        description="null: it is open, or was shown by another system; a minute after its last picture if the server was killed"
    )
    seconds: float | None = Field(description="for which there was a picture here")
    ending: str | None


class UnusualOpening(BaseModel):
    """An opening that is worth a look, and why."""

    audit_id: int
    opened_at: datetime
    login_name: str
    role: str
    gb28181_id: str
    reason: str
    incident_id: int | None
    unusual: list[Literal["no_incident", "out_of_hours", "many_cameras"]]


async def open_camera(
    connection: AsyncConnection, gb28181_id: str, reason: str, incident_id: int | None
) -> Recorded | None:
    """Record who opens a camera, why and for which open incident; None: the principal sees no such camera, which is recorded
    if there is one.

    Raises
    ------
    Forbidden
        The right is missing.
    UserError
        The principal sees no such open incident.
    """
    values = {"gb28181_id": gb28181_id, "reason": reason, "incident_id": incident_id}
    try:
        with translated_errors():
            row = await (await connection.execute(QUERIES["open"], values)).fetchone()
    except psycopg.errors.NoDataFound as error:
        raise UserError(error.diag.message_primary or "there is no such incident") from None
    return None if row is None else Recorded(**row)


async def refuse_picture(connection: AsyncConnection, opening: int, gb28181_id: str, why: str) -> None:
    """Record that somebody was refused a picture; further ones within a minute are counted in one row. Raises Forbidden."""
    with translated_errors():
        await connection.execute(QUERIES["refuse"], {"opening": opening, "gb28181_id": gb28181_id, "why": why})


async def viewers(connection: AsyncConnection, gb28181_id: str) -> list[Viewer]:
    """List who may open a camera now, and record the question. Raises Forbidden, NotFound."""
    try:
        with translated_errors():
            rows = await connection.execute(QUERIES["viewers"], {"gb28181_id": gb28181_id})
    except psycopg.errors.NoDataFound as error:
        raise NotFound(error.diag.message_primary or "there is no such camera") from None
    return [Viewer.model_validate(row) for row in await rows.fetchall()]


async def openings(connection: AsyncConnection, gb28181_id: str, limit: int, before: int | None) -> list[PastOpening]:
    """List who opened a camera, newest first, and record the question; `before` is the last audit_id of the previous page.
    Raises Forbidden.
    """
    values = {"gb28181_id": gb28181_id, "limit": limit, "before": before}
    with translated_errors():
        rows = await connection.execute(QUERIES["openings"], values)
    return [PastOpening.model_validate(row) for row in await rows.fetchall()]


class Usual(NamedTuple):
    """What is usual: hours in the city's own time, which may go past midnight, and so many cameras of one account in an hour."""

    zone: str
    hours: tuple[time, time]
    many: int


async def unusual_openings(
    connection: AsyncConnection, usual: Usual, since: datetime, limit: int, before: int | None
) -> list[UnusualOpening]:
    """List openings that are worth a look, newest first, and record the question. Raises Forbidden."""
    values = {
        "since": since, "zone": usual.zone, "from": usual.hours[0], "until": usual.hours[1], "many": usual.many,
        "limit": limit, "before": before,
    }  # fmt: skip
    with translated_errors():
        rows = await connection.execute(QUERIES["unusual"], values)
    return [UnusualOpening.model_validate(row) for row in await rows.fetchall()]
