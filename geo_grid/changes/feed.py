"""Polls the table of changes, once per server, and hands each batch to derived state and to listeners of events."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from geo_grid.changes.kinds import QUERIES, Change, Kind, Table
from geo_grid.changes.place import Place
from geo_grid.db import fetch_one, translated_errors
from geo_grid.errors import DatabaseUnavailable, GeoGridError

log = logging.getLogger(__name__)

MOST = 5_000
"""Most changes of one read. A reader that missed more gets a reset and reloads everything."""
_KEPT = 2_000
"""Newest changes held in memory; older ones are read from the database."""
_WRITTEN = 20
"""Newest pulses that keep their serialised form (`Pulse.written`)."""
_POLL_S = 0.1
"""Longest time between two reads, in seconds."""
_PAUSE_S = 0.05
"""Shortest time between two reads, in seconds, however often `poke` is called."""
_AGAIN_S = 0.5
"""Seconds until a lost connection is opened again."""
_PATIENCE_S = 10.0
"""Seconds that the database may take to answer before the connection counts as lost."""


@dataclass(frozen=True)
class Pulse:
    """The changes of one read: a batch.

    Attributes
    ----------
    number
        Counts the pulses of this server process, from 1.
    place
        Position in the feed after these changes; a client resumes from it.
    is_reset
        Some changes were missed: reload everything.
    written
        Cache of the pulse serialised for listeners, one entry for each set of rights that sees the same changes.
    """

    number: int
    place: Place
    changes: tuple[Change, ...] = ()
    is_reset: bool = False
    written: dict[str, bytes] = field(default_factory=dict, compare=False)


class Feed:
    """Reads new changes every 0.1 s, and at once after this server wrote something (`poke`).

    Derived state is invalidated (`on_change`) before listeners of events wake (`news`). Methods are called on the event
    loop of the constructor, but for `poke` and `look_from_thread`, which any other thread may call, and `age_s` and
    `versions`, which only read.

    Parameters
    ----------
    conninfo
        libpq connection string of the service role, or of the database's owner.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._loop = asyncio.get_running_loop()
        self._connection: psycopg.AsyncConnection[dict[str, Any]] | None = None
        self._last: Place | None = None
        self._told_to = 0
        self._pulses: deque[Pulse] = deque([Pulse(0, Place("", "1:1:"))])
        self._held = 0
        self._versions: dict[str, tuple[int, int]] = {}
        self._confirmed = float("-inf")
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._written, self._wanted = asyncio.Event(), asyncio.Event()
        self._news, self._done = asyncio.Event(), asyncio.Event()
        self._begun = asyncio.Event()
        self._reading, self._read_count = False, 0

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, conninfo: str) -> AsyncIterator[Self]:
        """Read while the context lasts. Entering waits for the first read, or 10 s when the database does not answer."""
        feed = cls(conninfo)
        task = asyncio.create_task(feed._keep())
        try:
            with contextlib.suppress(TimeoutError):
                await feed.begun(_PATIENCE_S)
            yield feed
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def newest(self) -> Pulse:
        """The newest pulse: a new listener receives those after it."""
        return self._pulses[-1]

    @property
    def name(self) -> str:
        """Unique name of the feed of this database; places of another feed are not valid here. Empty before the first read."""
        return self._last.feed if self._last else ""

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call `listener` with the names of the changed tables, on the event loop, before listeners of events wake."""
        self._listeners.append(listener)

    def age_s(self) -> float:
        """Return the seconds since the last read that succeeded began; infinity before the first."""
        return time.monotonic() - self._confirmed

    def versions(self, tables: Iterable[str]) -> tuple[tuple[int, int], ...]:
        """Return the version of each table: the number of its newest change, and how many changes with lower numbers were
        committed after that one. The second is counted by this process; it stays 0 for tables whose changes are written
        one transaction at a time (`ordered` in changes/schema/feed.sql), whose versions are valid after a restart too.
        """
        return tuple(self._versions.get(table, (0, 0)) for table in tables)

    def poke(self) -> None:
        """Read at once, because this server wrote something. Any thread may call it; it does not wait."""
        if not self._written.is_set():  # else it is read anyhow, after this call: it is cleared before a read
            self._loop.call_soon_threadsafe(self._written.set)

    async def look(self) -> None:
        """Wait until a read that began after this call is done, so that all that is committed now is known.

        Raises
        ------
        DatabaseUnavailable
            No read succeeded within 10 s.
        """
        wanted = self._read_count + (2 if self._reading else 1)
        self._wanted.set()
        self._written.set()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._read_count < wanted:
                    await self._done.wait()
        except TimeoutError:
            message = "changes cannot be read: the database does not answer; try again"
            raise DatabaseUnavailable(message) from None

    def look_from_thread(self) -> None:
        """Do what `look` does; for threads other than the event loop's, which it would block for ever."""
        asyncio.run_coroutine_threadsafe(self.look(), self._loop).result()

    async def begun(self, patience_s: float) -> None:
        """Wait until the feed was read for the first time. Raises TimeoutError after `patience_s` seconds."""
        async with asyncio.timeout(patience_s):
            await self._begun.wait()

    def since(self, number: int) -> list[Pulse]:
        """Return the pulses after that of this number, in order; a single reset when some are no longer in memory."""
        newest = self.newest
        if number < self._pulses[0].number - 1:
            return [Pulse(newest.number, newest.place, is_reset=True)]
        return [self._pulses[at] for at in range(number - newest.number, 0)]

    async def news(self, patience_s: float) -> None:
        """Wait for the next pulse, or until `wake` is called, at most `patience_s` seconds."""
        news = self._news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await news.wait()

    def wake(self) -> None:
        """End each wait for news, though there may be none: there is something else to look at."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def resume(self, place: Place) -> Pulse:
        """Return all changes between a place and the newest pulse, as one pulse with the newest one's number.

        It is a reset when the place is of another feed, or too long ago. Older places than those in memory are read from
        the database.

        Raises
        ------
        DatabaseUnavailable
            The changes are no longer in memory, and the database does not answer.
        """
        newest, last = self.newest, self._last
        kept_pulse = next((pulse for pulse in reversed(self._pulses) if pulse.place == place), None)
        if kept_pulse is not None:
            missed = self.since(kept_pulse.number)
            changes = tuple(change for pulse in missed for change in pulse.changes)
            return Pulse(newest.number, newest.place, changes, any(pulse.is_reset for pulse in missed))
        reset = Pulse(newest.number, newest.place, is_reset=True)
        if last is None or place.feed != last.feed or place.xmax > last.xmax:
            return reset
        if self._connection is None:
            message = "events cannot be read: the database does not answer; try again"
            raise DatabaseUnavailable(message)
        with translated_errors():
            answer = await self._ask(self._connection, place, newest.place)
        if answer["is_more"] or not answer["is_kept"] or answer["feed"] != place.feed:
            return reset
        return Pulse(newest.number, newest.place, _changes(answer["told"]))

    @staticmethod
    async def _ask(
        connection: psycopg.AsyncConnection[dict[str, Any]], last: Place, upto: Place | None = None
    ) -> dict[str, Any]:
        values = {"last": last.snapshot, "upto": upto.snapshot if upto else None, "most": MOST}
        return await fetch_one(connection, QUERIES["after"], values)

    async def _keep(self) -> None:
        last_error = ""
        while True:
            try:
                with translated_errors():
                    async with await psycopg.AsyncConnection.connect(
                        self._conninfo, row_factory=dict_row, autocommit=True, prepare_threshold=1
                    ) as connection:
                        while True:
                            async with asyncio.timeout(_PATIENCE_S):
                                await self._read(connection)
                            self._connection, last_error = connection, ""
                            await self._pause()
            except (psycopg.Error, GeoGridError, OSError, TimeoutError) as error:
                described = f"{type(error).__name__}: {error}".strip()
                if described != last_error:  # logged once, not at every retry
                    log.warning("changes cannot be read; trying again every %.1f s: %s", _AGAIN_S, described)
                last_error = described
            finally:
                self._connection, self._reading = None, False
            await asyncio.sleep(_AGAIN_S)

    async def _pause(self) -> None:
        for event, longest_s in ((self._wanted, _PAUSE_S), (self._written, _POLL_S - _PAUSE_S)):
            if not self._wanted.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(longest_s):
                        await event.wait()
        self._wanted.clear()
        self._written.clear()

    async def _read(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Read the new changes in one snapshot, and publish them as a pulse."""
        started, self._reading = time.monotonic(), True
        if self._last is None:
            await self._begin(connection)
        else:
            answer = await self._ask(connection, self._last)
            if answer["is_more"] or answer["feed"] != self._last.feed:
                await self._begin(connection)
            else:
                self._told_to = max(self._told_to, answer["told_to"] or 0)
                self._last = Place.told_up_to(answer["feed"], answer["snapshot"], self._told_to)
                if answer["told"]:
                    self._tell(_changes(answer["told"]))
        self._confirmed, self._reading = started, False
        self._read_count += 1
        # who waits already holds the old event; who comes later waits for the next read
        done, self._done = self._done, asyncio.Event()
        done.set()

    async def _begin(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Start at the end of the feed, with a reset: earlier changes are unknown."""
        feed_end = await fetch_one(connection, QUERIES["now"])
        self._told_to = feed_end["told_to"]
        self._last = Place.told_up_to(feed_end["feed"], feed_end["snapshot"], self._told_to)
        late = {name: before[1] + 1 for name, before in self._versions.items()}
        self._versions = {name: (newest, late.get(name, 0)) for name, newest in feed_end["newest"].items()}
        self._tell((), is_reset=True)
        self._begun.set()

    def _tell(self, changes: tuple[Change, ...], is_reset: bool = False) -> None:
        if self._last is None:
            message = "a pulse needs the place of a first read"
            raise AssertionError(message)
        pulse = Pulse(self.newest.number + 1, self._last, changes, is_reset)
        changed = frozenset(Table) if is_reset else frozenset(filter(None, map(self._counted, changes)))
        self._pulses.append(pulse)
        self._held += len(changes)
        while (self._held > _KEPT or len(self._pulses) > _KEPT) and len(self._pulses) > 1:
            self._held -= len(self._pulses.popleft().changes)
        if len(self._pulses) > _WRITTEN:
            self._pulses[-_WRITTEN].written.clear()
        for listener in self._listeners if changed else ():
            listener(changed)
        self.wake()

    def _counted(self, change: Change) -> str | None:
        """Note a change in the version of its table; return the table's name, or None for other kinds of change."""
        if change.kind not in (Kind.LAYER, Kind.TABLE) or change.subject is None:
            return None
        newest, late = self._versions.get(change.subject, (0, 0))
        is_later = change.change_id > newest
        self._versions[change.subject] = (change.change_id, late) if is_later else (newest, late + 1)
        return change.subject


def _changes(told: list[list[Any]] | None) -> tuple[Change, ...]:
    return tuple(Change(*row) for row in told or ())
