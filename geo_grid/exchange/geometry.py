"""What is wrong with geometry from outside, row by row."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import shapely

from geo_grid.coordinates import (
    ELLIPSOID,
    SourceCrs,
    geometry_to_lonlat,
    lonlat_problem,
    not_in,
    snap_geometry,
    source_crs,
)
from geo_grid.layers import Layer
from geo_grid.locate.coverage import NARROW_GAP_M, metres, widest

MOST_VERTICES = 500_000
"""Of one geometry: a province's coast has fewer, and checking grows faster than they do."""

_MOST_NAMED = 20
_MOST_CROSSINGS, _TOGETHER = 1_000, 256
"""Times that the border of one shape meets itself; segments of it that are looked at before these are counted."""

type Extent = tuple[float, float, float, float]


def read_geometry(
    raw: Any, crs: str, layer: Layer, extent: Extent | None, notes: list[str] | None = None, heal_m: float = 0.0
) -> tuple[Any, dict[int, str]]:
    """Bring geometry to lon, lat on the lattice and find what cannot be stored.

    Parameters
    ----------
    raw
        n geometries in the coordinates of `crs`; None where there is none.
    extent
        west, south, east, north of the city in degrees; tells swapped points apart.
    notes
        Gets what the sender should know of shapes that are taken: holes smaller than the lattice vanish.
    heal_m
        Shapes that cross or touch themselves are taken, for boundaries, where the ground in doubt is nowhere wider than
        so many metres; 0: never.

    Returns
    -------
    n geometries (None where bad), and the reason by index of each bad one.

    Raises
    ------
    UnknownCrs
        See `coordinates.source_crs`.
    """
    source = source_crs(crs)
    raw = np.asarray(raw, dtype=object)
    problems: dict[int, str] = {}
    for index in np.flatnonzero(shapely.is_missing(raw) | shapely.is_empty(raw)).tolist():
        problems[index] = "it has no geometry" if raw[index] is None else "its geometry is empty"
    types = np.array(["" if g is None else g.geom_type for g in raw])
    for index in np.flatnonzero(~np.isin(types, layer.geometry_types)).tolist():
        problems.setdefault(index, f"it is a {types[index]}; {layer.name} takes {' or '.join(layer.geometry_types)}")
    for index in np.flatnonzero(shapely.get_num_coordinates(raw) > MOST_VERTICES).tolist():
        problems.setdefault(
            index, f"it has {shapely.get_num_coordinates(raw[index]):,} vertices; simplify it to {MOST_VERTICES:,}"
        )
    if source.is_geographic:
        _check_range(raw, problems)
    good = np.array([i for i in range(len(raw)) if i not in problems], dtype=np.int64)
    converted = np.full(len(raw), None, dtype=object)
    if len(good):
        invalid = good[~shapely.is_valid(raw[good])]
        if layer.is_boundary and len(invalid):
            raw = raw.copy()
            invalid = _mend(raw, invalid, source, heal_m, problems, [] if notes is None else notes)
        for index, reason in zip(invalid.tolist(), shapely.is_valid_reason(raw[invalid]), strict=True):
            problems.setdefault(index, f"its geometry is not valid: {reason}")
        good = np.setdiff1d(good, invalid)
        converted[good] = geometry_to_lonlat(raw[good], crs) if crs != "EPSG:4490" else snap_geometry(raw[good])
        if not source.is_geographic:
            _check_expressed(raw, converted, problems, source)
        _check_range(converted, problems)
        good = np.array([i for i in good.tolist() if i not in problems], dtype=np.int64)
        lost = good[~shapely.is_valid(converted[good]) | shapely.is_empty(converted[good])]
        for index in lost.tolist():
            problems[index] = "its geometry is too thin: it collapses on the lattice of 1.7 mm"
        if notes is not None:
            notes += _lost_details(raw, converted, np.array([i for i in good.tolist() if i not in problems], np.int64))
        _check_plausible(converted, problems)
        if extent is not None:
            _check_swapped(converted, problems, extent)
            far = () if layer.is_boundary else _far(converted, problems, extent, layer.is_within_city)
            if notes is not None:
                notes += far
    converted[list(problems)] = None
    return converted, problems


def _mend(raw: Any, invalid: Any, source: SourceCrs, heal_m: float, problems: dict[int, str], notes: list[str]) -> Any:
    """Make areas that cross or touch themselves valid in place, where it is plain what is inside; return the others.

    Ground that a border encloses twice is inside by one rule and outside by the other: it is in doubt.
    """
    mended, most = [], 0.0
    for index in invalid.tolist():
        if not np.isfinite(shapely.get_coordinates(raw[index])).all():
            continue
        if _is_tangled(raw[index]):
            problems[index] = f"its border crosses or touches itself more than {_MOST_CROSSINGS:,} times: draw it anew"
            continue
        ground, doubt = _both_readings(raw[index])
        width, lon, lat = widest(shapely.transform(doubt, lambda xy: np.stack(source.convert(*xy.T), axis=1)))
        if ground.is_empty:
            continue
        if heal_m > 0 and width <= heal_m:
            raw[index] = ground
            mended.append(index)
            most = max(most, width)
        else:
            more = "" if width >= NARROW_GAP_M else f" (--heal {np.ceil(width * 100 + 0.5) / 100:.2f} takes it)"
            place = f" {metres(width)} wide near lon {lon:.6f} lat {lat:.6f}" if width else ""
            problems[index] = (
                f"its border crosses or touches itself ({shapely.is_valid_reason(raw[index])}), and whether the ground"
                f"{place} between is inside cannot be told: redraw it there{more}"
            )
    if mended:
        rows = ", ".join(str(index + 1) for index in mended[:_MOST_NAMED])
        notes.append(
            f"the borders of {len(mended)} shapes crossed or touched themselves; they were made valid, with ground of at "
            f"most {metres(most)} width in doubt: row {rows}{f' and {len(mended) - _MOST_NAMED} more' * (len(mended) > _MOST_NAMED)}"
        )
    return np.setdiff1d(invalid, np.array(mended, dtype=np.int64))


def _is_tangled(shape: Any) -> bool:
    """Say whether the borders of an area meet themselves so often that it would take for ever to tell what they enclose."""
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shape)]
    if not rings:
        return False
    segments = shapely.linestrings(np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings]))
    tree, met = shapely.STRtree(segments), 0
    for start in range(0, len(segments), _TOGETHER):
        some = segments[start : start + _TOGETHER]
        met += tree.query(some, predicate="intersects").shape[1] - 3 * len(some)  # itself, and one at each end
        if met > 2 * _MOST_CROSSINGS:  # each is found from both sides
            return True
    return False


def _both_readings(shape: Any) -> tuple[Any, Any]:
    """Return what is inside an invalid area by the even-odd rule, and what of it is in doubt.

    That is where the nonzero rule, ring by ring, says otherwise; and of a border that crosses itself, as a bow tie does
    when two corners are in the wrong order, all but the largest part. One that only touches itself at a corner is plain.
    """
    made = shapely.get_parts(shapely.get_parts(shapely.make_valid(shape)))
    ground = shapely.union_all([part for part in made if part.area > 0])
    filled = [
        shapely.difference(_filled(part.exterior), shapely.union_all([_filled(ring) for ring in part.interiors]))
        for part in shapely.get_parts(shape)
    ]
    doubt = shapely.symmetric_difference(ground, shapely.union_all(filled))
    if shapely.is_valid_reason(shape).startswith("Self-intersection") and not ground.is_empty:
        parts = shapely.get_parts(ground)
        own = np.argsort(shapely.area(parts))[: max(0, len(parts) - shapely.get_num_geometries(shape))]
        doubt = shapely.union_all([doubt, *parts[own]])
    return ground, doubt


def _filled(ring: Any) -> Any:
    """Return what a ring goes around, once or more often, in either direction (its winding number is not 0)."""
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.node(shapely.LineString(ring)))))
    x, y = shapely.get_coordinates(ring).T
    winding = []
    for px, py in shapely.get_coordinates(shapely.point_on_surface(faces)):
        turn = (x[1:] - x[:-1]) * (py - y[:-1]) - (px - x[:-1]) * (y[1:] - y[:-1])
        is_up, is_down = (y[:-1] <= py) & (y[1:] > py) & (turn > 0), (y[:-1] > py) & (y[1:] <= py) & (turn < 0)
        winding.append(is_up.sum() - is_down.sum())
    return shapely.union_all(faces[np.array(winding, dtype=int) != 0])


def _lost_details(raw: Any, converted: Any, good: Any) -> list[str]:
    """Say which areas lost holes or came apart where they are narrower than a step of the lattice."""
    notes = []
    kinds = {"holes": shapely.get_num_interior_rings, "parts": lambda part: np.ones(len(part), int)}
    for what, count_of in kinds.items():
        before, after = (_counted(shapes[good], count_of) for shapes in (raw, converted))
        rows = [str(index + 1) for index in good[before != after].tolist()]
        if rows:
            more = f" and {len(rows) - _MOST_NAMED} more" * (len(rows) > _MOST_NAMED)
            notes.append(
                f"the number of {what} changed on the lattice of 1.7 mm, from {before.sum()} to {after.sum()}, in "
                f"row {', '.join(rows[:_MOST_NAMED])}{more}"
            )
    return notes


def _counted(shapes: Any, count_of: Callable[[Any], Any]) -> Any:
    parts, owner = shapely.get_parts(shapes, return_index=True)
    return np.bincount(owner, weights=count_of(parts), minlength=len(shapes)).astype(int)


def _check_expressed(raw: Any, converted: Any, problems: dict[int, str], source: SourceCrs) -> None:
    """Name coordinates that a projection cannot express, as they were written."""
    for index in np.flatnonzero(~np.isfinite(shapely.bounds(converted)).all(axis=1)).tolist():
        if index in problems or converted[index] is None:
            continue
        x, y = shapely.get_coordinates(raw[index]).T
        lost = np.flatnonzero(~np.isfinite(source.convert(x, y)).all(axis=0))
        first = lost[0] if len(lost) else 0
        problems[index] = not_in(source.name, float(x[first]), float(y[first]))


def _check_range(geometry: Any, problems: dict[int, str]) -> None:
    points, owner = shapely.get_coordinates(geometry, return_index=True)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(points).all(axis=1) | (np.abs(points[:, 0]) > 180) | (np.abs(points[:, 1]) > 90)
    for index, (x, y) in zip(owner[bad].tolist(), points[bad].tolist(), strict=True):
        problems.setdefault(index, str(lonlat_problem(x, y)))


def _check_plausible(geometry: Any, problems: dict[int, str]) -> None:
    """Question places where no city is: south of Cape Horn, or north of every town."""
    for index, x, y in _middles(geometry, problems):
        if not _INHABITED[0] <= y <= _INHABITED[1]:
            other = f", but lon {y:.6f} lat {x:.6f} may be one: swapped?" if _INHABITED[0] <= x <= _INHABITED[1] else ""
            problems[index] = f"lon {x:.6f} lat {y:.6f} is where no city lies{other}"


_INHABITED = (-56.0, 72.0)
"""Degrees of latitude: Puerto Toro lies at 55.1 south, Tiksi at 71.6 north."""


def _check_swapped(geometry: Any, problems: dict[int, str], extent: Extent) -> None:
    west, south, east, north = extent
    for index, x, y in _middles(geometry, problems):
        if not (west <= x <= east and south <= y <= north) and west <= y <= east and south <= x <= north:
            problems[index] = f"lon {x} lat {y} is far outside the city, but lon {y} lat {x} is inside: swapped"


def _far(geometry: Any, problems: dict[int, str], extent: Extent, refuses: bool) -> list[str]:
    """Name what lies very far from the city, most of it by a slip of the pen; or refuse what lies twice as far."""
    west, south, east, north = extent
    far = []
    for index, lon, lat in list(_middles(geometry, problems)):
        metres = ELLIPSOID.inv(lon, lat, min(max(lon, west), east), min(max(lat, south), north))[2]
        if refuses and metres > 2 * _FAR_M:
            problems[index] = f"lon {lon:.6f} lat {lat:.6f} is {metres / 1000:.0f} km outside the city"
        elif metres > _FAR_M:
            far.append(f"row {index + 1} (lon {lon:.6f} lat {lat:.6f}) by {metres / 1000:,.0f} km")
    more = f", and {len(far) - _MOST_NAMED} more" * (len(far) > _MOST_NAMED)
    return [f"{len(far)} rows lie far outside the city: {', '.join(far[:_MOST_NAMED])}{more}"] if far else []


_FAR_M = 50_000.0


def _middles(geometry: Any, problems: dict[int, str]) -> Iterator[tuple[int, float, float]]:
    """Yield index, longitude and latitude of a point within the box of each shape that is good so far."""
    bounds = shapely.bounds(geometry)
    middles = (bounds[:, :2] + bounds[:, 2:]) / 2
    for index in np.flatnonzero(np.isfinite(middles).all(axis=1)).tolist():
        if index not in problems:
            yield index, *middles[index].tolist()
