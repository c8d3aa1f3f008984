"""Where a platform sends a picture: RTP over UDP, or over TCP with a length before each packet (RFC 4571)."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence

from geo_grid.errors import Busy
from geo_grid.feeds.packets import Ordering, ProgramStream, read_packet
from geo_grid.gb28181.media import MediaTransport

_MOST_WAITING = 8 << 20
"""Bytes of packets that wait to be taken; further ones are lost, or over TCP wait at their sender."""
_CONNECTIONS = 4
_COME_BACK_S = 5.0


class Receiver:
    """Takes the packets of one picture, from the addresses that are expected and from one sender alone (SSRC).

    Attributes
    ----------
    port
        Where they are sent.
    """

    def __init__(self) -> None:
        self.port = 0
        self._expected: frozenset[str] | None = None
        self._is_known, self._is_there = asyncio.Event(), asyncio.Event()
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._octets = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ssrc: int | None = None
        self._ordering, self._stream = Ordering(), ProgramStream()
        self._connections = 0

    def expect(self, addresses: Sequence[str]) -> None:
        """Say from where it comes; what other addresses sent is dropped."""
        self._expected = frozenset(addresses)
        self._is_known.set()

    async def read(self) -> bytes:
        """Wait for the next part of the program stream, which is never empty."""
        while True:
            await self._is_known.wait()
            part = b"".join(self._taken())
            if part:
                return part
            self._is_there.clear()
            await self._is_there.wait()

    def _taken(self) -> list[bytes]:
        parts = []
        while self._waiting:
            address, data = self._waiting.popleft()
            packet = read_packet(data) if self._expected is not None and address in self._expected else None
            if packet is None or self._ssrc not in (None, packet.ssrc):
                continue
            self._ssrc = packet.ssrc
            parts += [self._stream.take(payload) for payload in self._ordering.take(packet.number, packet.payload)]
        self._octets = 0
        self._room.set()
        return parts

    def put(self, address: str, data: bytes) -> None:
        """Take a packet, unless too much waits already."""
        if self._octets + len(data) > _MOST_WAITING or (self._expected is not None and address not in self._expected):
            return
        self._waiting.append((address, data))
        self._octets += len(data)
        self._is_there.set()

    async def take_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the packets of a connection, once it is known from where they are to come."""
        self._connections += 1
        try:
            if self._connections > _CONNECTIONS:
                return
            address = writer.get_extra_info("peername")[0]
            await self._is_known.wait()
            while self._expected is not None and address in self._expected:
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                while self._octets + len(data) > _MOST_WAITING:
                    self._room.clear()
                    await self._room.wait()
                self.put(address, data)
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            self._connections -= 1
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receiver.put(addr[0], data)


@contextlib.asynccontextmanager
async def receiving(host: str, ports: range, transport: MediaTransport) -> AsyncIterator[Receiver]:
    """Receive on one of the ports while the context lasts.

    Raises
    ------
    Busy
        None of them is free.
    """
    receiver, loop = Receiver(), asyncio.get_running_loop()
    for port in random.sample(ports, len(ports)):
        try:
            if transport == "tcp":
                server = await asyncio.start_server(receiver.take_connection, host, port, backlog=_CONNECTIONS)
            else:
                datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(receiver), (host, port))
        except OSError:
            continue
        break
    else:
        message = f"no port is free for the picture of a platform: allow more than {len(ports)} (GEO_GRID_MEDIA_PORTS)"
        raise Busy(message, _COME_BACK_S)
    receiver.port = port
    try:
        yield receiver
    finally:
        (server if transport == "tcp" else datagrams).close()
