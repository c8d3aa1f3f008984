"""Positions of units: reports come in batches; the newest is the unit's position, and all are kept for a time as its track."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.coordinates import snap
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import NotFound
from geo_grid.moments import Moment
from geo_grid.response.circles import distances_m

QUERIES = load_queries("geo_grid.response", "positions.sql")
_CLOCK_TOLERANCE = timedelta(minutes=2)
_FAR_M = 100_000.0
"""Distance in metres from the city beyond which a position is refused as an error."""
MOST_AT_ONCE = 5000


class Position(BaseModel):
    """A position that a unit reports."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    unit_code: str = Field(min_length=1, max_length=32)
    lon: float = Field(ge=-180, le=180, description="degrees, CGCS2000")
    lat: float = Field(ge=-90, le=90, description="degrees, CGCS2000")
    reported_at: Moment
    unit_status: Literal["on_patrol", "dispatched", "on_scene", "off_duty"] | None = None


class Left(BaseModel):
    """A position of a batch that was refused, and why."""

    number: int = Field(description="of the position in the batch, from 1")
    reason: str


@dataclass
class _Sorted:
    good: list[tuple[int, Position]] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


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
    given = _sorted(positions, extent)
    places = snap([(one.lon, one.lat) for _, one in given.good]).reshape(-1, 2)
    rows = await connection.execute(
        QUERIES["report"],
        {
            "codes": [one.unit_code for _, one in given.good],
            "moments": [one.reported_at for _, one in given.good],
            "lons": places[:, 0].tolist(),
            "lats": places[:, 1].tolist(),
            "statuses": [one.unit_status for _, one in given.good],
        },
    )
    counts = {"accepted": 0, "late": 0, "repeated": 0}
    for row in await rows.fetchall():
        number, _ = given.good[row["number"] - 1]
        if row["outcome"] == "unknown":
            given.left.append(Left(number=number, reason="there is no such unit"))
        else:
            counts[row["outcome"]] += 1
    return Taken(**counts, refused=sorted(given.left, key=lambda left: left.number))


def _sorted(positions: Sequence[Position], extent: tuple[float, float, float, float] | None) -> _Sorted:
    found, latest = _Sorted(), datetime.now(UTC) + _CLOCK_TOLERANCE
    far = [0.0] * len(positions)
    if extent is not None and positions:
        west, south, east, north = extent
        places = [(one.lon, one.lat) for one in positions]
        nearest = [(min(max(lon, west), east), min(max(lat, south), north)) for lon, lat in places]
        far = [
            0.0 if near == place else float(distances_m([place], [near])[0, 0])
            for place, near in zip(places, nearest, strict=True)
        ]
    for number, (one, metres) in enumerate(zip(positions, far, strict=True), 1):
        if one.reported_at > latest:
            reason = f"reported_at {one.reported_at.isoformat()} is in the future: check the unit's clock"
        elif metres > _FAR_M:
            reason = f"lon {one.lon} lat {one.lat} is {metres / 1000:.0f} km outside the city"
        else:
            found.good.append((number, one))
            continue
        found.left.append(Left(number=number, reason=reason))
    return found


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
