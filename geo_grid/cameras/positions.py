"""Where cameras are that move, on bodies and vehicles: the last position of each, apart from the register; no track is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.cameras.states import NO_SUCH_CAMERA
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.layers.boxes import Box
from geo_grid.layers.cameras import LAYER
from geo_grid.layers.items import Narrowing, only
from geo_grid.locate.lookup import city_extent
from geo_grid.moments import Moment
from geo_grid.reported import Batch, Left
from geo_grid.response.positions import problems_of, snapped

QUERIES = load_queries("geo_grid.cameras", "positions.sql")


class CameraPosition(BaseModel):
    """A position that a camera reports."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    gb28181_id: str = Field(min_length=1, max_length=32)
    lon: float = Field(ge=-180, le=180, description="degrees, CGCS2000")
    lat: float = Field(ge=-90, le=90, description="degrees, CGCS2000")
    positioned_at: Moment
    speed_kmh: float | None = Field(None, ge=0, le=2000)
    heading_deg: float | None = Field(None, ge=0, lt=360, description="where it moves to, clockwise from north")


class TakenPositions(BaseModel):
    """Result of a batch of positions of cameras."""

    accepted: int = Field(description="positions that are now where their cameras are")
    late: int = Field(description="not newer than what is known or than another of the batch, or older than a day")
    refused: list[Left]


async def take_camera_positions(connection: AsyncConnection, positions: Sequence[CameraPosition]) -> TakenPositions:
    """Write a batch of positions in the caller's transaction; what is wrong is refused one by one, with the reason.

    Raises
    ------
    InsufficientPrivilege
        The principal may not report on cameras (psycopg's; told as Forbidden).
    """
    places = [(one.lon, one.lat) for one in positions]
    extent = await city_extent(connection)
    problems = problems_of(places, [one.positioned_at for one in positions], extent)
    batch = Batch(positions, problems, [one.gb28181_id for one in positions], NO_SUCH_CAMERA)
    rows = await (await connection.execute(QUERIES["report"], {"reports": snapped(batch.good)})).fetchall()
    return TakenPositions(**batch.taken(rows, ("accepted", "late")))


class PositionProperties(BaseModel):
    """A camera that moves, and when it was there."""

    gb28181_id: str
    name: str
    positioned_at: datetime
    speed_kmh: float | None
    heading_deg: float | None
    camera_state: str | None


async def positions_in(connection: AsyncConnection, box: Box, most: int, narrowing: Narrowing) -> list[dict[str, Any]]:
    """Read where the cameras are, by positions of the last five minutes, that are in a box."""
    values: dict[str, Any] = dict(zip(("west", "south", "east", "north"), box, strict=True))
    values |= {"most": most} | only([LAYER], narrowing)
    return await (await connection.execute(QUERIES["in_box"], values)).fetchall()
