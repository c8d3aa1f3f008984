"""Bounds what closures that lie over each other cost: Valhalla asks of roads how they lie to all of them.

Where outlines of n corners cross each other, there may be n * n crossings, and five areas of 500 corners keep a worker busy
for longer than a question may take. Then nobody near them is reached by road, whoever drew them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

_DEGREE_M = 111_195.0
_MOST_TOGETHER = 600
"""Corners of closures that lie over each other: as many take some tenths of a second at worst."""
_COARSER_M = (20.0, 80.0)
_FEW = 12
"""An outline with no more corners is left as it is."""


def simpler(closures: Sequence[Any]) -> list[Any]:
    """Return closed areas, simpler where those that lie over each other have too many corners together.

    There those with most corners are simplified, by 20 m and then by 80 m, and if that is not enough become their convex
    hulls, one after the other: more ground is closed then. All others are returned as they are.

    Parameters
    ----------
    closures
        Polygons in degrees.
    """
    told = np.array(closures, dtype=object)
    if shapely.get_num_coordinates(told).sum() <= _MOST_TOGETHER:
        return list(told)
    from scipy.sparse import coo_array  # imported here: slow, and few cities close so much
    from scipy.sparse.csgraph import connected_components

    one, other = shapely.STRtree(told).query(told)  # boxes that meet: to find crossings would cost as much as they do
    met = coo_array((np.ones(len(one)), (one, other)), shape=(len(told), len(told)))
    count, group = connected_components(met, directed=False)
    for number in range(count):
        members = np.flatnonzero(group == number)
        if len(members) > 1:
            told[members] = _bounded(told[members])
    return list(told)


def _bounded(over_each_other: Any) -> Any:
    """Simplify polygons, those with most corners first, until they have few enough together, or none can be simpler."""
    shapes, corners = over_each_other.copy(), shapely.get_num_coordinates(over_each_other)
    for tolerance_m in (*_COARSER_M, None):
        for number in np.argsort(-corners, kind="stable"):
            if corners.sum() <= _MOST_TOGETHER:
                return shapes
            if corners[number] > _FEW:
                shapes[number] = _outline(shapes[number], tolerance_m)
                corners[number] = shapely.get_num_coordinates(shapes[number])
    return shapes


def _outline(shape: Any, tolerance_m: float | None) -> Any:
    """Return a polygon simplified; None: its convex hull, which few metres make simpler."""
    if tolerance_m is None:
        return shapely.simplify(shapely.convex_hull(shape), _COARSER_M[0] / _DEGREE_M)
    found = shapely.simplify(shape, tolerance_m / _DEGREE_M)
    return shape if shapely.is_empty(found) or shapely.get_type_id(found) != shapely.GeometryType.POLYGON else found
