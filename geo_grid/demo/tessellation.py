"""Cuts counties into small irregular cells that share every vertex of every border.

The cells are Voronoi cells whose straight borders are made jagged inside the two triangles that
border and seeds span, so that no two borders can cross. County borders are kept; where a cell
border meets one, the meeting point becomes a vertex on both sides (snap rounding on the lattice).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Voronoi, cKDTree

from geo_grid.coordinates import LATTICE_STEP, snap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Polygons = NDArray[Any]

_BORDER_VERTICES = 8
"""Vertices put into one border; with six borders a cell has about 49, the size the benchmarks name."""

_ROUGHNESS = 0.16
"""How far a border may wander towards a seed, as a share of the distance."""


@dataclass(frozen=True)
class Tessellation:
    """Cells of a city, a valid coverage on the lattice.

    Attributes
    ----------
    polygons
        n polygons, lon, lat in degrees.
    county
        n indices: the county each cell lies in.
    borders
        n x n symmetric; the length in degrees of the border two cells share.
    """

    polygons: Polygons
    county: Ints
    borders: csr_matrix


def relaxed(seeds: Floats, polygon: Any, rounds: int = 1) -> Floats:
    """Move seeds (n x 2) to the centroids of their Voronoi cells, so that none is tiny."""
    for _ in range(rounds):
        cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=polygon, ordered=True))
        moved = shapely.get_coordinates(shapely.centroid(cells))
        inside = shapely.contains_xy(polygon, moved[:, 0], moved[:, 1])
        seeds = np.where(inside[:, None], moved, seeds)
    return seeds


def tessellate(counties: Polygons, seeds: list[Floats], rng: np.random.Generator) -> Tessellation:
    """Cut each county into one cell per seed.

    Parameters
    ----------
    counties
        Polygons on the lattice that form a valid coverage.
    seeds
        For each county an n x 2 array of lon, lat inside it.
    rng
        Source of the jaggedness.
    """
    free: list[Any] = []
    touching: list[Any] = []
    for county, county_seeds in zip(counties, seeds, strict=True):
        inside, crossing = _county_borders(county, county_seeds, rng)
        free.extend(inside)
        touching.extend(crossing)
    outlines = shapely.get_parts(shapely.unary_union(shapely.boundary(counties)))
    noded = shapely.get_parts(shapely.union_all([*outlines, *touching], grid_size=LATTICE_STEP))
    faces = shapely.get_parts(shapely.polygonize([*noded, *free]))
    county_of, seed_of = _label(faces, counties, seeds)
    return _merge_fragments(faces, county_of, seed_of)


def _county_borders(county: Any, seeds: Floats, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """Return Voronoi borders of one county: those free of its outline (jagged), those clipped by it."""
    west, south, east, north = shapely.bounds(county)
    reach = 10 * max(east - west, north - south)
    middle = np.array([(west + east) / 2, (south + north) / 2])
    far = middle + reach * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    diagram = Voronoi(np.vstack([seeds, far]))
    vertices = snap(diagram.vertices)
    ridges = np.array(diagram.ridge_vertices)
    sides = np.array(diagram.ridge_points)
    finite = (ridges >= 0).all(axis=1)
    ridges, sides = ridges[finite], sides[finite]
    start, end = vertices[ridges[:, 0]], vertices[ridges[:, 1]]
    some = (start != end).any(axis=1)
    start, end, sides = start[some], end[some], sides[some]
    left, right = diagram.points[sides[:, 0]], diagram.points[sides[:, 1]]

    kites = shapely.convex_hull(shapely.multipoints(np.stack([start, end, left, right], axis=1)))
    shapely.prepare(county)
    free = shapely.contains_properly(county, kites)
    jagged = _jagged(start[free], end[free], left[free], right[free], rng)
    straight = shapely.linestrings(np.stack([start[~free], end[~free]], axis=1))
    clipped = shapely.get_parts(shapely.intersection(straight, county))
    clipped = clipped[(shapely.get_dimensions(clipped) == 1) & ~shapely.is_empty(clipped)]
    return list(jagged), list(clipped)


def _jagged(start: Floats, end: Floats, left: Floats, right: Floats, rng: np.random.Generator) -> Polygons:
    """Make borders wander inside the triangles (start, end, left) and (start, end, right)."""
    count = len(start)
    along = np.linspace(0, 1, _BORDER_VERTICES + 2)
    wander = np.cumsum(rng.normal(size=(count, _BORDER_VERTICES + 2)), axis=1)
    wander -= wander[:, :1] + (wander[:, -1:] - wander[:, :1]) * along  # a bridge: zero at both ends
    wander = np.clip(wander * _ROUGHNESS / 2, -_ROUGHNESS, _ROUGHNESS)
    # a change of side passes through the border itself, where both triangles meet
    turns = np.sign(wander[:, 1:]) * np.sign(wander[:, :-1]) < 0
    wander[:, 1:][turns] = 0
    base = start[:, None] + along[None, :, None] * (end - start)[:, None]
    towards = np.where((wander > 0)[..., None], left[:, None], right[:, None])
    lines = snap(base + np.abs(wander)[..., None] * (towards - base))
    lines[:, 0], lines[:, -1] = start, end
    made: Polygons = shapely.remove_repeated_points(shapely.linestrings(lines))
    return made


def _label(faces: Polygons, counties: Polygons, seeds: list[Floats]) -> tuple[Ints, Ints]:
    """Name the county and the seed (numbered through all counties) of each face."""
    inside = shapely.point_on_surface(faces)
    face, county = shapely.STRtree(inside).query(counties, predicate="contains")[::-1]
    county_of = np.empty(len(faces), dtype=np.int64)
    county_of[face] = county
    seed_of = np.empty(len(faces), dtype=np.int64)
    first = np.concatenate([[0], np.cumsum([len(s) for s in seeds])])
    points = shapely.get_coordinates(inside)
    for number, county_seeds in enumerate(seeds):
        here = county_of == number
        seed_of[here] = first[number] + cKDTree(county_seeds).query(points[here])[1]
    return county_of, seed_of


def shared_borders(polygons: Polygons) -> csr_matrix:
    """Measure the borders that polygons of a valid coverage share, in degrees (n x n, symmetric)."""
    rings, ring_polygon = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    start, end, owner = points[:-1][same], points[1:][same], ring_polygon[ring[:-1][same]]
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    low, high = np.where(swap[:, None], end, start), np.where(swap[:, None], start, end)
    order = np.lexsort((high[:, 1], high[:, 0], low[:, 1], low[:, 0]))
    low, high, owner = low[order], high[order], owner[order]
    twins = np.flatnonzero((low[1:] == low[:-1]).all(axis=1) & (high[1:] == high[:-1]).all(axis=1))
    one, other = owner[twins], owner[twins + 1]
    length = np.hypot(*(high - low)[twins].T)
    size = len(polygons)
    matrix = coo_matrix((length, (one, other)), shape=(size, size)).tocsr()
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    return matrix + matrix.T


def _merge_fragments(faces: Polygons, county_of: Ints, seed_of: Ints) -> Tessellation:
    """Give fragments that a winding county border cut off to the neighbour with the longest border."""
    area = shapely.area(faces)
    order = np.lexsort((-area, seed_of))
    _, first = np.unique(seed_of[order], return_index=True)
    main = np.zeros(len(faces), dtype=bool)
    main[order[first]] = True
    borders = shared_borders(faces).tolil()
    target = np.arange(len(faces))
    for fragment in np.flatnonzero(~main):
        neighbours = np.array(borders.rows[fragment])
        lengths = np.where(county_of[neighbours] == county_of[fragment], borders.data[fragment], -1.0)
        target[fragment] = neighbours[int(np.argmax(lengths))]
    links = coo_matrix((np.ones(len(faces)), (np.arange(len(faces)), target)), shape=(len(faces),) * 2)
    count, cell_of = connected_components(links, directed=False)
    polygons = faces[main].copy()
    cells = cell_of[main]
    merged = np.flatnonzero(np.bincount(cell_of, minlength=count)[cells] > 1)
    for cell in merged:
        polygons[cell] = shapely.coverage_union_all(faces[cell_of == cells[cell]])
    return Tessellation(polygons, county_of[main], shared_borders(polygons))
