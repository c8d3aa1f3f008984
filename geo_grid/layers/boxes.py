"""Bounding boxes in requests: `bbox` of OGC API Features, and boxes in CQL2 (OGC 17-069r4, 7.15.3)."""

import math
from collections.abc import Sequence
from typing import Any

import shapely

from geo_grid.coordinates import box_to_lonlat, snap
from geo_grid.errors import InvalidCoordinates
from geo_grid.layers.published import CRS84, PublishedCrs

type Box = tuple[float, float, float, float]
"""west, south, east, north in degrees, on the lattice, west <= east; a point or a line where two are equal."""


def read_box(numbers: Sequence[float], crs: PublishedCrs) -> tuple[Box, ...]:
    """Parse a box in the axis order of `crs`: four numbers, or six with heights, which are ignored.

    Returns
    -------
    One box in degrees; two if west is greater than east, since such a box crosses the meridian of 180 degrees.

    Raises
    ------
    InvalidCoordinates
        The numbers are no box.
    """
    told = f"bbox {','.join(map(str, numbers))[:80]!r}"
    if len(numbers) not in (4, 6) or not all(map(math.isfinite, numbers)):
        message = f"{told} is not four or six numbers: west,south,east,north"
        raise InvalidCoordinates(message)
    first, last = list(numbers[:2]), list(numbers[len(numbers) // 2 :][:2])
    if crs.is_flipped:
        first, last = first[::-1], last[::-1]
    west, south, east, north = *first, *last
    if south > north:
        message = f"{told} has its south north of its north"
        raise InvalidCoordinates(message)
    if crs.shift:
        return (_snapped(*box_to_lonlat((west, south, east, north), crs.name)),)
    if crs.digits < CRS84.digits:  # in metres
        if west > east:
            message = f"{told} has its west east of its east"
            raise InvalidCoordinates(message)
        return (_snapped(*box_to_lonlat((west, south, east, north), crs.name)),)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and south >= -90 and north <= 90):
        message = f"{told} is out of range: longitudes -180 to 180, latitudes -90 to 90, in degrees"
        raise InvalidCoordinates(message)
    if west > east:
        return _snapped(west, south, 180, north), _snapped(-180, south, east, north)
    return (_snapped(west, south, east, north),)


def _snapped(*corners: float) -> Box:
    """Snap corners to the lattice, so that a box made of output coordinates (eight decimals) intersects their feature."""
    west, south, east, north = snap(corners).tolist()
    return west, south, east, north


def shape_of(boxes: Sequence[Box]) -> Any:
    """Return boxes as one geometry; a box without width or height is a line or a point."""
    shapes = [_shape(*box) for box in boxes]
    return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)


def _shape(west: float, south: float, east: float, north: float) -> Any:
    if west < east and south < north:
        return shapely.box(west, south, east, north)
    if (west, south) == (east, north):
        return shapely.Point(west, south)
    return shapely.LineString([(west, south), (east, north)])


def cut_to(shape: Any, box: Box) -> Any:
    """Clip a shape to a box; a box without width or height gives the intersection with that line or point."""
    west, south, east, north = box
    if west < east and south < north:
        return shapely.clip_by_rect(shape, *box)
    return shapely.intersection(shape, _shape(*box))
