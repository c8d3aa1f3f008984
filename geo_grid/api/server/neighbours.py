"""The processes that serve from one port: what only one of them has in memory, the others ask it for over a Unix socket.

Requests go to whichever process accepts their connection. Live pictures are in the memory of the one that began them, and
metrics are each one's own. All else is in the database, or in files that they share.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from geo_grid.api.server.problems import problem_of
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.feeds.live import NO_FEED
from geo_grid.settings import Settings

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = logging.getLogger(__name__)

_PEER = b"geo-grid-peer"
"""Header for a neighbour: the peer of the connection that a request came by. Believed on the Unix socket alone."""
_FEEDS = "/feeds/"
_LONGEST_S = 60.0
_METRICS_S = 5.0
_OF_CONNECTIONS = (b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"upgrade", b"te", _PEER)


class Neighbours:
    """The other processes, by their numbers, as one of them knows them.

    Parameters
    ----------
    number
        Of this one, from 1; 0: it is alone.
    """

    def __init__(self, settings: Settings, number: int = 0) -> None:
        self.number = number
        self.others = [one for one in range(1, settings.workers + 1) if one != number] if number else []
        self._folder = settings.state_dir / "workers"
        self._scheme = "https" if settings.tls_certificate else "http"
        self._clients: dict[int, AsyncClient] = {}
        self._descriptor = -1

    @property
    def letter(self) -> str:
        """What the names of things begin with that are in the memory of this process."""
        return _letter(self.number)

    def owner(self, name: str) -> int | None:
        """Return the number of the neighbour that has a thing; None: no neighbour has."""
        return next((one for one in self.others if name[:1] == _letter(one)), None)

    @contextlib.contextmanager
    def opened(self) -> Iterator[list[socket.socket]]:
        """Bind the Unix socket that the others ask at, while the context lasts; none for one that is alone."""
        if not self.others:
            yield []
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            (self._folder / str(self.number)).unlink(missing_ok=True)  # of one that was killed
            bound.bind(self._path(self.number))
            yield [bound]
        finally:
            bound.close()
            os.close(self._descriptor)

    async def ask(self, number: int, path: str, headers: list[tuple[bytes, bytes]], scope: Scope, send: Send) -> None:
        """Have a neighbour answer a request without a body. Raises OSError when it cannot be asked."""
        import httpx2

        try:
            client = self._client(number)
            request = client.build_request(scope["method"], path, headers=headers, timeout=_LONGEST_S)
            answer = await client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise ConnectionError(str(error)) from None
        try:
            kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OF_CONNECTIONS]
            if "content-length" in answer.headers:
                kept.append((b"content-length", answer.headers["content-length"].encode()))
            await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
            async for part in answer.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    async def metrics(self, scope: Scope) -> dict[int, str]:
        """Return the metrics of the neighbours, by number, for whoever asks; without those that do not answer."""
        if not self.others:
            return {}
        import httpx2

        async def one(number: int) -> str:
            try:
                answer = await self._client(number).get("/metrics", headers=carried(scope), timeout=_METRICS_S)
            except httpx2.HTTPError as error:
                log.warning("metrics of server %d cannot be had: %s", number, error)
                return ""
            return answer.text if answer.status_code == 200 else ""

        texts = await asyncio.gather(*map(one, self.others))
        return {number: text for number, text in zip(self.others, texts, strict=True) if text}

    async def close(self) -> None:
        """Close the connections to neighbours."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, number: int) -> "AsyncClient":
        if number not in self._clients:
            from httpx2 import AsyncClient, AsyncHTTPTransport

            # the folder is closed to others, so that nobody else can stand at its end: no certificate says more
            transport = AsyncHTTPTransport(uds=self._path(number), verify=False)
            self._clients[number] = AsyncClient(transport=transport, base_url=f"{self._scheme}://neighbour")
        return self._clients[number]

    def _path(self, number: int) -> str:
        """Path of a socket, short enough for unix(7) wherever the state folder is."""
        return f"/proc/self/fd/{self._descriptor}/{number}"


def carried(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request as a neighbour gets them, with the peer that it came from."""
    peer = scope["client"] or ("", 0)
    headers = [(name, value) for name, value in scope["headers"] if name not in _OF_CONNECTIONS]
    return [*headers, (_PEER, f"{peer[0]} {peer[1]}".encode())]


def _letter(number: int) -> str:
    return chr(ord("A") + number)


class AmongNeighbours:
    """Hands requests for what a neighbour has in memory to it, and takes those that neighbours hand on.

    Sets `geo_grid.of_neighbour` in the scope: whether a neighbour handed a request on.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._public = PublicAddress(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        peer = next((value for name, value in scope["headers"] if name == _PEER), None)
        scope["geo_grid.of_neighbour"] = is_handed_on = not scope["client"] and peer is not None
        if is_handed_on and peer is not None:
            host, _, port = peer.decode("latin-1").partition(" ")
            scope["client"] = (host, int(port)) if host else None
            await self.app(scope, receive, send)
            return
        neighbours: Neighbours = scope["app"].state.neighbours
        path = self._public.inward(scope["path"])
        owner = neighbours.owner(path.removeprefix(_FEEDS)) if path.startswith(_FEEDS) else None
        if owner is None:
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        asked = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        try:
            await neighbours.ask(owner, asked, carried(scope), scope, send)
        except OSError:  # it has died, and the picture with it
            await problem_of(NO_FEED)(scope, receive, send)
