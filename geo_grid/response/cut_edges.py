"""Stretches between two junctions that a closure crosses: either side of it still leads to its own junction.

Valhalla leaves out every stretch that an excluded polygon meets, but lets a ride leave along the one that it begins on, to
both ends, and arrive on none. Told an excluded point instead, it knows on which side of it a ride begins or ends. So the
closures are taken off such stretches, and a point in the closed part is told for each.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely

from geo_grid.response.circles import Place

type Ring = tuple[Place, ...]

_TAKEN_OFF_DEGREES = 1e-5
"""Half the width, some metre, of what is taken off closures along a stretch."""
_FROM_JUNCTION_DEGREES = 1e-5
"""What lies nearer to a junction, some metre, Valhalla may take for the junction: it would close all its streets."""


class Edge(NamedTuple):
    """A stretch between two junctions that a place may be on, and where on it: lon, lat in degrees."""

    line: Ring
    at: Place


class Cut(NamedTuple):
    """How closures are told to Valhalla where they cross stretches that a journey begins or ends on.

    Attributes
    ----------
    rings
        The closures without these stretches.
    points
        One in the closed part of each of these stretches.
    hemmed
        Places between two closures of their stretch, or in one: no way leads from or to them.
    """

    rings: tuple[Ring, ...]
    points: tuple[Place, ...]
    hemmed: frozenset[Place]


def cut_edges(places: Sequence[Place], edges: Sequence[Sequence[Edge]], closed: Sequence[Ring]) -> Cut | None:
    """Find the stretches of places that closures cross; None: there is none.

    Parameters
    ----------
    edges
        For each place the stretches that it may be on: several where it is at a junction.
    """
    polygons = shapely.polygons([shapely.linearrings(ring) for ring in closed])
    whole = shapely.union_all(polygons)
    shapely.prepare(whole)
    points: dict[Ring, Place] = {}
    hemmed = set()
    for place, its_edges in zip(places, edges, strict=True):
        for edge in its_edges:
            line = shapely.LineString(edge.line)
            if not shapely.intersects(whole, line):
                continue
            spans = _spans(line, whole)
            here = shapely.line_locate_point(line, shapely.Point(edge.at))
            behind, ahead = (spans[:, 0] <= here).any(), (spans[:, 1] >= here).any()
            if behind and ahead and 0 < here < line.length:
                hemmed.add(place)
            inner = _inner_point(line, spans)
            if inner is not None:
                points[edge.line] = inner
    if not points and not hemmed:
        return None
    taken_off = shapely.buffer(
        shapely.multilinestrings([*map(shapely.linestrings, points)]), _TAKEN_OFF_DEGREES, cap_style="flat"
    )
    rest = shapely.get_parts(shapely.difference(polygons, taken_off))
    rings = tuple(tuple(map(tuple, shapely.get_coordinates(shapely.get_exterior_ring(part)).tolist())) for part in rest)
    return Cut(rings, tuple(points.values()), frozenset(hemmed))


def _spans(line: Any, whole: Any) -> Any:
    """Return from where to where along a line it is closed: n by 2 degrees."""
    parts = shapely.get_parts(shapely.intersection(line, whole))
    ends = [shapely.points(shapely.get_coordinates(part)) for part in parts]
    along = [shapely.line_locate_point(line, some) for some in ends]
    return np.array([[some.min(), some.max()] for some in along]).reshape(-1, 2)


def _inner_point(line: Any, spans: Any) -> Place | None:
    """Return the point in the middle of the longest closed part that is off both junctions; None: there is none."""
    low = np.maximum(spans[:, 0], _FROM_JUNCTION_DEGREES)
    high = np.minimum(spans[:, 1], line.length - _FROM_JUNCTION_DEGREES)
    longest = int(np.argmax(high - low))
    if high[longest] < low[longest]:
        return None
    point = shapely.line_interpolate_point(line, (low[longest] + high[longest]) / 2)
    return shapely.get_x(point).item(), shapely.get_y(point).item()
