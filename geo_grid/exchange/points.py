"""Points with their owners out in bulk, batch by batch: CSV, JSON, Arrow streams and Parquet."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from geo_grid.files.formulas import FIRST, guarded_once

_DICTIONARY_BYTES = 64 << 20
"""Most that the codes of a column may take in a row group; with more, each row would have the text of its code again."""


def write_points(
    path: Path, form: str, batches: Iterable[pa.RecordBatch], answered: list[str], edition: int | None
) -> None:
    """Write batches in the form they came in.

    Parameters
    ----------
    answered
        Columns we added: JSON answers hold these alone, one object per point.
    edition
        Named once: in a JSON answer, and in the metadata of an Arrow stream.
    """
    with path.open("wb") as sink:
        if form == "json":
            _write_json(sink, batches, answered, edition)
            return
        writer: Any = None
        for batch in batches:
            if form == "csv":
                batch = _plain(batch)  # noqa: PLW2901 (the writer knows no dictionaries)
            if form == "arrow":
                batch = batch.replace_schema_metadata({"edition": json.dumps(edition)})  # noqa: PLW2901
            if writer is None:
                writer = (pa.ipc.new_stream if form == "arrow" else pa.csv.CSVWriter)(sink, batch.schema)
            writer.write_batch(batch)
        if writer is not None:
            writer.close()


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        _guarded(c.dictionary).take(c.indices) if pa.types.is_dictionary(c.type) else _guarded(c) for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, [guarded_once(name) for name in batch.schema.names])


def _guarded(column: pa.Array) -> pa.Array:
    """Guard texts as `formulas.guarded_once` does; only those with such a first letter are looked at."""
    from pyarrow import compute  # not at the top: takes a fifth of a second, and a server loads it once it serves

    if not pa.types.is_string(column.type):
        return column
    begins = compute.is_in(compute.utf8_slice_codeunits(column, 0, 1), pa.array(FIRST))
    texts = column.filter(begins).to_pylist()
    return (
        compute.replace_with_mask(column, begins, pa.array(map(guarded_once, texts), pa.string())) if texts else column
    )


def _write_json(sink: Any, batches: Iterable[pa.RecordBatch], answered: list[str], edition: int | None) -> None:
    sink.write(f'{{"edition":{json.dumps(edition)},"points":['.encode())
    first = True
    for batch in batches:
        if batch.num_rows:
            sink.write(b"" if first else b",")
            sink.write(_json_objects(batch.select(answered)))
            first = False
    sink.write(b"]}")


def _json_objects(batch: pa.RecordBatch) -> bytes:
    """Write rows as JSON objects, column by column: six times faster than row by row."""
    from pyarrow import compute

    parts: list[Any] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        parts += [f"{',' if parts else '{'}{json.dumps(name)}:", _json_values(column)]
    rows = compute.binary_join_element_wise(*parts, "}", "")
    whole = pa.ListArray.from_arrays([0, len(rows)], rows)
    text: bytes = compute.binary_join(whole, ",")[0].as_py().encode()
    return text


def _json_values(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        written = pa.array([json.dumps(value) for value in column.dictionary.to_pylist()], pa.string())
        column = pa.DictionaryArray.from_arrays(column.indices, written).dictionary_decode()
    elif pa.types.is_string(column.type):
        column = pa.array([None if value is None else json.dumps(value) for value in column.to_pylist()], pa.string())
    return column.cast(pa.string()).fill_null("null")


def write_parquet(path: Path, batches: Iterable[pa.RecordBatch], edition: int | None) -> None:
    """Write batches as row groups. The metadata of the first is kept, and names the edition.

    Codes are written once for each row group and numbered, as they come.
    """
    from pyarrow import parquet

    writer: Any = None
    with path.open("wb") as sink:
        try:
            for batch in batches:
                if writer is None:
                    told = {**(batch.schema.metadata or {}), "edition": json.dumps(edition)}
                    schema = batch.schema.with_metadata(told)
                    writer = parquet.ParquetWriter(
                        sink, schema, use_dictionary=_repeating(schema), dictionary_pagesize_limit=_DICTIONARY_BYTES
                    )
                if batch.num_rows:
                    writer.write_batch(batch)
        finally:
            if writer is not None:
                writer.close()


def _repeating(schema: pa.Schema) -> list[str]:
    """Name the columns whose values repeat: numbers rarely do, and to look for it takes as long as to write them."""
    return [one.name for one in schema if not (pa.types.is_floating(one.type) or pa.types.is_nested(one.type))]
