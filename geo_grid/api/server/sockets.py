"""Connections of clients: how many, from where, how much one may ask at once, and how long keep the server waiting.

The HTTP server itself waits for ever for the end of a request's headers, however long they become, and for a reader to
read.
"""

import asyncio
import contextlib
import ipaddress
import logging
import resource
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from geo_grid.access.credentials import neighbourhood
from geo_grid.api.server.networks import read_networks
from geo_grid.errors import GivenUp
from geo_grid.settings import Settings

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_NOBODY_WAITS = "nobody waits for this any more"
_HEAD = 1 << 16
"""Bytes of a request beside its body: its line and headers, what is between two parts of its body, and after it."""
_PARAMETERS, _COOKIES, _CHOICES = 200, 100, 100
"""Of one request: each is decoded, looked at and told of if it is unknown, so that thousands take as long as hundreds of
requests."""
_PIPELINED = 16
"""Requests of one connection that may wait for the answer to one before."""
_HEADERS_S = 15.0
"""Within so many seconds of its beginning, or of its last answer, a connection brings the whole head of a request."""
_BODY_S = 60.0
"""Within so many seconds the next part of a body comes, while it is waited for."""
_READING_S = 30.0
"""Within so many seconds a client takes some of what waits for it."""
_UNSENT = 256 << 20
"""Bytes of answers that may wait in memory for all clients together; then those with the most are cut off."""
_ENOUGH = 1 << 16
"""Descriptors; more than this is not asked for."""
_TAKEN_IN, _QUEUE = 16, 2048
"""Connections taken in before those taken in are looked at, so that descriptors never run out meanwhile; and how many
may wait for that."""
_KEPT_BACK = 128
"""Descriptors kept for the database, the processes that know roads, files and logs."""


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Doorkeeper:
    """Admits connections, and closes those that keep the server waiting."""

    def __init__(self, settings: Settings) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = _ENOUGH if soft == resource.RLIM_INFINITY else min(soft, _ENOUGH)
        self.most = max(16, soft - _KEPT_BACK)
        self.of_address = min(settings.connections_per_address, max(8, self.most // 2))
        self._proxies = read_networks(settings.trusted_proxies)
        self._all: dict[Connection, None] = {}  # in the order they came
        self._by_network: dict[str, dict[Connection, None]] = {}
        self._refused = 0

    def admit(self, connection: "Connection") -> bool:
        """Take a connection in; where there are too many, in place of the oldest that has nothing asked, if there is one."""
        own = self._by_network.get(neighbourhood(connection.address), {})
        is_many = len(own) >= self.of_address and not self._is_proxy(connection.address)
        if (is_many and not _give_up_one(own)) or (len(self._all) >= self.most and not _give_up_one(self._all)):
            self._refused += 1
            return False
        self._all[connection] = None
        self._by_network.setdefault(neighbourhood(connection.address), {})[connection] = None
        return True

    def leave(self, connection: "Connection") -> None:
        """Forget a connection that is over."""
        self._all.pop(connection, None)
        own = self._by_network.get(neighbourhood(connection.address), {})
        own.pop(connection, None)
        if not own:
            self._by_network.pop(neighbourhood(connection.address), None)

    async def watch(self) -> None:
        """Look after all connections, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_S)
            self._look(loop.time())

    def _look(self, now: float) -> None:
        unsent = []
        for connection in list(self._all):
            waits = connection.unsent(now)
            if connection.is_overdue(now):
                connection.transport.abort()
            elif waits:
                unsent.append((waits, connection))
        total = sum(waits for waits, _ in unsent)
        for waits, connection in sorted(unsent, key=lambda one: one[0], reverse=True):
            if total <= _UNSENT:
                break
            connection.transport.abort()
            total -= waits
        if self._refused:
            log.warning("%d connections were refused: there are too many, or too many of one address", self._refused)
            self._refused = 0

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:  # no address: a socket in the file system
            return True
        return any(known in network for network in self._proxies)


def _give_up_one(connections: "dict[Connection, None]") -> bool:
    for connection in connections:
        if connection.waiting_since is not None:
            connection.keeper.leave(connection)  # now, not when the loop comes to it
            connection.transport.abort()
            return True
    return False


class Config(uvicorn.Config):
    """Settings of the HTTP server, with whom it asks about connections."""

    def __init__(self, app: Any, settings: Settings, **options: Any) -> None:
        super().__init__(
            app,
            http=Connection,
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=_TAKEN_IN,
            proxy_headers=False,  # Identified reads them, and only from proxies that are trusted
            **options,
        )
        self.keeper = Doorkeeper(settings)


class Server(uvicorn.Server):
    """The HTTP server, whose connections are looked after."""

    _watching: asyncio.Task[None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(_QUEUE)  # asyncio takes in as many at once as it was told may wait
        if isinstance(self.config, Config):
            self._watching = asyncio.create_task(self.config.keeper.watch())


class Connection(HttpToolsProtocol):
    """One connection of a client.

    Attributes
    ----------
    waiting_since
        When it was made or last answered, on the loop's clock, while the head of its next request is not here; else None.
    is_ending
        The server ends: what never ends by itself does so now.
    """

    waiting_since: float | None = None
    is_ending: bool = False
    address: str = ""
    _heard: float = 0.0
    _beside_body: int = 0
    _parts: list[bytes]
    _unsent: int = 0
    _moved: float = 0.0
    _reason: str = ""
    _to_end: set[asyncio.Task[object]]
    _when_ending: set[Callable[[], None]]

    @property
    def keeper(self) -> Doorkeeper:
        """Who looks after it."""
        found: Doorkeeper = self.config.keeper  # type: ignore[attr-defined]
        return found

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or be refused."""
        super().connection_made(transport)
        # asyncio does it only for sockets that name their protocol; with it off, every second part of a small answer waits
        # 40 ms for the client's delayed acknowledgement (RFC 896, RFC 1122 4.2.3.2)
        connected: socket.socket = transport.get_extra_info("socket")
        if connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = self.client[0] if self.client else ""
        self._parts = []
        self._to_end = set()
        self._when_ending = set()
        self.waiting_since = self._heard = self._moved = self.loop.time()
        if not self.keeper.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and whatever only the client waited for."""
        self.keeper.leave(self)
        super().connection_lost(exc)
        if self.cycle is None or self.cycle.response_complete:
            return  # it has the whole answer; what ends after that would be taken for given up, and answered again
        for task in self._to_end:
            task.cancel()

    def has_left(self) -> bool:
        """Say whether the client has closed the connection, even if the loop, being busy, has not taken notice yet."""
        if self.transport.is_closing():
            return True
        look = select.poll()
        look.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(look.poll(0))

    @contextlib.contextmanager
    def wanted(self) -> Iterator[None]:
        """Cancel the task that runs this when the client leaves. Raises GivenUp in place of that."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError
        self._to_end.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self.transport.is_closing() or task.uncancel():
                raise
            raise GivenUp(_NOBODY_WAITS) from None
        finally:
            self._to_end.discard(task)

    @contextlib.contextmanager
    def ending(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have `tell` called when the server ends, while the context lasts."""
        self._when_ending.add(tell)
        try:
            yield
        finally:
            self._when_ending.discard(tell)

    def shutdown(self) -> None:
        """Close after the answer that is on its way, for the server ends; a stream that never ends is told to."""
        self.is_ending = True
        super().shutdown()
        for tell in list(self._when_ending):
            tell()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; the parser would keep a head of any length, and copy it with every part that comes."""
        if self.transport.is_closing():
            return  # it was refused: what it had sent by then is nobody's
        if self.has_left():
            self.transport.abort()  # not even read: who comes and goes would keep a busy loop busy
            return
        self._heard = self.loop.time()
        self._beside_body += len(data)
        super().data_received(data)
        self._hand_on()
        if self._beside_body > _HEAD and not self.transport.is_closing():
            self._refuse(431, f"A request may have {_HEAD} bytes beside its body.")

    def on_message_begin(self) -> None:
        """Begin to read a request, unless too many wait already: each is kept until those before it are answered."""
        if len(self.pipeline) >= _PIPELINED:
            message = "too many requests wait on one connection"
            raise ValueError(message)  # the parser gives up, and the client is told that this is no HTTP
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin a request, unless it says more than any of ours takes."""
        cookies = sum(value.count(b";") for name, value in self.headers if name == b"cookie")
        choices = sum(value.count(b",") for name, value in self.headers if name.startswith(b"accept"))
        if self.url.count(b"&") >= _PARAMETERS or cookies >= _COOKIES or choices >= _CHOICES:
            self._reason = f"A request may have {_PARAMETERS} parameters, {_COOKIES} cookies and accept {_CHOICES} forms of answers."
            raise ValueError(self._reason)  # the parser gives up, and the client is told
        self.waiting_since = None
        self._beside_body = 0
        self.scope["geo_grid.client"] = self  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take part of a body: as long as there is more of it, what is around it may be long, as it is of small parts."""
        self._beside_body = 0
        self._parts.append(body)

    def _hand_on(self) -> None:
        """Hand the parts of a body on together: one by one, each would copy all that wait."""
        if self._parts:
            body = b"".join(self._parts)
            self._parts.clear()
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._beside_body = 0
        self._hand_on()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and forget those that wait."""
        self._refuse(400, self._reason or msg)

    def _refuse(self, status: int, message: str) -> None:
        """Answer and close, or only close when another answer is on its way."""
        self.pipeline.clear()
        if self.cycle is None or self.cycle.response_complete:
            content = message.encode()
            self.transport.write(
                STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(content), content)
            )
            self.transport.close()
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request, if none is here."""
        super().on_response_complete()
        if self.cycle.response_complete:
            self.waiting_since = self.loop.time()

    def resume_writing(self) -> None:
        """Go on sending: the client took some."""
        self._moved = self.loop.time()
        super().resume_writing()

    def unsent(self, now: float) -> int:
        """Return how many bytes wait for the client to take them, and note whether it took some."""
        waits = int(self.transport.get_write_buffer_size())
        if waits < self._unsent or not waits:
            self._moved = now
        self._unsent = waits
        return waits

    def is_overdue(self, now: float) -> bool:
        """Say whether the client has kept the server waiting for too long."""
        if self._unsent and now - self._moved > _READING_S:
            return True
        if self.waiting_since is not None:
            return not self._unsent and now - self.waiting_since > _HEADERS_S
        is_body_awaited = self.cycle is not None and self.cycle.more_body and not self.flow.read_paused
        return is_body_awaited and now - self._heard > _BODY_S
