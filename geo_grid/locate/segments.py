"""Patrol segments in memory: key roads near a place."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from geo_grid.locate.answers import SEGMENT_REACH_M, NearSegment

_AXIS_M, _ECCENTRICITY2 = 6378137.0, 0.00669438002290
"""Semi-major axis and squared eccentricity of the ellipsoid of CGCS2000 (GB/T 37987-2019)."""
_LEAST_DEGREE_M = 110_000.0
"""Lower bound of the length of a degree of latitude."""


class Segments:
    """The segments of one edition. Immutable; may be shared by threads.

    Parameters
    ----------
    rows
        zone_code, name, zone_type, responsible_unit, is_demo, and geom: a line as WKB, lon, lat.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._facts = [{name: value for name, value in row.items() if name != "geom"} for row in rows]
        self._lines = shapely.from_wkb([bytes(row["geom"]) for row in rows]) if rows else np.empty(0, dtype=object)
        self._tree = shapely.STRtree(self._lines)

    def near(self, lon: float, lat: float) -> list[NearSegment]:
        """Return the segments within `SEGMENT_REACH_M` of a place, nearest first; lines are straight in lon and lat."""
        if not self._facts:
            return []
        east_m, north_m = degrees_m(lat)
        wide, high = SEGMENT_REACH_M / max(east_m, 1.0), SEGMENT_REACH_M / _LEAST_DEGREE_M
        found = []
        for at in self._tree.query(shapely.box(lon - wide, lat - high, lon + wide, lat + high)).tolist():
            flat = shapely.transform(self._lines[at], lambda xy: (xy - [lon, lat]) * [east_m, north_m])
            metres = float(shapely.distance(flat, shapely.Point(0, 0)))
            if metres <= SEGMENT_REACH_M:
                found.append(NearSegment.model_construct(**self._facts[at], distance_m=metres))
        return sorted(found, key=lambda one: (one.distance_m, one.zone_code))


def degrees_m(lat: float) -> tuple[float, float]:
    """Return metres of a degree of longitude and of latitude at a latitude (radii of curvature of the ellipsoid)."""
    sine = math.sin(math.radians(lat))
    root = math.sqrt(1 - _ECCENTRICITY2 * sine**2)
    across = _AXIS_M / root * math.cos(math.radians(lat))
    along = _AXIS_M * (1 - _ECCENTRICITY2) / root**3
    return math.radians(across), math.radians(along)
