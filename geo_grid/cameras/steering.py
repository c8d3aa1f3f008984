"""Cameras that move because somebody steers them: each is told to stop when its time is over, whatever becomes of whoever asked."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from geo_grid.cameras.endings import Endings, Motion
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
    endings
        Is told which cameras have stopped, or have to be told so still.
    """

    def __init__(
        self, send: Callable[[str, bytes], Awaitable[int | None]], tell: Callable[[str], None], endings: Endings
    ) -> None:
        self._send, self._tell, self._endings = send, tell, endings
        self._moving: dict[tuple[str, str], tuple[Motion, asyncio.TimerHandle]] = {}
        self._sending: dict[tuple[str, str], asyncio.Task[None]] = {}

    def take(self, row: Mapping[str, Any]) -> None:
        """Do what a row of `take_movements` says."""
        lasts_s = float(row["lasts_s"])
        movement = Movement(row["pan"], row["tilt"], row["zoom"], float(row["speed"])) if lasts_s > 0 else STOP
        self.move(Motion.of(row), movement, lasts_s)

    def move(self, motion: Motion, movement: Movement, lasts_s: float) -> None:
        """Tell a camera to move, and after so many seconds to stop, unless it is told something else before."""
        if (moving := self._moving.pop(motion.camera, None)) is not None:
            moving[1].cancel()
        if (sending := self._sending.pop(motion.camera, None)) is not None:
            sending.cancel()  # what was not answered would be sent again, after this
        self._endings.has_newer(motion)
        if lasts_s > 0:
            timer = asyncio.get_running_loop().call_later(lasts_s, self.move, motion, STOP, 0.0)
            self._moving[motion.camera] = motion, timer
        self._sending[motion.camera] = task = asyncio.create_task(self._say(motion, movement))
        task.add_done_callback(partial(self._said, motion.camera))

    def _said(self, camera: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._sending.get(camera) is task:
            del self._sending[camera]

    async def _say(self, motion: Motion, movement: Movement) -> None:
        status = await self._send(motion.platform_id, steering_control(new_serial(), motion.device_id, movement))
        if status is None or status >= 300:
            told = "does not answer" if status is None else f"refuses ({status})"
            self._tell(f"camera {motion.device_id} cannot be steered: platform {motion.platform_id} {told}")
        if movement == STOP and status is None:
            self._endings.owe_stop(motion)
        elif movement == STOP:
            self._endings.stopped(motion)

    async def end(self) -> None:
        """Tell all that move to stop."""
        for motion, _ in list(self._moving.values()):
            self.move(motion, STOP, 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_S):
                await asyncio.gather(*self._sending.values(), return_exceptions=True)
