"""Point location by PostGIS: the owners of one point, at any moment."""

from datetime import datetime
from typing import Any

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import InvalidCoordinates
from geo_grid.locate.answers import SEGMENT_REACH_M, Location, OwningCell
from geo_grid.locate.segments import degrees_m

QUERIES = load_queries("geo_grid.locate", "locate.sql")


async def locate(
    connection: AsyncConnection,
    lon: float,
    lat: float,
    at: datetime | None = None,
    positional_error_m: float = 10,
) -> Location:
    """Return who is responsible for a point.

    Parameters
    ----------
    connection
        The caller's transaction with the principal's rights; repeatable read, so that one edition answers.
    lon, lat
        Degrees, CGCS2000, on the lattice (see `coordinates.to_lonlat`).
    at
        Moment to answer as of; now when not given. Naive times are refused by the caller.
    positional_error_m
        Metres; leaf cells nearer than this are named as alternatives.
    """
    ask: dict[str, Any] = {"lon": lon, "lat": lat, "at": at, "error_m": positional_error_m}
    east_m, north_m = degrees_m(lat)
    ask |= {"segment_m": SEGMENT_REACH_M, "east_m": east_m, "north_m": north_m}
    ask |= await fetch_one(connection, QUERIES["moment"], ask)
    leaf = await fetch_one(connection, QUERIES["leaf"], ask)
    ask["leaf"] = leaf["grid_code"]
    if ask["leaf"] is None and not await _sees_all(connection):
        return nowhere(lon, lat, ask["edition"])
    chain = await (await connection.execute(QUERIES["chain"], ask)).fetchall()
    zone = await fetch_one(connection, QUERIES["zone"], ask) or None
    segments = await (await connection.execute(QUERIES["segments"], ask)).fetchall()
    response = await (await connection.execute(QUERIES["response"], ask)).fetchall()
    border = await fetch_one(connection, QUERIES["boundary_distance"], ask)
    alternatives = await (await connection.execute(QUERIES["alternatives"], ask)).fetchall()
    return Location.model_validate(
        {
            "point": (round(lon, 8), round(lat, 8)),  # eight decimals give the lattice point back
            "grid_cells": [owning_cell(row) for row in chain],
            "patrol_zone": zone,
            "patrol_segments": [one for one in segments if one["distance_m"] <= SEGMENT_REACH_M],
            "response_known": ask["response_known"],
            "response": sorted(response, key=lambda row: (row["tier_minutes"], row["post_code"])),
            "distance_to_boundary_m": border["distance_m"] if border else None,
            "alternatives": alternatives,
            "edition": ask["edition"],
            "unassigned": ask["leaf"] is None,
        }
    )


async def circles_known(connection: AsyncConnection, at: datetime | None) -> bool:
    """Say whether the circles at a moment (None: now) are known: those of the past are not stored."""
    return bool((await fetch_one(connection, QUERIES["moment"], {"at": at}))["response_known"])


def nowhere(lon: float, lat: float, edition: int | None) -> Location:
    """Return the answer for a place outside the principal's cells, the same as for one outside the city."""
    return Location.model_construct(
        point=(round(lon, 8), round(lat, 8)),  # eight decimals give the lattice point back
        grid_cells=[],
        patrol_zone=None,
        patrol_segments=[],
        response=[],
        response_known=True,
        distance_to_boundary_m=None,
        alternatives=[],
        edition=edition,
        unassigned=True,
    )


async def _sees_all(connection: AsyncConnection) -> bool:
    return bool((await fetch_one(connection, QUERIES["sees_all"]))["sees_all"])


def owning_cell(row: dict[str, Any]) -> OwningCell:
    """Convert a row of the query `chain`."""
    leads = [duty["person_name"] for duty in row["duties"] if duty["duty_role"] == "grid_lead"]
    return OwningCell.model_validate({**row, "grid_lead": leads[0] if leads else None})


async def refuse_swapped(connection: AsyncConnection, lon: float, lat: float) -> None:
    """Refuse lon, lat outside the city when lat, lon lies inside it: they are swapped.

    Raises
    ------
    InvalidCoordinates
        The message has both readings.
    """
    refuse_swapped_in(await city_extent(connection), lon, lat)


async def city_extent(connection: AsyncConnection) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north in degrees of the outermost cells that the principal may see; None: there are none."""
    extent = await fetch_one(connection, QUERIES["extent"])
    if extent["west"] is None:
        return None
    return extent["west"], extent["south"], extent["east"], extent["north"]


def refuse_swapped_in(bounds: tuple[float, float, float, float] | None, lon: float, lat: float) -> None:
    """Refuse a swapped point, given west, south, east, north of the city in degrees; see `refuse_swapped`."""
    if bounds is None:
        return
    west, south, east, north = bounds

    def inside(x: float, y: float) -> bool:
        return west <= x <= east and south <= y <= north

    if not inside(lon, lat) and inside(lat, lon):
        message = f"lon {lon} lat {lat} is far outside the city, but lon {lat} lat {lon} is inside: swapped"
        raise InvalidCoordinates(message)
