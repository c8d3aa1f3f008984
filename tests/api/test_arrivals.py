"""What is cheap to ask, and asked by strangers on hundreds of connections at once, keeps nobody waiting."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
_CROWD = 400


@contextlib.contextmanager
def asking_again_and_again(url: str, path: str) -> Iterator[None]:
    """Strangers at one address, on connections that ask the same as soon as they are answered."""
    host, port = "127.0.0.1", int(urlsplit(url).port or 0)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    crowd = [socket.create_connection((host, port), source_address=("127.0.0.5", 0)) for _ in range(_CROWD)]
    over = threading.Event()

    def ask() -> None:
        waiting = selectors.DefaultSelector()
        for one in crowd:
            one.sendall(request)
            waiting.register(one, selectors.EVENT_READ)
        while not over.is_set():
            for key, _ in waiting.select(0.1):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one.recv(1 << 16):
                    one.sendall(request)
                else:
                    waiting.unregister(one)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
        for one in crowd:
            one.close()


def longest(client: httpx.Client, path: str, params: dict[str, float] | None = None) -> float:
    """Ask a few times; return how long the longest took, in seconds."""
    took = []
    for _ in range(5):
        begun = time.monotonic()
        assert client.get(path, params=params).status_code == 200
        took.append(time.monotonic() - begun)
    return max(took)


def test_strangers_on_many_connections_keep_nobody_waiting(small_city: str) -> None:
    """Each step of a question waited for one step of each of theirs: with 500 connections a place took ten seconds."""
    with live_server(small_city) as url, bearing(url, api_key(small_city, "dispatcher")) as client:
        assert client.get("/locate", params=HERE).status_code == 200
        with asking_again_and_again(url, "/healthz"), httpx.Client(base_url=url) as stranger:
            time.sleep(1)
            assert longest(client, "/locate", HERE) < 0.5
            assert longest(stranger, "/readyz") < 0.5


def test_files_that_are_not_there_cost_nothing(small_city: str) -> None:
    """Of each folder in a path the file system was asked: 64 connections kept a log-in waiting for 12 s, 500 for minutes."""
    with live_server(small_city) as url, bearing(url, api_key(small_city, "dispatcher")) as client:
        assert client.get("/locate", params=HERE).status_code == 200
        assert client.get("/static/js/login.js").status_code == 200
        with asking_again_and_again(url, f"/static/{'a/' * 20_000}b"):
            time.sleep(1)
            assert longest(client, "/locate", HERE) < 0.5
            assert client.get(f"/static/{'a/' * 20_000}b").status_code == 404
