"""Cameras that speak RTSP, each on a port of the loopback, with the picture of ffmpeg's own test source."""

import contextlib
import hashlib
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ENCODERS = {
    "H264": ("libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline"),
    "H265": ("libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=none"),
    "MPEG4": ("mpeg4",),
}
REALM, NONCE = "camera", "0123456789abcdef"


class Source:
    """ffmpeg's test source, sent by itself as RTP to this process, which hands it to those who play it."""

    def __init__(self, codec: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._players: list[tuple[socket.socket, threading.Lock]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="geo_grid_source_")
        sdp = Path(self._folder.name) / "source.sdp"
        encoder, *more = ENCODERS[codec]
        self._program = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25",
             "-c:v", encoder, *more, "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0", "-sdp_file", str(sdp),
             "-f", "rtp", f"rtp://127.0.0.1:{self._socket.getsockname()[1]}?pkt_size=1200"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        threading.Thread(target=self._hand_on, daemon=True).start()
        deadline = time.monotonic() + 90
        while not sdp.is_file() or "m=video" not in sdp.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.description = re.sub(r"m=video \d+", "m=video 0", sdp.read_text()).strip() + "\r\na=control:track1\r\n"

    def play(self, player: socket.socket, lock: threading.Lock) -> None:
        self._players.append((player, lock))

    def leave(self, player: socket.socket) -> None:
        self._players = [one for one in self._players if one[0] is not player]

    def end(self) -> None:
        self._program.kill()
        self._program.wait()
        self._socket.close()
        self._folder.cleanup()

    def _hand_on(self) -> None:
        while True:
            try:
                packet = self._socket.recv(65536)
            except OSError:
                return
            for one in list(self._players):
                try:
                    with one[1]:
                        one[0].sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
                except OSError:
                    self.leave(one[0])


class Camera:
    """An RTSP server with one stream, /live?token=SECRET-TOKEN.

    Parameters
    ----------
    login
        Name and password that it wants (Digest); None: none.
    manner
        plays; slams (ends the connection when the password is wrong); hangs (takes connections and says nothing); redirects (to `elsewhere`); falls_silent (after a second).

    Attributes
    ----------
    heads
        The heads of all requests.
    """

    PATH = "/live?token=SECRET-TOKEN"

    def __init__(
        self, source: Source | None, manner: str = "plays", login: tuple[str, str] | None = None, elsewhere: int = 0
    ) -> None:
        self._source, self._manner, self._login, self._elsewhere = source, manner, login, elsewhere
        self.heads: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def playing(self) -> int:
        """Connections that are open still."""
        return sum(one.fileno() >= 0 for one in self._open)

    def end(self) -> None:
        self._listening.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        while True:
            try:
                player, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(player)
            threading.Thread(target=self._talk, args=(player,), daemon=True).start()

    def _talk(self, player: socket.socket) -> None:
        lock = threading.Lock()
        with player, player.makefile("rb") as said, contextlib.suppress(OSError, ValueError):
            while first := said.read(1):
                if first == b"$":
                    said.read(int.from_bytes(said.read(3)[1:], "big"))
                    continue
                head = first
                while not head.endswith(b"\r\n\r\n"):
                    head += said.readline()
                self.heads.append(head.decode())
                if self._manner == "hangs":
                    continue
                answer, plays = self._answer(head.decode())
                if self._manner == "slams" and b"401" in answer and "Authorization" in head.decode():
                    player.shutdown(socket.SHUT_RDWR)
                    return
                with lock:
                    player.sendall(answer)
                if plays and self._source:
                    self._source.play(player, lock)
                    if self._manner == "falls_silent":
                        time.sleep(1)
                        self._source.leave(player)

    def _answer(self, head: str) -> tuple[bytes, bool]:
        method, uri, _ = head.splitlines()[0].split(" ")
        number = re.search(r"(?im)^cseq: *(\d+)", head)[1]
        status, more, body = "200 OK", "", ""
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif self._manner == "redirects":
            status, more = "302 Moved", f"Location: rtsp://127.0.0.1:{self._elsewhere}{self.PATH}\r\n"
        elif self._login and not self._is_right(head, method, uri):
            status, more = "401 Unauthorized", f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}"\r\n'
        elif method == "DESCRIBE" and not uri.endswith(self.PATH):
            status = "404 Not Found"
        elif method == "DESCRIBE":
            assert self._source is not None
            body = self._source.description
            more = f"Content-Base: {uri}/\r\nContent-Type: application/sdp\r\n"
        elif method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1;timeout=60\r\n"
        elif method == "PLAY":
            more = "Session: 1\r\nRange: npt=0-\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}{length}\r\n{body}".encode(), method == "PLAY"

    def _is_right(self, head: str, method: str, uri: str) -> bool:
        assert self._login is not None
        name, password = self._login
        told = re.search(r'response="(\w+)"', head)

        def digest(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        right = digest(f"{digest(f'{name}:{REALM}:{password}')}:{NONCE}:{digest(f'{method}:{uri}')}")
        return told is not None and told[1] == right


@contextlib.contextmanager
def camera(source: Source | None, manner: str = "plays", **more: object) -> Iterator[Camera]:
    made = Camera(source, manner, **more)
    try:
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def source(codec: str = "H264") -> Iterator[Source]:
    made = Source(codec)
    try:
        yield made
    finally:
        made.end()
