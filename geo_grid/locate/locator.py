"""Point location in memory: exact, and thousands of times faster than a database query for each point.

    from geo_grid.locate import Locator
    locator = Locator.from_geodataframe(beats, code="beat")
    owner = locator.owners(lon, lat)              # one int per point
    locator.codes[owner[owner >= 0]]              # their codes

It needs no database: any coverage (polygons that do not overlap) in a GeoDataFrame will do.
"""

import hashlib
import json
import shutil
import tempfile
from collections import deque
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo_grid.coordinates import LATTICE_STEP, geometry_to_lonlat, lonlat_problem, snap_geometry
from geo_grid.cores import in_order
from geo_grid.errors import InvalidCoordinates, InvalidRows, UnreadableFile
from geo_grid.locate import kernels
from geo_grid.locate.coverage import NARROW_GAP_M, coverage_faults, metres, narrow_gaps
from geo_grid.locate.kernels import Index

if TYPE_CHECKING:
    import geopandas as gpd

_BUCKETS_PER_EDGE = 20
"""Buckets of the grid per edge. With more, more points fall into a bucket without edges, but the index takes more memory:
with 20 it takes 100 MB for 20,000 cells."""
_FORMAT = 3
_SORTED_FROM = 1 << 17
"""Points from which on sorting them by place takes less time than it saves."""
_SORTED_AT_ONCE = 1 << 22
"""Points sorted by place together: takes 59 MB, and with fewer there are fewer neighbours."""
_SORTED_WIDTH = 1 << 32
"""Lattice steps (64 degrees) that neither side of a grid may have whose points are sorted."""
_STEPS_PER_DEGREE = 1 / LATTICE_STEP


class Locator:
    """Finds the polygon that owns a point.

    Every point has at most one owner: the polygon that covers it; on a shared edge or corner, of the
    polygons there the one with the smallest code. Coordinates are degrees, CGCS2000 or WGS 84, and are
    snapped to the lattice of 2^-26 degree (1.7 mm); on the lattice all answers are exact and equal to
    PostGIS `ST_Covers` with the smallest code.

    A Locator does not change after it is made and may be shared by threads. It pickles as the path of
    its file once saved.

    Attributes
    ----------
    codes
        n codes, ascending; owners are indices into them.
    path, digest
        Folder that it was saved to or loaded from, and the digest of what is in it; None before.
    """

    def __init__(self, codes: NDArray[Any], index: Index, path: Path | None = None, digest: str | None = None) -> None:
        self.codes = codes
        self.index = index = _frozen(index)
        self.path, self.digest = path, digest
        # for single points: a call of a compiled function takes longer than reading one bucket in Python
        self._buckets = memoryview(index.bucket)
        self._grid: list[int] = index.origin.tolist()

    @classmethod
    def from_geodataframe(cls, frame: "gpd.GeoDataFrame", code: str, on_overlap: str = "refuse") -> Self:
        """Build a Locator from polygons.

        Parameters
        ----------
        frame
            n polygons or multipolygons in any CRS but those that `coordinates.source_crs` refuses; no CRS
            means degrees.
        code
            Column of codes: unique, compared as text by code point.
        on_overlap
            `refuse`, or `smallest_code`: where polygons overlap, the smallest code keeps the ground;
            gaps belong to nobody.

        Raises
        ------
        InvalidRows
            Polygons are missing, not valid, overlap, do not share their borders exactly, or leave gaps
            narrower than `NARROW_GAP_M` between them; codes repeat. Rows count from 1.
        """
        geometry = frame.geometry.to_numpy()
        is_ours = frame.crs is None or frame.crs.to_string() in ("EPSG:4490", "EPSG:4326")
        polygons = snap_geometry(geometry) if is_ours else geometry_to_lonlat(geometry, frame.crs)
        return cls.from_polygons(frame[code].astype(str).to_numpy(), polygons, on_overlap)

    @classmethod
    def from_polygons(cls, codes: ArrayLike, polygons: Any, on_overlap: str = "refuse") -> Self:
        """Build a Locator from n codes and n polygons on the lattice; see `from_geodataframe`."""
        if on_overlap not in ("refuse", "smallest_code"):
            message = f"on_overlap is {on_overlap!r}; it may be 'refuse' or 'smallest_code'"
            raise ValueError(message)
        names, shapes = np.asarray(codes).astype(str), np.asarray(polygons, dtype=object)
        if names.shape != shapes.shape or names.ndim != 1:
            message = f"there are {names.shape} codes for {shapes.shape} polygons"
            raise ValueError(message)
        _refuse_bad_polygons(names, shapes)
        order = np.argsort(names, kind="stable")
        names, shapes = names[order], shapes[order]
        made, shared_by_two = _build(shapes)
        if not (shared_by_two and kernels.is_coverage(made)) and not shapely.coverage_is_valid(shapes):
            if on_overlap == "refuse":
                _refuse_overlaps(names, shapes, order)
            made, _ = _build(_give_to_smallest(shapes))
        if on_overlap == "refuse":
            _refuse_gaps(made)
        return cls(names, made)

    @cached_property
    def _names(self) -> list[str]:
        names: list[str] = self.codes.tolist()
        return names

    def owners(self, lon: ArrayLike, lat: ArrayLike, cores: int = 1) -> NDArray[np.int32]:
        """Find the owner of each point; many points in any order, they are sorted by place on the way.

        Parameters
        ----------
        lon, lat
            m degrees each, one dimension.
        cores
            Threads that look, each on some of the points.

        Returns
        -------
        m indices into `codes`; -1 where no polygon covers the point.

        Raises
        ------
        InvalidCoordinates
            A coordinate is not finite or out of range; names the first such point.
        ValueError
            The shapes differ, or are not one-dimensional.
        """
        x, y = _points(lon, lat)
        found = np.empty(len(x), np.int32)
        if len(x) < _SORTED_FROM:
            kernels.owners(self.index, x, y, found)
        else:
            pieces = cores * -(-len(x) // (cores * _SORTED_AT_ONCE))
            some = zip(*(np.array_split(values, pieces) for values in (x, y, found)), strict=True)
            find = self._find_sorted if self._is_sortable else partial(kernels.owners, self.index)
            deque(in_order(lambda piece: find(*piece), some, cores), maxlen=0)
        if len(found) and found.min() == kernels.INVALID:  # the least of all answers
            bad = np.flatnonzero(found == kernels.INVALID)
            message = f"point {bad[0]}: {lonlat_problem(float(x[bad[0]]), float(y[bad[0]]))}"
            raise InvalidCoordinates(message)
        return found

    def by_place(
        self, lon: ArrayLike, lat: ArrayLike
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Sort points so that neighbours come one after the other, for several questions about the same points.

        Returns
        -------
        m indices into the points as given, and their lon and lat in this order. What is no place comes last.
        """
        x, y = _points(lon, lat)
        order, _, _ = self._sorted(x, y)
        return order, x[order], y[order]

    @property
    def _is_sortable(self) -> bool:
        _, _, columns, rows, shift, _ = self._grid
        return max(columns, rows) << shift < _SORTED_WIDTH

    def _sorted(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        # by numpy, which asks for large pages: to be given small ones takes longer than to sort
        tile, order, place = np.empty(len(x), np.uint16), np.empty(len(x), np.int32), np.empty(len(x), np.int64)
        inside = kernels.by_place(self.index, x, y, tile, order, place)
        return order, place, inside

    def _find_sorted(self, x: NDArray[np.float64], y: NDArray[np.float64], found: NDArray[np.int32]) -> None:
        kernels.owners_by_place(self.index, x, y, *self._sorted(x, y), found)

    def owner(self, lon: float, lat: float) -> str | None:
        """Return the code of the owner of one point, or None; see `owners`."""
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise InvalidCoordinates(str(lonlat_problem(lon, lat)))
        west, south, columns, rows, shift, cells = self._grid
        x, y = round(lon * _STEPS_PER_DEGREE), round(lat * _STEPS_PER_DEGREE)  # ties to even, as everywhere
        column, row = (x - west) >> shift, (y - south) >> shift
        if not (0 <= column < columns and 0 <= row < rows):
            return None
        found = self._buckets[row * columns + column]
        if found < 0:
            found = kernels.one_owner(self.index, x, y)
        return None if found == cells else self._names[found]

    def distance_to_boundary(
        self, lon: ArrayLike, lat: ArrayLike, owner: NDArray[np.int32] | None = None
    ) -> NDArray[np.float64]:
        """Measure how far each point is from the nearest border of its owner.

        Returns
        -------
        m metres on the ellipsoid; NaN outside. Borders are straight in longitude and latitude, as they
        are stored. Within 20 km the figure is right to 1 part in 10,000 and a millimetre.
        """
        x, y = _points(lon, lat)
        owner = self.owners(x, y) if owner is None else np.require(owner, np.int32, ("C", "W"))
        found: NDArray[np.float64] = kernels.boundary_distances(self.index, x, y, owner)
        return found

    def alternatives(self, lon: float, lat: float, error_m: float) -> list[tuple[str, float]]:
        """Name the other polygons within a positional error of one point.

        Parameters
        ----------
        error_m
            Metres.

        Returns
        -------
        Code and distance in metres of each, nearest first; at most 64.
        """
        return self.look(lon, lat, error_m)[2]

    def look(self, lon: float, lat: float, error_m: float) -> tuple[str | None, float, list[tuple[str, float]]]:
        """Answer all three questions about one point.

        Returns
        -------
        Code of the owner, or None; metres to its nearest border, NaN outside; the alternatives.
        """
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise InvalidCoordinates(str(lonlat_problem(lon, lat)))
        owner, metres, cells, distances = kernels.look(self.index, float(lon), float(lat), float(error_m))
        near = [(self._names[cell], m) for cell, m in zip(cells.tolist(), distances.tolist(), strict=True)]
        return (self._names[owner] if owner < len(self._names) else None), metres, near

    @cached_property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north in degrees; None without polygons."""
        edge = self.index.edge
        if not len(edge):
            return None
        south, north = edge[:, 1::2].min(), edge[:, 1::2].max()
        west, south, east, north = np.array([edge[:, 0].min(), south, edge[:, 2].max(), north]) * LATTICE_STEP
        return float(west), float(south), float(east), float(north)

    @property
    def nbytes(self) -> int:
        """Size of the index in bytes, without the codes."""
        return sum(array.nbytes for array in self.index)

    def save(self, path: Path) -> None:
        """Save to a folder, atomically: it appears when it is complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
        digest = hashlib.blake2b(digest_size=16)
        for name, array in {"codes": self.codes, **self.index._asdict()}.items():
            np.save(fresh / f"{name}.npy", array)
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        (fresh / "locator.json").write_text(json.dumps({"format": _FORMAT, "digest": digest.hexdigest()}))
        if path.exists():
            shutil.rmtree(path)
        fresh.rename(path)
        self.path, self.digest = path, digest.hexdigest()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load what `save` wrote, memory-mapped, so that several processes share it.

        Raises
        ------
        UnreadableFile
            The folder is missing, incomplete, or of another format.
        """
        try:
            about = json.loads((path / "locator.json").read_text())
            if about["format"] != _FORMAT:
                message = f"{path} has format {about['format']}, this program reads {_FORMAT}: build it again"
                raise UnreadableFile(message)
            codes, *arrays = [np.load(path / f"{name}.npy", mmap_mode="r") for name in ("codes", *Index._fields)]
            return cls(np.asarray(codes), Index(*arrays), path, about["digest"])
        except (OSError, ValueError, KeyError) as error:
            message = f"{path} is not a saved Locator: {error}"
            raise UnreadableFile(message) from None

    def __reduce__(self) -> Any:
        if self.path is not None:
            return type(self).load, (self.path,)
        return type(self), (self.codes, self.index)


def _points(lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # read-only views: those of Arrow are read-only themselves, and the functions are compiled for one of both kinds
    x, y = (np.require(values, np.float64, ("C", "A")).view() for values in (lon, lat))
    for values in (x, y):
        values.setflags(write=False)
    if x.ndim != 1 or x.shape != y.shape:
        message = f"lon has shape {x.shape} and lat {y.shape}: both must be one-dimensional and equally long"
        raise ValueError(message)
    return x, y


def _refuse_bad_polygons(codes: NDArray[Any], polygons: NDArray[Any]) -> None:
    problems: dict[int, str] = {}
    for row in np.flatnonzero(shapely.is_missing(polygons) | shapely.is_empty(polygons)).tolist():
        problems[row] = "has no polygon"
    for row in np.flatnonzero(~np.isin(shapely.get_type_id(polygons), (3, 6))).tolist():
        problems.setdefault(row, "is neither a polygon nor a multipolygon")
    for row in np.flatnonzero(~shapely.is_valid(polygons)).tolist():
        problems.setdefault(row, f"is not valid: {shapely.is_valid_reason(polygons[row])}")
    west, south, east, north = shapely.total_bounds(polygons) if len(polygons) else (0, 0, 0, 0)
    if not problems and not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
        message = "the polygons reach beyond 180 degrees east or west or 90 north or south: are they in degrees?"
        raise InvalidCoordinates(message)
    _, first = np.unique(codes, return_index=True)
    for row in np.setdiff1d(np.arange(len(codes)), first).tolist():
        problems.setdefault(row, "repeats a code")
    if problems:
        rows = [(row + 1, f"{codes[row]} {why}") for row, why in sorted(problems.items())]
        message = f"{len(rows)} of {len(codes)} polygons cannot be used"
        raise InvalidRows(message, rows)


def _refuse_overlaps(codes: NDArray[Any], polygons: NDArray[Any], order: NDArray[np.int64]) -> None:
    row_of = {str(code): int(row) + 1 for code, row in zip(codes, order, strict=True)}
    faults = coverage_faults(codes.tolist(), polygons)
    rows = [(row_of[code], f"{code} {fault.told_of(code)}") for fault in faults for code in fault.codes]
    message = (
        f"{len({row for row, _ in rows})} of {len(codes)} polygons overlap or do not share their borders exactly: correct them, or use "
        "on_overlap='smallest_code'"
    )
    raise InvalidRows(message, sorted(rows))


def _refuse_gaps(index: Index) -> None:
    """Raise InvalidRows for gaps that are narrower than `NARROW_GAP_M`."""
    cells = int(index.origin[5])
    border = index.edge[(index.side == cells).any(axis=1)] * LATTICE_STEP
    owned = shapely.build_area(shapely.multilinestrings(shapely.linestrings(border.reshape(-1, 2, 2))))
    centres = [(shapely.centroid(gap), width) for gap, width in narrow_gaps(owned)]
    places = [f"{metres(width)} wide near lon {centre.x:.6f} lat {centre.y:.6f}" for centre, width in centres]
    if places:
        message = (
            f"there are {len(places)} gaps narrower than {NARROW_GAP_M} m between the polygons, {', '.join(places[:5])}"
            ": close them, or use on_overlap='smallest_code' to leave them to nobody"
        )
        raise InvalidRows(message, [])


def _give_to_smallest(polygons: NDArray[Any]) -> NDArray[Any]:
    """Cut overlaps from polygons (ascending by code) so that the smallest code keeps them; borders are noded on the lattice."""
    lines = shapely.union_all(shapely.boundary(polygons), grid_size=LATTICE_STEP)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    face, polygon = shapely.STRtree(polygons).query(shapely.point_on_surface(faces), predicate="intersects")
    owner = np.full(len(faces), len(polygons), dtype=np.int64)
    np.minimum.at(owner, face, polygon)
    return np.array(
        [shapely.coverage_union_all(faces[owner == number]) for number in range(len(polygons))], dtype=object
    )


def _build(polygons: NDArray[Any]) -> tuple[Index, bool]:
    """Build the index, and say whether no edge is shared by more than two polygons."""
    parts, polygon_of_part = shapely.get_parts(polygons, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    steps = np.rint(coordinates / LATTICE_STEP).astype(np.int64)
    joined = np.flatnonzero(ring[1:] == ring[:-1])
    start, end = steps[joined], steps[joined + 1]
    cells = len(polygons)
    edge, side, too_many = kernels.unique_edges(
        np.ascontiguousarray(start[:, 0]), np.ascontiguousarray(start[:, 1]),
        np.ascontiguousarray(end[:, 0]), np.ascontiguousarray(end[:, 1]),
        polygon_of_part[part_of_ring[ring[joined]]].astype(np.int64), cells,
    )  # fmt: skip
    origin = _grid(edge, cells)
    bucket, first, member, corner = kernels.fill_buckets(edge, side, origin)
    cell_first, cell_edge = kernels.edges_of_cells(side, cells)
    made = Index(origin, edge, side, bucket, first, member, corner, cell_first, cell_edge)
    return _frozen(made), too_many == 0


def _frozen(index: Index) -> Index:
    """Return read-only views as plain arrays, whether built or memory-mapped: the type that the functions are compiled for."""
    views: list[Any] = [np.asarray(array).view() for array in index]
    for view in views:
        view.setflags(write=False)
    return Index(*views)


def _grid(edge: NDArray[np.int64], cells: int) -> NDArray[np.int64]:
    """Choose the smallest power of two as side of a bucket that keeps their number in bounds."""
    if not len(edge):
        return np.array([0, 0, 0, 0, 0, cells], dtype=np.int64)
    west, east = int(edge[:, 0].min()), int(edge[:, 2].max())
    south, north = int(edge[:, 1::2].min()), int(edge[:, 1::2].max())
    for shift in range(4, 40):
        columns, rows = ((east - west) >> shift) + 3, ((north - south) >> shift) + 3
        if columns * rows <= _BUCKETS_PER_EDGE * len(edge) + 64:
            break
    # one bucket of margin on every side, so that no edge touches the outermost
    return np.array([west - (1 << shift), south - (1 << shift), columns, rows, shift, cells], dtype=np.int64)
