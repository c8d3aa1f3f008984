"""What the child process hands back: an Arrow stream of plain rows behind one line that says what they are."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.limits import Limits

GEOMETRY = "\0geometry"
"""Name of the column of geometry, as WKB, if there is one; no file can name a column so."""


_PART, _RING, _CORNER = 300, 150, 24
"""Bytes that GEOS and Python take for each, measured with GEOS 3.13: polygons of a triangle take 500."""
_SHAPES = 2
"""Shapes in memory may take so many times the bytes that are handed back."""
_READ_AT_ONCE = 1_000
_LONGEST_REFUSAL = 2_000


@dataclass(frozen=True)
class Rows:
    """Rows as they are read.

    Attributes
    ----------
    about
        What is said of them besides, as JSON can say it.
    schema
        Of the batches.
    """

    about: dict[str, Any]
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def bounded(source: str, batches: Iterable[pa.RecordBatch], limits: Limits) -> Iterator[pa.RecordBatch]:
    """Pass batches on as long as they are within limits.

    Raises
    ------
    UnreadableFile
        There are more rows, cells or bytes, or their shapes would take more memory.
    """
    rows = cells = octets = shapes = 0
    for batch in batches:
        rows += batch.num_rows
        cells += batch.num_rows * batch.num_columns
        octets += batch.nbytes
        refuse_too_many(source, rows, cells, limits)
        if octets > limits.answer_bytes:
            message = f"{source} holds more than {limits.answer_bytes >> 20:,} MB of text and geometry: {_WAY_OUT}"
            raise UnreadableFile(message)
        if GEOMETRY in batch.schema.names:
            shapes += _octets_of_shapes(source, batch.column(GEOMETRY))
            if shapes > _SHAPES * limits.answer_bytes:
                message = f"{source} holds shapes of more parts, holes and corners than are taken at once: {_WAY_OUT}"
                raise UnreadableFile(message)
        yield batch


def _octets_of_shapes(source: str, column: pa.Array) -> int:
    """Estimate what shapes take once they are read: an empty ring is 4 bytes of WKB, and an object of 150."""
    import shapely

    total = 0
    for start in range(0, len(column), _READ_AT_ONCE):
        wkb = column.slice(start, _READ_AT_ONCE).to_numpy(zero_copy_only=False)
        try:
            parts = shapely.get_parts(shapely.from_wkb(wkb))
        except shapely.errors.ShapelyError as error:
            message = f"{source} holds geometry that cannot be read: {str(error).splitlines()[0]}"
            raise UnreadableFile(message) from None
        rings = len(parts) + int(shapely.get_num_interior_rings(parts).sum())
        total += _PART * len(parts) + _RING * rings + _CORNER * int(shapely.get_num_coordinates(parts).sum())
    return total


def refuse_too_many(source: str, rows: int, cells: int, limits: Limits) -> None:
    """Refuse more rows or cells than are taken. Raises UnreadableFile."""
    if rows > limits.rows or cells > limits.cells:
        message = f"{source} has more than {limits.rows:,} rows or {limits.cells:,} cells: {_WAY_OUT}"
        raise UnreadableFile(message)


_WAY_OUT = "divide it, or import it on the server with geo-grid import"


def write(rows: Rows, sink: BinaryIO) -> None:
    """Hand rows back."""
    sink.write(json.dumps(rows.about).encode() + b"\n")
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        for batch in rows.batches:
            writer.write_batch(batch)


def write_refusal(error: Exception, message: str, sink: BinaryIO) -> None:
    """Say in place of rows, or behind the first of them, why there are none."""
    sink.write(b"\n" + json.dumps({"refused": type(error).__name__, "message": message[:_LONGEST_REFUSAL]}).encode())
