"""One kind of state in memory: read whole, distrusted at once when what it depends on changes, read again when wanted."""

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
"""How long what was read is trusted while nobody knows what changed: rides over a restart of the database."""
_AGAIN_S = 1.0


class DerivedNow(BaseModel):
    """A state that the server keeps in memory, as it is now."""

    name: str
    age_s: float | None = Field(description="since it was read; null: it is not held, or not trusted any more")
    size: int = Field(description="how many things it holds")
    reads: int = Field(description="how often it was read since the server began")
    trouble: str = Field(description="why it could not be read the last time; empty: it could")


class Derived[T]:
    """A state that follows tables. Made by `DerivedStates.declare`."""

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
        """How often it was distrusted: what was asked for before is not as new as what is asked for after."""
        return self._generation

    def held(self) -> T | None:
        """Return it if it is known to be true now."""
        held = self._held
        return None if held is None or self._is_over(held) or not self.is_trusted() else held[0]

    def is_trusted(self) -> bool:
        """Say whether it is known what changed; not while the database is away for long."""
        return self._feed.age_s() <= _TRUSTED_S

    def read(self, is_strict: bool = False) -> T:
        """Return it, read again if need be, in a thread where that takes long; those who want it at once read it once.

        Parameters
        ----------
        is_strict
            As of now, also when that changed some milliseconds ago. Not on the event loop.

        Raises
        ------
        DatabaseUnavailable
            It cannot be read.
        """
        if is_strict:
            self._feed.look_from_thread()
        found = self.held()
        if found is not None:
            return found
        with self._lock:
            found = self.held()
            if found is not None:
                return found
            generation, began = self._generation, time.monotonic()
            if self._is_large:
                self._held = None  # two of them at a time would double what the server keeps
            try:
                found = self._read()
            except BaseException as error:
                self._trouble = f"{type(error).__name__}: {error}".strip()
                raise
            self._held, self._trouble = (found, generation, began), ""
            self._reads += 1
        return found

    def distrust(self) -> None:
        """Have it read again: something changed, or was just changed here and is not in the feed yet."""
        self._generation += 1
        self._told.set()

    @contextlib.asynccontextmanager
    async def kept(self, first_s: float) -> AsyncIterator[None]:
        """While the context lasts, read it in a thread as soon as it is not true any more; begins once that was tried,
        or after `first_s`.
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
        said = ""
        while True:
            self._told.clear()
            longest_s = _AGAIN_S
            held = self._held
            if held is None or self._is_over(held):
                try:
                    await asyncio.to_thread(self.read)
                except Exception as error:  # whatever it is, it must not end all later readings
                    if self._trouble != said:  # once, not every second
                        log.warning("%s is not up to date, and is read again: %s", self.name, self._trouble or error)
                said = self._trouble
                self._tried.set()
            elif not self._trouble:
                longest_s = max(0.01, self._end_of(held) - time.monotonic())
            try:
                await asyncio.wait_for(self._told.wait(), min(longest_s, 3600))
            except TimeoutError:
                continue

    def now(self) -> DerivedNow:
        """Say how it is."""
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
    """All of them: told of each change before those who listen."""

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
        """Declare a state.

        Parameters
        ----------
        depends_on
            Tables; when one of them changes it is distrusted at once.
        read
            Reads it whole, as of one state of the database. What it returns is shared by all threads.
        size
            How many things it holds, for people.
        ends_at
            When it ends by itself, on this process's monotonic clock.
        longest_s
            How old it may become.
        is_large
            Let go of the old one before the new one is read: nobody has it meanwhile.

        Raises
        ------
        SetupError
            A table is not declared among those whose changes are told, or the name is taken.
        """
        unknown = sorted(set(depends_on) - set(Table))
        if unknown or name in self._all:
            message = f"the state {name} " + (
                f"depends on tables whose changes nobody tells: {', '.join(unknown)}"
                if unknown
                else "is declared twice"
            )
            raise SetupError(message)
        made = Derived(self.feed, name, frozenset(map(Table, depends_on)), read, size, ends_at, longest_s, is_large)
        self._all[name] = made
        return made

    def now(self) -> list[DerivedNow]:
        """Say how each is."""
        return [one.now() for one in self._all.values()]

    def _tell(self, changed: frozenset[str]) -> None:
        for one in self._all.values():
            if one.depends_on & changed:
                one.distrust()
