"""Source platforms: whose registers are imported, in which datum each gives its coordinates, and which may register over SIP."""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

import psycopg
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.coordinates import source_crs
from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.texts import WithoutPasswords

QUERIES = load_queries("geo_grid.cameras", "platforms.sql")
_LONGEST_NOTE = 1000
_CODE = re.compile(r"[0-9A-Za-z._-]{1,32}", re.ASCII)
_COUNTS = "announced", "received", "imported", "refused"
_TROUBLED = "its catalogue is not as it should be: whoever sees secret cameras is told what is wrong"
_NOT_YOURS = (
    "what is said of platforms, and what they are asked, is for who writes in the whole city and sees secret cameras"
)


class PlatformGiven(BaseModel):
    """What is said of a platform."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: WithoutPasswords = Field(min_length=1, max_length=200)
    source_crs: str = Field(min_length=1, max_length=200, description="EPSG code, GCJ-02 or BD-09")
    gb28181_id: str | None = Field(
        None, pattern="^[0-9]{20}$", description="what it registers as over SIP (GB/T 28181); null: it does not"
    )
    is_enabled: bool = Field(False, description="it may register over SIP")
    is_crs_certain: bool = Field(
        False, description="its coordinates are in source_crs, although they look as if they were in another datum"
    )

    @model_validator(mode="after")
    def _has_id(self) -> Self:
        if self.is_enabled and self.gb28181_id is None:
            message = "a platform that may register needs its gb28181_id, 20 digits"
            raise ValueError(message)
        return self


class PlatformLink(BaseModel):
    """How it stands with a platform that registers over SIP."""

    is_online: bool = Field(description="it is registered, and was heard of lately")
    transport: Literal["udp", "tcp"] | None = None
    registered_at: datetime | None = Field(description="when it registered last after it was gone")
    heard_at: datetime | None = Field(description="when it was heard of last, to half a minute")
    subscribed_until: datetime | None = Field(description="until when it tells of changes; null: it does not")
    queried_at: datetime | None = Field(description="when its catalogue was asked for last")
    announced: int | None = Field(
        description="devices that the last catalogue says it has; this and all counts are null for who does not see secret cameras"
    )
    received: int | None = Field(description="devices of it that came; while it comes, so far")
    whole_at: datetime | None = Field(
        description="when a catalogue came whole last: only such ones go into the register"
    )
    imported: int | None = Field(description="new cameras of that one")
    refused: int | None = Field(description="items of that one that were refused")
    trouble: str = Field(description="what is wrong; empty: nothing")
    note: str = Field(
        description="what the import of the last catalogue had to say; empty for who does not see secret cameras"
    )


class Platform(PlatformGiven):
    """A source platform."""

    platform_code: str
    cameras: int = Field(description="cameras of its register that you see")
    imported_at: datetime | None = Field(description="when its register was imported last")
    datum_note: str = Field(
        description="why its datum seems to be another one, as of the last import; empty: it does not"
    )
    link: PlatformLink | None = Field(description="null: it never came over SIP, or you do not see the whole city")


async def platforms(connection: AsyncConnection) -> list[Platform]:
    """List the platforms."""
    rows = await (await connection.execute(QUERIES["list"], {"code": None})).fetchall()
    return [_as_seen(row) for row in rows]


def _as_seen(row: dict[str, Any]) -> Platform:
    """Leave out what would tell how many secret cameras a platform has."""
    link = row["link"]
    if link is not None and not link.pop("sees_all"):
        link |= dict.fromkeys(_COUNTS) | {"note": "", "trouble": _TROUBLED if link["trouble"] else ""}
    return Platform.model_validate(row)


async def describe_platform(
    connection: AsyncConnection, platform_code: str, given: PlatformGiven, our_id: str | None
) -> Platform:
    """Make a platform, or correct what is said of it.

    Parameters
    ----------
    our_id
        Our own SIP id.

    Raises
    ------
    UnknownCrs
        See `coordinates.source_crs`.
    UserError
        Its id is our own.
    Forbidden
        Whoever asks does not write in the whole city, or does not see secret cameras.
    Conflict
        Another platform has its id.
    """
    source_crs(given.source_crs)
    if not _CODE.fullmatch(platform_code):
        message = f"{platform_code[:40]!r} is no code of a platform: at most 32 letters, digits, dots, underscores and hyphens"
        raise UserError(message)
    await _refuse_others(connection)
    if given.gb28181_id is not None and given.gb28181_id == our_id:
        message = f"{our_id} is what we are called ourselves (GEO_GRID_SIP_ID): a lower platform has an id of its own"
        raise UserError(message)
    try:
        await connection.execute(QUERIES["describe"], {"code": platform_code, **given.model_dump()})
    except psycopg.errors.UniqueViolation:
        message = f"another platform registers as {given.gb28181_id}: nothing was changed"
        raise Conflict(message) from None
    return await _platform(connection, platform_code)


async def ask_again(connection: AsyncConnection, platform_code: str) -> Platform:
    """Have the catalogue of a platform queried again, as soon as it is there.

    Raises
    ------
    NotFound
        There is no such platform.
    Forbidden
        Whoever asks does not write in the whole city, or does not see secret cameras.
    Conflict
        It is not enabled, or no process listens to platforms: it cannot be asked.
    """
    await _refuse_others(connection)
    done = await connection.execute(QUERIES["ask_again"], {"code": platform_code})
    found = await _platform(connection, platform_code)
    if not done.rowcount:
        message = f"{platform_code} may not register over SIP, and cannot be asked: enable it first"
        raise Conflict(message)
    opened = await (await connection.execute(QUERIES["door"])).fetchone()
    if opened is None:
        message = (
            f"nobody listens to platforms now, so {platform_code} cannot be asked: set GEO_GRID_SIP_ID and start the server, which"
            " asks every platform that registers"
        )
        raise Conflict(message)
    return found


async def _refuse_others(connection: AsyncConnection) -> None:
    may = await (await connection.execute(QUERIES["may_register"])).fetchone()
    if not (may and may["with_platform"]):
        raise Forbidden(_NOT_YOURS)


async def _platform(connection: AsyncConnection, platform_code: str) -> Platform:
    rows = await (await connection.execute(QUERIES["list"], {"code": platform_code})).fetchall()
    if not rows:
        message = f"there is no platform {platform_code[:40]!r}: GET /cameras/platforms lists them"
        raise NotFound(message)
    return _as_seen(rows[0])


class Datum(NamedTuple):
    """The datum of a platform's coordinates, and whether they are in it although they look as if they were in another."""

    source_crs: str
    is_crs_certain: bool


def datum_of_platform(connection: Connection, platform_code: str) -> Datum:
    """Return the datum of a platform's coordinates. Raises NotFound."""
    row = connection.execute(QUERIES["crs"], {"code": platform_code}).fetchone()
    if row is None:
        message = (
            f"there is no platform {platform_code!r}: say of it first which datum its coordinates are in, with geo-grid"
            f" cameras platform {platform_code} NAME --source-crs CRS or PUT /cameras/platforms/{platform_code}"
        )
        raise NotFound(message)
    return Datum(**row)


class MayRegister(NamedTuple):
    """What the principal may say of cameras: of which platform they are and which national number they have, and that they are
    secret.
    """

    with_platform: bool
    secret_ones: bool


def may_register(connection: Connection) -> MayRegister:
    """Ask what the principal may say of cameras."""
    row = connection.execute(QUERIES["may_register"]).fetchone() or {}
    return MayRegister(**row)


def note_import(connection: Connection, platform_code: str, datum_note: str) -> None:
    """Note that a register was imported, and what its datum looked like; by whoever may describe platforms only."""
    connection.execute(QUERIES["note"], {"code": platform_code, "note": datum_note[:_LONGEST_NOTE]})


def note_doubt(connection: Connection, platform_code: str, datum_note: str) -> None:
    """Note why the datum of a register seems to be another one, so that it was not imported."""
    connection.execute(QUERIES["note_doubt"], {"code": platform_code, "note": datum_note[:_LONGEST_NOTE]})


@contextlib.contextmanager
def note_kept(connection: Connection, platform_code: str) -> Iterator[None]:
    """Keep what was noted of the last import: a few cameras that come by themselves say nothing of the whole register."""
    noted = connection.execute(QUERIES["noted"], {"code": platform_code}).fetchone()
    yield
    if noted is not None:
        connection.execute(QUERIES["note_again"], {"code": platform_code, **noted})
