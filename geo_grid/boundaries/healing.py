"""Healing: turns polygons into a coverage when overlaps, gaps and missing vertices are within a tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.boundaries.division import faces, multi, same_corners
from geo_grid.coordinates import LATTICE_STEP, snap_geometry
from geo_grid.locate.coverage import METRES_PER_DEGREE, Fault, coverage_faults, metres, widest

HEAL_M = 0.01
"""Default tolerance in metres: six steps of the lattice."""
_SNAPPED_M = 0.01
"""Largest distance in metres over which vertices are snapped together, whatever the tolerance for gaps and overlaps."""

_NEAR = 0.75 * LATTICE_STEP
"""Degrees: longer than the shift of a point by rounding to the lattice, and shorter than the distance to other points."""


@dataclass(frozen=True)
class Moved:
    """A polygon that healing changed.

    Attributes
    ----------
    metres
        Width of the ground that it gained or lost, at the widest place; 0: it only gained vertices on its border.
    lon, lat
        That place, in degrees.
    """

    code: str
    metres: float
    lon: float
    lat: float

    def __str__(self) -> str:
        return f"{self.code} by {metres(self.metres)} near lon {self.lon:.6f} lat {self.lat:.6f}"


def heal(
    codes: Sequence[str], polygons: Any, tolerance_m: float, fixed: int = 0
) -> tuple[NDArray[Any], list[Moved], list[Fault]]:
    """Turn polygons into a coverage on the lattice, if no overlap or gap is wider than the tolerance.

    Parameters
    ----------
    codes, polygons
        n codes and n valid polygons, lon, lat in degrees.
    fixed
        Number of leading polygons that are in force: they keep ground that others overlap.

    Returns
    -------
    The polygons on the lattice; those that changed; and the remaining faults. These are wider than the tolerance (then
    no polygon is changed) or, in theory, arise by rounding vertices to the lattice. Faults between polygons in force are
    ignored.
    """
    shapes = np.asarray(polygons, dtype=object)
    in_force = set(codes[:fixed])
    faults = _of_others(coverage_faults(codes, shapes), in_force)
    beyond = [fault for fault in faults if fault.width_m > tolerance_m]
    if not faults or beyond or tolerance_m <= 0:
        return shapes, [], beyond or faults
    healed, left = shapes, faults
    for snapped_m in (0.0, min(tolerance_m, _SNAPPED_M)):  # vertices are snapped only if healing fails without
        healed = _on_lattice(_cleaned(shapes, tolerance_m, snapped_m, fixed > 0))
        as_in_force = np.concatenate([shapes[:fixed], healed[fixed:]])
        if (
            fixed
            and shapely.is_valid(as_in_force).all()
            and not _of_others(coverage_faults(codes, as_in_force), in_force)
        ):
            healed = as_in_force  # faults between polygons in force stay as they are
        left = [Fault("mismatch", (str(codes[index]),), *shapely.get_coordinates(shapely.point_on_surface(shapes[index]))[0])
                for index in np.flatnonzero(shapely.is_empty(healed)).tolist()]  # fmt: skip
        left = left or _of_others(coverage_faults(codes, healed), in_force)
        if not left:
            break
    moved = [
        _moved(str(code), old, new)
        for code, old, new in zip(codes, shapes, healed, strict=True)
        if not shapely.is_empty(new) and not same_corners(multi(old), multi(new))
    ]
    return healed, moved, left


def gained_corners(before: Any, after: Any) -> NDArray[np.float64] | None:
    """Return the vertices that shapes gained, an array of n by 2 (lon, lat); None: one lost vertices, or its border moved.

    A gained vertex is on the lattice, and so within a lattice step of the border.
    """
    found = []
    for old, new in zip(before, after, strict=True):
        one, other = (np.unique(shapely.get_coordinates(shape), axis=0) for shape in (old, new))
        added = _without(other, one)
        if len(_without(one, other)) or (shapely.distance(shapely.points(added), shapely.boundary(old)) > _NEAR).any():
            return None
        found.append(added)
    return np.unique(np.concatenate(found), axis=0)


def with_corners(shapes: NDArray[Any], corners: NDArray[np.float64]) -> NDArray[Any]:
    """Insert those vertices into shapes on the lattice that lie on their borders, within a lattice step."""
    points = shapely.multipoints(corners)
    near = shapely.dwithin(shapes, points, _NEAR)
    given = shapes.copy()
    given[near] = shapely.snap(shapes[near], points, _NEAR)
    return given


def _of_others(faults: list[Fault], in_force: set[str]) -> list[Fault]:
    return [fault for fault in faults if not in_force.issuperset(fault.codes)]


def _cleaned(shapes: NDArray[Any], tolerance_m: float, snapped_m: float, keep_first: bool) -> NDArray[Any]:
    """Clean a coverage in a local projection in metres, so that the tolerance is the same in every direction."""
    west, south, east, north = shapely.total_bounds(shapes)
    middle = np.array([(west + east) / 2, (south + north) / 2])
    scale = np.array([np.cos(np.radians(middle[1])), 1.0]) * METRES_PER_DEGREE
    cleaned = shapely.coverage_clean(
        shapely.transform(shapes, lambda degrees: (degrees - middle) * scale),
        gap_width=tolerance_m,
        snapping_distance=snapped_m,
        merge_strategy="min_index" if keep_first else "longest_border",
    )
    return np.asarray(shapely.transform(cleaned, lambda plane: plane / scale + middle), dtype=object)


def _on_lattice(shapes: NDArray[Any]) -> NDArray[Any]:
    """Round the vertices of a coverage to the lattice, and node borders that cross afterwards."""
    snapped = np.asarray(snap_geometry(shapes), dtype=object)
    if shapely.is_valid(snapped).all() and shapely.coverage_is_valid(snapped):
        return snapped
    # all borders are noded together on the lattice, so the faces between them form a coverage in any case
    work = faces(shapes.tolist(), shapely.LineString())
    tree = shapely.STRtree(shapes)
    face, owner = tree.query(shapely.point_on_surface(work), predicate="intersects")
    shares: list[list[Any]] = [[] for _ in shapes]
    for number in np.unique(face, return_index=True)[1].tolist():
        shares[owner[number]].append(work[face[number]])
    return np.array(
        [shapely.coverage_union_all(share) if share else shapely.MultiPolygon() for share in shares], dtype=object
    )


def _moved(code: str, old: Any, new: Any) -> Moved:
    """Return the width of the ground that a shape gained or lost, at its widest place; else a vertex that it gained."""
    width, lon, lat = widest(shapely.symmetric_difference(old, new))
    if width > LATTICE_STEP * METRES_PER_DEGREE / 2**10:  # below this, only the rounding of a vertex added to a border
        return Moved(code, width, lon, lat)
    before, after = (np.unique(shapely.get_coordinates(shape), axis=0) for shape in (old, new))
    others = np.concatenate([_without(before, after), _without(after, before), after])
    return Moved(code, 0.0, *map(float, others[0]))


def _without(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    known = {tuple(point) for point in others.tolist()}
    return np.array([point for point in points.tolist() if tuple(point) not in known]).reshape(-1, 2)
