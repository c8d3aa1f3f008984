"""What an Arrow stream says of its sizes, read before anything of it is unpacked.

pyarrow unpacks a compressed batch whole, and a few bytes can unpack to gigabytes. The layout is that of the IPC
format (arrow.apache.org/docs/format/Columnar.html): a message is a FlatBuffers table and a body; in a compressed
body each buffer begins with its unpacked length.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_CONTINUES, _DICTIONARY, _BATCH = 0xFFFFFFFF, 2, 3
# fields by their number, after format/Message.fbs
_MESSAGE_KIND, _MESSAGE_HEADER, _MESSAGE_BODY_LENGTH = 1, 2, 3
_BATCH_ROWS, _BATCH_BUFFERS, _BATCH_COMPRESSION, _DICTIONARY_BATCH, _DICTIONARY_IS_DELTA = 0, 2, 3, 1, 2


class Sizes(NamedTuple):
    """Of one message: rows, bytes of its buffers once they are unpacked, whether they are packed, and whether it adds to a
    dictionary.
    """

    rows: int
    octets: int
    is_packed: bool
    is_delta: bool


def declared_sizes(stream: memoryview) -> Iterator[Sizes]:
    """Yield the sizes of each batch, and of each dictionary, of a stream.

    Raises
    ------
    ValueError
        It is no such stream.
    """
    place = 0
    try:
        while place < len(stream):
            (length,) = struct.unpack_from("<I", stream, place)
            place += 4
            if length == _CONTINUES:
                (length,) = struct.unpack_from("<I", stream, place)
                place += 4
            if length == 0:
                return
            message = _Table.root(stream[place : place + length])
            place += length
            body_length = message.number(_MESSAGE_BODY_LENGTH, "<q")
            if not 0 <= body_length <= len(stream) - place:
                message_ = "a message is longer than the stream"
                raise ValueError(message_)
            body, kind = stream[place : place + body_length], message.number(_MESSAGE_KIND, "<B")
            place += body_length
            if kind in (_DICTIONARY, _BATCH):
                header = message.table(_MESSAGE_HEADER)
                batch = header.table(_DICTIONARY_BATCH) if kind == _DICTIONARY and header else header
                if batch is not None:
                    is_delta = (
                        kind == _DICTIONARY and header is not None and bool(header.number(_DICTIONARY_IS_DELTA, "<B"))
                    )
                    yield _sizes(batch, body, is_delta)
    except (struct.error, IndexError) as error:
        message_ = "a message is broken"
        raise ValueError(message_) from error


def _sizes(batch: "_Table", body: memoryview, is_delta: bool) -> Sizes:
    rows = batch.number(_BATCH_ROWS, "<q")
    if batch.table(_BATCH_COMPRESSION) is None:
        octets = sum(length for _, length in batch.pairs(_BATCH_BUFFERS))  # several may be of the same bytes
        return Sizes(rows, max(octets, len(body)), octets > len(body), is_delta)
    octets = 0
    for offset, length in batch.pairs(_BATCH_BUFFERS):
        if length:
            (unpacked,) = struct.unpack_from("<q", body, offset)
            octets += max(unpacked, length - 8)  # -1: as it is
    return Sizes(rows, octets, True, is_delta)


class _Table:
    """A FlatBuffers table (flatbuffers.dev/internals)."""

    def __init__(self, octets: memoryview, place: int) -> None:
        self._octets = octets
        self._place = place
        (back,) = struct.unpack_from("<i", octets, place)
        self._fields = place - back
        (self._fields_length,) = struct.unpack_from("<H", octets, self._fields)

    @classmethod
    def root(cls, octets: memoryview) -> "_Table":
        """Return the outermost table."""
        return cls(octets, struct.unpack_from("<I", octets, 0)[0])

    def _field(self, number: int) -> int:
        """Return the place of a field, or 0."""
        entry = 4 + 2 * number
        if entry + 2 > self._fields_length:
            return 0
        (offset,) = struct.unpack_from("<H", self._octets, self._fields + entry)
        return self._place + int(offset) if offset else 0

    def number(self, number: int, form: str) -> int:
        """Return a number; 0 when it is not there."""
        place = self._field(number)
        return int(struct.unpack_from(form, self._octets, place)[0]) if place else 0

    def table(self, number: int) -> "_Table | None":
        """Return a table, or None."""
        place = self._field(number)
        return _Table(self._octets, place + struct.unpack_from("<I", self._octets, place)[0]) if place else None

    def pairs(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield the pairs of a vector of two long numbers each."""
        place = self._field(number)
        if not place:
            return
        place += struct.unpack_from("<I", self._octets, place)[0]
        (count,) = struct.unpack_from("<I", self._octets, place)
        for index in range(count):
            yield struct.unpack_from("<qq", self._octets, place + 4 + 16 * index)
