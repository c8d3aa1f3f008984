"""Positions of units: reports come in batches; the newest is the unit's position, and all are kept for a time as its track."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from geo_grid.coordinates import snap
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import NotFound
from geo_grid.moments import Moment
from geo_grid.reported import Batch, Left, in_future
from geo_grid.response.circles import Place, distances_m

QUERIES = load_queries("geo_grid.response", "positions.sql")
_NO_SUCH_UNIT = "there is no such unit"
_FAR_M = 100_000.0
"""Distance in metres from the city beyond which a position is refused as an error."""


class Position(BaseModel):
    """A position that a unit reports."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    unit_code: str = Field(min_length=1, max_length=32)
    lon: float = Field(ge=-180, le=180, description="degrees, CGCS2000")
    lat: float = Field(ge=-90, le=90, description="degrees, CGCS2000")
    reported_at: Moment
    unit_status: Literal["on_patrol", "dispatched", "on_scene", "off_duty"] | None = None


class Taken(BaseModel):
    """Result of a batch."""

    accepted: int = Field(description="positions that are now where their units are")
    late: int = Field(description="older than what was known: in the track only")
    repeated: int = Field(description="known already")
    refused: list[Left]


async def take_positions(
    connection: AsyncConnection, positions: Sequence[Position], extent: tuple[float, float, float, float] | None
) -> Taken:
    """Store a batch in the caller's transaction. Invalid positions are refused one by one, each with the reason.

    Parameters
    ----------
    extent
        west, south, east, north of the city in degrees; None: no position is too far.

    Raises
    ------
    Forbidden
        The principal may not report positions.
    """
    places = [(one.lon, one.lat) for one in positions]
    problems = problems_of(places, [one.reported_at for one in positions], extent)
    batch = Batch(positions, problems, [one.unit_code for one in positions], _NO_SUCH_UNIT)
    rows = await connection.execute(QUERIES["report"], {"reports": snapped(batch.good)})
    return Taken(**batch.taken(await rows.fetchall(), ("accepted", "late", "repeated")))


def snapped(positions: Sequence[Any]) -> str:
    """Return positions with `lon` and `lat` on the grid of coordinates (see `snap`), as JSON: psycopg takes four times as long for arrays."""
    places = snap([(one.lon, one.lat) for one in positions]).reshape(-1, 2).tolist()
    for one, place in zip(positions, places, strict=True):
        one.lon, one.lat = place
    return to_json(positions).decode()


def problems_of(
    places: Sequence[Place], moments: Sequence[datetime], extent: tuple[float, float, float, float] | None
) -> list[str | None]:
    """Return what is wrong with each position, of a unit or of anything else that moves; None: nothing.

    Parameters
    ----------
    places
        lon, lat in degrees.
    extent
        See `take_positions`.
    """
    far = [0.0] * len(places)
    if extent is not None and places:
        west, south, east, north = extent
        nearest = [(min(max(lon, west), east), min(max(lat, south), north)) for lon, lat in places]
        far = [
            0.0 if near == place else float(distances_m([place], [near])[0, 0])
            for place, near in zip(places, nearest, strict=True)
        ]
    return [
        in_future(moment)
        or (f"lon {lon} lat {lat} is {metres / 1000:.0f} km outside the city" if metres > _FAR_M else None)
        for (lon, lat), moment, metres in zip(places, moments, far, strict=True)
    ]


class TrackPoint(BaseModel):
    """A point of a unit's track."""

    reported_at: datetime
    lon: float
    lat: float


async def track(connection: AsyncConnection, unit_code: str, since: datetime, until: datetime) -> list[TrackPoint]:
    """Read the track of a unit, oldest point first. Raises NotFound for a unit that the principal does not see."""
    if await (await connection.execute(QUERIES["unit"], {"unit_code": unit_code})).fetchone() is None:
        message = f"there is no unit {unit_code!r}"
        raise NotFound(message)
    rows = await connection.execute(QUERIES["track"], {"unit_code": unit_code, "since": since, "until": until})
    return [TrackPoint.model_validate(row) for row in await rows.fetchall()]
