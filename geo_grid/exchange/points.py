"""Points in and out in bulk, batch by batch: CSV, JSON and Arrow streams."""

import csv
import json
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import ijson
import numpy as np
import pyarrow as pa
import pyarrow.csv

from geo_grid.errors import InvalidRows, UnreadableFile
from geo_grid.exchange.arrow_bodies import declared_sizes
from geo_grid.files.formulas import BEGINS
from geo_grid.files.kinds import coordinate_columns, first_line, text_encoding
from geo_grid.locate.arrow_points import PointColumns

BATCH = 65_536
"""Points looked up at a time: keeps memory small and the loop in cache."""
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # Arrow IPC streaming format
_BLOCK_BYTES = 4 << 20
_ONE_LINE = 1 << 20
_LEAST_UNPACKED, _MOST_TIMES, _MOST_UNPACKED = 64 << 20, 16, 4 << 30
"""Bytes a compressed stream may unpack to: as many times its own, no less than the first, no more than the last."""
_MOST_AT_ONCE = 256 << 20
"""Bytes that one compressed batch unpacks to, which are all in memory."""
_MOST_COLUMNS = 1_000
_WITHOUT_POINTS = 1 << 20
"""Bytes of JSON in which there must be a point: neither one of them nor what is beside them is as long."""
_DEEPEST = 64
"""Brackets within each other; points have three, and the parser takes memory by the square of them."""
_BOM = b"\xef\xbb\xbf"
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
"""A text of JSON, or the beginning of one that is not at its end: taken whole, so that nothing in it is looked at twice."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


@dataclass(frozen=True)
class Points:
    """A batch of points.

    Attributes
    ----------
    table
        All columns as read.
    columns
        Where the points are among them.
    """

    table: pa.RecordBatch
    columns: PointColumns


def read_arrow(path: Path) -> Iterator[Points]:
    """Read an Arrow IPC stream with columns of longitudes and latitudes, without copying it.

    Raises
    ------
    UnreadableFile
        It is no such stream, is cut off, lacks the columns, or unpacks to very much more than it is.
    """
    try:
        with pa.memory_map(str(path)) as mapped:
            if mapped.size() < len(_END_OF_STREAM) or _end(path) != _END_OF_STREAM:
                message = "the Arrow stream has no end mark: it is no Arrow stream, or was cut off"
                raise UnreadableFile(message)
            _refuse_bomb(mapped)
            with pa.ipc.open_stream(mapped) as reader:
                _refuse_wide("the Arrow stream", reader.schema.names)
                if len(set(reader.schema.names)) < len(reader.schema.names):
                    message = "two columns of the Arrow stream have the same name"
                    raise UnreadableFile(message)
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
                columns = PointColumns((x, y))
                yield no_points(reader.schema, columns)
                for batch in reader:
                    batch.validate(full=True)
                    for start in range(0, batch.num_rows, BATCH):
                        yield Points(batch.slice(start, BATCH), columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"this is not a readable Arrow stream: {first_line(error)}"
        raise UnreadableFile(message) from None


def _refuse_bomb(mapped: pa.MemoryMappedFile) -> None:
    """Refuse a stream that says it unpacks to very much more than it is."""
    size = mapped.size()
    most = min(max(_LEAST_UNPACKED, size * _MOST_TIMES), _MOST_UNPACKED)
    total = 0
    for sizes in declared_sizes(memoryview(mapped.read_buffer())):
        total += sizes.octets
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


def _refuse_wide(source: str, names: list[str]) -> None:
    if len(names) > _MOST_COLUMNS:
        message = f"{source} has {len(names):,} columns; {_MOST_COLUMNS:,} are taken"
        raise UnreadableFile(message)


def no_points(schema: pa.Schema, columns: PointColumns) -> Points:
    """Give the columns even when no rows follow: every reader's first batch."""
    return Points(pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema), columns)


def _end(path: Path) -> bytes:
    with path.open("rb") as opened:
        opened.seek(-len(_END_OF_STREAM), 2)
        return opened.read()


def read_csv(path: Path) -> Iterator[Points]:
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
    header = next(csv.reader([first.decode(encoding, "replace").strip("\ufeff")]), [])
    _refuse_wide("the CSV text", header)
    x, y = coordinate_columns("the CSV text", header, None, None)
    if len(set(header)) < len(header):
        message = "two columns of the CSV text have the same name"
        raise UnreadableFile(message)
    schema = pa.schema([(name, pa.string()) for name in header])
    columns = PointColumns((x, y))
    yield no_points(schema, columns)
    if not rest.strip() and len(head) < _ONE_LINE:
        return  # a header alone
    try:
        with pa.csv.open_csv(
            path,
            pa.csv.ReadOptions(block_size=_BLOCK_BYTES, encoding="utf8" if encoding == "utf-8-sig" else encoding),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
        ) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, BATCH):
                    yield Points(batch.slice(start, BATCH), columns)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        message = f"this is not readable CSV text: {first_line(error)}"
        raise UnreadableFile(message) from None


def read_json(path: Path) -> Iterator[Points]:
    """Read `{"points": [[lon, lat], ...]}`.

    Raises
    ------
    UnreadableFile
        It is not such JSON.
    InvalidRows
        Points are not pairs of numbers.
    """
    done = 0
    yield _batch_of_pairs([], 0)
    for chunk in _pairs_of_json(path):
        yield _batch_of_pairs(chunk, done)
        done += len(chunk)


def _pairs_of_json(path: Path) -> Iterator[list[Any]]:
    """Yield points as they come; what is no point is read only so far."""
    try:
        with path.open("rb") as opened:
            guarded = _Guarded(opened)
            for item in ijson.items(guarded, "points.item", use_float=True):
                guarded.found.append(item if _is_pair(item) else _NoPair(reprlib.repr(item)[:60]))
                if len(guarded.found) == BATCH:
                    yield guarded.found
                    guarded.found = []
            if guarded.found:
                yield guarded.found
            elif not guarded.had_points:
                again = _Guarded(opened)
                if not any(isinstance(value, list) for value in ijson.items(again, "points")):
                    message = 'the JSON body has no "points": send {"points": [[lon, lat], ...]}'
                    raise UnreadableFile(message)
    except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
        message = f"this is not readable JSON: {first_line(error)}"
        raise UnreadableFile(message) from None


class _Guarded:
    """A JSON body from its beginning, without a byte order mark, for a parser that would take all of it into memory.

    Attributes
    ----------
    found
        Points that whoever reads has found since the last batch.
    had_points
        Whether there were any.
    """

    def __init__(self, opened: BinaryIO) -> None:
        self.found: list[Any] = []
        self.had_points = False
        self._opened = opened
        self._seen: tuple[int, int] = (0, 0)
        self._without = self._depth = 0
        self._text = b""  # what stands for a text that is not at its end yet: its quote, and a backslash at its end
        opened.seek(len(_BOM) if opened.seek(0) == 0 and opened.read(len(_BOM)) == _BOM else 0)

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises
        ------
        UnreadableFile
            No point was found in very many before, or they lie in each other too deep.
        """
        block = self._opened.read(size)
        seen = (id(self.found), len(self.found))
        self.had_points = self.had_points or bool(self.found)
        self._without = self._without + len(block) if seen == self._seen else len(block)
        self._seen = seen
        if self._without > _WITHOUT_POINTS:
            message = f"there is no point in {self._without:,} bytes of the JSON body: send nothing else in it"
            raise UnreadableFile(message)
        self._depth = _depth(self._without_texts(block), self._depth)
        return block

    def _without_texts(self, block: bytes) -> bytes:
        if not self._text and b'"' not in block:
            return block
        given, self._text = self._text + block, b""

        def taken(text: re.Match[bytes]) -> bytes:
            if text[1] != b'"':
                self._text = b'"' + text[1]
            return b""

        return _TEXT.sub(taken, given)


def _depth(block: bytes, depth: int) -> int:
    """Return how many brackets are open behind a block without texts.

    Raises
    ------
    UnreadableFile
        More are open within it than `_DEEPEST`.
    """
    brackets = np.frombuffer(block.translate(None, _NO_BRACKETS), dtype=np.uint8)
    if not len(brackets):
        return depth
    open_ = np.cumsum(np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)) + depth
    open_ -= np.minimum.accumulate(np.minimum(open_, 0))  # a text of closing ones must not hide opening ones
    if open_.max() > _DEEPEST:
        message = f"this is not readable JSON: more than {_DEEPEST} brackets stand within each other"
        raise UnreadableFile(message)
    return int(open_[-1])


class _NoPair(str):
    """The beginning of what stands in the place of a point: all of it may be very much."""

    __slots__ = ()


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(type(v) in (int, float) for v in item)


def _batch_of_pairs(chunk: list[Any], done: int) -> Points:
    bad = [(done + row + 1, f"{item} is no pair of numbers [lon, lat]")
           for row, item in enumerate(chunk) if isinstance(item, _NoPair)]  # fmt: skip
    if bad:
        message = f"{len(bad)} of the first {done + len(chunk)} points cannot be read"
        raise InvalidRows(message, bad)
    pairs = np.array(chunk, dtype=np.float64).reshape(-1, 2)
    return Points(pa.record_batch({"lon": pairs[:, 0], "lat": pairs[:, 1]}), PointColumns(("lon", "lat")))


READERS = {"csv": read_csv, "json": read_json, "arrow": read_arrow}
"""By the form of what may be sent to a server."""


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
    # only codes of ours are numbered: what was sent goes back as it came
    columns = [_guarded(c).dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _guarded(codes: pa.DictionaryArray) -> pa.DictionaryArray:
    from pyarrow import compute  # not at the top: takes a fifth of a second, and a server loads it once it serves

    safe = compute.replace_substring_regex(codes.dictionary, BEGINS, r"'\1")
    return pa.DictionaryArray.from_arrays(codes.indices, safe)


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
