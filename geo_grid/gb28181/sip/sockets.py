"""The sockets: UDP and TCP on one port, with bounds on all that a stranger may make us hold.

A transport of aiosipua would do for friends: it keeps any number of connections, waits for ever for the rest of a message, and
sends answers where a header of the request says.
"""

import asyncio
import contextlib
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple, Self

from geo_grid.errors import SetupError

type Transport = Literal["udp", "tcp"]

LARGEST_HEAD, LARGEST_BODY, LARGEST_OF_STRANGERS = 16 << 10, 1 << 20, 16 << 10
"""Bytes of the headers of a message, of its body (some 1,300 items of a catalogue), and of the body of one who did not register
yet. UDP itself ends at 64 KB."""
_LARGEST_UNSENT = 1 << 20
_CONNECTIONS, _CONNECTIONS_EACH = 256, 16
_WHOLE_S, _STRANGER_S, _IDLE_S, _LOOK_S = 30.0, 30.0, 900.0, 2.0
"""Seconds for a message to come whole, for a connection to register, and for which a registered one may be silent."""
_RECEIVE_BUFFER = 4 << 20
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,10})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class Peer(NamedTuple):
    """Where a message came from, and where answers go: the address it was sent from, whatever its headers say."""

    transport: Transport
    host: str
    port: int


type Take = Callable[[bytes, Peer], None]


class Unframed(Exception):
    """A stream holds no message where one should begin, or one that is larger than it may be."""


class Framing:
    """Cuts a stream into messages by their Content-Length.

    Parameters
    ----------
    largest
        Most bytes of a body.
    """

    def __init__(self, largest: int = LARGEST_OF_STRANGERS) -> None:
        self.largest = largest
        self._held = bytearray()
        self._needed = 0

    @property
    def is_within(self) -> bool:
        """Whether a message has begun that is not whole."""
        return bool(self._held)

    def cut(self, data: bytes) -> list[bytes]:
        """Take bytes and return the messages that are whole now. Line ends between messages are keep-alives, and nothing else.

        Raises
        ------
        Unframed
            What comes is no message, or too large.
        """
        self._held += data
        whole = []
        while message := self._next():
            whole.append(message)
        return whole

    def _next(self) -> bytes | None:
        if not self._needed:
            blank = len(self._held) - len(self._held.lstrip(b"\r\n"))
            del self._held[:blank]
            end = self._held.find(_HEAD_END, 0, LARGEST_HEAD)
            if end < 0:
                if len(self._held) >= LARGEST_HEAD:
                    raise Unframed
                return None
            lengths = {int(one) for one in _LENGTH.findall(self._held, 0, end)}
            if len(lengths) != 1 or max(lengths) > self.largest:  # without a length nobody knows where the next begins
                raise Unframed
            self._needed = end + len(_HEAD_END) + lengths.pop()
        if len(self._held) < self._needed:
            return None
        message = bytes(self._held[: self._needed])
        del self._held[: self._needed]
        self._needed = 0
        return message


class Sockets:
    """UDP and TCP on one port. Use it on one event loop.

    Parameters
    ----------
    take
        Gets each message, and where it came from; it must not raise.
    refused
        Gets the address of a connection that was closed since it sent no SIP, or was one too many.
    """

    def __init__(self, take: Take, refused: Callable[[str, bool], None]) -> None:
        self.take, self._refused = take, refused
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: dict[Peer, _Connection] = {}
        self._each: Counter[str] = Counter()
        self.port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, host: str, port: int, take: Take, refused: Callable[[str, bool], None]
    ) -> AsyncIterator[Self]:
        """Open both while the context lasts.

        Raises
        ------
        SetupError
            The port is in use, or not permitted.
        """
        sockets, loop = cls(take, refused), asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: _Connection(sockets), host, port, backlog=64)
            sockets.port = server.sockets[0].getsockname()[1]
            try:
                udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(sockets), (host, sockets.port))
            except OSError:
                server.close()
                raise
        except OSError as error:
            message = (
                f"cannot listen to platforms on {host}:{port} (GEO_GRID_SIP_HOST, GEO_GRID_SIP_PORT): {error.strerror}"
            )
            raise SetupError(message) from None
        raw = udp.get_extra_info("socket")
        with contextlib.suppress(OSError):  # as much as the kernel allows: a catalogue comes in thousands of datagrams
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sockets._udp = udp
        looking = asyncio.create_task(sockets._look())
        try:
            yield sockets
        finally:
            looking.cancel()
            udp.close()
            server.close()
            for connection in list(sockets._tcp.values()):
                connection.close()
            await server.wait_closed()

    @property
    def connections(self) -> int:
        """How many TCP connections are open."""
        return len(self._tcp)

    def send(self, message: bytes, peer: Peer) -> bool:
        """Send a message; say whether there is a way to the peer."""
        if peer.transport == "tcp":
            connection = self._tcp.get(peer)
            return connection is not None and connection.send(message)
        if self._udp is None or self._udp.is_closing():
            return False
        self._udp.sendto(message, (peer.host, peer.port))
        return True

    def trust(self, peer: Peer) -> None:
        """Let a connection stay: who registered speaks through it."""
        if (connection := self._tcp.get(peer)) is not None:
            connection.trust()

    def address_towards(self, peer: Peer) -> str:
        """Return our own address, as the peer sees it."""
        if peer.transport == "tcp":
            connection = self._tcp.get(peer)
            return connection.local if connection is not None else ""
        family = socket.AF_INET6 if ":" in peer.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asking:  # connecting UDP asks for the route, and sends nothing
            try:
                asking.connect((peer.host, peer.port))
            except OSError:
                return ""
            return str(asking.getsockname()[0])

    def admit(self, connection: "_Connection") -> bool:
        """Take a connection in, unless it is one too many, of its address or of all."""
        host = connection.peer.host
        if len(self._tcp) >= _CONNECTIONS or self._each[host] >= _CONNECTIONS_EACH:
            self._refused(host, True)
            return False
        self._tcp[connection.peer] = connection
        self._each[host] += 1
        return True

    def forget(self, connection: "_Connection") -> None:
        """Forget a connection that is closed."""
        if self._tcp.get(connection.peer) is connection:
            del self._tcp[connection.peer]
            self._each[connection.peer.host] -= 1
            if not self._each[connection.peer.host]:
                del self._each[connection.peer.host]

    def unframed(self, connection: "_Connection") -> None:
        """Count a connection that is closed for what it sent."""
        self._refused(connection.peer.host, False)

    async def _look(self) -> None:
        """Close connections that wait too long: half a message, no registration, or nothing at all."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = asyncio.get_running_loop().time()
            for connection in [one for one in self._tcp.values() if one.is_overdue(now)]:
                connection.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Each datagram is a message; line ends alone are keep-alives."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.strip(b"\r\n\0"):
            self._sockets.take(data, Peer("udp", addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """A datagram of ours was not taken: whoever waits for its answer sends it again."""


class _Connection(asyncio.Protocol):
    """A TCP connection."""

    peer: Peer
    local: str

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._framing = Framing()
        self._transport: asyncio.Transport | None = None
        self._began = self._heard = 0.0
        self._is_trusted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._began = self._heard = asyncio.get_running_loop().time()
        self.peer, self.local = Peer("tcp", peer[0], peer[1]), local[0]
        if self._sockets.admit(self):
            self._transport = transport
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._sockets.forget(self)

    def data_received(self, data: bytes) -> None:
        if not self._framing.is_within:
            self._heard = asyncio.get_running_loop().time()  # the message that begins now must be whole in time
        try:
            messages = self._framing.cut(data)
        except Unframed:
            self._sockets.unframed(self)
            self.close()
            return
        if messages:
            self._heard = asyncio.get_running_loop().time()
        for message in messages:
            self._sockets.take(message, self.peer)

    def is_overdue(self, now: float) -> bool:
        """Say whether it waits too long: half a message, no registration, or silence."""
        if self._framing.is_within and now - self._heard > _WHOLE_S:
            return True
        return now - self._heard > _IDLE_S or (not self._is_trusted and now - self._began > _STRANGER_S)

    def trust(self) -> None:
        """Let it stay, and send catalogues."""
        self._is_trusted, self._framing.largest = True, LARGEST_BODY

    def send(self, message: bytes) -> bool:
        """Send a message, unless it is closed; one that does not read what it is sent is closed."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > _LARGEST_UNSENT:
            self.close()
            return False
        self._transport.write(message)
        return True

    def close(self) -> None:
        """Close it without waiting."""
        if self._transport is not None:
            self._transport.abort()
