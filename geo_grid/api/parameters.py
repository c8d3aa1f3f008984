"""What routers have in common: a point, a moment, the settings."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from geo_grid import coordinates
from geo_grid.errors import UnknownCrs
from geo_grid.locate import Locations
from geo_grid.moments import Moment
from geo_grid.settings import Settings

Lon = Annotated[float, Query(description="longitude in degrees, or easting in the units of source_crs")]
Lat = Annotated[float, Query(description="latitude in degrees, or northing in the units of source_crs")]
SourceCrs = Annotated[str, Query(max_length=200, description="EPSG code, GCJ-02 or BD-09")]
At = Annotated[Moment | None, Query(description="answer as of this moment (RFC 3339); now if not given")]


@dataclass(frozen=True)
class Point:
    """A place a client asked about: lon, lat in degrees, CGCS2000, on the lattice."""

    lon: float
    lat: float


_asking_proj = ThreadPoolExecutor(1, "geo_grid_proj")  # one after the other, and beside everybody else's work


async def known_crs(name: str) -> None:
    """Have a reference system resolved beside the event loop, so that asking for it then takes no time."""
    if not coordinates.is_resolved(name):
        with contextlib.suppress(UnknownCrs):  # whoever asks for it then is told
            await asyncio.get_running_loop().run_in_executor(_asking_proj, coordinates.source_crs, name)


async def place(lon: Lon, lat: Lat, source_crs: SourceCrs = "EPSG:4490") -> Point:
    """Read a point from the query; raises InvalidCoordinates or UnknownCrs."""
    await known_crs(source_crs)
    return Point(*coordinates.to_lonlat(lon, lat, source_crs))  # async, as all here: FastAPI gives others a thread each


async def settings(request: Request) -> Settings:
    """Return the settings the app was made with."""
    found: Settings = request.app.state.settings
    return found


async def locations(request: Request) -> Locations:
    """Return what answers who is responsible for a point."""
    found: Locations = request.app.state.locations
    return found


Configured = Annotated[Settings, Depends(settings)]
Located = Annotated[Locations, Depends(locations)]
