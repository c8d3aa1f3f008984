"""Sending one letter: signed, to an address that was looked at before it is connected to, within seconds, followed nowhere."""

import json
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import httpcore2
from standardwebhooks import Webhook

from geo_grid.hooks.addresses import Network, may_be_told, read_address

_MOST_TRIED = 3
"""Addresses of one name that are tried."""


@dataclass(frozen=True)
class Letter:
    """A letter that is due."""

    letter_id: int
    hook_id: int
    url: str
    secret: str
    kind: str
    subject: str
    payload: dict[str, Any]
    made_at: datetime
    attempts: int

    @property
    def body(self) -> str:
        """The same text at each try (Standard Webhooks: type, timestamp, data)."""
        told = {"type": self.kind, "timestamp": self.made_at.astimezone(UTC).isoformat(), "data": self.payload}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Outcome:
    """What became of a letter.

    Attributes
    ----------
    state
        taken: answered with 2xx. refused: answered otherwise. gone: answered with 410. away: not answered at all.
    why
        What is told about it; empty: it was taken.
    """

    state: Literal["taken", "refused", "gone", "away"]
    why: str = ""


class Sender:
    """Sends letters; may be used by several threads.

    Parameters
    ----------
    listed
        Networks besides the public addresses that letters may go to.
    timeout_s
        Longest a letter may take, from the first packet to the answer's status; the lookup of the name comes before.
    """

    def __init__(self, listed: Sequence[Network], timeout_s: float) -> None:
        self._listed, self._timeout_s = tuple(listed), timeout_s

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made for the first letter over TLS: to read all trusted certificates takes 30 ms of the start of a server."""
        return ssl.create_default_context()

    def send(self, letter: Letter) -> Outcome:
        """Send a letter and wait for the status of the answer, whose body is not read."""
        body, now = letter.body, datetime.now(UTC)
        name = f"msg_{letter.hook_id}_{letter.letter_id}"
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "user-agent": "geo_grid",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(letter.secret).sign(name, now, body),
        }
        deadline = time.monotonic() + self._timeout_s
        is_plain = letter.url.startswith("http:")
        looked_at, tls = _LookedAt(self._listed, is_plain, deadline), None if is_plain else self._tls
        try:
            with (
                httpcore2.ConnectionPool(tls, network_backend=looked_at, max_connections=1) as connections,
                connections.stream("POST", letter.url, headers=headers, content=body.encode()) as answer,
            ):
                status = answer.status
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            return Outcome("away", f"{type(error).__name__}: {error}".rstrip(": "))
        if 200 <= status < 300:
            return Outcome("taken")
        if status == 410:
            return Outcome("gone", "answered 410: it wants no more letters")
        more = ": redirects are not followed, give the address itself" if 300 <= status < 400 else ""
        return Outcome("refused", f"answered {status}{more}")


class _LookedAt(httpcore2.NetworkBackend):
    """Connects to addresses of a name that letters may go to, and to the very ones that were looked at."""

    def __init__(self, listed: Sequence[Network], is_plain: bool, deadline: float) -> None:
        self._listed, self._is_plain, self._deadline = listed, is_plain, deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Look the name up, and connect to the first address that may be told and answers. Raises ConnectError."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            message = f"{host} is not known: {error}"
            raise httpcore2.ConnectError(message) from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        allowed = [address for address in addresses if self._may_be_told(address)]
        if not allowed:
            message = (
                f"{host} has no address that letters may go to: GEO_GRID_WEBHOOK_NETWORKS lists others than public ones"
            )
            raise httpcore2.ConnectError(message)
        told: Exception | None = None
        for address in allowed[:_MOST_TRIED]:
            try:
                left_s = _left_s(self._deadline)
                return _Hurried(self._inner.connect_tcp(address, port, left_s, None, socket_options), self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                told = error
        raise told or httpcore2.ConnectError(host)

    def _may_be_told(self, address: str) -> bool:
        read = read_address(address)
        return may_be_told(read, self._listed) and (read.is_loopback or not self._is_plain)


class _Hurried(httpcore2.NetworkStream):
    """A connection that ends at a deadline, however slowly the other side speaks."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come. Raises ReadTimeout."""
        return self._inner.read(max_bytes, _left_s(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all. Raises WriteTimeout."""
        self._inner.write(buffer, _left_s(self._deadline))

    def close(self) -> None:
        """Close it."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Begin TLS with the name of the hook's address, whichever IP address it has."""
        return _Hurried(self._inner.start_tls(ssl_context, server_hostname, _left_s(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Tell of the connection."""
        return self._inner.get_extra_info(info)


def _left_s(deadline: float) -> float:
    """Return the seconds that are left. Raises ReadTimeout: none are."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        message = "it did not answer in time"
        raise httpcore2.ReadTimeout(message)
    return left_s
