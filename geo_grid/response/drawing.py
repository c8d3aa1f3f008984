"""Compiled functions that draw reached roads as a distance field on a grid; coordinates in metres from the origin."""

import math

import numpy as np
from numba import types

from geo_grid.compiling import loop, part

_POINTS, _FIRST, _TIMES = types.float64[:, ::1], types.int64[::1], types.float64[::1]


@loop(_POINTS, _FIRST, _TIMES, types.float64)
def extent(xy, first, begin_s, limit):  # type: ignore[no-untyped-def]
    """Return the bounding box of the origin and of all stretches that begin within the limit (seconds)."""
    low, high = np.zeros(2), np.zeros(2)
    for stretch in range(len(begin_s)):
        if begin_s[stretch] < limit:
            for point in range(first[stretch], first[stretch + 1]):
                for axis in range(2):
                    low[axis] = min(low[axis], xy[point, axis])
                    high[axis] = max(high[axis], xy[point, axis])
    return low, high


@part(fastmath=True)
def _distance2(ax, ay, bx, by, x, y):  # type: ignore[no-untyped-def]
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    along = min(max(((x - ax) * dx + (y - ay) * dy) / length2, 0.0), 1.0) if length2 > 0 else 0.0
    return np.float32((x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2)


@part()
def _is_drawn(fields, tier, ax, ay, bx, by, corner_x, corner_y, step):  # type: ignore[no-untyped-def]
    """Say whether a line is in the field already, as the other direction of the same road: checked at the nodes nearest to
    its ends and its middle.
    """
    for share in (0.0, 0.5, 1.0):
        column = round((ax + share * (bx - ax) - corner_x) / step)
        row = round((ay + share * (by - ay) - corner_y) / step)
        x, y = corner_x + column * step, corner_y + row * step
        if abs(fields[tier, row, column] - _distance2(ax, ay, bx, by, x, y)) > 0.5:
            return False
    return True


@part(fastmath=True)
def _stamp(fields, tier_from, tier_to, ax, ay, bx, by, corner_x, corner_y, step, reach):  # type: ignore[no-untyped-def]
    """Lower the fields of some tiers to the squared distance from a short line, at nodes within `reach` metres of it."""
    if _is_drawn(fields, tier_from, ax, ay, bx, by, corner_x, corner_y, step):
        return
    _, rows, columns = fields.shape
    left = max(int((min(ax, bx) - reach - corner_x) / step), 0)
    right = min(int((max(ax, bx) + reach - corner_x) / step) + 1, columns - 1)
    low = max(int((min(ay, by) - reach - corner_y) / step), 0)
    high = min(int((max(ay, by) + reach - corner_y) / step) + 1, rows - 1)
    for row in range(low, high + 1):
        for column in range(left, right + 1):
            found = _distance2(ax, ay, bx, by, corner_x + column * step, corner_y + row * step)
            for tier in range(tier_from, tier_to):
                fields[tier, row, column] = min(fields[tier, row, column], found)


@part()
def _nearest(xy, begin, end):  # type: ignore[no-untyped-def]
    """Return the point of a line that is nearest to the origin, as metres along the line and x, y."""
    best, best_along, best_x, best_y, along = np.inf, 0.0, xy[begin, 0], xy[begin, 1], 0.0
    for point in range(begin, end - 1):
        ax, ay = xy[point]
        dx, dy = xy[point + 1, 0] - ax, xy[point + 1, 1] - ay
        length = math.hypot(dx, dy)
        share = min(max(-(ax * dx + ay * dy) / (length * length), 0.0), 1.0) if length > 0 else 0.0
        x, y = ax + share * dx, ay + share * dy
        if math.hypot(x, y) < best:
            best, best_along, best_x, best_y = math.hypot(x, y), along + share * length, x, y
        along += length
    return best_along, best_x, best_y


@loop(_POINTS, _FIRST, _TIMES, _TIMES, types.boolean[::1], _TIMES, *[types.float64] * 4, types.float32[:, :, ::1])
def draw(xy, first, begin_s, end_s, is_first, limits, corner_x, corner_y, step, reach, fields):  # type: ignore[no-untyped-def]
    """Lower each tier's field around the reached part of each stretch, which ends where the tier's time runs out."""
    tiers = len(limits)
    longest_piece = 6 * step
    for stretch in range(len(begin_s)):
        if begin_s[stretch] >= limits[tiers - 1]:
            continue
        begin, end = first[stretch], first[stretch + 1]
        whole = 0.0
        for point in range(begin, end - 1):
            whole += math.hypot(xy[point + 1, 0] - xy[point, 0], xy[point + 1, 1] - xy[point, 1])
        start = 0.0
        if is_first[stretch]:
            start, x, y = _nearest(xy, begin, end)
            _stamp(fields, 0, tiers, 0.0, 0.0, x, y, corner_x, corner_y, step, reach)  # from the post to its road
        pace = (end_s[stretch] - begin_s[stretch]) / max(whole - start, 1e-9)
        along = 0.0
        for point in range(begin, end - 1):
            ax, ay = xy[point]
            dx, dy = xy[point + 1, 0] - ax, xy[point + 1, 1] - ay
            length = math.hypot(dx, dy)
            pieces = max(math.ceil(length / longest_piece), 1)
            for piece in range(pieces):
                from_m, to_m = along + length * piece / pieces, along + length * (piece + 1) / pieces
                if to_m < start:
                    continue
                from_m = max(from_m, start)
                from_s = begin_s[stretch] + (from_m - start) * pace
                to_s = begin_s[stretch] + (to_m - start) * pace
                u, v = (from_m - along) / max(length, 1e-9), (to_m - along) / max(length, 1e-9)
                for tier in range(tiers):
                    if from_s > limits[tier]:
                        continue
                    is_whole = to_s <= limits[tier]
                    w = v if is_whole else u + (v - u) * (limits[tier] - from_s) / (to_s - from_s)
                    _stamp(
                        fields, tier, tiers if is_whole else tier + 1, ax + u * dx, ay + u * dy, ax + w * dx, ay + w * dy,
                        corner_x, corner_y, step, reach,
                    )  # fmt: skip
                    if is_whole:
                        break
            along += length
