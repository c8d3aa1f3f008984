"""The process that becomes ffmpeg: `python -m geo_grid.feeds.child`, which puts the walls up first.

It leaves the network for one of its own in which there is the loopback alone, listens there, hands that socket to the server
by the descriptor it was given, and becomes ffmpeg, which can connect to nothing else. Where the machine lets no process leave
its network, it listens on the machine's loopback, the first who connects is taken, and the socket is closed.
"""

import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

from geo_grid.files.walls import alone, confine_client

_LIBRARIES = ("/usr/bin", "/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/dev/urandom")
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40
_MEMORY_BYTES = 512 << 20
_POLITE = 5
_FIRST = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error")
_INPUTS = {
    "rtsp": (
        "-rtsp_transport", "tcp", "-timeout", "15000000", "-allowed_media_types", "video",
        "-fflags", "+nobuffer+genpts", "-analyzeduration", "15000000", "-probesize", "8000000", "-fpsprobesize", "0",
        "-i", "rtsp://127.0.0.1:{port}{path}",
    ),
    # it begins with a key frame; ffmpeg looks for further streams in it as long as it may
    "ps": (
        "-f", "mpeg", "-fflags", "+nobuffer+genpts", "-analyzeduration", "1000000", "-probesize", "2000000", "-fpsprobesize", "0",
        "-i", "tcp://127.0.0.1:{port}?timeout=15000000",
    ),
}  # fmt: skip
_OUTPUT = (
    "-map", "0:v:0", "-c", "copy", "-an", "-dn", "-sn", "-map_metadata", "-1", "-fflags", "+bitexact",
    "-f", "mp4", "-movflags", "+empty_moov+default_base_moof+frag_keyframe+skip_trailer",
    "-frag_duration", "{fragment_us}", "-flush_packets", "1", "pipe:1",
)  # fmt: skip
FRAGMENT_S = 0.4
"""Seconds after which a fragment is cut at the latest where no frame is rarer."""


def main() -> None:
    """Put the walls up, hand over the socket, become ffmpeg."""
    program, descriptor, parent, processor_s, form, path = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(descriptor)) as server:
        if alone():
            _raise_loopback()
        if os.getppid() != int(parent):
            os._exit(0)  # the server ended before this process would have ended with it
        with socket.create_server(("127.0.0.1", 0), backlog=1) as listening:
            port = listening.getsockname()[1]
            socket.send_fds(server, [f"{port}".encode()], [listening.fileno()])
    os.nice(_POLITE)
    given = {"port": port, "path": path, "fragment_us": int(FRAGMENT_S * 1e6)}
    confine_client(map(Path, _LIBRARIES), port, _MEMORY_BYTES, int(processor_s))
    arguments = (*_FIRST, *_INPUTS[form], *_OUTPUT)
    os.execv(program, ["ffmpeg", *(argument.format(**given) for argument in arguments)])  # noqa: S606


def _raise_loopback() -> None:
    """Bring up the loopback of a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP | _IFF_RUNNING))


if __name__ == "__main__":
    main()
