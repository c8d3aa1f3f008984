"""Topology of a coverage: no gaps, no overlaps, children tile their parent."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

_METRES_PER_DEGREE = 111_320.0
"""Length of a degree of latitude on the equator's great circle; for messages, not for measuring."""


def coverage_problems(codes: Sequence[str], polygons: Any) -> dict[str, str]:
    """Find polygons that overlap others or whose shared borders do not match.

    Parameters
    ----------
    codes, polygons
        n codes and n valid polygons, lon, lat in degrees.

    Returns
    -------
    Reason by code, with a place; empty when the polygons form a valid coverage.
    """
    bad = shapely.coverage_invalid_edges(polygons)
    wrong = np.flatnonzero(~shapely.is_empty(bad))
    if not len(wrong):
        return {}
    tree = shapely.STRtree(polygons)
    problems = {}
    for index in wrong.tolist():
        near = [int(n) for n in tree.query(polygons[index], predicate="intersects") if n != index]
        overlaps = [n for n in near if shapely.relate_pattern(polygons[index], polygons[n], "T********")]
        lon, lat = shapely.get_coordinates(bad[index])[0]
        what = (
            f"overlaps {', '.join(codes[n] for n in overlaps[:3])}"
            if overlaps
            else "has a border that does not match its neighbour's"
        )
        problems[codes[index]] = f"{what} near lon {lon:.6f} lat {lat:.6f}"
    return problems


def tiling_problem(parent: Any, children: Any) -> str | None:
    """Say where children that form a coverage do not tile their parent exactly, or None."""
    united = shapely.coverage_union_all(children)
    if shapely.equals_identical(
        *(shapely.normalize(shapely.multipolygons(shapely.get_parts(one))) for one in (parent, united))
    ):
        return None
    gap, excess = shapely.difference(parent, united), shapely.difference(united, parent)
    for what, area in (("leave a gap in it", gap), ("reach outside it", excess)):
        if not shapely.is_empty(area):
            place = shapely.point_on_surface(area)
            return f"{what} near lon {shapely.get_x(place):.6f} lat {shapely.get_y(place):.6f}"
    return None


def metres(length: float) -> str:
    """Write a length in metres for people: millimetres when it is small."""
    return f"{length:.1f} m" if length >= 0.1 else f"{length * 1000:.1f} mm"


def largest_shift_m(one: Any, other: Any) -> float:
    """Measure how far the border of one polygon strays from the other's, in metres (Hausdorff distance)."""
    scale = np.array([np.cos(np.radians(shapely.get_y(shapely.centroid(one)))), 1.0]) * _METRES_PER_DEGREE

    def scaled(polygon: Any) -> Any:
        return shapely.transform(shapely.boundary(polygon), lambda degrees: degrees * scale)

    return float(shapely.hausdorff_distance(scaled(one), scaled(other)))
