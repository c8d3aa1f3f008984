"""Reading GeoParquet, in the child process."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.columns import flat, refuse_nested, whole
from geo_grid.files.kinds import first_line
from geo_grid.files.limits import Limits
from geo_grid.files.rows import GEOMETRY, Rows, refuse_too_many
from geo_grid.files.source import BATCH, Source, refuse_wide
from geo_grid.files.vectors import name_of_crs

_PARQUET_BATCH = 4096


def read_parquet(source: Source) -> Rows:
    """Read GeoParquet. Raises UnreadableFile."""
    from pyarrow import parquet

    said, limits = source.said, source.limits
    try:
        opened = parquet.ParquetFile(source.path)
        about = opened.metadata
        refuse_wide(said, about.num_columns)
        refuse_too_many(said, about.num_rows, about.num_rows * about.num_columns, limits)
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        unpacked = sum(group.column(n).total_uncompressed_size for group in groups for n in range(group.num_columns))
        if unpacked > limits.unpacked_bytes:
            message = f"{said} unpacks to {unpacked / 1e9:.1f} GB: divide it"
            raise UnreadableFile(message)
        geo = json.loads((opened.schema_arrow.metadata or {}).get(b"geo") or b"null")
        geometry, encoding, crs = geometry_of_parquet(geo)
        if geometry not in opened.schema_arrow.names:
            message = f"it has no column {geometry!r}, which it names as its geometry"
            raise ValueError(message)
        names = [name for name in opened.schema_arrow.names if name != geometry]
        if any("\0" in name for name in names):
            message = "a column has a name that nobody can write"
            raise ValueError(message)
        kept = [*names, geometry]
        tables = [_plain(batch, names, geometry, encoding) for batch in _batches(opened, kept, said, limits)]
        table = pa.Table.from_batches(tables) if tables else _plain_empty(opened.schema_arrow, names)
    except MemoryError:  # Arrow's own is one of its errors too, and says how much it wanted
        raise
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError):
        message = f"{said} is not a readable GeoParquet file: its geo metadata is not what GeoParquet 1.1 says"
        raise UnreadableFile(message) from None
    except (pa.ArrowException, ValueError, OSError) as error:
        message = f"{said} is not a readable GeoParquet file: {first_line(error)}"
        raise UnreadableFile(message) from None
    table = pa.table([whole(column) for column in table.columns], table.schema.names)
    return Rows({"crs": crs, "is_geojson": False}, table.schema, table.to_batches(BATCH))


def _batches(opened: Any, names: list[str], said: str, limits: Limits) -> Iterable[pa.RecordBatch]:
    octets = 0
    for batch in opened.iter_batches(_PARQUET_BATCH, columns=names, use_threads=False):
        octets += batch.nbytes
        if octets > limits.answer_bytes:  # a dictionary repeats one long text in no bytes
            message = f"{said} unpacks to more than {limits.answer_bytes / 1e9:.1f} GB: divide it"
            raise UnreadableFile(message)
        yield batch


def geometry_of_parquet(geo: Any) -> tuple[str, str, str | None]:
    """Return the name of the geometry's column, its encoding, and the reference system (GeoParquet 1.1)."""
    if geo is None:
        message = "it has no geo metadata, by which GeoParquet names its geometry"
        raise ValueError(message)
    name = geo["primary_column"]
    column = geo["columns"][name]
    encoding, crs = column["encoding"], column.get("crs", "OGC:CRS84")
    if not isinstance(name, str) or not isinstance(encoding, str):
        raise TypeError
    if crs is None or crs == "OGC:CRS84":  # which is what it means when it says nothing
        return name, encoding, crs
    return name, encoding, name_of_crs(json.dumps(crs))


def _plain(batch: pa.RecordBatch, names: list[str], geometry: str, encoding: str) -> pa.RecordBatch:
    if encoding != "WKB":
        message = f"its geometry is encoded as {encoding}: write it as WKB"
        raise ValueError(message)
    shapes = batch.column(geometry).cast(pa.large_binary())
    refuse_nested(shapes)
    return pa.RecordBatch.from_arrays([*(flat(batch.column(name)) for name in names), shapes], [*names, GEOMETRY])


def _plain_empty(schema: pa.Schema, names: list[str]) -> pa.Table:
    columns = [*(flat(pa.array([], schema.field(name).type)) for name in names), pa.array([], pa.large_binary())]
    return pa.table(columns, [*names, GEOMETRY])
