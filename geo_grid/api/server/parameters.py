"""Common parameters of routes: a point, a moment, the settings."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from geo_grid import coordinates
from geo_grid.api.server.asking import account_of
from geo_grid.api.server.state import server_of
from geo_grid.budgets import SYSTEMS
from geo_grid.errors import UnknownCrs
from geo_grid.locate import Locations
from geo_grid.moments import AskedMoment, in_zone
from geo_grid.settings import Settings

Lon = Annotated[float, Query(description="longitude in degrees, or easting in the units of source_crs")]
Lat = Annotated[float, Query(description="latitude in degrees, or northing in the units of source_crs")]
SourceCrs = Annotated[str, Query(max_length=200, description="EPSG code, GCJ-02 or BD-09")]
AnswerCrs = Annotated[
    Literal["EPSG:4490", "GCJ-02", "BD-09"],
    Query(description="of the coordinates in the answer, which names it: GCJ-02, BD-09 to draw on maps of these"),
]
At = Annotated[
    AskedMoment | None,
    Query(
        description="answer as of this moment (RFC 3339) or day, by default in the city's time zone; now if not given"
    ),
]


@dataclass(frozen=True)
class AtMost:
    """Annotation of a count: a larger number is reduced to the maximum, not refused (OGC 17-069r4, 7.15.2)."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(lambda count: min(count, self.most), handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "maximum": self.most}


@dataclass(frozen=True)
class Point:
    """The point of a request: lon, lat in degrees, CGCS2000, on the lattice."""

    lon: float
    lat: float


async def known_crs(request: Request, name: str) -> None:
    """Resolve a reference system in a thread, so that using it later does not block the event loop; see `Budget.run`."""
    if not coordinates.is_resolved(name):
        with contextlib.suppress(UnknownCrs):  # raised again when it is used
            await SYSTEMS.run(account_of(request), coordinates.source_crs, name)


async def place(request: Request, lon: Lon, lat: Lat, source_crs: SourceCrs = "EPSG:4490") -> Point:
    """Read a point from the query; raises InvalidCoordinates or UnknownCrs."""
    await known_crs(request, source_crs)
    return Point(*coordinates.to_lonlat(lon, lat, source_crs))  # async, as all here: FastAPI runs others in threads


def moment_of(request: Request, at: datetime | None) -> datetime | None:
    """Return the moment of a parameter; without a time zone it is in the city's."""
    return None if at is None else in_zone(at, server_of(request).settings.timezone)


def in_city(request: Request, at: datetime | None) -> datetime:
    """Return a moment in the city's time zone; None: now."""
    zone = ZoneInfo(server_of(request).settings.timezone)
    return (moment_of(request, at) or datetime.now(zone)).astimezone(zone)


CIRCLES_KNOWN = "false: it was asked as of a former time, whose circles are not kept"
"""Description of the field `response_known`."""


async def settings(request: Request) -> Settings:
    """Return the settings the app was made with."""
    return server_of(request).settings


async def locations(request: Request) -> Locations:
    """Return the server's `Locations`."""
    return server_of(request).locations


Configured = Annotated[Settings, Depends(settings)]
Located = Annotated[Locations, Depends(locations)]
