"""Reached areas: polygons around the roads that are reached within a time.

A place is reached when a reached stretch of road lies within `AROUND_ROAD_M`, or when such places enclose it: the inside
of a block. A grid of nodes holds the distance to the nearest reached road; the area is bounded by a contour of it. One
grid serves all times, and the contour's distance grows with the time, so that areas nest by construction.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from geo_grid.coordinates import Floats, snap
from geo_grid.response.contour import outlines
from geo_grid.response.drawing import draw, extent
from geo_grid.response.expansion import Stretches

AROUND_ROAD_M = (20.0, 24.0, 28.0)
"""Metres beside a road that are reached, from the shortest time to the longest: a carriageway and the fronts along it."""
LARGEST_BLOCK_M2 = 100_000.0
"""Largest block in m2 that counts as reached when reached roads enclose it. Superblocks of some 300 m by 300 m are common;
the number is our choice, no official one exists."""
_SIMPLIFIED_M = 1.3
"""Tolerance of simplification in metres: less than half the distance between the outlines of two times."""
_FINEST_M, _MOST_NODES = 12.0, 320
_FAR, _NEAR_M = np.float32(1e12), 4 * AROUND_ROAD_M[-1]
_EARTH_M = 6_371_008.8  # mean radius, IUGG


def reached_areas(origin: tuple[float, float], stretches: Stretches, limits_s: Sequence[float]) -> Any:
    """Draw the areas that are reached from an origin (or from which it is reached) within each time.

    Parameters
    ----------
    origin
        lon, lat in degrees, CGCS2000.
    limits_s
        Up to three times in seconds, ascending.

    Returns
    -------
    As many valid MultiPolygons on the lattice, each inside the next.
    """
    scale = np.array([math.cos(math.radians(origin[1])), 1.0]) * (_EARTH_M * math.pi / 180)
    xy = (stretches.points - origin) * scale
    around = np.array(AROUND_ROAD_M[-len(limits_s) :])
    limits = np.asarray(limits_s, float)
    low, high = extent(xy, stretches.first, stretches.begin_s, limits[-1])
    step = max(_FINEST_M, float((high - low).max() + 4 * around[-1]) / _MOST_NODES)
    margin = around[-1] + 3 * step
    corner = low - margin
    columns, rows = (np.ceil((high + margin - corner) / step) + 1).astype(int)
    fields = np.full((len(limits), rows, columns), _FAR, np.float32)
    draw(
        xy, stretches.first, stretches.begin_s, stretches.end_s, stretches.is_first, limits, corner[0], corner[1],
        step, around[-1] + 1.5 * step, fields,
    )  # fmt: skip
    for shorter, longer in pairwise(fields):
        np.minimum(longer, shorter, out=longer)  # roads reached in a shorter time are reached in a longer one too
    on_map = (corner, step, scale, np.array(origin))
    areas = _outlined(fields, around, on_map, _SIMPLIFIED_M / step)
    return areas if _is_good(areas) else mended(_outlined(fields, around, on_map, 0.0))


def _outlined(fields: Any, around: Floats, on_map: tuple[Floats, float, Floats, Floats], tolerance: float) -> Any:
    """Return the area of each tier on the lattice, with small enclosed blocks filled."""
    corner, step, scale, origin = on_map
    areas = []
    for field, level in zip(fields, around, strict=True):
        points, rings, polygons = outlines(field, level, _NEAR_M, LARGEST_BLOCK_M2 / step**2, tolerance)
        if len(polygons) < 2:
            message = "nothing is reached"
            raise ValueError(message)
        places = (corner + points * step) / scale + origin
        areas.append(
            shapely.multipolygons(
                shapely.from_ragged_array(shapely.GeometryType.POLYGON, snap(places), (rings, polygons))
            )
        )
    return np.array(areas, dtype=object)


def _is_good(areas: Any) -> bool:
    return bool(shapely.is_valid(areas).all() and shapely.covers(areas[1:], areas[:-1]).all())


def mended(areas: Any) -> Any:
    """Repair outlines that touch themselves at a lattice point after rounding, and keep areas nested."""
    for number in range(len(areas)):
        area = shapely.make_valid(areas[number], method="structure")
        if number and not shapely.covers(area, areas[number - 1]):
            area = areas[number - 1]  # fall back to the shorter time's area: too small, but reached for certain
        parts = shapely.get_parts(area)
        areas[number] = shapely.multipolygons(parts[shapely.get_dimensions(parts) == 2])
    return areas
