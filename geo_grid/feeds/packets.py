"""RTP as it comes (RFC 3550): packets put in order, and the program stream that they carry from where it can be read."""

import struct
from typing import NamedTuple

_HEAD = struct.Struct(">BBHII")
_MODULUS = 1 << 16
_HELD = 64
"""Packets that wait for one before them; then that one is given up."""
_LATE = 64
"""Packets in a row that are older than what was passed on: the sender began to count anew."""
_MOST_LEFT_OUT = 2_000
"""Packets without a map, some seconds of them."""
_PACK, _MAP = b"\x00\x00\x01\xba", b"\x00\x00\x01\xbc"
"""Beginning of a pack of a program stream, and of the map of its streams, which comes with each key frame (ISO/IEC 13818-1)."""


class Packet(NamedTuple):
    """An RTP packet."""

    ssrc: int
    number: int
    payload: bytes


def read_packet(data: bytes) -> Packet | None:
    """Read a packet; None: it is none."""
    if len(data) < _HEAD.size:
        return None
    first, _, number, _, ssrc = _HEAD.unpack_from(data)
    if first >> 6 != 2:
        return None
    begin = _HEAD.size + 4 * (first & 0xF)
    if first & 0x10:  # an extension
        if len(data) < begin + 4:
            return None
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4])
    end = len(data) - (data[-1] if first & 0x20 else 0)
    return Packet(ssrc, number, data[begin:end]) if begin <= end else None


class Ordering:
    """Puts packets in the order of their numbers; what is lost is left out."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, bytes] = {}
        self._late = 0

    def take(self, number: int, payload: bytes) -> list[bytes]:
        """Take a packet, and return what can be passed on now."""
        if self._next is None:
            self._next = number
        ahead = (number - self._next) % _MODULUS
        if ahead >= _MODULUS // 2:
            self._late += 1
            if self._late <= _LATE:
                return []
            self._next, self._held = number, {}
        self._late = 0
        self._held[number] = payload
        if self._next not in self._held and len(self._held) > _HELD:
            self._next = min(self._held, key=lambda one: (one - (self._next or 0)) % _MODULUS)
        ready = []
        while (found := self._held.pop(self._next, None)) is not None:
            ready.append(found)
            self._next = (self._next + 1) % _MODULUS
        return ready


class ProgramStream:
    """A program stream from the first pack on that has a map of its streams, and so a key frame: what comes before is left out.

    Where no map comes for long, it begins with any pack.
    """

    def __init__(self) -> None:
        self._left_out = 0
        self._has_begun = False

    def take(self, payload: bytes) -> bytes:
        """Return what of the payload of the next packet is to be passed on."""
        if self._has_begun:
            return payload
        mapped = payload.find(_MAP) if self._left_out < _MOST_LEFT_OUT else len(payload)
        begun = payload.rfind(_PACK, 0, mapped) if mapped >= 0 else -1
        self._has_begun = begun >= 0
        self._left_out += 1
        return payload[begun:] if self._has_begun else b""
