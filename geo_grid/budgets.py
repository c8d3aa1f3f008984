"""How much of each kind of work the server does at once beside its event loop; here and nowhere else.

There are three groups, with connections to the database of their own: desk and lookups; bulk; solvers and drawing. Each
kind of work in them has threads and a queue of its own, both bounded: whoever asks for much of one kind waits in that
queue, or is told to come back, and the others go on.
"""

import asyncio
import contextlib
import ctypes
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from geo_grid.errors import Busy, TooMany

_COME_BACK_S = 5.0


class Budget:
    """Turns for one kind of work, of which no account ever has all.

    Parameters
    ----------
    kind
        What it is, in words for people.
    at_once
        How much of it is done at the same time.
    waiting
        How much more may wait for its turn.
    each
        How much of it one account may have at work and waiting together.
    takes_much
        Whether it may take much memory, which is given back to the system after it.
    """

    def __init__(self, kind: str, at_once: int, waiting: int, each: int, takes_much: bool = False) -> None:
        self.kind, self._takes_much = kind, takes_much
        self.at_once = at_once
        self._most, self._each = at_once + waiting, each
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=kind)
        self._lock = threading.Lock()
        self._admitted: Counter[int | None] = Counter()
        self._running: dict[Future[None], int | None] = {}
        self._queue: deque[tuple[Future[None], int | None]] = deque()

    @property
    def running(self) -> int:
        """How much of it is at its turn."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How much of it waits for its turn."""
        return len(self._queue)

    async def run[**P, T](self, account: int | None, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do work in a thread of this kind, when its turn comes; None: on nobody's account.

        The turn is over when the work is, also when who asked has left meanwhile.

        Raises
        ------
        TooMany
            The account has enough of it at work.
        Busy
            The queue is full.
        """
        turn = self._enter(account)
        try:
            await asyncio.wrap_future(turn)
            done = self._threads.submit(self._do, partial(work, *arguments, **named))
        except BaseException:
            self._leave(account, turn)
            raise
        done.add_done_callback(lambda _: self._leave(account, turn))
        return await asyncio.wrap_future(done)

    def _do[T](self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            if self._takes_much:
                _give_back()

    @contextlib.asynccontextmanager
    async def turn(self, account: int | None) -> AsyncIterator[None]:
        """Have a turn for work that is done elsewhere, such as in a process. Raises as `run` does."""
        turn = self._enter(account)
        try:
            await asyncio.wrap_future(turn)
            yield
        finally:
            self._leave(account, turn)

    def _enter(self, account: int | None) -> Future[None]:
        turn: Future[None] = Future()
        with self._lock:
            if account is not None and self._admitted[account] >= self._each:
                message = f"{self.kind}: {self._each} of yours are at work already; wait for one of them"
                raise TooMany(message, _COME_BACK_S)
            if self._admitted.total() >= self._most:
                message = f"{self.kind}: {self._most} are at work or waiting; try again in a moment"
                raise Busy(message, _COME_BACK_S)
            self._admitted[account] += 1
            self._queue.append((turn, account))
            self._next()
        return turn

    def _leave(self, account: int | None, turn: Future[None]) -> None:
        with self._lock:
            self._admitted[account] -= 1
            if not self._admitted[account]:
                del self._admitted[account]
            self._running.pop(turn, None)
            if (turn, account) in self._queue:
                self._queue.remove((turn, account))
            self._next()

    def _next(self) -> None:
        for turn, account in list(self._queue):
            if len(self._running) == self.at_once:
                return
            if account is not None and self.at_once > 1 and self._has_all_but_one(account):
                continue  # the last one is for somebody else
            self._queue.remove((turn, account))
            if turn.set_running_or_notify_cancel():  # else who waited has left
                self._running[turn] = account
                turn.set_result(None)

    def _has_all_but_one(self, account: int) -> bool:
        return sum(whose == account for whose in self._running.values()) >= self.at_once - 1


def _give_back() -> None:
    """Give free memory back to the system (malloc_trim(3)): what was taken and freed in small pieces stays ours else."""
    if _TRIM is not None:
        _TRIM(0)


_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Of glibc; other C libraries have none."""


class Group:
    """Kinds of work that have connections in common: as many as they do at once, so that none waits for another's."""

    def __init__(self, *kinds: Budget) -> None:
        self.kinds = kinds
        self.connections = sum(kind.at_once for kind in kinds)


# Desk and lookups: what somebody waits for on the telephone. Their questions to the database wait on the event loop.
HASHING = Budget("log-in", at_once=2, waiting=60, each=4)
"""64 MiB and some 50 ms each: guesses must not take the machine."""
MAPS = Budget("live coverage and lists", at_once=2, waiting=200, each=100)
"""Milliseconds each, asked for by every wall; many walls may share an account."""
ROADS = Budget("questions about roads", at_once=4, waiting=60, each=16)
"""Each waits for a process that knows the roads."""
SYSTEMS = Budget("reference systems", at_once=1, waiting=60, each=2)
"""Each takes Python's lock for some 20 ms, when it is asked for the first time."""

BULK = Budget("bulk questions and answers", at_once=2, waiting=16, each=4, takes_much=True)
FILES = Budget("files that are sent", at_once=2, waiting=16, each=4, takes_much=True)
"""Minutes each at the most; they hold up no bulk question."""
IN_BULK = Group(BULK, FILES)

DRAFTS = Budget("work on drafts", at_once=4, waiting=32, each=8, takes_much=True)
REDRAWING = Budget("large shapes in drafts", at_once=2, waiting=16, each=4)
"""In processes that end with whoever asked, with connections of their own: what strangers draw may take any time."""
ROUTES = Budget("patrol routes, moving up and siting", at_once=2, waiting=16, each=4)
"""Many questions about roads each."""
SOLVING = Budget("comparisons, proposals and circles", at_once=2, waiting=16, each=4, takes_much=True)
"""Seconds each."""
DRAWING = Group(DRAFTS, ROUTES, SOLVING)
"""Solvers and drawing."""

EVERY = (HASHING, MAPS, ROADS, SYSTEMS, *IN_BULK.kinds, REDRAWING, *DRAWING.kinds)
