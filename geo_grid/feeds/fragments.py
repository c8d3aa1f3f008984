"""Fragmented MP4 (ISO/IEC 14496-12) as ffmpeg writes it to a pipe, cut into what HLS hands out: nothing of it is a file."""

import struct
from collections import deque
from dataclasses import dataclass

from geo_grid.feeds.rtsp import BrokenStream

_LARGEST_BOX = 16 << 20
_KEPT_S, _KEPT_BYTES = 8.0, 24 << 20
"""Of a feed the newest so many seconds are in memory, and no more bytes than these."""


@dataclass(frozen=True)
class Fragment:
    """Some tenths of a second of a picture: `moof` and `mdat`; they follow each other without a gap."""

    number: int
    seconds: float
    content: bytes


class Fragments:
    """The newest seconds of one feed, in memory.

    Attributes
    ----------
    beginning
        `ftyp` and `moov`, which a player needs once; None before they came.
    codec
        As RFC 6381 names it, for example avc1.64001F; None before.
    """

    def __init__(self) -> None:
        self.beginning: bytes | None = None
        self.codec: str | None = None
        self._kept: deque[Fragment] = deque()
        self._next = 0
        self._rest = bytearray()
        self._head = bytearray()
        self._moof: bytes | None = None
        self._timescale = 0
        self._default_duration = 0

    def take(self, block: bytes) -> bool:
        """Take what ffmpeg wrote; say whether a fragment became whole. Raises BrokenStream: it is no fragmented MP4."""
        self._rest += block
        is_more = False
        while (box := self._box()) is not None:
            kind, content = box
            if self.beginning is None:
                self._head += content
                if kind == b"moov":
                    self._begin(content)
            elif kind == b"moof":
                self._moof = content
            elif kind == b"mdat" and self._moof is not None:
                self._keep(self._moof, content)
                self._moof, is_more = None, True
        return is_more

    def find(self, number: int) -> Fragment | None:
        """Return a fragment that is kept."""
        return next((one for one in self._kept if one.number == number), None)

    def playlist(self) -> str:
        """Return the HLS playlist (RFC 8216) of what is kept."""
        longest = max((one.seconds for one in self._kept), default=1.0)
        lines = [
            "#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, round(longest))}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._kept[0].number if self._kept else self._next}",
            '#EXT-X-MAP:URI="init.mp4"',
        ]  # fmt: skip
        for one in self._kept:
            lines += [f"#EXTINF:{one.seconds:.3f},", f"{one.number}.m4s"]
        return "\n".join([*lines, ""])

    @property
    def has_picture(self) -> bool:
        """Whether there is something to see."""
        return bool(self._kept)

    def forget(self) -> None:
        """Drop every picture."""
        self.beginning, self._moof = None, None
        self._kept.clear()
        self._rest.clear()
        self._head.clear()

    def _box(self) -> tuple[bytes, bytes] | None:
        """Take the next whole box off what was written."""
        if len(self._rest) < 8:
            return None
        length, kind = struct.unpack_from(">I4s", self._rest)
        if not 8 <= length <= _LARGEST_BOX:
            message = "what ffmpeg makes of it is too large, or no MP4"
            raise BrokenStream(message)
        if len(self._rest) < length:
            return None
        content = bytes(self._rest[:length])
        del self._rest[:length]
        return kind, content

    def _begin(self, moov: bytes) -> None:
        mdhd, entry = _found(moov, "trak", "mdia", "mdhd"), _found(moov, "trak", "mdia", "minf", "stbl", "stsd")
        trex = _found(moov, "mvex", "trex")
        try:
            self._timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0]
            self._default_duration = struct.unpack_from(">I", trex, 12)[0]
            self.codec = _codec(entry)
        except (struct.error, IndexError):
            self._timescale = 0
        if not self._timescale:
            message = "what ffmpeg makes of it has no picture in it"
            raise BrokenStream(message)
        self.beginning = bytes(self._head)
        self._head.clear()

    def _keep(self, moof: bytes, mdat: bytes) -> None:
        ticks = _duration(moof, self._default_duration)
        self._kept.append(Fragment(self._next, ticks / self._timescale, moof + mdat))
        self._next += 1
        while len(self._kept) > 1 and (
            sum(one.seconds for one in self._kept) > _KEPT_S
            or sum(len(one.content) for one in self._kept) > _KEPT_BYTES
        ):
            self._kept.popleft()


def _found(box: bytes, *path: str) -> bytes:
    """Return the content of a box within boxes; empty: there is none."""
    content = box[8:]
    for name in path:
        at = 0
        while at + 8 <= len(content):
            length, kind = struct.unpack_from(">I4s", content, at)
            if length < 8:
                return b""
            if kind == name.encode():
                content = content[at + 8 : at + length]
                break
            at += length
        else:
            return b""
    return content


def _codec(stsd: bytes) -> str:
    """Return the name of the codec of a sample description (RFC 6381; ISO/IEC 14496-15, annex E for HEVC)."""
    kind = stsd[12:16].decode("latin-1")
    inner = stsd[8 + 86 :]  # of a visual sample entry 78 bytes stand before its own boxes
    at = 0
    while at + 8 <= len(inner):
        length, name = struct.unpack_from(">I4s", inner, at)
        if length < 8:
            break
        told = inner[at + 8 : at + length]
        if name == b"avcC":
            return f"{kind}.{told[1:4].hex().upper()}"
        if name == b"hvcC":
            space = ("", "A", "B", "C")[told[1] >> 6]
            flags = int(f"{struct.unpack_from('>I', told, 2)[0]:032b}"[::-1], 2)
            tier = "H" if told[1] & 0x20 else "L"
            constraints = told[6:12].rstrip(b"\0")
            return ".".join(
                [kind, f"{space}{told[1] & 0x1F}", f"{flags:X}", f"{tier}{told[12]}", *(f"{b:X}" for b in constraints)]
            )
        at += length
    return kind


def _duration(moof: bytes, default: int) -> int:
    """Return the ticks that the samples of a fragment last: of its one track (`tfhd`, `trun`)."""
    tfhd, trun = _found(moof, "traf", "tfhd"), _found(moof, "traf", "trun")
    try:
        flags, at = struct.unpack_from(">I", tfhd)[0] & 0xFFFFFF, 8
        at += (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
        if flags & 0x8:
            default = struct.unpack_from(">I", tfhd, at)[0]
        flags, count = struct.unpack_from(">II", trun)
        flags &= 0xFFFFFF
        if not flags & 0x100:
            return int(count * default)
        at = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
        step = 4 * bin(flags & 0xF00).count("1")
        durations: list[int] = [struct.unpack_from(">I", trun, at + number * step)[0] for number in range(count)]
        return sum(durations)
    except struct.error:
        message = "what ffmpeg makes of it is no fragmented MP4"
        raise BrokenStream(message) from None
