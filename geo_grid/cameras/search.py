"""Which cameras there are, by property; and those in a sector, or that see into it."""

import math
from typing import Any, Literal

import numpy as np
import shapely
from pydantic import BaseModel, Field

from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.gb28181 import tables
from geo_grid.layers.cameras import LAYER
from geo_grid.layers.geojson import Feature, as_geojson
from geo_grid.layers.items import Narrowing, only

QUERIES = load_queries("geo_grid.cameras", "search.sql")
_STEP_DEG = 1.0
"""Between corners of an arc: at 5 km it lies within 20 cm of the circle."""
LARGEST_M = 5_000.0
"""Range of the largest sector: up to here its straight sides differ from geodesics by less than a metre."""

type Property = Literal["owner_name", "network_code", "type_code", "camera_state"]


class Facet(BaseModel):
    """A value of a property, and how many cameras have it."""

    property: Property
    value: str = Field(description="empty: the register does not say")
    zh: str = Field(description="what the table of codes calls it; empty: it has no name there")
    en: str
    cameras: int


async def facets(connection: AsyncConnection) -> list[Facet]:
    """Count the cameras that the principal sees by owner, network, type and state; the most frequent values first."""
    rows = await (await connection.execute(QUERIES["facets"])).fetchall()
    known = {"network_code": tables().networks, "type_code": tables().types}
    found = []
    for row in rows:
        code = known.get(row["property"], {}).get(row["value"])
        found.append(Facet(**row, zh=code.zh if code else "", en=code.en if code else ""))
    return found


class InSector(BaseModel):
    """A camera that stands in a sector, or sees into it."""

    gb28181_id: str
    name: str
    stands_in: bool
    sees_in: bool = Field(description="what it sees, cut by buildings, meets the sector; false also where nobody knows")
    distance_m: float = Field(description="from the point of the sector")
    azimuth_deg: float | None = Field(description="of its view; null: it sees around, or nobody knows where it looks")
    fov_deg: float | None
    range_m: float | None = Field(description="of its view; null: it has none")
    camera_state: str | None
    owner_name: str
    network_code: str
    type_code: str
    grid_code: str | None
    sight_note: str


def sector_of(lon: float, lat: float, azimuth_deg: float, fov_deg: float, range_m: float) -> Any:
    """Return a sector as a polygon in degrees (EPSG:4490), its arc along the ellipsoid.

    Parameters
    ----------
    lon, lat
        Its point.
    azimuth_deg
        Of its middle, clockwise from north.
    fov_deg
        Opening angle, degrees; 360: a circle around the point.
    range_m
        Metres, at most `LARGEST_M`.
    """
    is_circle = fov_deg >= 360
    count = max(2, math.ceil(fov_deg / _STEP_DEG) + 1)
    angles = np.linspace(azimuth_deg - fov_deg / 2, azimuth_deg + fov_deg / 2, count)[: -1 if is_circle else None]
    lons, lats, _ = ELLIPSOID.fwd(
        np.full(len(angles), lon), np.full(len(angles), lat), angles, np.full(len(angles), range_m)
    )
    lons = lon + (lons - lon + 180) % 360 - 180  # on, not around the world, beyond 180 degrees
    arc = list(zip(lons.tolist(), lats.tolist(), strict=True))
    return shapely.Polygon(arc if is_circle else [(lon, lat), *arc])


async def cameras_in(
    connection: AsyncConnection,
    sector: Any,
    point: tuple[float, float],
    most: int,
    narrowing: Narrowing,
    shift: str = "",
) -> list[Feature[InSector]]:
    """Read the cameras that stand in a sector or see into it: those that see into it first, then by distance from its point.

    Parameters
    ----------
    sector, point
        Degrees (EPSG:4490).
    shift
        See `as_geojson`.
    """
    values = {"sector": shapely.to_wkb(sector), "lon": point[0], "lat": point[1], "most": most} | only(
        [LAYER], narrowing
    )
    rows = await (await connection.execute(QUERIES["sector"], values)).fetchall()
    return [
        Feature[InSector](
            geometry=as_geojson(shapely.from_wkb(bytes(row["geom"])), shift=shift),
            properties=InSector.model_validate(row),
        )
        for row in rows
    ]
