"""The feed of changes, read once for all who depend on it or listen."""

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
"""Changes read at once. Who missed more looks again at everything."""
_KEPT = 2_000
"""Newest changes in memory; what came before is asked for."""
_WRITTEN = 20
"""Pulses of which it is kept how they were written to those who listen."""
_POLL_S = 0.1
_PAUSE_S = 0.05
"""Least between two readings, however often it is said that something was written."""
_AGAIN_S = 0.5
_PATIENCE_S = 10.0
"""How long the database may take before the connection counts as lost."""


@dataclass(frozen=True)
class Pulse:
    """What was read at once.

    Attributes
    ----------
    number
        Pulses of a server are numbered from 1.
    place
        Whoever knows these changes is here.
    is_reset
        It is not known what changed: look again at everything.
    written
        What whoever gives it out wrote of it, by who sees the same.
    """

    number: int
    place: Place
    changes: tuple[Change, ...] = ()
    is_reset: bool = False
    written: dict[str, bytes] = field(default_factory=dict, compare=False)


class Feed:
    """Reads what others changed, ten times a second, and at once after what was written here.

    What depends on tables is told of a pulse before those who listen hear of it (`on_change`, `news`).

    Parameters
    ----------
    conninfo
        libpq connection string of the server itself, or the owner.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._loop = asyncio.get_running_loop()
        self._connection: psycopg.AsyncConnection[dict[str, Any]] | None = None
        self._last: Place | None = None
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
        """Read while the context lasts; it begins when it is known where the feed ends, or the database is away."""
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
        """The newest pulse: whoever comes now begins after it."""
        return self._pulses[-1]

    @property
    def name(self) -> str:
        """What no feed of another database has: numbers of changes are of this one."""
        return self._last.feed if self._last else ""

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call `listener` with the names of the tables that changed, on the event loop, before anybody hears of it."""
        self._listeners.append(listener)

    def age_s(self) -> float:
        """Return how many seconds ago the feed was last read to its end."""
        return time.monotonic() - self._confirmed

    def versions(self, tables: Iterable[str]) -> tuple[tuple[int, int], ...]:
        """Return the state that each table is known to be in: its newest change, and how many of earlier numbers came
        after that. The second is counted by this server; it is 0 for tables that are changed in order (changes/schema/feed.sql),
        so that their versions outlive it.
        """
        return tuple(self._versions.get(table, (0, 0)) for table in tables)

    def poke(self) -> None:
        """Say, from any thread, that something was written here: it is read at once."""
        self._loop.call_soon_threadsafe(self._written.set)

    async def look(self) -> None:
        """Wait until everything that is committed by now was read. Raises DatabaseUnavailable."""
        wanted = self._read_count + (2 if self._reading else 1)
        self._wanted.set()
        self._written.set()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._read_count < wanted:
                    await self._done.wait()
        except TimeoutError:
            message = "it is not known what changed: the database is away; try again"
            raise DatabaseUnavailable(message) from None

    def look_from_thread(self) -> None:
        """Do what `look` does, in a thread beside the event loop."""
        asyncio.run_coroutine_threadsafe(self.look(), self._loop).result()

    async def begun(self, patience_s: float) -> None:
        """Wait until it is known where the feed ends. Raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            await self._begun.wait()

    def since(self, number: int) -> list[Pulse]:
        """Return the pulses after one, in their order; one that says to look again when not all are kept."""
        newest = self.newest
        if number < self._pulses[0].number - 1:
            return [Pulse(newest.number, newest.place, is_reset=True)]
        return [self._pulses[at] for at in range(number - newest.number, 0)]

    async def news(self, patience_s: float) -> None:
        """Wait for the next pulse, or until `patience_s` have passed."""
        news = self._news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await news.wait()

    async def resume(self, place: Place) -> Pulse:
        """Return what is missing between a place and the newest pulse, as one pulse with the number of that.

        Raises
        ------
        DatabaseUnavailable
            It must be asked, and does not answer.
        """
        newest, last = self.newest, self._last
        kept = next((pulse for pulse in reversed(self._pulses) if pulse.place == place), None)
        if kept is not None:
            missed = self.since(kept.number)
            changes = tuple(change for pulse in missed for change in pulse.changes)
            return Pulse(newest.number, newest.place, changes, any(pulse.is_reset for pulse in missed))
        reset = Pulse(newest.number, newest.place, is_reset=True)
        if last is None or place.feed != last.feed or place.xmax > last.xmax:
            return reset
        if self._connection is None:
            message = "events cannot be read now: the database is away; try again"
            raise DatabaseUnavailable(message)
        with translated_errors():
            found = await self._ask(self._connection, place, newest.place)
        if found["is_more"] or not found["is_kept"] or found["feed"] != place.feed:
            return reset
        return Pulse(newest.number, newest.place, _changes(found["told"]))

    @staticmethod
    async def _ask(
        connection: psycopg.AsyncConnection[dict[str, Any]], last: Place, upto: Place | None = None
    ) -> dict[str, Any]:
        values = {"last": last.snapshot, "upto": upto.snapshot if upto else None, "most": MOST}
        return await fetch_one(connection, QUERIES["after"], values)

    async def _keep(self) -> None:
        trouble = ""
        while True:
            try:
                with translated_errors():
                    async with await psycopg.AsyncConnection.connect(
                        self._conninfo, row_factory=dict_row, autocommit=True, prepare_threshold=1
                    ) as connection:
                        while True:
                            async with asyncio.timeout(_PATIENCE_S):
                                await self._read(connection)
                            self._connection, trouble = connection, ""
                            await self._pause()
            except (psycopg.Error, GeoGridError, OSError, TimeoutError) as error:
                said = f"{type(error).__name__}: {error}".strip()
                if said != trouble:  # once, not all the time while the database is away
                    log.warning("changes are not read, and are tried again: %s", said)
                trouble = said
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
        """Read what is new, in one state of the database, and tell it."""
        asked, self._reading = time.monotonic(), True
        if self._last is None:
            await self._begin(connection)
        else:
            found = await self._ask(connection, self._last)
            if found["is_more"] or found["feed"] != self._last.feed:
                await self._begin(connection)
            else:
                self._last = Place(found["feed"], found["snapshot"])
                if found["told"]:
                    self._tell(_changes(found["told"]))
        self._confirmed, self._reading = asked, False
        self._read_count += 1
        # whoever waits holds the old one; whoever comes later waits for the next
        done, self._done = self._done, asyncio.Event()
        done.set()

    async def _begin(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        """Begin at the end of the feed, where nothing is known of before."""
        found = await fetch_one(connection, QUERIES["now"])
        self._last = Place(found["feed"], found["snapshot"])
        late = {name: before[1] + 1 for name, before in self._versions.items()}
        self._versions = {name: (newest, late.get(name, 0)) for name, newest in found["newest"].items()}
        self._tell((), is_reset=True)
        self._begun.set()

    def _tell(self, changes: tuple[Change, ...], is_reset: bool = False) -> None:
        if self._last is None:
            message = "there is no place yet"
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
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _counted(self, change: Change) -> str | None:
        """Count a change of a table; return its name."""
        if change.kind not in (Kind.LAYER, Kind.TABLE) or change.subject is None:
            return None
        newest, late = self._versions.get(change.subject, (0, 0))
        is_later = change.change_id > newest
        self._versions[change.subject] = (change.change_id, late) if is_later else (newest, late + 1)
        return change.subject


def _changes(told: list[list[Any]] | None) -> tuple[Change, ...]:
    return tuple(Change(*row) for row in told or ())
