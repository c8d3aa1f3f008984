"""What surrounds a body has an end: the parser would keep all of it, and copy it with every part that comes."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from geo_grid.db import Cluster
from tests.conftest import live_server
from tests.databases import new_database

_POST = b"POST /session HTTP/1.1\r\nHost: city\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_LARGE = b"a" * 4000
_TAKEN = 8 << 20
"""Bytes that the system's own buffers take on the way, and more."""


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> Iterator[tuple[str, int]]:
    with new_database(cluster, "endless") as database, live_server(database) as url:
        yield ("127.0.0.1", int(urlsplit(url).port or 0))


def sent_until_refused(address: tuple[str, int], begin: bytes, more: bytes) -> int:
    """Send for as long as somebody takes it; return how much that was."""
    with socket.create_connection(address, timeout=10) as connection:
        sent = 0
        with contextlib.suppress(OSError):
            connection.sendall(begin)
            while sent < _TAKEN:
                connection.sendall(more)
                sent += len(more)
        return sent


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: " + _LARGE + b"\r\n"),
        (b"GET / HTTP/1.1\r\nX: ", _LARGE),
        (b"GET /", _LARGE),
        (_POST + b"2\r\n{}\r\n0\r\n", b"X: " + _LARGE + b"\r\n"),
        (_POST + b"1;", _LARGE),
        (b"", b"GET /healthz HTTP/1.1\r\nHost: city\r\n\r\n" * 1000),
    ],
    ids=["headers", "header", "address", "trailers", "chunk extension", "requests nobody reads the answers of"],
)
def test_it_is_refused(address: tuple[str, int], begin: bytes, more: bytes) -> None:
    assert sent_until_refused(address, begin, more) < _TAKEN


def test_a_head_that_is_too_long_is_told_so(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 431 ")


def test_a_body_of_small_parts_is_taken(address: tuple[str, int]) -> None:
    body = b'{"password": "' + b"x" * 15_000 + b'"}'  # and 75 kB around its parts
    parts = b"".join(b"1\r\n%c\r\n" % octet for octet in body) + b"0\r\n\r\n"
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(_POST + parts)
        answer = b""
        while not answer.endswith(b"}") and (more := connection.recv(1 << 16)):
            answer += more
        assert b"String should have at most 256 characters" in answer  # all of it was read


def test_a_few_requests_may_wait_for_each_other(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: city\r\n\r\n" * 10)
        answers = b""
        while answers.count(b"HTTP/1.1 200 ") < 10 and (more := connection.recv(1 << 16)):
            answers += more
        assert answers.count(b"HTTP/1.1 200 ") == 10


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz?" + b"&".join(b"a%d" % number for number in range(300)) + b" HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nCookie: " + b"; ".join(b"a%d=1" % number for number in range(300)) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nAccept-Encoding: " + b"a," * 300 + b"\r\n",
    ],
    ids=["parameters", "cookies", "choices"],
)
def test_a_request_may_say_only_so_much(address: tuple[str, int], head: bytes) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head + b"Host: city\r\n\r\n")
        told = connection.recv(1 << 16)
        assert told.startswith(b"HTTP/1.1 400 ")
        assert b"200 parameters, 100 cookies" in told


def test_faults_without_end_are_told_to_an_end(address: tuple[str, int]) -> None:
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
        fields = {f"a{number}": 1 for number in range(1_000)}
        refused = client.post("/session", json=fields)
        assert refused.status_code == 422
        assert 0 < len(refused.json()["errors"]) <= 50
        many = client.post("/session", content=b"{" + b",".join(b'"%x":1' % number for number in range(2_000)) + b"}")
        assert many.status_code in (413, 422)
        named = client.post(
            "/session", content=b"{" + b",".join(b'"%x":1' % number for number in range(1_900)) + b"}" + b" :" * 700
        )
        assert named.status_code == 413  # each name that nobody knows is found out by itself
        assert "names more than" in named.json()["detail"]


@pytest.mark.parametrize("name", [b"Host", b"Accept", b"Authorization", b"Cookie", b"Accept-Encoding", b"Origin"])
def test_headers_in_no_alphabet_are_no_fault_of_ours(address: tuple[str, int], name: bytes) -> None:
    value = {b"Authorization": b"Basic \xff\xff", b"Cookie": b"\xff=\xff"}.get(name, b"\xff\xfe")
    host = b"" if name == b"Host" else b"Host: city\r\n"
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\n" + host + name + b": " + value + b"\r\nConnection: close\r\n\r\n"
        )
        status = int(connection.recv(1 << 16).split()[1])
    assert status < 500
