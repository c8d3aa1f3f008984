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
_NEW_PICTURE = b"\x00\x00\x00\x01\x09"  # an access unit delimiter


@cache
def pictures() -> tuple[bytes, ...]:
    """Two seconds of H.264, picture by picture; the first of each second is a key frame."""
    made = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", f"testsrc=size=320x180:rate={_RATE}", "-t", "2",
         "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-pix_fmt", "yuv420p",
         "-g", "25", "-bf", "0", "-x264-params", "aud=1:repeat-headers=1", "-f", "h264", "pipe:1"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return tuple(_NEW_PICTURE + part for part in made.stdout.split(_NEW_PICTURE)[1:])


def pack(picture: bytes, number: int) -> bytes:
    """One pack: clock, for a key frame the system header and the map of streams, and the picture."""
    at = 90_000 + number * 90_000 // _RATE
    clock = (0b01 << 46) | ((at >> 30 & 7) << 43) | (1 << 42) | ((at >> 15 & 0x7FFF) << 27) | (1 << 26)
    clock |= ((at & 0x7FFF) << 11) | (1 << 10) | 1
    made = b"\x00\x00\x01\xba" + clock.to_bytes(6) + b"\x00\x0f\xff\xf8"  # the rate in units of 50 bytes, no stuffing
    if number % _RATE == 0:
        made += b"\x00\x00\x01\xbb" + struct.pack(">H", 9) + b"\x80\x07\xff\x04\xe1\x7f\xe0\xe0\xff"
        streams = b"\x1b\xe0\x00\x00"  # H.264, stream E0
        told = b"\xe0\xff\x00\x00" + struct.pack(">H", len(streams)) + streams + b"\0\0\0\0"  # nobody checks its sum
        made += b"\x00\x00\x01\xbc" + struct.pack(">H", len(told)) + told
    stamp = bytes([0x21 | at >> 29 & 0xE]) + struct.pack(">HH", (at >> 14 & 0xFFFE) | 1, (at << 1 & 0xFFFE) | 1)
    for start in range(0, len(picture), _MOST_PES):
        part = picture[start : start + _MOST_PES]
        head = b"\x80\x80\x05" + stamp if start == 0 else b"\x80\x00\x00"
        made += b"\x00\x00\x01\xe0" + struct.pack(">H", len(head) + len(part)) + head + part
    return made


def packets(number: int, first: int, ssrc: int) -> list[bytes]:
    """The RTP packets of picture `number`, of which the first has the sequence number `first`."""
    whole = pack(pictures()[number % len(pictures())], number)
    parts = [whole[start : start + _MOST_RTP] for start in range(0, len(whole), _MOST_RTP)]
    return [
        struct.pack(
            ">BBHII", 0x80, 96 | (0x80 if place == len(parts) - 1 else 0), (first + place) % 65536, number * 3600, ssrc
        )
        + part
        for place, part in enumerate(parts)
    ]


@contextlib.contextmanager
def sending(host: str, port: int, ssrc: int, transport: str, from_host: str = "127.0.0.1") -> Iterator[threading.Event]:
    """Send the picture, in its own time, while the context lasts; the event that is given ends it before."""
    pictures()
    over = threading.Event()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as out:
        out.bind((from_host, 0))
        out.connect((host, port))

        def send() -> None:
            sequence, began = 65_500, time.monotonic()  # it begins anew soon
            for number in range(10**6):
                for packet in packets(number, sequence, ssrc):
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
            yield over
        finally:
            over.set()
            thread.join()
