"""The one way from ffmpeg to a camera: RTSP over TCP, to the registered host and nowhere else.

ffmpeg has no network of its own but this relay, and knows neither the host nor its password: requests are given the real
address and the answer to the host's challenge on their way out, and a host that sends elsewhere is not followed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Self

from geo_grid.feeds.rtsp import LONGEST_HEAD, BrokenStream, Login, Message, video_codec

_CONNECT_S, _ANSWER_S, _SILENCE_S = 5.0, 5.0, 10.0
_BLOCK = 64 << 10
_CARRIED = ("H264", "H265")
_LEFT_OUT = ("authorization", "user-agent")
_NEEDED = ("DESCRIBE", "SETUP", "PLAY")


@dataclass(frozen=True)
class Stream:
    """Where the picture of a camera is.

    Attributes
    ----------
    host_name
        What the registered host is called in messages.
    path
        Of the address, with its query; it may hold a token, so that no message names it.
    """

    host_name: str
    host: str
    port: int
    path: str
    login: Login | None = None

    @property
    def address(self) -> str:
        """The address, without a password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp://{host}:{self.port}{self.path}"


type Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
"""A connection, as both of its directions."""


async def until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Do all at once, and end all when one of them ends. Raises what it raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Relay:
    """One conversation of ffmpeg with a camera; see `live.Source`."""

    form: Literal["rtsp"] = "rtsp"

    def __init__(self, stream: Stream) -> None:
        self._stream, self._local = stream, ""
        self._theirs: Ends | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, stream: Stream) -> AsyncIterator[Self]:
        """Be ready to connect while the context lasts."""
        relay = cls(stream)
        try:
            yield relay
        finally:
            if relay._theirs is not None:
                relay._theirs[1].close()

    async def connect(self) -> None:
        """Connect to the host of the stream. Raises BrokenStream."""
        stream = self._stream
        try:
            async with asyncio.timeout(_CONNECT_S):
                self._theirs = await asyncio.open_connection(stream.host, stream.port, limit=LONGEST_HEAD)
        except TimeoutError:
            message = f"{stream.host_name} does not answer within {_CONNECT_S:.0f} s"
        except OSError:
            message = f"{stream.host_name} cannot be reached: it is switched off, or another address was registered"
        else:
            return
        raise BrokenStream(message)

    async def carry(self, ours: Ends, local: str) -> None:
        """Carry the conversation, once there is a connection, until one side ends it.

        Parameters
        ----------
        ours
            Connection to ffmpeg.
        local
            The address that ffmpeg asks for.

        Raises
        ------
        BrokenStream
            The camera refuses, redirects, is silent, or has no picture that can be carried.
        """
        if self._theirs is None:
            raise AssertionError
        theirs, self._local = self._theirs, local
        try:
            while True:
                request = await self._request(ours[0], theirs[1])
                if request is None:
                    continue
                response = await self._exchange(request, ours, theirs)
                ours[1].write(response.written())
                await ours[1].drain()
                if request.first.startswith("PLAY ") and response.status < 300:
                    break
            await self._pump(ours, theirs)
        except (asyncio.IncompleteReadError, ConnectionError):
            message = f"{self._stream.host_name} ended the picture"
            raise BrokenStream(message) from None
        except (asyncio.LimitOverrunError, ValueError):
            message = f"{self._stream.host_name} answers in words that are not RTSP"
            raise BrokenStream(message) from None

    async def _exchange(self, request: Message, ours: Ends, theirs: Ends) -> Message:
        """Ask the camera; return its answer, after a challenge the answer to the second question."""
        login = self._stream.login
        for is_second in (False, True):
            theirs[1].write(self._outward(request).written())
            await theirs[1].drain()
            try:
                response = await self._timed(self._response(theirs[0], ours[1]), _ANSWER_S)
            except (asyncio.IncompleteReadError, ConnectionError):
                if is_second:  # GStreamer's answer to a wrong password
                    raise self._refused_login() from None
                raise
            if response.status != 401 or is_second or login is None or not login.take(response):
                break
        self._refuse(request, response)
        if request.first.startswith("DESCRIBE "):
            codec = video_codec(response.body)
            if codec not in _CARRIED:
                what = "has no video" if codec is None else f"sends {codec}, which no browser plays"
                message = f"this stream {what}: register the address of one in H.264"
                raise BrokenStream(message)
        return response

    def _refuse(self, request: Message, response: Message) -> None:
        """Raise BrokenStream where a response ends the conversation."""
        host, status = self._stream.host_name, response.status
        if 300 <= status < 400:
            message = f"{host} sends to another address, which is not followed: register the host it sends to"
            raise BrokenStream(message)
        if status == 401:
            raise self._refused_login()
        if status >= 400 and request.first.startswith(_NEEDED):
            why = {
                404: "knows no such stream: another address was registered",
                453: "has no bandwidth left",
                461: "does not send over TCP (RTP interleaved with RTSP), which is needed",
                503: "sends to too many already",
            }.get(status, f"refuses with {status}")
            message = f"{host} {why}"
            raise BrokenStream(message)

    def _refused_login(self) -> BrokenStream:
        has_login = self._stream.login is not None
        said = "the name and password that are configured for it" if has_login else "to be asked without a password"
        return BrokenStream(
            f"{self._stream.host_name} does not accept {said}: docs/feeds.md says where they are configured"
        )

    async def _request(self, source: asyncio.StreamReader, camera: asyncio.StreamWriter) -> Message | None:
        """Read what ffmpeg says next; reports about packets are passed on at once, and None is returned."""
        said = await _next(source)
        if isinstance(said, Message):
            return said
        camera.write(said)
        return None

    async def _response(self, camera: asyncio.StreamReader, sink: asyncio.StreamWriter) -> Message:
        """Read the next response of the camera; packets that come before it are passed on."""
        while True:
            said = await _next(camera)
            if not isinstance(said, Message):
                sink.write(said)
                await sink.drain()
            elif said.first.startswith("RTSP/"):
                return said

    def _outward(self, request: Message) -> Message:
        """Return a request of ffmpeg as the camera is asked it."""
        method, uri, version = (*request.first.split(" ", 2), "", "")[:3]
        if uri.startswith(self._local):
            uri = self._stream.address + uri.removeprefix(self._local)
        headers = [(name, value) for name, value in request.headers if name.lower() not in _LEFT_OUT]
        if self._stream.login is not None and (answer := self._stream.login.answer(method, uri)):
            headers.append(("Authorization", answer))
        return Message(f"{method} {uri} {version}", headers, request.body)

    async def _pump(self, ours: Ends, theirs: Ends) -> None:
        """Pass on the picture as it comes, and what ffmpeg says to keep it coming."""

        async def inward() -> None:
            while block := await self._timed(theirs[0].read(_BLOCK), _SILENCE_S):
                ours[1].write(block)
                await ours[1].drain()
            message = f"{self._stream.host_name} ended the picture"
            raise BrokenStream(message)

        async def outward() -> None:
            while True:
                request = await self._request(ours[0], theirs[1])
                if request is not None:
                    theirs[1].write(self._outward(request).written())
                await theirs[1].drain()

        await until_one_ends(inward(), outward())

    async def _timed[T](self, waiting: Awaitable[T], longest_s: float) -> T:
        try:
            async with asyncio.timeout(longest_s):
                return await waiting
        except TimeoutError:
            message = f"{self._stream.host_name} sends nothing for {longest_s:.0f} s"
            raise BrokenStream(message) from None


async def _next(source: asyncio.StreamReader) -> bytes | Message:
    """Return what comes next: a packet between messages (RFC 2326, 10.12) as it is, or a message."""
    first = await source.readexactly(1)
    if first == b"$":
        head = await source.readexactly(3)
        return first + head + await source.readexactly(int.from_bytes(head[1:]))
    message = Message.of_head(first + await source.readuntil(b"\r\n\r\n"))
    message.body = await source.readexactly(message.length)
    return message
