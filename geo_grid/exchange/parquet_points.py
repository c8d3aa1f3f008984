"""Points in and out of Parquet, batch by batch, however large its row groups are."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.exchange.points import Points, no_points
from geo_grid.files.kinds import first_line
from geo_grid.files.source import refuse_wide
from geo_grid.locate.arrow_points import PointColumns

_MOST_ROWS, _LEAST_ROWS = 1 << 20, 1 << 10
"""Rows read, located and written at a time: as many as are sorted by place together, fewer where rows are long."""
_BYTES_AT_ONCE = 64 << 20
"""Of the rows of a batch, about."""
_BUFFER_BYTES = 4 << 20
"""Read of a column ahead; without a buffer, Arrow holds the whole column of a row group."""
_DICTIONARY_BYTES = 64 << 20
"""Most that the codes of a column may take in a row group; with more, each row would have the text of its code again."""


def read_parquet(path: Path) -> Iterator[Points]:
    """Read Parquet with points, see `PointColumns.of`; all its columns are kept as they are.

    Raises
    ------
    UnreadableFile
        It is no Parquet, is cut off or broken, or has no points.
    """
    said = "the Parquet file"
    try:
        opened = _opened(path)
        refuse_wide(said, opened.metadata.num_columns)
        schema = opened.schema_arrow
        if len(set(schema.names)) < len(schema.names):
            message = f"two columns of {said} have the same name"
            raise UnreadableFile(message)
        columns = PointColumns.of(said, schema)
        yield no_points(schema, columns)
        for batch in opened.iter_batches(_rows_at_once(path, opened)):
            yield Points(batch.replace_schema_metadata(schema.metadata), columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"this is not a readable Parquet file: {first_line(error)}"
        raise UnreadableFile(message) from None


def parquet_rows(path: Path) -> int | None:
    """Return how many rows a file says it has; None where it cannot be read."""
    try:
        rows: int = _opened(path).metadata.num_rows
    except (pa.ArrowException, OSError, ValueError):
        return None
    return rows


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


def _opened(path: Path) -> Any:
    from pyarrow import parquet  # not at the top: takes a quarter of a second

    return parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def _rows_at_once(path: Path, opened: Any) -> int:
    """Return how many rows take some `_BYTES_AT_ONCE`, as the file says and as its first rows show."""
    about = opened.metadata
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    widths = [
        sum(group.column(n).total_uncompressed_size for n in range(group.num_columns)) / max(group.num_rows, 1)
        for group in groups
    ]
    # a text that is stored once for many rows takes more when it is read
    first = next(_opened(path).iter_batches(_LEAST_ROWS), None)
    if first is not None and first.num_rows:
        widths.append(first.nbytes / first.num_rows)
    return int(max(_LEAST_ROWS, min(_MOST_ROWS, _BYTES_AT_ONCE / max([1.0, *widths]))))


def _repeating(schema: pa.Schema) -> list[str]:
    """Name the columns whose values repeat: numbers rarely do, and to look for it takes as long as to write them."""
    return [one.name for one in schema if not (pa.types.is_floating(one.type) or pa.types.is_nested(one.type))]
