"""A picture that a platform sends when it is called (GB/T 28181): asked for here, called for by the process at the door of platforms."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

from geo_grid.db import AsyncConnection, fetch_one
from geo_grid.feeds.addresses import QUERIES
from geo_grid.feeds.receiving import Receiver, receiving
from geo_grid.feeds.relay import Ends, until_one_ends
from geo_grid.feeds.rtsp import BrokenStream
from geo_grid.gb28181.media import MediaTransport, new_ssrc

_LOOK_S, _WANTED_S = 0.2, 2.0
"""Seconds between looks at a call before it is answered, and after."""
_SILENCE_S = 10.0

type AsService = Callable[[Callable[[AsyncConnection], Awaitable[dict[str, Any]]]], Awaitable[dict[str, Any]]]
"""Runs statements as the server itself, in a transaction."""


@dataclass(frozen=True)
class Reception:
    """Where pictures of platforms are received.

    Attributes
    ----------
    our_id
        Our SIP id, 20 digits.
    host
        Address to listen at.
    told_host
        Address that platforms are told; None: that of the door of platforms.
    """

    our_id: str
    host: str
    told_host: str | None
    ports: range
    transport: MediaTransport


@dataclass(frozen=True)
class PlatformStream:
    """A camera whose platform can be called for its picture.

    Attributes
    ----------
    host_name
        Code of the platform.
    """

    host_name: str
    camera_id: int


class PlatformPicture:
    """The picture of one camera, while it is called for; see `live.Source`."""

    form: Literal["ps"] = "ps"

    def __init__(self, stream: PlatformStream, receiver: Receiver, number: int, as_service: AsService) -> None:
        self._stream, self._receiver, self._number, self._as_service = stream, receiver, number, as_service

    @classmethod
    @contextlib.asynccontextmanager
    async def called(cls, stream: PlatformStream, reception: Reception, as_service: AsService) -> AsyncIterator[Self]:
        """Have a platform called while the context lasts. Raises Busy: no port is free."""
        async with receiving(reception.host, reception.ports, reception.transport) as receiver:
            values = {
                "camera_id": stream.camera_id, "media_host": reception.told_host, "media_port": receiver.port,
                "transport": reception.transport, "ssrc": new_ssrc(reception.our_id),
            }  # fmt: skip
            number = (await as_service(lambda connection: fetch_one(connection, QUERIES["call"], values)))["number"]
            try:
                yield cls(stream, receiver, number, as_service)
            finally:
                await as_service(lambda connection: fetch_one(connection, QUERIES["hang_up"], {"number": number}))

    async def connect(self) -> None:
        """Wait until the platform sends. Raises BrokenStream."""
        while True:
            state = await self._state()
            if state["state"] == "sending":
                break
            await asyncio.sleep(_LOOK_S)
        self._receiver.expect(state["sent_from"])

    async def carry(self, ours: Ends, local: str) -> None:
        """Pass the picture on to ffmpeg until it ends. Raises BrokenStream."""
        await until_one_ends(self._pass_on(ours), self._stay())

    async def _pass_on(self, ours: Ends, longest_s: float = _SILENCE_S) -> None:
        try:
            while True:
                async with asyncio.timeout(longest_s):
                    part = await self._receiver.read()
                ours[1].write(part)
                await ours[1].drain()
        except TimeoutError:
            message = f"{self._stream.host_name} sends nothing for {longest_s:.0f} s"
            raise BrokenStream(message) from None
        except ConnectionError:
            await asyncio.Event().wait()  # ffmpeg ended: whoever takes its picture says why

    async def _stay(self) -> None:
        """Say that the picture is wanted still, until the platform ends it. Raises BrokenStream."""
        while True:
            await asyncio.sleep(_WANTED_S)
            await self._state()

    async def _state(self) -> dict[str, Any]:
        values = {"number": self._number}
        state = await self._as_service(lambda connection: fetch_one(connection, QUERIES["call_state"], values))
        if state.get("state") in (None, "over"):
            raise BrokenStream(_words(self._stream.host_name, state.get("why"), state.get("sip_status")))
        return state


def _words(host_name: str, why: str | None, status: int | None) -> str:
    """Say why a call is over."""
    match why:
        case "silent":
            return f"{host_name} does not answer the call for this picture"
        case "refused":
            return f"{host_name} refuses the call for this picture (SIP status {status})"
        case "no_picture":
            return f"{host_name} takes the call, and offers no picture"
        case "hung_up":
            return f"{host_name} ended the picture"
        case "taken_away":
            return f"{host_name} may send this picture no more: it was disabled, or the camera is not its own any more"
    return "the door of platforms was started again meanwhile: open the camera again"
