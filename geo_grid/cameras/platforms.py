"""Source platforms: whose registers are imported, and in which datum each gives its coordinates."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.coordinates import source_crs
from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import NotFound

QUERIES = load_queries("geo_grid.cameras", "platforms.sql")
_LONGEST_NOTE = 1000


class PlatformGiven(BaseModel):
    """What is said of a platform."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=200)
    source_crs: str = Field(min_length=1, max_length=200, description="EPSG code, GCJ-02 or BD-09")


class Platform(PlatformGiven):
    """A source platform."""

    platform_code: str
    cameras: int = Field(description="cameras of its register that you see")
    imported_at: datetime | None = Field(description="when its register was imported last")
    datum_note: str = Field(
        description="why its datum seems to be another one, as of the last import; empty: it does not"
    )


async def platforms(connection: AsyncConnection) -> list[Platform]:
    """List the platforms."""
    rows = await (await connection.execute(QUERIES["list"], {"code": None})).fetchall()
    return [Platform.model_validate(row) for row in rows]


async def describe_platform(connection: AsyncConnection, platform_code: str, given: PlatformGiven) -> Platform:
    """Make a platform, or correct what is said of it.

    Raises
    ------
    UnknownCrs
        See `coordinates.source_crs`.
    """
    source_crs(given.source_crs)
    values = {"code": platform_code, "name": given.name, "source_crs": given.source_crs}
    await connection.execute(QUERIES["describe"], values)
    rows = await (await connection.execute(QUERIES["list"], {"code": platform_code})).fetchall()
    return Platform.model_validate(rows[0])


def crs_of_platform(connection: Connection, platform_code: str) -> str:
    """Return the datum of a platform's coordinates. Raises NotFound."""
    row = connection.execute(QUERIES["crs"], {"code": platform_code}).fetchone()
    if row is None:
        message = (
            f"there is no platform {platform_code!r}: say of it first which datum its coordinates are in, with geo-grid"
            f" cameras platform {platform_code} NAME --source-crs CRS or PUT /cameras/platforms/{platform_code}"
        )
        raise NotFound(message)
    return str(row["source_crs"])


def note_import(connection: Connection, platform_code: str, datum_note: str) -> None:
    """Note that a register was imported, and what its datum looked like; by whoever may describe platforms only."""
    connection.execute(QUERIES["note"], {"code": platform_code, "note": datum_note[:_LONGEST_NOTE]})
