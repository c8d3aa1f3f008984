"""Derived state: a value in memory that is read whole, invalidated when a table it depends on changes, and read again."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from pydantic import BaseModel, Field

from geo_grid.changes import Feed, Table
from geo_grid.errors import SetupError

log = logging.getLogger(__name__)

_TRUSTED_S = 10.0
"""Seconds that a value is served while the feed of changes cannot be read: bridges a restart of the database."""
_AGAIN_S = 1.0
"""Seconds until a read that failed is tried again."""


class DerivedNow(BaseModel):
    """Age, size and number of reads of one derived state, for /readyz and /metrics."""

    name: str
    age_s: float | None = Field(description="since it was read; null: it is not held, or not trusted any more")
    size: int = Field(description="how many things it holds")
    reads: int = Field(description="how often it was read since the server began")
    trouble: str = Field(description="why it could not be read the last time; empty: it could")


class Derived[T]:
    """A value that follows tables; made by `DerivedStates.declare`. Any thread may call `held`, `read` and `now`."""

    def __init__(
        self, feed: Feed, name: str, depends_on: frozenset[Table], read: Callable[[], T],
        size: Callable[[T], int], ends_at: Callable[[T], float], longest_s: float, is_large: bool,
    ) -> None:  # fmt: skip
        self.name, self.depends_on = name, depends_on
        self._feed, self._read, self._size, self._ends_at = feed, read, size, ends_at
        self._longest_s, self._is_large = longest_s, is_large
        self._lock = threading.Lock()
        self._held: tuple[T, int, float] | None = None
        self._generation = 0
        self._reads, self._trouble = 0, ""
        self._told, self._tried = asyncio.Event(), asyncio.Event()

    @property
    def generation(self) -> int:
        """How often the value was invalidated. A result computed under an earlier generation is stale."""
        return self._generation

    def held(self) -> T | None:
        """Return the value, or None when it is stale, has ended, or the feed could not be read for 10 s. Never blocks."""
        held = self._held
        return None if held is None or self._is_over(held) or not self.is_trusted() else held[0]

    def is_trusted(self) -> bool:
        """Say whether the feed of changes was read in the last 10 s, so that an invalidation cannot have been missed."""
        return self._feed.age_s() <= _TRUSTED_S

    def read(self, is_strict: bool = False) -> T:
        """Return the value; read it first when it is stale. Blocks meanwhile: call it in a thread of a pool.

        Concurrent callers wait for one read (a lock).

        Parameters
        ----------
        is_strict
            Wait first until every change committed by now was read, so that the value is not some milliseconds old.
            Not on the event loop, which it would block for ever.

        Raises
        ------
        DatabaseUnavailable
            The database does not answer. Other errors of the reading function pass through.
        """
        if is_strict:
            self._feed.look_from_thread()
        value = self.held()
        if value is not None:
            return value
        with self._lock:
            value = self.held()
            if value is not None:
                return value
            generation, began = self._generation, time.monotonic()
            if self._is_large:
                self._held = None  # two of them at the same time would double the memory
            try:
                value = self._read()
            except BaseException as error:
                self._trouble = f"{type(error).__name__}: {error}".strip()
                raise
            self._held, self._trouble = (value, generation, began), ""
            self._reads += 1
        return value

    def distrust(self) -> None:
        """Invalidate the value: a table changed, or this server just wrote what is not in the feed yet. On the event loop."""
        self._generation += 1
        self._told.set()

    @contextlib.asynccontextmanager
    async def kept(self, first_s: float) -> AsyncIterator[None]:
        """While the context lasts, read the value again in a thread as soon as it is stale, before anybody asks.

        Entering waits for the first attempt, at most `first_s` seconds.
        """
        task = asyncio.create_task(self._keep())
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), first_s)
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        logged = ""
        while True:
            self._told.clear()
            longest_s = _AGAIN_S
            held = self._held
            if held is None or self._is_over(held):
                try:
                    await asyncio.to_thread(self.read)
                except Exception as error:  # no error may end the loop
                    if self._trouble != logged:  # logged once, not at every retry
                        log.warning(
                            "derived state %s is stale and could not be read; trying again every %.0f s: %s",
                            self.name, _AGAIN_S, self._trouble or error,
                        )  # fmt: skip
                logged = self._trouble
                self._tried.set()
            elif not self._trouble:
                longest_s = max(0.01, self._end_of(held) - time.monotonic())
            try:
                await asyncio.wait_for(self._told.wait(), min(longest_s, 3600))
            except TimeoutError:
                continue

    def now(self) -> DerivedNow:
        """Return its age, size and number of reads."""
        held = self._held
        is_true = self.held() is not None
        return DerivedNow(
            name=self.name, size=self._size(held[0]) if held else 0, reads=self._reads, trouble=self._trouble,
            age_s=round(time.monotonic() - held[2], 1) if held and is_true else None,
        )  # fmt: skip

    def _end_of(self, held: tuple[T, int, float]) -> float:
        return min(self._ends_at(held[0]), held[2] + self._longest_s)

    def _is_over(self, held: tuple[T, int, float]) -> bool:
        return held[1] != self._generation or time.monotonic() >= self._end_of(held)


class DerivedStates:
    """All derived states of a server; the feed invalidates them before listeners of events wake."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._all: dict[str, Derived[Any]] = {}
        feed.on_change(self._tell)

    def declare[T](
        self,
        name: str,
        depends_on: Iterable[str],
        read: Callable[[], T],
        *,
        size: Callable[[T], int] = lambda _: 1,
        ends_at: Callable[[T], float] = lambda _: float("inf"),
        longest_s: float = float("inf"),
        is_large: bool = False,
    ) -> Derived[T]:
        """Declare a derived state.

        Parameters
        ----------
        depends_on
            Tables (`changes.Table`); a change of one of them invalidates the value at once.
        read
            Reads the whole value from one snapshot of the database. All threads share what it returns: nobody may
            change it.
        size
            Number of items in a value, for /readyz and /metrics.
        ends_at
            When a value ends even without a change, in seconds of `time.monotonic`.
        longest_s
            Longest age of a value, in seconds.
        is_large
            Free the old value before the new one is read, to save memory: `held` returns None meanwhile.

        Raises
        ------
        SetupError
            A table does not write changes, or the name is taken.
        """
        unknown = sorted(set(depends_on) - set(Table))
        if unknown or name in self._all:
            message = f"the state {name} " + (
                f"depends on tables whose changes nobody tells: {', '.join(unknown)}"
                if unknown
                else "is declared twice"
            )
            raise SetupError(message)
        state = Derived(self.feed, name, frozenset(map(Table, depends_on)), read, size, ends_at, longest_s, is_large)
        self._all[name] = state
        return state

    def now(self) -> list[DerivedNow]:
        """Return age, size and number of reads of each."""
        return [one.now() for one in self._all.values()]

    def _tell(self, changed: frozenset[str]) -> None:
        for one in self._all.values():
            if one.depends_on & changed:
                one.distrust()
