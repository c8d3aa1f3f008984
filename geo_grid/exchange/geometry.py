"""What is wrong with geometry from outside, row by row."""

from typing import Any

import numpy as np
import shapely

from geo_grid.coordinates import SourceCrs, geometry_to_lonlat, lonlat_problem, not_in, snap_geometry, source_crs
from geo_grid.layers import Layer

MOST_VERTICES = 500_000
"""Of one geometry: a province's coast has fewer, and checking grows faster than they do."""

type Extent = tuple[float, float, float, float]


def read_geometry(raw: Any, crs: str, layer: Layer, extent: Extent | None) -> tuple[Any, dict[int, str]]:
    """Bring geometry to lon, lat on the lattice and find what cannot be stored.

    Parameters
    ----------
    raw
        n geometries in the coordinates of `crs`; None where there is none.
    extent
        west, south, east, north of the city in degrees; tells swapped points apart.

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
        for index, reason in zip(invalid.tolist(), shapely.is_valid_reason(raw[invalid]), strict=True):
            problems[index] = f"its geometry is not valid: {reason}"
        good = np.setdiff1d(good, invalid)
        converted[good] = geometry_to_lonlat(raw[good], crs) if crs != "EPSG:4490" else snap_geometry(raw[good])
        if source.is_geographic:
            _check_range(converted, problems)
        else:
            _check_projected(raw, converted, source, problems)
        good = np.array([i for i in good.tolist() if i not in problems], dtype=np.int64)
        lost = good[~shapely.is_valid(converted[good]) | shapely.is_empty(converted[good])]
        for index in lost.tolist():
            problems[index] = "its geometry is too thin: it collapses on the lattice of 1.7 mm"
        if extent is not None and "Point" in layer.geometry_types:
            _check_swapped(converted, problems, extent)
    converted[list(problems)] = None
    return converted, problems


def _check_range(geometry: Any, problems: dict[int, str]) -> None:
    points, owner = shapely.get_coordinates(geometry, return_index=True)
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(points).all(axis=1) | (np.abs(points[:, 0]) > 180) | (np.abs(points[:, 1]) > 90)
    for index, (x, y) in zip(owner[bad].tolist(), points[bad].tolist(), strict=True):
        problems.setdefault(index, str(lonlat_problem(x, y)))


def _check_projected(raw: Any, converted: Any, source: SourceCrs, problems: dict[int, str]) -> None:
    """Name what a projected system cannot express by its own numbers: in degrees it is infinite."""
    points, owner = shapely.get_coordinates(converted, return_index=True)
    for index in np.unique(owner[~np.isfinite(points).all(axis=1)]).tolist():
        given = shapely.get_coordinates(raw[index])
        lost = ~np.isfinite(np.column_stack(source.convert(given[:, 0], given[:, 1]))).all(axis=1)
        problems.setdefault(index, not_in(source.name, *given[lost][0].tolist()))


def _check_swapped(geometry: Any, problems: dict[int, str], extent: Extent) -> None:
    west, south, east, north = extent
    for index, point in enumerate(geometry):
        if point is None or index in problems:
            continue
        x, y = point.x, point.y
        if not (west <= x <= east and south <= y <= north) and west <= y <= east and south <= x <= north:
            problems[index] = f"lon {x} lat {y} is far outside the city, but lon {y} lat {x} is inside: swapped"
