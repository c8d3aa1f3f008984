"""Cameras that move because somebody steers them: each is told to stop when its time is over, whatever becomes of whoever asked."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from geo_grid.gb28181.manscdp import new_serial
from geo_grid.gb28181.steering import STOP, Movement, steering_control

_LEAVING_S = 2.0
"""Platforms that do not answer within are not waited for when the door closes."""


class Steering:
    """What moves at the platforms that are registered. Use it on one event loop.

    Parameters
    ----------
    send
        Sends a message to a platform, and returns the status of its answer; None: it does not answer.
    tell
        Is told what did not work.
    """

    def __init__(self, send: Callable[[str, bytes], Awaitable[int | None]], tell: Callable[[str], None]) -> None:
        self._send, self._tell = send, tell
        self._moving: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def take(self, row: Mapping[str, Any]) -> None:
        """Do what a row of `take_movements` says."""
        lasts_s = float(row["lasts_s"])
        movement = Movement(row["pan"], row["tilt"], row["zoom"], float(row["speed"])) if lasts_s > 0 else STOP
        self.move(row["platform_id"], row["gb28181_id"], movement, lasts_s)

    def move(self, platform_id: str, device_id: str, movement: Movement, lasts_s: float) -> None:
        """Tell a camera to move, and after so many seconds to stop, unless it is told something else before."""
        key = (platform_id, device_id)
        if (timer := self._moving.pop(key, None)) is not None:
            timer.cancel()
        if lasts_s > 0:
            stop = (platform_id, device_id, STOP, 0.0)
            self._moving[key] = asyncio.get_running_loop().call_later(lasts_s, self.move, *stop)
        # tasks begin in the order they were made, and each sends before it waits: so do the messages
        task = asyncio.create_task(self._say(platform_id, device_id, movement))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _say(self, platform_id: str, device_id: str, movement: Movement) -> None:
        status = await self._send(platform_id, steering_control(new_serial(), device_id, movement))
        if status is None or status >= 300:
            told = "does not answer" if status is None else f"refuses ({status})"
            self._tell(f"camera {device_id} cannot be steered: platform {platform_id} {told}")

    async def end(self) -> None:
        """Tell all that move to stop."""
        for platform_id, device_id in list(self._moving):
            self.move(platform_id, device_id, STOP, 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_S):
                await asyncio.gather(*self._sending, return_exceptions=True)
