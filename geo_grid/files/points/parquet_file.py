"""Points of Parquet, however large its row groups are; which column has them, whoever asked finds out by the schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.kinds import first_line
from geo_grid.files.points.batches import refuse_columns
from geo_grid.files.rows import Rows

_MOST_ROWS, _LEAST_ROWS = 1 << 20, 1 << 10
"""Rows handed back at a time: as many as are sorted by place together, fewer where rows are long."""
_BYTES_AT_ONCE = 64 << 20
"""Of the rows of a batch, about."""
_BUFFER_BYTES = 4 << 20
"""Read of a column ahead; without a buffer, Arrow holds the whole column of a row group."""


def read_parquet(path: Path, most_rows: int = _MOST_ROWS, least_rows: int = _LEAST_ROWS) -> Rows:
    """Read Parquet; all its columns are kept as they are.

    Raises
    ------
    UnreadableFile
        It is no Parquet, is cut off or broken.
    """
    try:
        opened = _opened(path)
        schema = opened.schema_arrow
        refuse_columns("the Parquet file", schema.names, schema)
        return Rows({"rows": opened.metadata.num_rows}, schema, _batches(path, opened, most_rows, least_rows))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(error) from None


def _batches(path: Path, opened: Any, most_rows: int, least_rows: int) -> Iterator[pa.RecordBatch]:
    try:
        for batch in opened.iter_batches(_rows_at_once(path, opened, most_rows, least_rows)):
            yield batch.replace_schema_metadata(opened.schema_arrow.metadata)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"this is not a readable Parquet file: {first_line(error)}")


def _opened(path: Path) -> Any:
    from pyarrow import parquet  # not at the top: takes a quarter of a second

    return parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def _rows_at_once(path: Path, opened: Any, most_rows: int, least_rows: int) -> int:
    """Return how many rows take some `_BYTES_AT_ONCE`, as the file says and as its first rows show."""
    about = opened.metadata
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    widths = [
        sum(group.column(n).total_uncompressed_size for n in range(group.num_columns)) / max(group.num_rows, 1)
        for group in groups
    ]
    # a text that is stored once for many rows takes more when it is read
    first = next(_opened(path).iter_batches(least_rows), None)
    if first is not None and first.num_rows:
        widths.append(first.nbytes / first.num_rows)
    return int(max(least_rows, min(most_rows, _BYTES_AT_ONCE / max([1.0, *widths]))))
