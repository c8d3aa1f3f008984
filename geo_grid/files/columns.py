"""Columns of Arrow, in the child process, as the door hands them on: text, numbers, yes and no, and plain geometry."""

import json
from typing import Any

import pyarrow as pa

from geo_grid.files.kinds import first_line
from geo_grid.files.source import EXACT


def refuse_nested(shapes: pa.Array) -> None:
    """Read geometry here, where what ends the process ends nothing else: collections in collections have no end."""
    import shapely

    try:
        kinds = shapely.get_type_id(shapely.from_wkb(shapes.to_numpy(zero_copy_only=False)))
    except shapely.errors.ShapelyError as error:
        raise ValueError(first_line(error)) from None
    if (kinds == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        message = "it holds collections of geometry of several kinds: write points, lines or areas"
        raise ValueError(message)


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column as text, numbers or yes and no."""
    kept = column if column.num_chunks else pa.chunked_array([pa.array([], column.type)])
    return pa.chunked_array([flat(chunk) for chunk in kept.chunks])


def flat(column: pa.Array) -> pa.Array:
    """Give times as text, as the other forms do, bytes as hexadecimal digits, and what has parts as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return flat(column.dictionary_decode())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _times_as_text(column)
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind) or (pa.types.is_floating(kind) and kind != pa.float16()):
        return column
    texts = [
        None if value is None else value if isinstance(value, str) else _json(value) for value in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _json(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return json.dumps(value, default=_json, ensure_ascii=False)
    return str(value)


def _times_as_text(column: pa.Array) -> pa.Array:
    """Write times whatever their year, by numpy: Python's own end with the year 9999."""
    import numpy as np

    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms" if pa.types.is_date64(kind) else "s"))
    texts = np.datetime_as_string(column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False))
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz else ""
    return pa.array([None if text == "NaT" else f"{text}{zone}" for text in texts.tolist()], pa.string())


def whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make whole numbers of a column of numbers that all are: others write those with gaps as 1.0."""
    if not pa.types.is_floating(column.type):
        return column
    from pyarrow import compute  # not at the top: most files have no such column, and each is read in a new process

    if (most := compute.max(compute.abs(column)).as_py()) is None or not most < EXACT:
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column
