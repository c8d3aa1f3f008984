"""The events of the outbox, read once for all who listen."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Self

import psycopg

from geo_grid.db import Asker, AsyncPool, Changes, acting, table_versions, translated_errors
from geo_grid.errors import GeoGridError
from geo_grid.workflow.events import MOST, Event, Place, all_events_after, place_now

log = logging.getLogger(__name__)

_KEPT = 5_000
"""Newest events in memory: some minutes of a busy city. Who was away for longer asks the database."""
_POLL_S = 1.0
_PAUSE_S = 0.1
"""Between two readings: what happens meanwhile is read together."""


class Feed:
    """The newest events, whoever may see them: who gives them out asks `Event.is_seen` first.

    Attributes
    ----------
    place
        Of the newest event that was read: whoever comes now begins here.
    versions
        How often each table had changed in the state of the database that the events are from: rights that were read
        when they were the same, or greater, are at least as new as the events.
    """

    def __init__(self, pool: AsyncPool, service: Asker, changes: Changes) -> None:
        self._pool, self._service, self._changes = pool, service, changes
        self._begin = self.place = Place(0, 0)
        self.versions: Mapping[str, int] = {}
        self._kept: deque[Event] = deque()
        self._pulse = asyncio.Event()
        self._begun = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, pool: AsyncPool, service: Asker, changes: Changes) -> AsyncIterator[Self]:
        """Read while the context lasts.

        Parameters
        ----------
        service
            The server itself.
        """
        feed = cls(pool, service, changes)
        task = asyncio.create_task(feed._keep())
        try:
            yield feed
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def begun(self, patience_s: float) -> None:
        """Wait until it is known what the newest event is. Raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            await self._begun.wait()

    def after(self, place: Place) -> list[Event] | None:
        """Return the events after a place, in their order; None: not all of them are in memory, or the place is not reached."""
        if not self._begin <= place <= self.place:
            return None
        found: list[Event] = []
        for event in reversed(self._kept):
            if event.place <= place:
                break
            found.append(event)
        return found[::-1]

    async def news(self, patience_s: float) -> None:
        """Wait until events were read, or `patience_s` have passed."""
        pulse = self._pulse
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await pulse.wait()

    async def _keep(self) -> None:
        is_told = False
        while True:
            try:
                with translated_errors():
                    more = await self._read()
                is_told = False
            except (psycopg.Error, GeoGridError) as error:
                if not is_told:  # once, not every second while the database is away
                    log.warning("events are not read, and are tried again: %s", error)
                is_told, more = True, False
            await asyncio.sleep(_PAUSE_S)
            if not more:
                await self._changes.event(_POLL_S)

    async def _read(self) -> bool:
        """Read what is new, in one state of the database; say whether there is more."""
        async with acting(self._pool, self._service) as connection:
            if not self._begun.is_set():
                self._begin = self.place = await place_now(connection)
            events = await all_events_after(connection, self.place)
            versions = await table_versions(connection)
        self._begun.set()
        self.versions = versions
        self._kept.extend(events)
        while len(self._kept) > _KEPT:
            self._begin = self._kept.popleft().place
        if events:
            self.place = events[-1].place
            # whoever waits holds the old pulse; whoever comes later waits for the next one
            done, self._pulse = self._pulse, asyncio.Event()
            done.set()
        return len(events) == MOST
