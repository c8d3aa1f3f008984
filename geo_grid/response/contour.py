"""Contour polygons of a scalar field on a grid: marching squares (Lorensen and Cline, 1987), simplified while traced.

Compiled, since it takes most of the time of drawing a circle; contourpy with a simplification by GEOS takes three times
as long.
"""

import math

import numpy as np
from numba import types

from geo_grid.compiling import loop, part

_BESIDE_NODE = 1e-3
"""Least distance of an outline from a node, in grid steps, so that no two outlines touch."""
_FEWEST_POINTS = 4
"""Points of a ring, which is closed after them, below which it is not simplified."""


@loop(types.float32[:, ::1], *[types.float64] * 4)
def outlines(field, level, nearest, largest_block, tolerance):  # type: ignore[no-untyped-def]
    """Return the polygons around the nodes whose value lies below a level.

    Parameters
    ----------
    field
        rows by columns: squared distances; its border lies above the level.
    level, nearest
        Distance of the outline, and the distance at which values are capped.
    largest_block
        Holes of at most this area, in square grid steps, are filled.
    tolerance
        Tolerance of the simplification, in grid steps.

    Returns
    -------
    n points as column, row in grid steps; offsets of rings into points; offsets of polygons into rings, the exterior ring
    first.
    """
    left, low, field = _window(field, level * level)
    follows, edges = _followers(field, level * level)
    columns = field.shape[1]
    traced, count = np.empty((len(edges) + 1, 2)), 0
    first, rings = np.zeros(len(edges) + 1, np.int64), 0
    for number in range(len(edges)):
        edge = edges[number]
        if follows[edge] < 0:
            continue
        begin, at = count, edge
        while follows[at] >= 0:
            _cross(traced, count, field, at, columns, level, nearest)
            count += 1
            after = follows[at]
            follows[at] = -1
            at = after
        if -largest_block <= _size(traced, begin, count) <= 0:
            count = begin  # drop a small hole: a block enclosed by reached roads
        else:
            rings += 1
            first[rings] = count
    for at in range(count):
        traced[at, 0] += left
        traced[at, 1] += low
    return _assembled(traced, first, rings, tolerance)


@part()
def _window(field, level2):  # type: ignore[no-untyped-def]
    """Return the window of a field with all nodes below the level and a margin of one, and its first column and row."""
    rows, columns = field.shape
    left, right, low, high = columns, 0, rows, 0
    for row in range(rows):
        for column in range(columns):
            if field[row, column] < level2:
                left, right = min(left, column), max(right, column)
                low, high = min(low, row), row
    return left - 1, low - 1, field[low - 1 : high + 2, left - 1 : right + 2]


@part()
def _followers(field, level2):  # type: ignore[no-untyped-def]
    """Return for each grid edge the next edge that its outline crosses (-1: none), and the edges that are crossed.

    Outlines have the nodes below the level on their left. Edges along rows are numbered first, then those along columns,
    each by its node with the lower row and column.
    """
    rows, columns = field.shape
    upright = rows * columns
    follows = np.full(2 * upright, -1, np.int32)
    edges, count = np.empty(2 * upright, np.int32), 0
    for row in range(rows - 1):
        b, c = field[row, 0] < level2, field[row + 1, 0] < level2
        for column in range(columns - 1):
            a, d = b, c
            b, c = field[row, column + 1] < level2, field[row + 1, column + 1] < level2
            if a == b and b == c and c == d:
                continue
            node = row * columns + column
            corners = (a, b, c, d)
            sides = (node, upright + node + 1, node + columns, upright + node)  # from each corner to the next
            # going round the square, an outline enters after a corner below the level that is followed by one above it,
            # and leaves at the other end of that run of corners below; so the two corners of a saddle are kept apart
            for at in range(4):
                if corners[at] and not corners[(at + 1) % 4]:
                    leaving = at - 1
                    while corners[leaving % 4]:
                        leaving -= 1
                    edges[count], count = sides[at], count + 1
                    follows[sides[at]] = sides[leaving % 4]
    return follows, edges[:count]


@part()
def _cross(points, number, field, edge, columns, level, nearest):  # type: ignore[no-untyped-def]
    """Store the point where an outline crosses an edge, as column, row."""
    upright = field.shape[0] * columns
    node = edge % upright
    row, column = node // columns, node % columns
    is_upright = edge >= upright
    here = min(math.sqrt(field[row, column]), nearest)
    there = min(math.sqrt(field[row + 1, column] if is_upright else field[row, column + 1]), nearest)
    share = min(max((level - here) / (there - here), _BESIDE_NODE), 1 - _BESIDE_NODE)
    points[number, 0] = column if is_upright else column + share
    points[number, 1] = row + share if is_upright else row


@part()
def _size(points, begin, end):  # type: ignore[no-untyped-def]
    """Return the signed area of a ring in square grid steps, negative for a hole."""
    total = 0.0
    for at in range(begin, end):
        after = at + 1 if at + 1 < end else begin
        total += points[at, 0] * points[after, 1] - points[after, 0] * points[at, 1]
    return total / 2


@part()
def _is_inside(points, begin, end, x, y):  # type: ignore[no-untyped-def]
    found = False
    for at in range(begin, end):
        after = at + 1 if at + 1 < end else begin
        ax, ay, bx, by = points[at, 0], points[at, 1], points[after, 0], points[after, 1]
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            found = not found
    return found


@part()
def _assembled(traced, first, rings, tolerance):  # type: ignore[no-untyped-def]
    """Sort holes behind the exterior ring that encloses them, simplify, and close the rings."""
    sizes, owner = np.empty(rings), np.empty(rings, np.int64)
    for ring in range(rings):
        sizes[ring], owner[ring] = _size(traced, first[ring], first[ring + 1]), -1
    for hole in range(rings):
        if sizes[hole] < 0:
            x, y = traced[first[hole], 0], traced[first[hole], 1]
            for outer in range(rings):
                is_smaller = owner[hole] < 0 or sizes[outer] < sizes[owner[hole]]
                if sizes[outer] > 0 and is_smaller and _is_inside(traced, first[outer], first[outer + 1], x, y):
                    owner[hole] = outer
    points = np.empty((len(traced) + rings, 2))
    ring_ends, polygon_ends = np.zeros(rings + 1, np.int64), np.zeros(rings + 1, np.int64)
    count, made, polygons = 0, 0, 0
    for outer in range(rings):
        if sizes[outer] <= 0:
            continue
        for turn in range(-1, rings):
            ring = outer if turn < 0 else turn  # the exterior ring comes first
            if turn >= 0 and owner[ring] != outer:
                continue
            is_kept, kept = _kept(traced, first[ring], first[ring + 1], tolerance)
            begin = count
            for at in range(len(is_kept)):
                if is_kept[at] or kept < _FEWEST_POINTS:  # what is too small stays as it is
                    points[count, 0], points[count, 1] = traced[first[ring] + at, 0], traced[first[ring] + at, 1]
                    count += 1
            points[count, 0], points[count, 1] = points[begin, 0], points[begin, 1]
            count += 1
            made += 1
            ring_ends[made] = count
        polygons += 1
        polygon_ends[polygons] = made
    return points[:count], ring_ends[: made + 1], polygon_ends[: polygons + 1]


@part()
def _kept(points, begin, end, tolerance):  # type: ignore[no-untyped-def]
    """Return which points of a ring remain after simplification (Douglas and Peucker, 1973), and how many.

    It is split at its first point and the point farthest from that.
    """
    count = end - begin
    is_kept = np.zeros(count, np.bool_)
    far, farthest = 0, -1.0
    for at in range(count):
        apart = math.hypot(points[begin + at, 0] - points[begin, 0], points[begin + at, 1] - points[begin, 1])
        if apart > farthest:
            far, farthest = at, apart
    is_kept[0] = is_kept[far] = True
    kept = 2 if far else 1
    # parts that are still to be looked at: they share no points but their ends, so there are never more than points
    lows, highs, waiting = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64), 2
    lows[0], highs[0], lows[1], highs[1] = 0, far, far, count
    while waiting:
        waiting -= 1
        low, high = lows[waiting], highs[waiting]
        ax, ay = points[begin + low, 0], points[begin + low, 1]
        bx, by = points[begin + high % count, 0], points[begin + high % count, 1]
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy)
        worst, most = -1, tolerance
        for at in range(low + 1, high):
            x, y = points[begin + at, 0] - ax, points[begin + at, 1] - ay
            off = abs(x * dy - y * dx) / length if length > 0 else math.hypot(x, y)
            if off > most:
                worst, most = at, off
        if worst >= 0:
            is_kept[worst] = True
            kept += 1
            lows[waiting], highs[waiting] = low, worst
            lows[waiting + 1], highs[waiting + 1] = worst, high
            waiting += 2
    return is_kept, kept
