"""Live pictures that servers want from platforms: each is called for, and hung up when nobody wants it any more."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Literal

from geo_grid.cameras.endings import Endings
from geo_grid.gb28181.media import offer, read_answer
from geo_grid.gb28181.sip import Agent, Identity
from geo_grid.gb28181.sip.calls import Call

_LEAVING_S = 2.0
"""Platforms that do not answer within are not waited for when the door closes."""

type Why = Literal["silent", "refused", "no_picture", "hung_up", "door"]
"""Why a call is over; see platform_calls.why."""


class Calling:
    """The calls of this process. Use it on one event loop.

    Parameters
    ----------
    agent
        Through whom platforms are called.
    endings
        Is told of each call that began, and that it is over or has to be ended still.
    """

    def __init__(self, agent: Agent, identity: Identity, endings: Endings) -> None:
        self._agent, self._identity, self._endings = agent, identity, endings
        self._wanted: set[int] = set()
        self._calls: dict[int, Call] = {}
        self._news: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether there are calls, or something to say of them."""
        return bool(self._wanted or self._news)

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Call what is wanted now, and hang up what is not any more; rows are those of `calls`."""
        now_wanted = {row["number"]: row for row in rows}
        for number in self._wanted - now_wanted.keys():
            self._wanted.discard(number)
            if (call := self._calls.pop(number, None)) is not None:
                self._begin(self._hang_up(call))
        for number in now_wanted.keys() - self._wanted:
            row = now_wanted[number]
            if row["state"] == "asked":
                self._wanted.add(number)
                self._begin(self._call(number, row))
            elif row["state"] == "sending":  # by a process before this one, whose calls are hung up (`Endings`)
                self._over(number, "door")

    def news(self) -> list[dict[str, Any]]:
        """Take out what is to be written of calls: the parameters of `answer_call`."""
        found, self._news = self._news, []
        return found

    def take_back(self, news: list[dict[str, Any]]) -> None:
        """Keep what could not be written."""
        self._news = [*news, *self._news]

    def on_hung_up(self, call_id: str) -> None:
        """Note that a platform ended a call, by its Call-ID."""
        for number, call in list(self._calls.items()):
            if call.call_id == call_id:
                del self._calls[number]
                self._endings.call_over(call_id)
                self._over(number, "hung_up")

    async def end(self) -> None:
        """Hang up everything."""
        self.take([])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_S):
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(self, number: int, row: Mapping[str, Any]) -> None:
        def describe(own_host: str) -> bytes:
            host = row["media_host"] or own_host
            return offer(self._identity.gb28181_id, host, row["media_port"], row["transport"], row["ssrc"])

        call = await self._agent.call(row["platform_id"], row["gb28181_id"], describe, row["ssrc"])
        if call is None:
            self._over(number, "silent")
        elif not call.is_answered:
            self._over(number, "refused", call.status)
        else:
            self._endings.call_began(call)
            await self._receive(number, call)

    async def _receive(self, number: int, call: Call) -> None:
        if (accepted := read_answer(call.answer)) is None or number not in self._wanted:
            self._over(number, "no_picture")
            await self._hang_up(call)
        else:
            self._calls[number] = call
            self._note(number, "sending", sent_from=sorted({call.peer.host, *filter(None, [accepted.sent_from])}))

    async def _hang_up(self, call: Call) -> None:
        if await self._agent.hang_up(call):
            self._endings.call_over(call.call_id)
        else:
            self._endings.owe_bye(call)

    def _over(self, number: int, why: Why, status: int | None = None) -> None:
        self._note(number, "over", why, status)

    def _note(
        self, number: int, state: str, why: Why | None = None, status: int | None = None, sent_from: Sequence[str] = ()
    ) -> None:
        values = {"number": number, "state": state, "why": why, "sip_status": status, "sent_from": list(sent_from)}
        self._news.append(values)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
