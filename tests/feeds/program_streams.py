"""A picture as platforms of GB/T 28181 send it: a program stream (ISO/IEC 13818-1) in RTP, written by hand from ffmpeg's test source."""

import contextlib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import cache

_RATE = 25
_MOST_PES, _MOST_RTP = 60_000, 1_400
CODECS = {
    "h264": (
        b"\x00\x00\x00\x01\x09",
        0x1B,
        ("libx264", "-profile:v", "baseline", "-x264-params", "aud=1:repeat-headers=1"),
    ),
    "hevc": (b"\x00\x00\x00\x01\x46", 0x24, ("libx265", "-x265-params", "aud=1:repeat-headers=1:log-level=none")),
}
"""What every picture begins with (an access unit delimiter), the type of the stream, and how ffmpeg encodes it."""


@cache
def pictures(codec: str) -> tuple[bytes, ...]:
    """Two seconds, picture by picture; the first of each second is a key frame."""
    begins, _, encoder = CODECS[codec]
    made = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", f"testsrc=size=320x180:rate={_RATE}", "-t", "2",
         "-c:v", *encoder, "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0",
         "-f", codec, "pipe:1"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return tuple(begins + part for part in made.stdout.split(begins)[1:])


def pack(picture: bytes, number: int, codec: str) -> bytes:
    """One pack: clock, for a key frame the system header and the map of streams, and the picture."""
    at = 90_000 + number * 90_000 // _RATE
    clock = (0b01 << 46) | ((at >> 30 & 7) << 43) | (1 << 42) | ((at >> 15 & 0x7FFF) << 27) | (1 << 26)
    clock |= ((at & 0x7FFF) << 11) | (1 << 10) | 1
    made = b"\x00\x00\x01\xba" + clock.to_bytes(6) + b"\x00\x0f\xff\xf8"  # the rate in units of 50 bytes, no stuffing
    if number % _RATE == 0:
        made += b"\x00\x00\x01\xbb" + struct.pack(">H", 9) + b"\x80\x07\xff\x04\xe1\x7f\xe0\xe0\xff"
        streams = bytes([CODECS[codec][1]]) + b"\xe0\x00\x00"  # stream E0
        told = b"\xe0\xff\x00\x00" + struct.pack(">H", len(streams)) + streams + b"\0\0\0\0"  # nobody checks its sum
        made += b"\x00\x00\x01\xbc" + struct.pack(">H", len(told)) + told
    stamp = bytes([0x21 | at >> 29 & 0xE]) + struct.pack(">HH", (at >> 14 & 0xFFFE) | 1, (at << 1 & 0xFFFE) | 1)
    for start in range(0, len(picture), _MOST_PES):
        part = picture[start : start + _MOST_PES]
        head = b"\x80\x80\x05" + stamp if start == 0 else b"\x80\x00\x00"
        made += b"\x00\x00\x01\xe0" + struct.pack(">H", len(head) + len(part)) + head + part
    return made


def packets(number: int, first: int, ssrc: int, codec: str = "h264") -> list[bytes]:
    """The RTP packets of picture `number`, of which the first has the sequence number `first`."""
    whole = pack(pictures(codec)[number % len(pictures(codec))], number, codec)
    parts = [whole[start : start + _MOST_RTP] for start in range(0, len(whole), _MOST_RTP)]
    return [
        struct.pack(
            ">BBHII", 0x80, 96 | (0x80 if place == len(parts) - 1 else 0), (first + place) % 65536, number * 3600, ssrc
        )
        + part
        for place, part in enumerate(parts)
    ]


@contextlib.contextmanager
def sending(
    host: str, port: int, ssrc: int, transport: str, from_host: str = "127.0.0.1", codec: str = "h264"
) -> Iterator[None]:
    """Send the picture, in its own time, while the context lasts."""
    pictures(codec)
    over = threading.Event()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as out:
        out.bind((from_host, 0))
        out.connect((host, port))

        def send() -> None:
            sequence, began = 65_500, time.monotonic()  # it begins anew soon
            for number in range(10**6):
                for packet in packets(number, sequence, ssrc, codec):
                    sequence += 1
                    framed = packet if transport == "udp" else struct.pack(">H", len(packet)) + packet
                    try:
                        out.sendall(framed)
                    except OSError:
                        return
                if over.wait(max(0.0, began + (number + 1) / _RATE - time.monotonic())):
                    return

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
