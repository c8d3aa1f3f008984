"""What all readers of points have in common, in the child process."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.source import refuse_wide

BATCH = 65_536
"""Points handed back at a time: keeps memory small, and the loop that looks them up in cache."""
WRONG = "\0wrong"
"""Column that says what is there instead of a point; null: there is one. No file can name a column so."""
_MOST_COLUMNS = 1_000
_BYTES_TOGETHER = 16 << 20
"""Of small batches that are joined."""


def together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows, of small batches as many together as make one of `BATCH` rows, and large ones in parts.

    What is handed back costs by the batch: thirty thousand of one row took the server 14 s.
    """
    held: list[pa.RecordBatch] = []
    rows = octets = 0
    for batch in batches:
        if held and (rows + batch.num_rows > BATCH or octets + batch.nbytes > _BYTES_TOGETHER):
            yield from _joined(held)
            held, rows, octets = [], 0, 0
        if batch.num_rows > BATCH:
            yield from (batch.slice(start, BATCH) for start in range(0, batch.num_rows, BATCH))
        elif batch.num_rows:
            held.append(batch)
            rows, octets = rows + batch.num_rows, octets + batch.nbytes
    yield from _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    try:
        return [pa.concat_batches(batches)] if len(batches) > 1 else batches
    except (
        pa.ArrowNotImplementedError,
        pa.ArrowInvalid,
    ):  # dictionaries within columns, or with too many values together
        return batches


def refuse_columns(said: str, names: list[str], schema: pa.Schema | None = None) -> None:
    """Refuse too many columns, those within columns counted too, or two of one name. Raises UnreadableFile."""
    refuse_wide(said, len(names) if schema is None else sum(map(_fields, schema.types)), _MOST_COLUMNS)
    if len(set(names)) < len(names):
        message = f"two columns of {said} have the same name"
        raise UnreadableFile(message)


def _fields(kind: pa.DataType) -> int:
    """Count a type and those within it."""
    if isinstance(kind, pa.BaseExtensionType):
        return _fields(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return 1 + _fields(kind.value_type)
    if kind.num_fields > _MOST_COLUMNS:
        return int(kind.num_fields)
    return 1 + sum(_fields(kind.field(place).type) for place in range(kind.num_fields))
