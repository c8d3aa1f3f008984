"""The pictures of the demo's cameras: ffmpeg's test picture, over RTSP (RFC 2326) on the loopback, made while somebody watches."""

import contextlib
import logging
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geo_grid.feeds.rtsp import LONGEST_HEAD, BrokenStream, Message

log = logging.getLogger(__name__)

_MOST_PLAYERS = 16
_PATIENCE_S, _BEGINS_WITHIN_S = 60.0, 10.0
_PACKET_BYTES = 1200
_ANSWERS = {
    "OPTIONS": [("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")],
    "SETUP": [("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"), ("Session", "1;timeout=60")],
    "PLAY": [("Session", "1"), ("Range", "npt=0-")],
    "TEARDOWN": [],
    "GET_PARAMETER": [],
}


@dataclass(frozen=True)
class _Picture:
    """A running ffmpeg: how it describes its stream (SDP), and where its packets arrive."""

    description: str
    packets: socket.socket


@contextlib.contextmanager
def _picture(path: str) -> Iterator[_Picture]:
    """Make the test picture, H.264 with a key frame each second, in a colour that the path of the address gives.

    Raises
    ------
    OSError
        There is no ffmpeg, or it makes none.
    """
    program = shutil.which("ffmpeg", path="/usr/bin:/bin")
    if program is None:
        message = "the demo's pictures need ffmpeg"
        raise OSError(message)
    with (
        tempfile.TemporaryDirectory(prefix="geo_grid_picture_") as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets,
    ):
        packets.bind(("127.0.0.1", 0))
        packets.settimeout(_BEGINS_WITHIN_S)
        described = Path(folder) / "picture.sdp"
        colour = zlib.crc32(path.encode()) % 360
        running = subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", program, "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=640x360:rate=25",
             "-vf", f"hue=h={colour}", "-threads", "1", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
             "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0", "-sdp_file", str(described),
             "-f", "rtp", f"rtp://127.0.0.1:{packets.getsockname()[1]}?pkt_size={_PACKET_BYTES}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield _Picture(_description(described, running), packets)
        finally:
            running.kill()
            running.wait()


def _description(described: Path, running: subprocess.Popen[bytes]) -> str:
    """Wait for what ffmpeg says of its stream. Raises OSError."""
    deadline = time.monotonic() + _BEGINS_WITHIN_S
    while running.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if "m=video" in (told := described.read_text()):
                return re.sub(r"m=video \d+", "m=video 0", told).strip() + "\r\na=control:track1\r\n"
        time.sleep(0.02)
    message = "ffmpeg makes no picture"
    raise OSError(message)


class Pictures:
    """An RTSP server on a socket that listens already; every path has a picture. It ends with the process."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._places = threading.Semaphore(_MOST_PLAYERS)
        threading.Thread(target=self._take, daemon=True, name="pictures").start()

    def _take(self) -> None:
        while True:
            player, _ = self._listening.accept()
            if self._places.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(player,), daemon=True).start()
            else:
                player.close()

    def _serve(self, player: socket.socket) -> None:
        try:
            with player, contextlib.ExitStack() as until_left:
                player.settimeout(_PATIENCE_S)
                _Talk(player, until_left).go_on()
        except (OSError, ValueError, BrokenStream) as ended:
            log.info("a picture ended: %s", ended)
        finally:
            self._places.release()


class _Talk:
    """One connection of a player: its requests are answered, and from PLAY on it gets packets (interleaved, RFC 2326 10.12)."""

    def __init__(self, player: socket.socket, until_left: contextlib.ExitStack) -> None:
        self._player, self._until_left = player, until_left
        self._picture: _Picture | None = None
        self._writing = threading.Lock()

    def go_on(self) -> None:
        """Answer until the player leaves. Raises OSError, ValueError, BrokenStream."""
        said = self._until_left.enter_context(self._player.makefile("rb"))
        while first := said.read(1):
            if first == b"$":  # reports of the player on what it got
                said.read(int.from_bytes(said.read(3)[1:], "big"))
                continue
            head = first
            while not head.endswith(b"\r\n\r\n"):
                line = said.readline(LONGEST_HEAD)
                if not line or len(head) > LONGEST_HEAD:
                    return
                head += line
            request = Message.of_head(head)
            method, uri, _ = request.first.split(" ")
            with self._writing:
                self._player.sendall(self._answer(method, uri, request.header("cseq") or "0").written())
            if method == "PLAY" and self._picture:
                threading.Thread(target=self._send, args=(self._picture,), daemon=True).start()
            if method == "TEARDOWN":
                return

    def _answer(self, method: str, uri: str, number: str) -> Message:
        own = ("CSeq", number)
        if method == "DESCRIBE":
            if self._picture is None:
                self._picture = self._until_left.enter_context(_picture(uri))
            body = self._picture.description.encode()
            about = [
                ("Content-Base", f"{uri}/"),
                ("Content-Type", "application/sdp"),
                ("Content-Length", str(len(body))),
            ]
            return Message("RTSP/1.0 200 OK", [own, *about], body)
        if method not in _ANSWERS:
            return Message("RTSP/1.0 501 Not Implemented", [own])
        return Message("RTSP/1.0 200 OK", [own, *_ANSWERS[method]])

    def _send(self, picture: _Picture) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet = picture.packets.recv(65536)
                with self._writing:
                    self._player.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
