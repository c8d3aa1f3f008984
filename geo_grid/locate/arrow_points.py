"""The points of an Arrow batch: two columns of numbers, or one of WKB or GeoArrow points."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_grid.errors import UnreadableFile
from geo_grid.files.geoparquet import geometry_of_parquet
from geo_grid.files.kinds import coordinate_columns
from geo_grid.files.vectors import name_of_crs

type Floats = NDArray[np.float64]

_EXTENSION, _ABOUT_EXTENSION = b"ARROW:extension:name", b"ARROW:extension:metadata"
"""Keys of a field's metadata (Arrow columnar format, extension types)."""
_ENCODINGS: dict[str, Literal["wkb", "point"]] = {
    "geoarrow.wkb": "wkb", "ogc.wkb": "wkb", "geoarrow.point": "point", "WKB": "wkb", "point": "point",
}  # fmt: skip
"""By the names of extension types (GeoArrow 0.2), and of encodings in GeoParquet 1.1."""
_PLAIN = np.dtype([("head", "V5"), ("x", "<f8"), ("y", "<f8")])
"""A point in WKB as nearly everybody writes it: little-endian, two dimensions, without an SRID."""
_PLAIN_HEAD = b"\x01\x01\x00\x00\x00"
_KIND = struct.Struct("<BI")
_HAS_SRID, _PLAIN_KIND = 0x20000000, 0x1FFFFFFF
"""Flags of EWKB in the kind of a shape, and what is left without them."""
_KINDS = {
    2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon", 7: "GeometryCollection",
}  # fmt: skip
_UNREADABLE = "is no readable WKB"
_NUMBERS = pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null
"""Types of columns of coordinates; null: no row of it has any."""


@dataclass
class Found:
    """The points of a batch of n rows.

    Attributes
    ----------
    x, y
        n longitudes or eastings, and latitudes or northings; NaN where there is no point.
    missing
        Whether there is no point: a null, or an empty point.
    wrong
        By row, why something else than a point is there.
    """

    x: Floats
    y: Floats
    missing: NDArray[np.bool_]
    wrong: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PointColumns:
    """Where a table has its points.

    Attributes
    ----------
    names
        Of the columns of longitudes or eastings and of latitudes or northings; or of the one column of points.
    encoding
        Of the values in them.
    crs
        What the table itself says of its reference system; see `coordinates.source_crs`.
    """

    names: tuple[str, ...]
    encoding: Literal["numbers", "wkb", "point"] = "numbers"
    crs: str | None = None

    @classmethod
    def of(cls, said: str, schema: pa.Schema) -> "PointColumns":
        """Find the points of a table: in the geometry that GeoParquet names, in a column that is GeoArrow, or in columns
        of numbers with the usual names.

        Parameters
        ----------
        said
            What is read, for the message.

        Raises
        ------
        UnreadableFile
            There are none, or they are encoded in a way that is not read.
        """
        if geo := (schema.metadata or {}).get(b"geo"):
            try:
                name, encoding, crs = geometry_of_parquet(json.loads(geo))
            except (KeyError, IndexError, TypeError, AttributeError, RecursionError, ValueError):
                message = f"{said} is not readable: its geo metadata is not what GeoParquet 1.1 says"
                raise UnreadableFile(message) from None
            return cls._of_geometry(said, schema, name, encoding, crs)
        for one in schema:
            extension, about = _extension(one)
            if extension.startswith(("geoarrow.", "ogc.")):
                return cls._of_geometry(said, schema, one.name, extension, _crs_of_geoarrow(about))
        names = coordinate_columns(said, schema.names, None, None)
        for name in names:
            kind = schema.field(name).type
            if not any(is_kind(kind) for is_kind in _NUMBERS):
                message = f"column {name} of {said} holds {kind}, not numbers"
                raise UnreadableFile(message)
        return cls(names)

    @classmethod
    def _of_geometry(cls, said: str, schema: pa.Schema, name: str, encoding: str, crs: str | None) -> "PointColumns":
        if name not in schema.names:
            message = f"{said} has no column {name!r}, which it names as its geometry"
            raise UnreadableFile(message)
        known = _ENCODINGS.get(encoding)
        kind = _plain_type(schema.field(name).type)
        if known is None or not (_is_binary(kind) if known == "wkb" else _are_coordinates(kind)):
            message = f"the geometry {name} of {said} is {kind} encoded as {encoding}: write points, as WKB or GeoArrow"
            raise UnreadableFile(message)
        return cls((name,), known, crs)

    def read(self, batch: pa.RecordBatch) -> Found:
        """Read the points of a batch of such a table."""
        if self.encoding == "numbers":
            x, y = (batch.column(name) for name in self.names)
            return Found(numbers(x), numbers(y), _nulls(x) & _nulls(y))
        column = batch.column(self.names[0])
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        found = _of_wkb(column) if self.encoding == "wkb" else _of_coordinates(column)
        found.missing |= np.isnan(found.x) & np.isnan(found.y)
        found.missing[list(found.wrong)] = False
        return found


def numbers(column: pa.Array) -> Floats:
    """Read a column as floats of its own; NaN where there is no number."""
    if pa.types.is_string(column.type):
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            import pandas as pd  # not at the top: as in `tables`

            read: Floats = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(np.float64, copy=True)
            return read
    return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _extension(one: pa.Field) -> tuple[str, bytes]:
    """Return the name of a field's extension type and what it says of itself, whether that type is registered or not."""
    if isinstance(one.type, pa.BaseExtensionType):
        return one.type.extension_name, one.type.__arrow_ext_serialize__()
    told = one.metadata or {}
    return told.get(_EXTENSION, b"").decode("utf-8", "replace"), told.get(_ABOUT_EXTENSION, b"")


def _crs_of_geoarrow(about: bytes) -> str | None:
    """Return the reference system of a GeoArrow column (GeoArrow 0.2: PROJJSON, WKT or a code)."""
    try:
        crs = json.loads(about or b"{}").get("crs")
    except (ValueError, AttributeError, RecursionError):
        return None
    return name_of_crs(crs if isinstance(crs, str) else json.dumps(crs)) if crs else None


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _are_coordinates(kind: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(kind):
        return bool(pa.types.is_floating(kind.value_type)) and kind.list_size >= 2
    return bool(pa.types.is_struct(kind)) and {"x", "y"} <= {kind.field(at).name for at in range(kind.num_fields)}


def _nulls(column: pa.Array) -> NDArray[np.bool_]:
    if not column.null_count:
        return np.zeros(len(column), bool)
    return np.array(column.is_null().to_numpy(zero_copy_only=False))


def _of_coordinates(column: pa.Array) -> Found:
    missing = _nulls(column)
    if pa.types.is_struct(column.type):
        parts = column.flatten()
        x, y = (numbers(parts[column.type.get_field_index(name)]) for name in ("x", "y"))
    else:
        many = column.type.list_size
        of_all = column.values.slice(column.offset * many, len(column) * many)
        pairs = numbers(of_all).reshape(-1, many)
        x, y = pairs[:, 0].copy(), pairs[:, 1].copy()
    x[missing], y[missing] = np.nan, np.nan
    return Found(x, y, missing)


def _of_wkb(column: pa.Array) -> Found:
    missing = _nulls(column)
    x, y = np.full(len(column), np.nan), np.full(len(column), np.nan)
    plain = _plain_points(column, ~missing)
    if plain is not None:
        x[~missing], y[~missing] = plain["x"], plain["y"]
        return Found(x, y, missing)
    wrong = {}
    for row in np.flatnonzero(~missing).tolist():
        point = _point_of(column[row].as_py())
        if isinstance(point, str):
            wrong[row] = point
        else:
            x[row], y[row] = point
    return Found(x, y, missing, wrong)


def _point_of(wkb: bytes) -> tuple[float, float] | str:
    """Read a point of WKB or EWKB; a text: why it is none. GEOS would read all of whatever else is there, however deep it is."""
    data = memoryview(wkb)
    if len(data) < _KIND.size or data[0] > 1:
        return _UNREADABLE
    order = "<" if data[0] else ">"
    (kind,) = struct.unpack_from(f"{order}I", data, 1)
    begin = _KIND.size + (4 if kind & _HAS_SRID else 0)
    base = (kind & _PLAIN_KIND) % 1000  # dimensions are flags, or thousands
    if base != 1:
        return f"is a {_KINDS[base]}, no point" if base in _KINDS else _UNREADABLE
    if len(data) < begin + 16:
        return _UNREADABLE
    x, y = struct.unpack_from(f"{order}dd", data, begin)
    return x, y


def _plain_points(column: pa.Array, there: NDArray[np.bool_]) -> Any:
    """Return the points that are there as an array of `_PLAIN`, where all are written so; None: some are not."""
    if pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    _, offsets, data = column.buffers()
    count = int(there.sum())
    if data is None or not count:
        return None
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    ends = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1]
    if ends[-1] - ends[0] != _PLAIN.itemsize * count or (np.diff(ends)[there] != _PLAIN.itemsize).any():
        return None
    plain = np.frombuffer(data, _PLAIN, count, int(ends[0]))
    heads = plain["head"].copy().view(np.uint8).reshape(count, -1)
    return plain if (heads == np.frombuffer(_PLAIN_HEAD, np.uint8)).all() else None
