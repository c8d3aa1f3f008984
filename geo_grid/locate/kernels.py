"""The compiled functions of the point index (numba; they release the GIL). Exact: coordinates are integers on the lattice.

Coordinates count lattice steps: |x| <= 180 * 2^26 < 2^34, so differences stay below 2^35.

The index is a uniform grid of square buckets. A bucket without edges knows its owner. A bucket with
edges knows the owner of its lower-left corner and its edges; a point's owner follows from the corner's
by walking from the corner along the bucket's bottom and then up to the point, and changing sides at
every edge crossed: by the exclusive or of the cells on the edge's two sides, so that the order of
crossings does not matter. Points are thought of as shifted by (e, e^2) for an infinitely
small e > 0, so that no walk ever runs through a vertex (simulation of simplicity: Edelsbrunner and
Muecke 1990); a point that lies exactly on an edge belongs to the smallest cell on any of its edges.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from geo_grid.compiling import loop, part

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK = 512
_TILES = 512
"""Most tiles that points are sorted by: with more, the ends of so many lists no longer fit into a core's own caches."""
_at = np.uint64
"""Of an index that is not negative: for a signed one the compiled code would look whether it counts from the end."""
OUTSIDE = -1
INVALID = -2
_STEPS_PER_DEGREE = float(2**26)
_SEMI_MAJOR_M, _ECCENTRICITY2 = 6378137.0, 0.006694380022903416  # CGCS2000 (GB/T 37987-2019)


class Index(NamedTuple):
    """Flat arrays of an index over n cells.

    Attributes
    ----------
    origin
        x, y of the lower-left bucket's corner; columns, rows; log2 of a bucket's side; n.
    edge
        x1, y1, x2, y2 of each edge in lattice steps, x1 <= x2; side by side, to come in one cache line.
    side
        The two cells on the sides of each edge; n means outside.
    bucket
        Per bucket the owner when no edge touches it, else -1 - slot.
    first, member
        Per slot the range of its edges in `member`.
    corner
        Per slot the owner of the bucket's lower-left corner.
    cell_first, cell_edge
        Per cell the range of its edges in `cell_edge`.
    """

    origin: Ints
    edge: Ints
    side: NDArray[np.int32]
    bucket: NDArray[np.int32]
    first: Ints
    member: NDArray[np.int32]
    corner: NDArray[np.int32]
    cell_first: Ints
    cell_edge: NDArray[np.int32]


_I32, _I64, _F64 = types.int32[::1], types.int64[::1], types.float64[::1]
_POINTS = _F64.copy(readonly=True)
_EDGES, _SIDES = types.int64[:, ::1], types.int32[:, ::1]
_INDEX = types.NamedTuple(
    [kind.copy(readonly=True) for kind in (_I64, _EDGES, _SIDES, _I32, _I64, _I32, _I32, _I64, _I32)], Index
)


@part()
def cross_sign(ux: int, uy: int, vx: int, vy: int) -> int:
    """Return the sign of ux * vy - uy * vx, exactly."""
    # |u|, |v| < 2^35: with the low 18 bits apart every product is below 2^53 and no sum passes 2^55
    high = (ux >> 18) * vy - (uy >> 18) * vx
    low = (ux & 262143) * vy - (uy & 262143) * vx
    high += low >> 18
    low &= 262143
    if high > 0 or (high == 0 and low > 0):
        return 1
    return -1 if high < 0 else 0


@part(inline="always")
def _crossed(x1: int, y1: int, x2: int, y2: int, left: int, bottom: int, x: int, y: int) -> tuple[int, bool]:
    """Follow the way from (left, bottom) east to (x, bottom) and north to (x, y), all shifted by (e, e^2).

    Without branches that depend on where the point is: these cannot be predicted, and a wrong guess costs more than the rest.

    Returns
    -------
    1 if the way crosses the edge an odd number of times, else 0; whether (x, y), not shifted, is on the line through the edge.
    """
    ux, uy, vx, vy, east, north = x2 - x1, y2 - y1, left - x1, bottom - y1, x - left, y - bottom
    if (ux | abs(uy) | abs(vx) | abs(vy) | east | north) < 1 << 30:  # then no sum passes 2^63
        corner = ux * vy - uy * vx
        knee = corner - uy * east
        end = knee + ux * north
    else:
        corner, knee = cross_sign(ux, uy, vx, vy), cross_sign(ux, uy, vx + east, vy)
        end = cross_sign(ux, uy, vx + east, vy + north)
    # a point on the line, shifted, is left of an edge that falls or is level, since edges run from west to east
    tie = int(uy <= 0)
    corner, knee, is_left = int(corner + tie > 0), int(knee + tie > 0), int(end + tie > 0)
    spans_bottom, spans_x = int(y1 <= bottom) ^ int(y2 <= bottom), int(x1 <= x) ^ int(x2 <= x)
    return (spans_bottom & (corner ^ knee)) ^ (spans_x & (knee ^ is_left)), end == 0


@loop(_I64, _I64, _I64, _I64, _I64, types.int64)
def unique_edges(ax: Ints, ay: Ints, bx: Ints, by: Ints, cell: Ints, cells: int) -> tuple[Ints, NDArray[np.int32], int]:
    """Match each segment with its twin in the neighbour.

    Returns
    -------
    `edge` and `side` of an Index, and how many segments three or more cells share (0 in a valid coverage).
    """
    count = len(ax)
    size = 1
    while size < 2 * count + 2:
        size *= 2
    table = np.full(size, -1, np.int32)
    edge = np.empty((count, 4), np.int64)
    side = np.empty((count, 2), np.int32)
    edges, wrong = 0, 0
    for i in range(count):
        px, py, qx, qy = ax[i], ay[i], bx[i], by[i]
        if px > qx or (px == qx and py > qy):
            px, py, qx, qy = qx, qy, px, py
        key = px * 0x9E3779B1 + py * 0x85EBCA77 + qx * 0xC2B2AE3D + qy * 0x27D4EB2F
        key ^= key >> 29
        slot = (key * 0x165667B1) & (size - 1)
        while True:
            e = table[slot]
            if e < 0:
                table[slot] = edges
                edge[edges, 0], edge[edges, 1], edge[edges, 2], edge[edges, 3] = px, py, qx, qy
                side[edges, 0], side[edges, 1] = cell[i], cells
                edges += 1
                break
            if edge[e, 0] == px and edge[e, 1] == py and edge[e, 2] == qx and edge[e, 3] == qy:
                if side[e, 1] == cells:
                    side[e, 1] = cell[i]
                else:
                    wrong += 1
                break
            slot = (slot + 1) & (size - 1)
    return edge[:edges].copy(), side[:edges].copy(), wrong


@part()
def _touched(x1: int, y1: int, x2: int, y2: int, row: int, west: int, south: int, shift: int) -> tuple[int, int]:
    """Return the first and last column that an edge may touch in a row; never too few."""
    low = south + (row << shift) - 1
    high = south + ((row + 1) << shift) + 1
    if y1 > y2:
        x1, y1, x2, y2 = x2, y2, x1, y1
    start, end = x1, x2
    if y2 != y1:
        slope = (x2 - x1) / (y2 - y1)
        if y1 < low:
            start = x1 + int(np.floor((low - y1) * slope))
        if y2 > high:
            end = x1 + int(np.floor((high - y1) * slope))
    # two steps for the rounding of the slope, one for the closed side of the bucket
    return (min(start, end) - 3 - west) >> shift, (max(start, end) + 3 - west) >> shift


@loop(_EDGES, _SIDES, _I64)
def fill_buckets(
    edge: Ints, side: NDArray[np.int32], origin: Ints
) -> tuple[NDArray[np.int32], Ints, NDArray[np.int32], NDArray[np.int32]]:
    """Put edges into buckets and find the owner of every bucket or of its corner."""
    west, south, columns, rows, shift, cells = origin
    count = np.zeros(columns * rows, np.int32)
    for e in range(len(edge)):
        x1, y1, x2, y2 = edge[e]
        last_row = (max(y1, y2) + 1 - south) >> shift
        for row in range((min(y1, y2) - 1 - south) >> shift, last_row + 1):
            start, end = _touched(x1, y1, x2, y2, row, west, south, shift)
            for column in range(start, end + 1):
                count[row * columns + column] += 1
    slots, members = 0, 0
    for bucket in range(columns * rows):
        if count[bucket]:
            slots += 1
            members += count[bucket]
    first = np.zeros(slots + 1, np.int64)
    slot = 0
    for bucket in range(columns * rows):
        if count[bucket]:
            first[slot + 1] = first[slot] + count[bucket]
            count[bucket] = -1 - slot
            slot += 1
    bucket_owner = count
    cursor = first[:-1].copy()
    member = np.empty(members, np.int32)
    for e in range(len(edge)):
        x1, y1, x2, y2 = edge[e]
        last_row = (max(y1, y2) + 1 - south) >> shift
        for row in range((min(y1, y2) - 1 - south) >> shift, last_row + 1):
            start, end = _touched(x1, y1, x2, y2, row, west, south, shift)
            for column in range(start, end + 1):
                slot = -1 - bucket_owner[row * columns + column]
                member[cursor[slot]] = e
                cursor[slot] += 1
    corner = np.empty(slots, np.int32)
    for row in range(rows):
        owner = cells
        y = south + (row << shift)
        for column in range(columns):
            bucket = row * columns + column
            if bucket_owner[bucket] >= 0:
                bucket_owner[bucket] = owner
                continue
            slot = -1 - bucket_owner[bucket]
            corner[slot] = owner
            x = west + (column << shift)
            for k in range(first[slot], first[slot + 1]):
                e = member[k]
                if _crossed(edge[e, 0], edge[e, 1], edge[e, 2], edge[e, 3], x, y, x + (1 << shift), y)[0]:
                    owner ^= side[e, 0] ^ side[e, 1]
    return bucket_owner, first, member, corner


@loop(_SIDES, types.int64)
def edges_of_cells(side: NDArray[np.int32], cells: int) -> tuple[Ints, NDArray[np.int32]]:
    """List the edges of each cell."""
    first = np.zeros(cells + 2, np.int64)
    for e in range(len(side)):
        first[side[e, 0] + 1] += 1
        first[side[e, 1] + 1] += 1
    for cell in range(cells + 1):  # written out: numpy's cumsum would be compiled too
        first[cell + 1] += first[cell]
    cursor = first.copy()
    listed = np.empty(2 * len(side), np.int32)
    for e in range(len(side)):
        for cell in (side[e, 0], side[e, 1]):
            listed[cursor[cell]] = e
            cursor[cell] += 1
    return first[: cells + 1], listed[: first[cells]]


@part()
def _conflict(a: Ints, b: Ints) -> bool:
    """Whether two different edges meet anywhere but in an end of both."""
    ux, uy, vx, vy = a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1]
    a1 = cross_sign(vx, vy, a[0] - b[0], a[1] - b[1])
    a2 = cross_sign(vx, vy, a[2] - b[0], a[3] - b[1])
    b1 = cross_sign(ux, uy, b[0] - a[0], b[1] - a[1])
    b2 = cross_sign(ux, uy, b[2] - a[0], b[3] - a[1])
    if a1 * a2 > 0 or b1 * b2 > 0:
        return False
    if a1 == 0 and a2 == 0:  # on one line: compare along it; edges run from west to east, level ones too
        start_x, start_y = (a[0], a[1]) if (a[0], a[1]) > (b[0], b[1]) else (b[0], b[1])
        end_x, end_y = (a[2], a[3]) if (a[2], a[3]) < (b[2], b[3]) else (b[2], b[3])
        return bool((start_x, start_y) < (end_x, end_y))
    same_start, same_end = a[0] == b[0] and a[1] == b[1], a[2] == b[2] and a[3] == b[3]
    crossed = (a[0] == b[2] and a[1] == b[3]) or (a[2] == b[0] and a[3] == b[1])
    return not (same_start or same_end or crossed)


@loop(_INDEX)
def is_coverage(index: Index) -> bool:
    """Whether the edges surely belong to a coverage: neighbours share them whole and nothing overlaps.

    True is a proof: no two edges meet but in common ends, and beside the middle of every edge the walk
    from outside finds one of its two cells, so along every edge, and so everywhere. False may also
    come of a corner that touches the middle of an edge, which a coverage may have.
    """
    west, south, columns, shift = index.origin[0], index.origin[1], index.origin[2], index.origin[4]
    for slot in range(len(index.corner)):
        for i in range(index.first[slot], index.first[slot + 1]):
            for j in range(index.first[slot], i):
                if _conflict(index.edge[index.member[i]], index.edge[index.member[j]]):
                    return False
    for e in range(len(index.edge)):
        # all doubled, so that the middle is a whole number; differences stay below 2^36 and cross_sign exact
        x, y = index.edge[e, 0] + index.edge[e, 2], index.edge[e, 1] + index.edge[e, 3]
        column, row = (x - 2 * west) >> (shift + 1), (y - 2 * south) >> (shift + 1)
        left, bottom = 2 * (west + (column << shift)), 2 * (south + (row << shift))
        slot = -1 - index.bucket[row * columns + column]
        owner = int(index.corner[slot])
        for k in range(index.first[slot], index.first[slot + 1]):
            m = index.member[k]
            x1, y1, x2, y2 = 2 * index.edge[m, 0], 2 * index.edge[m, 1], 2 * index.edge[m, 2], 2 * index.edge[m, 3]
            if _crossed(x1, y1, x2, y2, left, bottom, x, y)[0]:
                owner ^= index.side[m, 0] ^ index.side[m, 1]
        if owner not in (index.side[e, 0], index.side[e, 1]):
            return False
    return True


@part(inline="always")
def _walk(index: Index, slot: int, x: int, y: int) -> int:
    """Return the cell that owns a lattice point in a bucket with edges; n outside."""
    west, south, shift, cells = index.origin[0], index.origin[1], index.origin[4], index.origin[5]
    left, bottom = west + ((x - west) >> shift << shift), south + ((y - south) >> shift << shift)
    owner, smallest, on_edge = int(index.corner[_at(slot)]), int(cells), False
    for k in range(index.first[_at(slot)], index.first[_at(slot + 1)]):
        e = _at(index.member[_at(k)])
        x1, y1, x2, y2 = index.edge[e, 0], index.edge[e, 1], index.edge[e, 2], index.edge[e, 3]
        crossed, on_line = _crossed(x1, y1, x2, y2, left, bottom, x, y)
        owner ^= (index.side[e, 0] ^ index.side[e, 1]) & -crossed
        if on_line and x1 <= x <= x2 and min(y1, y2) <= y <= max(y1, y2):
            on_edge = True
            smallest = min(smallest, index.side[e, 0], index.side[e, 1])
    return smallest if on_edge else owner


@loop(_INDEX, types.int64, types.int64)
def one_owner(index: Index, x: int, y: int) -> int:
    """Return the cell that owns one lattice point in a bucket with edges; n outside."""
    column, row = (x - index.origin[0]) >> index.origin[4], (y - index.origin[1]) >> index.origin[4]
    return _walk(index, -1 - index.bucket[row * index.origin[2] + column], x, y)


@part()
def _await_edges(index: Index, slot: Ints, first: Ints, touched: Ints, waiting: int) -> None:
    """Ask memory for the first edges of many slots at once: looked up one by one, the processor would wait five times for each."""
    for k in range(waiting):
        first[k] = index.first[_at(slot[k])]
        touched[k] = index.corner[_at(slot[k])]
    for k in range(waiting):
        touched[k] = index.member[_at(first[k])]
    for k in range(waiting):
        e = _at(touched[k])
        touched[k] = index.edge[e, 0] + index.side[e, 0]


@loop(_INDEX, _POINTS, _POINTS, _I32)
def owners(index: Index, lon: Floats, lat: Floats, found: NDArray[np.int32]) -> None:
    """Find the owner of each point; OUTSIDE where there is none, INVALID where it is no place."""
    west, south, columns, rows, shift, cells = index.origin
    point, slot = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    first, touched = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    for start in range(0, len(lon), _BLOCK):
        waiting = 0
        for i in range(start, min(start + _BLOCK, len(lon))):
            if not (abs(lon[i]) <= 180.0 and abs(lat[i]) <= 90.0):
                found[i] = INVALID
                continue
            x, y = int(np.rint(lon[i] * _STEPS_PER_DEGREE)), int(np.rint(lat[i] * _STEPS_PER_DEGREE))
            column, row = (x - west) >> shift, (y - south) >> shift
            inside = 0 <= column < columns and 0 <= row < rows
            owner = index.bucket[_at(row * columns + column)] if inside else cells
            found[i] = OUTSIDE if owner == cells else owner
            point[_at(waiting)], slot[_at(waiting)] = i, -1 - owner
            waiting += owner < 0
        _await_edges(index, slot, first, touched, waiting)
        for k in range(waiting):
            p = _at(point[k])
            x, y = int(np.rint(lon[p] * _STEPS_PER_DEGREE)), int(np.rint(lat[p] * _STEPS_PER_DEGREE))
            owner = _walk(index, slot[k], x, y)
            found[p] = OUTSIDE if owner == cells else owner


@loop(_INDEX, _POINTS, _POINTS, types.uint16[::1], _I32, _I64)
def by_place(
    index: Index, lon: Floats, lat: Floats, tile: NDArray[np.uint16], order: NDArray[np.int32], place: Ints
) -> int:
    """Sort fewer than 2^31 points by tiles of buckets: their places in the arrays into `order`.

    Parameters
    ----------
    tile
        m numbers, for work.
    place
        Gets the lattice steps east and north of the grid's corner of the points in this order, in the upper and in the lower half.

    Returns
    -------
    How many are inside of the grid. The others, and what is no place, come last, and `place` does not say where they are.
    """
    west, south, columns, rows, shift, _ = index.origin
    width, height = columns << shift, rows << shift
    bits = shift
    while ((width >> bits) + 1) * ((height >> bits) + 1) > _TILES:
        bits += 1
    wide, high = (width >> bits) + 1, (height >> bits) + 1
    end = np.zeros(wide * high + 1, np.int64)
    for i in range(len(lon)):
        here = wide * high
        if abs(lon[i]) <= 180.0 and abs(lat[i]) <= 90.0:
            x = int(np.rint(lon[i] * _STEPS_PER_DEGREE)) - west
            y = int(np.rint(lat[i] * _STEPS_PER_DEGREE)) - south
            if 0 <= x < width and 0 <= y < height:
                here = (y >> bits) * wide + (x >> bits)
        tile[i] = here
        end[here] += 1
    start = 0
    for here in range(len(end)):
        count = end[here]
        end[here] = start
        start += count
    for i in range(len(lon)):
        x, y = int(np.rint(lon[i] * _STEPS_PER_DEGREE)) - west, int(np.rint(lat[i] * _STEPS_PER_DEGREE)) - south
        k = _at(end[tile[i]])
        end[tile[i]] += 1
        order[k], place[k] = i, x << 32 | y
    return int(end[wide * high - 1])


@loop(_INDEX, _POINTS, _POINTS, _I32, _I64, types.int64, _I32)
def owners_by_place(
    index: Index, lon: Floats, lat: Floats, order: NDArray[np.int32], place: Ints, inside: int, found: NDArray[np.int32]
) -> None:
    """Find the owner of each point, as `owners` does, in the order of `by_place`; neither side of the grid may have 2^32 steps."""
    west, south, columns, _, shift, cells = index.origin
    point, slot = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    first, touched = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    for start in range(0, inside, _BLOCK):
        waiting = 0
        for k in range(start, min(start + _BLOCK, inside)):
            x, y = place[k] >> 32 & 0xFFFFFFFF, place[k] & 0xFFFFFFFF
            owner = index.bucket[_at((y >> shift) * columns + (x >> shift))]
            found[_at(order[k])] = OUTSIDE if owner == cells else owner
            point[_at(waiting)], slot[_at(waiting)] = k, -1 - owner
            waiting += owner < 0
        _await_edges(index, slot, first, touched, waiting)
        for k in range(waiting):
            p = _at(point[k])
            x, y = place[p] >> 32 & 0xFFFFFFFF, place[p] & 0xFFFFFFFF
            owner = _walk(index, slot[k], x + west, y + south)
            found[_at(order[p])] = OUTSIDE if owner == cells else owner
    for k in range(inside, len(order)):
        i = order[k]
        found[i] = OUTSIDE if abs(lon[i]) <= 180.0 and abs(lat[i]) <= 90.0 else INVALID


@part()
def _metres_per_degree(lat: float) -> tuple[float, float]:
    """Return metres per degree of longitude and latitude on the ellipsoid (radii N cos(lat) and M)."""
    sine = np.sin(np.radians(lat))
    w = 1.0 - _ECCENTRICITY2 * sine * sine
    n = _SEMI_MAJOR_M / np.sqrt(w)
    m = n * (1.0 - _ECCENTRICITY2) / w
    return np.radians(n * np.cos(np.radians(lat))), np.radians(m)


@part()
def _edge_distance(index: Index, edge: int, lon: float, lat: float, kx: float, ky: float) -> tuple[float, float, float]:
    """Return squared distance in metres, and the offset in degrees, to the nearest point of an edge."""
    ax, ay = index.edge[edge, 0] / _STEPS_PER_DEGREE - lon, index.edge[edge, 1] / _STEPS_PER_DEGREE - lat
    dx, dy = index.edge[edge, 2] / _STEPS_PER_DEGREE - lon - ax, index.edge[edge, 3] / _STEPS_PER_DEGREE - lat - ay
    along = -(ax * dx * kx * kx + ay * dy * ky * ky) / (dx * dx * kx * kx + dy * dy * ky * ky)
    along = min(1.0, max(0.0, along))
    ox, oy = ax + along * dx, ay + along * dy
    return ox * ox * kx * kx + oy * oy * ky * ky, ox, oy


@part()
def _box_distance(index: Index, edge: int, lon: float, lat: float, kx: float, ky: float) -> float:
    """Return squared distance in metres to the box around an edge: no more than to the edge, and without a division."""
    x, y = lon * _STEPS_PER_DEGREE, lat * _STEPS_PER_DEGREE
    y1, y2 = index.edge[edge, 1], index.edge[edge, 3]
    dx = max(index.edge[edge, 0] - x, x - index.edge[edge, 2], 0.0) * (kx / _STEPS_PER_DEGREE)
    dy = max(min(y1, y2) - y, y - max(y1, y2), 0.0) * (ky / _STEPS_PER_DEGREE)
    return float(dx * dx + dy * dy)


@part()
def _boundary_distance(index: Index, lon: float, lat: float, owner: int) -> float:
    """Measure metres from one point to the nearest border of its owner; NaN where it has none (negative)."""
    if owner < 0:
        return np.nan
    kx, ky = _metres_per_degree(lat)
    best, best_x, best_y = np.inf, 0.0, 0.0
    for k in range(index.cell_first[owner], index.cell_first[owner + 1]):
        if _box_distance(index, index.cell_edge[k], lon, lat, kx, ky) > best:
            continue
        square, ox, oy = _edge_distance(index, index.cell_edge[k], lon, lat, kx, ky)
        if square < best:
            best, best_x, best_y = square, ox, oy
    kx, ky = _metres_per_degree(lat + best_y / 2)  # the scale half-way is right to the third order
    return float(np.sqrt((best_x * kx) ** 2 + (best_y * ky) ** 2))


@loop(_INDEX, _POINTS, _POINTS, _I32)
def boundary_distances(index: Index, lon: Floats, lat: Floats, owner: NDArray[np.int32]) -> Floats:
    """Measure metres to the nearest border of each point's owner; NaN where it has none."""
    found = np.empty(len(lon), np.float64)
    for i in range(len(lon)):
        found[i] = _boundary_distance(index, lon[i], lat[i], owner[i])
    return found


@part()
def _neighbours_within(
    index: Index, lon: float, lat: float, owner: int, error_m: float
) -> tuple[NDArray[np.int32], Floats]:
    """List the other cells within `error_m` metres of one point, nearest first, with their distances."""
    west, south, columns, rows, shift, cells = index.origin
    kx, ky = _metres_per_degree(lat)
    reach_x, reach_y = error_m / kx * _STEPS_PER_DEGREE + 2, error_m / ky * _STEPS_PER_DEGREE + 2
    x, y = lon * _STEPS_PER_DEGREE, lat * _STEPS_PER_DEGREE
    found = np.empty(64, np.int32)
    metres = np.empty(64, np.float64)
    count = 0
    for row in range(
        max(0, (int(y - reach_y) - south) >> shift), min(rows - 1, (int(y + reach_y) - south) >> shift) + 1
    ):
        start = max(0, (int(x - reach_x) - west) >> shift)
        for column in range(start, min(columns - 1, (int(x + reach_x) - west) >> shift) + 1):
            slot = -1 - index.bucket[row * columns + column]
            if slot < 0:
                continue
            for k in range(index.first[slot], index.first[slot + 1]):
                edge = index.member[k]
                square, _, _ = _edge_distance(index, edge, lon, lat, kx, ky)
                if square > error_m * error_m:
                    continue
                for cell in (index.side[edge, 0], index.side[edge, 1]):
                    if cell in (owner, cells):
                        continue
                    known = 0
                    while known < count and found[known] != cell:
                        known += 1
                    if known < count:
                        metres[known] = min(metres[known], np.sqrt(square))
                    elif count < 64:
                        found[count], metres[count] = cell, np.sqrt(square)
                        count += 1
    for last in range(1, count):  # in place and by hand: compiling a sort takes longer than all else here
        cell, distance, place = found[last], metres[last], last
        while place > 0 and metres[place - 1] > distance:
            found[place], metres[place] = found[place - 1], metres[place - 1]
            place -= 1
        found[place], metres[place] = cell, distance
    return found[:count], metres[:count]


@loop(_INDEX, types.float64, types.float64, types.float64)
def look(index: Index, lon: float, lat: float, error_m: float) -> tuple[int, float, NDArray[np.int32], Floats]:
    """Answer for one point: owner (n outside), metres to its border, the neighbours within an error and their metres."""
    west, south, columns, rows, shift, outside = index.origin
    x, y = int(np.rint(lon * _STEPS_PER_DEGREE)), int(np.rint(lat * _STEPS_PER_DEGREE))
    column, row = (x - west) >> shift, (y - south) >> shift
    owner = outside
    if 0 <= column < columns and 0 <= row < rows:
        owner = index.bucket[row * columns + column]
        if owner < 0:
            owner = one_owner(index, x, y)
    metres = _boundary_distance(index, lon, lat, owner if owner != outside else -1)
    cells, distances = _neighbours_within(index, lon, lat, owner, error_m)
    return owner, metres, cells, distances
