"""The exact area of the part of a polygon that the union of others covers, without making the union.

A horizontal line sweeps over the edges of the polygon and of the others (Shamos and Hoey, 1976). Between two heights at
which edges end or cross, the covered part consists of trapezia, whose areas are summed. Union and intersection by GEOS
take some ten times as long, since they make geometries of which only the area is wanted.
"""

from typing import Any, NamedTuple

import numpy as np
import shapely
from numba import types
from numpy.typing import NDArray

from geo_grid.compiling import loop, part
from geo_grid.coordinates import Floats

Ints = NDArray[np.int64]


class Edges(NamedTuple):
    """The edges of n shapes, without horizontal ones: lower and higher ends, and n + 1 offsets of the shapes into them."""

    low: Floats
    high: Floats
    first: Ints

    @classmethod
    def of(cls, shapes: NDArray[Any]) -> "Edges":
        """Return the edges of an array of polygons and multipolygons."""
        parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
        rings, part_of_ring = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        is_edge = (ring[1:] == ring[:-1]) & (points[1:, 1] != points[:-1, 1])  # a horizontal edge bounds no trapezium
        begin, end = points[:-1][is_edge], points[1:][is_edge]
        shape = shape_of_part[part_of_ring[ring[:-1][is_edge]]]
        is_up = (begin[:, 1] < end[:, 1])[:, None]
        first = np.searchsorted(shape, np.arange(len(shapes) + 1))
        return cls(np.where(is_up, begin, end), np.where(is_up, end, begin), first)


def held_areas(polygons: NDArray[Any], shapes: Edges, others: Ints) -> Floats:
    """Return the area of each of n polygons that any of its other shapes covers, in square units of the coordinates.

    Releases the GIL while it computes.

    Parameters
    ----------
    polygons
        n polygons or multipolygons.
    others
        n by the largest number of others: indices of shapes; -1 fills the rest.
    """
    found: Floats = _swept(*Edges.of(polygons), *shapes, shapely.bounds(polygons).reshape(-1, 4), others)
    return found


_POINTS, _FIRST = types.float64[:, ::1], types.int64[::1]


# Written out where numpy has a word for it: each such word, and each shape of an argument, is compiled by itself, for seconds.


@loop(_POINTS, _POINTS, _FIRST, _POINTS, _POINTS, _FIRST, _POINTS, types.int64[:, ::1])
def _swept(low, high, first, other_low, other_high, other_first, boxes, others):  # type: ignore[no-untyped-def]
    found = np.zeros(len(boxes))
    for polygon in range(len(boxes)):
        own = first[polygon + 1] - first[polygon]
        most = own
        for nth in range(others.shape[1]):
            other = others[polygon, nth]
            if other >= 0:
                most += other_first[other + 1] - other_first[other]
        lows, highs, number = np.empty((most, 2)), np.empty((most, 2)), np.empty(most, np.int64)  # 0: of the polygon
        count = 0
        for edge in range(first[polygon], first[polygon + 1]):
            _put(low, high, edge, lows, highs, count)
            number[count] = 0
            count += 1
        for nth in range(others.shape[1]):
            other = others[polygon, nth]
            if other < 0:
                continue
            for edge in range(other_first[other], other_first[other + 1]):
                is_level_with = other_low[edge, 1] < boxes[polygon, 3] and other_high[edge, 1] > boxes[polygon, 1]
                if (
                    is_level_with and min(other_low[edge, 0], other_high[edge, 0]) < boxes[polygon, 2]
                ):  # else: right of it
                    _put(other_low, other_high, edge, lows, highs, count)
                    number[count] = nth + 1
                    count += 1
        if count > own:
            found[polygon] = _sweep(lows, highs, number, count, boxes[polygon], others.shape[1] + 1)
    return found


@part()
def _put(low, high, edge, lows, highs, place):  # type: ignore[no-untyped-def]
    for axis in range(2):
        lows[place, axis], highs[place, axis] = low[edge, axis], high[edge, axis]


@part()
def _sweep(lows, highs, numbers, edges, box, most):  # type: ignore[no-untyped-def]
    """Sweep over the edges of one polygon (number 0) and of its others; edges left of its box only toggle what is inside."""
    keys = np.empty(edges)
    for edge in range(edges):
        keys[edge] = lows[edge, 1]
    order = _ascending(keys)
    low, high, number, slope = np.empty((edges, 2)), np.empty((edges, 2)), np.empty(edges, np.int64), np.empty(edges)
    for place in range(edges):
        _put(lows, highs, order[place], low, high, place)
        number[place] = numbers[order[place]]
        slope[place] = (high[place, 0] - low[place, 0]) / (high[place, 1] - low[place, 1])
    heights = _heights(low, high, number, box)
    upwards = _ascending(heights)
    active, middle = np.empty(edges, np.int64), np.empty(edges)
    is_inside = np.empty(most, np.bool_)
    area = 0.0
    count, upcoming = 0, 0
    for at in range(len(heights) - 1):
        below, above = heights[upwards[at]], heights[upwards[at + 1]]
        half = (below + above) / 2
        if not below < half < above:
            continue
        while upcoming < edges and low[upcoming, 1] <= half:
            active[count] = upcoming
            count += 1
            upcoming += 1
        before, count = count, 0
        for nth in range(before):  # edges that were active before are in order from left to right
            edge = active[nth]
            if high[edge, 1] <= half:
                continue
            x = low[edge, 0] + (half - low[edge, 1]) * slope[edge]
            place = count
            while place > 0 and middle[place - 1] > x:
                middle[place], active[place] = middle[place - 1], active[place - 1]
                place -= 1
            middle[place], active[place] = x, edge
            count += 1
        for shape in range(most):
            is_inside[shape] = False
        holding = 0
        for place in range(count - 1):
            one = number[active[place]]
            is_inside[one] = not is_inside[one]
            if one:
                holding += 1 if is_inside[one] else -1
            if is_inside[0] and holding:
                area += (middle[place + 1] - middle[place]) * (above - below)  # of a trapezium: median times height
    return area


@part()
def _ascending(keys):  # type: ignore[no-untyped-def]
    """Return the indices that sort an array (heap sort; J. W. J. Williams, 1964): numpy's argsort takes 4 s to compile."""
    end = len(keys)
    order = np.empty(end, np.int64)
    for place in range(end):
        order[place] = place
    start = end // 2
    while end > 1:
        if start > 0:  # while the heap is made
            start -= 1
        else:
            end -= 1
            order[0], order[end] = order[end], order[0]
        root = start
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end and keys[order[child]] < keys[order[child + 1]]:
                child += 1
            if keys[order[root]] >= keys[order[child]]:
                break
            order[root], order[child] = order[child], order[root]
            root = child
    return order


@part()
def _heights(low, high, number, box):  # type: ignore[no-untyped-def]
    """Return the heights at which edges that reach the box end, and at which those of different shapes cross, within it.

    The edges must be sorted by their lower end.
    """
    found = np.empty(2 * len(low) + 64)
    count = 0
    for one in range(len(low)):
        if max(low[one, 0], high[one, 0]) < box[0]:
            continue
        found, count = _add(found, count, low[one, 1], box)
        found, count = _add(found, count, high[one, 1], box)
        for other in range(one + 1, len(low)):
            if low[other, 1] >= high[one, 1]:
                break
            if number[one] == number[other] or max(low[other, 0], high[other, 0]) < box[0]:
                continue
            ax, ay = high[one, 0] - low[one, 0], high[one, 1] - low[one, 1]
            bx, by = high[other, 0] - low[other, 0], high[other, 1] - low[other, 1]
            cross = ax * by - ay * bx
            if cross == 0:
                continue
            dx, dy = low[other, 0] - low[one, 0], low[other, 1] - low[one, 1]
            along, beside = (dx * by - dy * bx) / cross, (dx * ay - dy * ax) / cross
            if 0 < along < 1 and 0 < beside < 1:
                found, count = _add(found, count, low[one, 1] + along * ay, box)
    return found[:count]


@part()
def _add(found, count, height, box):  # type: ignore[no-untyped-def]
    if not box[1] <= height <= box[3]:
        return found, count
    if count == len(found):
        longer = np.empty(2 * count)
        for place in range(count):
            longer[place] = found[place]
        found = longer
    found[count] = height
    return found, count + 1
