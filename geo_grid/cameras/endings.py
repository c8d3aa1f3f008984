"""What was begun at platforms and has to end: calls with a BYE, movements with a stop, by the next process too if this one is killed.

It stands in the database (platform_dialogs, cameras_in_motion) until the platform has taken note of its end.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from geo_grid.gb28181.manscdp import new_serial
from geo_grid.gb28181.sip import Agent, Peer
from geo_grid.gb28181.sip.calls import Call
from geo_grid.gb28181.steering import STOP, steering_control

_AGAIN_S = 10.0
"""Seconds after which a platform that did not answer is told again."""
_AT_ONCE = 4
"""To one platform: what it is asked otherwise does not wait for one that answers nothing."""

type _Key = tuple[str, ...]
type News = tuple[str, dict[str, Any]]
"""Something to be written: the name of its statement, and parameters."""


@dataclass(frozen=True)
class Motion:
    """A camera that is told to move or to stop.

    Attributes
    ----------
    number
        Of what was asked; a newer one has a higher number.
    before
        Where its platform was reached by the process before this one.
    """

    platform_id: str
    device_id: str
    number: int
    before: Peer | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return that of a row of `take_movements`."""
        return cls(row["platform_id"], row["gb28181_id"], row["movement_id"])

    @property
    def camera(self) -> tuple[str, str]:
        """Which camera, of which platform."""
        return self.platform_id, self.device_id


@dataclass
class _Owed:
    """What is to be ended still. Times are seconds of `time.monotonic`.

    Attributes
    ----------
    end
        Tells the platform, and says whether it answered.
    forgets
        What is written when it is over, or forgotten.
    """

    said: str
    platform_id: str
    before: Peer | None
    end: Callable[[], Awaitable[bool]]
    forgets: News
    until: float
    due: float = 0.0
    tried: Peer | None = None
    task: asyncio.Task[None] | None = None

    def may_try(self, way: Peer, now: float) -> bool:
        """Say whether the platform is to be told now: it was not yet, or is somewhere else, or was long ago."""
        return self.task is None and (now >= self.due or way != self.tried)


class Endings:
    """What this process has to end at platforms, and the one before it left. Use it on one event loop.

    Parameters
    ----------
    agent
        Through whom platforms are told.
    tell
        Is told what could not be ended.
    patience_s
        What could not be ended for so long is forgotten.
    """

    def __init__(self, agent: Agent, tell: Callable[[str], None], patience_s: float) -> None:
        self._agent, self._tell, self._patience_s = agent, tell, patience_s
        self._owed: dict[_Key, _Owed] = {}
        self._news: list[News] = []

    @property
    def has_news(self) -> bool:
        """Whether there is something to write."""
        return bool(self._news)

    def inherit(self, dialogs: Sequence[Mapping[str, Any]], motions: Sequence[Mapping[str, Any]]) -> None:
        """Take over what the process before this one left: rows of `left_dialogs` and `left_in_motion`."""
        for row in motions:
            self.owe_stop(Motion(row["platform_id"], row["gb28181_id"], row["movement_id"], _peer(row)))
        for row in dialogs:
            answered = {name: row[name] for name in ("call_id", "tag", "target", "remote", "number")}
            self.owe_bye(Call(row["platform_id"], _peer(row), **answered))

    def news(self) -> list[News]:
        """Take out what is to be written, in its order."""
        found, self._news = self._news, []
        return found

    def take_back(self, news: list[News]) -> None:
        """Keep what could not be written."""
        self._news = [*news, *self._news]

    def call_began(self, call: Call) -> None:
        """Note a call that the platform took."""
        kept = {name: getattr(call, name) for name in ("call_id", "platform_id", "tag", "target", "remote", "number")}
        self._news.append(("call_began", kept | call.peer._asdict()))

    def call_over(self, call_id: str) -> None:
        """Note that a call is over on both sides."""
        self._news.append(("call_over", {"call_id": call_id}))

    def owe_bye(self, call: Call) -> None:
        """Hang up a call when its platform is reached; it is none of the agent's own any more."""
        said, forgets = f"call {call.call_id} is not hung up", ("call_over", {"call_id": call.call_id})
        end = partial(self._agent.say_bye, call)
        self._owe(("call", call.call_id), said, call.platform_id, call.peer, end, forgets)

    def in_motion(self, motions: Sequence[Motion]) -> list[dict[str, Any]]:
        """Return what is written of movements before they are told to platforms: the parameters of `in_motion`."""
        ways = [(motion, self._agent.way_to(motion.platform_id)) for motion in motions]
        return [
            {"platform_id": motion.platform_id, "gb28181_id": motion.device_id, "movement_id": motion.number}
            | way._asdict()
            for motion, way in ways
            if way is not None
        ]

    def has_newer(self, motion: Motion) -> None:
        """Note that a camera is told something newer: a stop that waits must not come after it."""
        if (owed := self._owed.pop(("stop", *motion.camera), None)) is not None:
            _cancel(owed)

    def stopped(self, motion: Motion) -> None:
        """Note that a platform has taken a stop."""
        self._news.append(("stopped", {"movement_id": motion.number}))

    def owe_stop(self, motion: Motion) -> None:
        """Tell a camera to stop when its platform is reached."""
        said, forgets = f"camera {motion.device_id} is not stopped", ("stopped", {"movement_id": motion.number})
        end = partial(self._stop, motion)
        self._owe(("stop", *motion.camera), said, motion.platform_id, motion.before, end, forgets)

    async def _stop(self, motion: Motion) -> bool:
        control = steering_control(new_serial(), motion.device_id, STOP)
        return await self._agent.ask(motion.platform_id, control, motion.before) is not None

    def _owe(
        self,
        key: _Key,
        said: str,
        platform_id: str,
        before: Peer | None,
        end: Callable[[], Awaitable[bool]],
        forgets: News,
    ) -> None:
        if (earlier := self._owed.pop(key, None)) is not None:
            _cancel(earlier)
        until = time.monotonic() + self._patience_s
        self._owed[key] = _Owed(said, platform_id, before, end, forgets, until)

    def look(self) -> None:
        """Begin to end what can be ended now, and forget what could not be for long."""
        now = time.monotonic()
        at_once = Counter(one.platform_id for one in self._owed.values() if one.task is not None)
        for key, one in list(self._owed.items()):
            way = self._agent.way_to(one.platform_id, one.before)
            if now >= one.until:
                self._tell(f"platform {one.platform_id} is not reached: {one.said}")
                self._forget(key, one)
            elif way is not None and way != one.tried and one.task is not None:
                _cancel(one)  # it is somewhere else now: told there at the next look
            elif way is not None and one.may_try(way, now) and at_once[one.platform_id] < _AT_ONCE:
                at_once[one.platform_id] += 1
                one.tried = way
                one.task = asyncio.create_task(self._try(key, one))

    async def _try(self, key: _Key, one: _Owed) -> None:
        if await one.end():
            one.task = None
            self._forget(key, one)
        else:
            one.task, one.due = None, time.monotonic() + _AGAIN_S

    def _forget(self, key: _Key, one: _Owed) -> None:
        _cancel(one)
        del self._owed[key]
        self._news.append(one.forgets)

    async def end(self) -> None:
        """Leave what is not ended to the next process."""
        tasks = [one.task for one in self._owed.values() if one.task is not None]
        for one in self._owed.values():
            _cancel(one)
        await asyncio.gather(*tasks, return_exceptions=True)


def _cancel(one: _Owed) -> None:
    if one.task is not None:
        one.task.cancel()
        one.task = None


def _peer(row: Mapping[str, Any]) -> Peer:
    return Peer(row["transport"], row["host"], row["port"])
