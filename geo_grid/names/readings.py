"""What a pair of numbers can mean: the place in CGCS2000, or in a shifted datum of Chinese web maps; and which seems meant."""

import math
from typing import Literal

from pydantic import BaseModel, Field

from geo_grid.china_datums import NAMES
from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import InvalidCoordinates

QUERIES = load_queries("geo_grid.names", "readings.sql")
_FAR_M, _CLOSE_M = 60.0, 12.0
"""Metres from the nearest road: a place that is farther as it stands, and closer in another datum, seems meant in that one.
Our choice: people report from streets and buildings, the shift is some 500 m, and half of a wide street is 12 m."""


class DatumReading(BaseModel):
    """A place as one datum has it."""

    crs: Literal["EPSG:4490", "GCJ-02", "BD-09"]
    lon: float = Field(description="degrees, EPSG:4490: where the numbers are if they are of this datum")
    lat: float
    grid_code: str | None = Field(description="innermost cell there; null: none that you see")
    grid_name: str | None
    road_m: float | None = Field(description="metres to the nearest road; null: none within a kilometre")


class Readings(BaseModel):
    """The same numbers in each datum."""

    readings: list[DatumReading] = Field(description="as CGCS2000 first")
    suspected: Literal["GCJ-02", "BD-09"] | None = Field(
        description="the datum that the numbers seem to be of instead of CGCS2000; null: nothing speaks for another"
    )
    because: Literal["outside", "far_from_roads"] | None = Field(description="what speaks for it")


async def readings(connection: AsyncConnection, lon: float, lat: float) -> Readings:
    """Return what lon, lat in degrees mean in each datum, with the rights of whoever asks.

    Raises
    ------
    InvalidCoordinates
        They are no place.
    """
    places = []
    for crs in ("EPSG:4490", *NAMES):
        try:
            places.append((crs, *to_lonlat(lon, lat, crs)))
        except InvalidCoordinates:
            if crs == "EPSG:4490":
                raise
    values = {"lons": [place[1] for place in places], "lats": [place[2] for place in places]}
    rows = await (await connection.execute(QUERIES["readings"], values)).fetchall()
    found = [
        DatumReading.model_validate({**row, "crs": crs, "lon": round(x, 8), "lat": round(y, 8)})
        for (crs, x, y), row in zip(places, rows, strict=True)
    ]
    plain, others = found[0], found[1:]
    if plain.grid_code is None:
        inside = [one for one in others if one.grid_code is not None]
        if inside:
            likely = min(inside, key=_road_m)
            return Readings.model_validate({"readings": found, "suspected": likely.crs, "because": "outside"})
    close = [one for one in others if one.road_m is not None and one.road_m < _CLOSE_M and one.grid_code is not None]
    if (plain.road_m is None or plain.road_m > _FAR_M) and close:
        likely = min(close, key=_road_m)
        return Readings.model_validate({"readings": found, "suspected": likely.crs, "because": "far_from_roads"})
    return Readings(readings=found, suspected=None, because=None)


def _road_m(one: DatumReading) -> float:
    return math.inf if one.road_m is None else one.road_m
