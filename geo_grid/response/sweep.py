"""How much of a polygon several others hold together: exact areas, without making the union.

A horizontal line sweeps over the edges of the polygon and of the others (Shamos and Hoey, 1976). Between two heights at
which an edge ends or two of them cross, what is held are trapezia. GEOS does the same by joining the others and
intersecting, in some ten times the time: it makes shapes, of which only the area is wanted.
"""

from typing import Any

import numba
import numpy as np
import shapely
from numpy.typing import NDArray


def held_areas(polygons: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the area of each of n polygons that lies in any of its others, in square units of its coordinates.

    Parameters
    ----------
    polygons
        n polygons or multipolygons.
    others
        n by most: polygons or multipolygons, None where there are fewer.
    """
    row, column = np.nonzero(~shapely.is_missing(others))
    shapes = np.concatenate([polygons, others[row, column]])
    polygon = np.concatenate([np.arange(len(polygons)), row])
    parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    is_edge = (ring[1:] == ring[:-1]) & (points[1:, 1] != points[:-1, 1])  # a level edge holds nothing beside it
    begin, end = points[:-1][is_edge], points[1:][is_edge]
    shape = shape_of_part[part_of_ring[ring[:-1][is_edge]]]
    number = np.concatenate([np.zeros(len(polygons), dtype=np.int64), column + 1])[shape]  # 0: of the polygon itself
    order = np.argsort(polygon[shape], kind="stable")
    is_up = (begin[:, 1] < end[:, 1])[:, None]
    low, high = np.where(is_up, begin, end)[order], np.where(is_up, end, begin)[order]
    first = np.searchsorted(polygon[shape][order], np.arange(len(polygons) + 1))
    found: NDArray[np.float64] = _swept(low, high, number[order], first, others.shape[1] + 1)
    return found


@numba.njit(cache=True, nogil=True)
def _swept(low, high, number, first, most):  # type: ignore[no-untyped-def]
    """Sweep over the edges of each polygon: from their lower to their higher end, by the number of their shape."""
    found = np.zeros(len(first) - 1)
    for polygon in range(len(first) - 1):
        edges = slice(first[polygon], first[polygon + 1])
        found[polygon] = _sweep(low[edges], high[edges], number[edges], most)
    return found


@numba.njit(cache=True, nogil=True)
def _sweep(low, high, number, most):  # type: ignore[no-untyped-def]
    heights = np.sort(np.concatenate((low[:, 1], high[:, 1], _crossings(low, high, number))))
    slope = (high[:, 0] - low[:, 0]) / (high[:, 1] - low[:, 1])
    active, middle = np.empty(len(low), np.int64), np.empty(len(low))
    is_inside = np.zeros(most, np.bool_)
    area = 0.0
    for at in range(len(heights) - 1):
        below, above = heights[at], heights[at + 1]
        half = (below + above) / 2
        if not below < half < above:
            continue
        count = 0
        for edge in range(len(low)):
            if low[edge, 1] < half < high[edge, 1]:
                x = low[edge, 0] + (half - low[edge, 1]) * slope[edge]
                place = count
                while place > 0 and middle[place - 1] > x:
                    middle[place], active[place] = middle[place - 1], active[place - 1]
                    place -= 1
                middle[place], active[place] = x, edge
                count += 1
        is_inside[:] = False
        others = 0
        for place in range(count - 1):
            one = number[active[place]]
            is_inside[one] = not is_inside[one]
            if one:
                others += 1 if is_inside[one] else -1
            if is_inside[0] and others:
                area += (middle[place + 1] - middle[place]) * (above - below)  # a trapezium, by its middle line
    return area


@numba.njit(cache=True, nogil=True)
def _crossings(low, high, number):  # type: ignore[no-untyped-def]
    """Return the heights at which edges of different shapes cross."""
    found = np.empty(64)
    count = 0
    for one in range(len(low)):
        for other in range(one + 1, len(low)):
            if number[one] == number[other] or low[one, 1] >= high[other, 1] or low[other, 1] >= high[one, 1]:
                continue
            ax, ay = high[one, 0] - low[one, 0], high[one, 1] - low[one, 1]
            bx, by = high[other, 0] - low[other, 0], high[other, 1] - low[other, 1]
            cross = ax * by - ay * bx
            if cross == 0:
                continue
            dx, dy = low[other, 0] - low[one, 0], low[other, 1] - low[one, 1]
            along, beside = (dx * by - dy * bx) / cross, (dx * ay - dy * ax) / cross
            if 0 < along < 1 and 0 < beside < 1:
                if count == len(found):
                    found = np.concatenate((found, np.empty(count)))
                found[count] = low[one, 1] + along * ay
                count += 1
    return found[:count]
