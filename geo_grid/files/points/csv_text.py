"""Points of CSV text."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from geo_grid.errors import UnreadableFile
from geo_grid.files.kinds import coordinate_columns, first_line, text_encoding
from geo_grid.files.points.batches import BATCH, refuse_columns
from geo_grid.files.rows import Rows

_BLOCK_BYTES = 4 << 20
_ONE_LINE = 1 << 20


def read_csv(path: Path) -> Rows:
    """Read CSV text, UTF-8 or GB 18030, with a header. Every column but the coordinates stays text as it is.

    Raises
    ------
    UnreadableFile
        It is not CSV, rows differ in length, or columns are missing.
    """
    with path.open("rb") as opened:
        head = opened.read(_ONE_LINE)
    if not head.strip():
        message = "there are no points: the CSV text is empty"
        raise UnreadableFile(message)
    encoding = text_encoding("the CSV text", head)
    first, _, rest = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n")
    try:
        header = next(csv.reader([first.decode(encoding, "replace").strip("\ufeff")]), [])
    except csv.Error as error:
        raise _unreadable(error) from None
    refuse_columns("the CSV text", header)
    x, y = coordinate_columns("the CSV text", header, None, None)
    schema = pa.schema([(name, pa.string()) for name in header])
    is_header_alone = not rest.strip() and len(head) < _ONE_LINE
    return Rows({"lon": x, "lat": y}, schema, () if is_header_alone else _batches(path, encoding, schema))


def _batches(path: Path, encoding: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        with pa.csv.open_csv(
            path,
            pa.csv.ReadOptions(block_size=_BLOCK_BYTES, encoding="utf8" if encoding == "utf-8-sig" else encoding),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
        ) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, BATCH):
                    yield batch.slice(start, BATCH)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"this is not readable CSV text: {first_line(error)}")
