"""From the roads that are reached in a time to the area that counts as reached.

A place counts when a reached stretch of road passes within `AROUND_ROAD_M`, or when it is shut in by such
places: the inside of a block. The roads are drawn as distances on a grid of nodes; the area is what lies
under a contour of it. One grid serves all times and the distance grows with the time, so that a shorter
time's area lies inside a longer one's by construction.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.coordinates import snap
from geo_grid.response.contour import outlines
from geo_grid.response.drawing import draw, extent, read_numbers

Floats = NDArray[np.float64]

AROUND_ROAD_M = (20.0, 24.0, 28.0)
"""Metres beside a road, from the shortest time to the longest: a carriageway and the fronts along it."""
LARGEST_BLOCK_M2 = 100_000.0
"""Blocks shut in by reached roads are reached; superblocks of some 300 m by 300 m are common. Ours; nothing official exists."""
_SIMPLIFIED_M = 1.3
"""Less than half of what lies between the outlines of two times."""
_FINEST_M, _MOST_NODES = 12.0, 320
_FAR, _NEAR_M = np.float32(1e12), 4 * AROUND_ROAD_M[-1]
_EARTH_M = 6_371_008.8  # mean radius, IUGG
_LARGEST_COORDINATE = 360.0


class Stretches(NamedTuple):
    """Stretches of road that an expansion passed.

    Attributes
    ----------
    points
        n lon, lat in degrees, one stretch after the other, each in the direction of growing time.
    first
        m + 1 offsets into points.
    begin_s, end_s
        m times at both ends, seconds from the origin.
    is_first
        m flags: the origin lies on this stretch; its time begins there.
    """

    points: Floats
    first: NDArray[np.int64]
    begin_s: Floats
    end_s: Floats
    is_first: NDArray[np.bool_]


def read_expansion(text: str) -> Stretches:
    """Read Valhalla's answer to /expansion, asked for duration, edge_id and pred_edge_id, in this order.

    Its numbers are read without a JSON tree, which takes a third of the time: per stretch they are lon, lat, ...,
    duration, edge_id, pred_edge_id, coordinates have no exponents, and no edge's id is as small as a coordinate
    (it holds level, tile and number: Valhalla, baldr/graphid.h).

    Raises
    ------
    ValueError
        It is something else.
    """
    numbers = read_numbers(np.frombuffer(text.encode(), np.uint8))
    is_large = numbers > _LARGEST_COORDINATE
    ends = np.flatnonzero(is_large & ~np.append(is_large[1:], False))  # pred_edge_id is the last of each stretch
    sizes = np.diff(ends, prepend=-1) - 3
    if not len(ends) or ends[-1] != len(numbers) - 1 or (sizes < 2).any() or (sizes % 2).any():
        message = f"this is no expansion: {text[:200]}"
        raise ValueError(message)
    edges, before, end_s = numbers[ends - 1], numbers[ends], numbers[ends - 2]
    is_place = np.ones(len(numbers), bool)
    is_place[np.concatenate([ends, ends - 1, ends - 2])] = False
    order = np.argsort(edges, kind="stable")
    found = order[np.minimum(np.searchsorted(edges, before, sorter=order), len(order) - 1)]
    is_first = edges[found] != before
    begin_s = np.where(is_first, 0.0, end_s[found])
    first = np.concatenate([[0], np.cumsum(sizes // 2)])
    return Stretches(numbers[is_place].reshape(-1, 2), first, begin_s, np.maximum(begin_s, end_s), is_first)


def reached_areas(origin: tuple[float, float], stretches: Stretches, limits_s: Sequence[float]) -> Any:
    """Draw what is reached from (or reaches) an origin within each time.

    Parameters
    ----------
    origin
        lon, lat in degrees, CGCS2000.
    limits_s
        Up to three times in seconds, growing.

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
        np.minimum(longer, shorter, out=longer)  # what is near in a shorter time is near in a longer one
    on_map = (corner, step, scale, np.array(origin))
    found = _outlined(fields, around, on_map, _SIMPLIFIED_M / step)
    return found if _is_good(found) else _mended(_outlined(fields, around, on_map, 0.0))


def _outlined(fields: Any, around: Floats, on_map: tuple[Floats, float, Floats, Floats], tolerance: float) -> Any:
    """Return the area of each tier, without the holes that are blocks, on the lattice."""
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


def _mended(areas: Any) -> Any:
    """Take apart outlines that touch themselves in one lattice point, and see to it that areas stay nested."""
    for number in range(len(areas)):
        area = shapely.make_valid(areas[number], method="structure")
        if number and not shapely.covers(area, areas[number - 1]):
            area = areas[number - 1]  # smaller than it is, but never wrong
        parts = shapely.get_parts(area)
        areas[number] = shapely.multipolygons(parts[shapely.get_dimensions(parts) == 2])
    return areas
