"""Points of JSON: `{"points": [[lon, lat], ...]}`."""

import json
import re
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import ijson
import numpy as np
import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.kinds import first_line
from geo_grid.files.points.batches import BATCH, WRONG
from geo_grid.files.rows import Rows

_WITHOUT_POINTS = 1 << 20
"""Bytes of JSON in which there must be a point: neither one of them nor what is beside them is as long."""
_DEEPEST = 64
"""Brackets within each other; points have three, and the parser takes memory by the square of them."""
_BRIEF = reprlib.Repr()
_SCHEMA = pa.schema([("lon", pa.float64()), ("lat", pa.float64()), (WRONG, pa.string())])
_BOM = b"\xef\xbb\xbf"
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
"""A text of JSON, or the beginning of one that is not at its end: taken whole, so that nothing in it is looked at twice."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_json(path: Path) -> Rows:
    """Read `{"points": [[lon, lat], ...]}`. What is no pair of numbers is a row without, that says what is there.

    Raises
    ------
    UnreadableFile
        It is not such JSON.
    """
    return Rows({"lon": "lon", "lat": "lat", "wrong": WRONG}, _SCHEMA, map(_batch_of_pairs, _pairs_of_json(path)))


def _pairs_of_json(path: Path) -> Iterator[list[Any]]:
    """Yield points as they come; what is no point is read only so far."""
    try:
        with path.open("rb") as opened:
            guarded = _Guarded(opened)
            for item in ijson.items(guarded, "points.item", use_float=True):
                guarded.found.append(item if _is_pair(item) else _NoPair.of(item))
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
        if error.args and isinstance(error.args[0], bytes):  # of the parser in C
            error = ValueError(error.args[0].decode("utf-8", "replace"))
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

    @classmethod
    def of(cls, item: Any) -> "_NoPair":
        said = (
            json.dumps(item, ensure_ascii=False)
            if isinstance(item, str | int | float | bool | None)
            else _BRIEF.repr(item)
        )
        return cls(said[:60])


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(type(v) in (int, float) for v in item)


def _batch_of_pairs(chunk: list[Any]) -> pa.RecordBatch:
    wrong = [f"{item} is no pair of numbers [lon, lat]" if isinstance(item, _NoPair) else None for item in chunk]
    pairs = [(None, None) if isinstance(item, _NoPair) else item for item in chunk]
    lon, lat = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return pa.RecordBatch.from_arrays(
        [pa.array(lon.copy()), pa.array(lat.copy()), pa.array(wrong, pa.string())], schema=_SCHEMA
    )
