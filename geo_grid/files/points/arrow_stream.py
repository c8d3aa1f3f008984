"""Points of an Arrow stream (Arrow IPC streaming format)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.kinds import coordinate_columns, first_line
from geo_grid.files.points.arrow_bodies import declared_sizes
from geo_grid.files.points.batches import refuse_columns, together
from geo_grid.files.rows import Rows

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # Arrow IPC streaming format
_FILE = b"ARROW1"
_LEAST_UNPACKED, _MOST_TIMES, _MOST_UNPACKED = 64 << 20, 16, 4 << 30
"""Bytes a compressed stream may unpack to: as many times its own, no less than the first, no more than the last."""
_MOST_AT_ONCE = 256 << 20
"""Bytes that one compressed batch unpacks to, which are all in memory."""


def read_arrow(path: Path) -> Rows:
    """Read an Arrow IPC stream with columns of longitudes and latitudes, without copying it.

    Raises
    ------
    UnreadableFile
        It is no such stream, is cut off, lacks the columns, or unpacks to very much more than it is.
    """
    try:
        mapped = pa.memory_map(str(path))
        if mapped.size() >= len(_FILE) and mapped.read(len(_FILE)) == _FILE:
            message = "this is an Arrow file (Feather): write its batches as an Arrow stream"
            raise UnreadableFile(message)
        mapped.seek(0)
        if mapped.size() < len(_END_OF_STREAM) or _end(path) != _END_OF_STREAM:
            message = "the Arrow stream has no end mark: it is no Arrow stream, or was cut off"
            raise UnreadableFile(message)
        _refuse_bomb(mapped)
        reader = pa.ipc.open_stream(mapped)
        refuse_columns("the Arrow stream", reader.schema.names, reader.schema)
        x, y = coordinate_columns("the Arrow stream", reader.schema.names, None, None)
        for name in (x, y):
            kind = reader.schema.field(name).type
            if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
                message = f"column {name} of the Arrow stream holds {kind}, not numbers"
                raise UnreadableFile(message)
        for field in reader.schema:
            if not _is_plain(field.type):
                message = f"column {field.name} of the Arrow stream holds {field.type}: send it as plain values"
                raise UnreadableFile(message)
        return Rows({"lon": x, "lat": y}, reader.schema, _batches(reader))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(error) from None


def _batches(reader: pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from together(_valid(reader))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(error) from None


def _valid(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate(full=True)
        yield batch


def _unreadable(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"this is not a readable Arrow stream: {first_line(error)}")


def _refuse_bomb(mapped: pa.MemoryMappedFile) -> None:
    """Refuse a stream that says it unpacks to very much more than it is."""
    size = mapped.size()
    most = min(max(_LEAST_UNPACKED, size * _MOST_TIMES), _MOST_UNPACKED)
    total = 0
    for sizes in declared_sizes(memoryview(mapped.read_buffer())):
        total += sizes.octets
        if sizes.is_delta:  # each batch would have all before it again
            message = "the Arrow stream adds to its dictionaries: write each of them whole"
            raise UnreadableFile(message)
        if sizes.is_packed and sizes.octets > _MOST_AT_ONCE:
            message = f"a batch of the Arrow stream unpacks to {sizes.octets:,} bytes; {_MOST_AT_ONCE:,} are taken: send smaller batches"
            raise UnreadableFile(message)
    mapped.seek(0)
    if total > most:
        message = f"the Arrow stream of {size:,} bytes unpacks to {total:,}; {most:,} are taken: send it in parts, or less compressed"
        raise UnreadableFile(message)


def _is_plain(kind: pa.DataType) -> bool:
    """Say whether values take the bytes they seem to take: runs and views repeat what is stored once."""
    repeating = (
        pa.types.is_run_end_encoded,
        pa.types.is_string_view,
        pa.types.is_binary_view,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    if any(is_kind(kind) for is_kind in repeating):
        return False
    if isinstance(kind, pa.BaseExtensionType):
        return _is_plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return all(_is_plain(kind.field(place).type) for place in range(kind.num_fields))


def _end(path: Path) -> bytes:
    with path.open("rb") as opened:
        opened.seek(-len(_END_OF_STREAM), 2)
        return opened.read()
