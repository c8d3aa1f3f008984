"""Budgets: the thread pools and bounded queues for work that would block the event loop; all of them are declared here.

There are three groups: desk and lookups; bulk; solvers and drawing. Each group has its own connections to the database,
and each kind of work in it its own threads and queue. Beyond the queue a request is refused with a Retry-After, so that
many requests of one kind do not delay those of another.
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
    """Slots for one kind of work, each with a thread; one account never has all slots, if there are two or more.

    Parameters
    ----------
    kind
        Name of the work, in messages and in the names of its threads.
    at_once
        Number of slots: calls that run at the same time.
    waiting
        Length of the queue: calls that may wait for a slot.
    each
        Most calls of one account, running and queued together.
    takes_much
        Whether a call may use much memory; free memory is returned to the system after it.
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
        """Number of calls that run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Number of calls in the queue."""
        return len(self._queue)

    async def run[**P, T](self, account: int | None, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Wait for a slot, call `work` in its thread, and return its result. Call it on the event loop.

        A call that began runs to its end and keeps its slot until then, also when the waiting task is cancelled.

        Parameters
        ----------
        account
            Number of the account that the call counts for; None: the server itself, without the limits of an account.

        Raises
        ------
        TooMany
            The account has as many calls running and queued as it may.
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
        """Hold a slot while the context lasts, for work that runs elsewhere, such as in a process. Raises as `run` does."""
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
                continue  # the last slot is kept for another account
            self._queue.remove((turn, account))
            if turn.set_running_or_notify_cancel():  # False: the waiting task was cancelled
                self._running[turn] = account
                turn.set_result(None)

    def _has_all_but_one(self, account: int) -> bool:
        return sum(whose == account for whose in self._running.values()) >= self.at_once - 1


def _give_back() -> None:
    """Return free memory to the system (malloc_trim(3)): glibc keeps small blocks that were freed."""
    if _TRIM is not None:
        _TRIM(0)


_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Function of glibc; None with other C libraries."""


class Group:
    """Budgets that share a connection pool, which has one connection for each of their slots: no call waits for one."""

    def __init__(self, *kinds: Budget) -> None:
        self.kinds = kinds
        self.connections = sum(kind.at_once for kind in kinds)


# Desk and lookups: a dispatcher waits for them with a caller on the telephone. Their queries run on the event loop with
# asynchronous connections; the budgets below are for work beside them.
HASHING = Budget("log-in", at_once=2, waiting=60, each=4)
"""Password hashes: 64 MiB and some 50 ms each. Bounds what somebody who tries passwords can use of the machine."""
MAPS = Budget("live coverage and lists", at_once=2, waiting=200, each=100)
"""Some milliseconds each; every wall asks for them, and many walls may share an account."""
ROADS = Budget("questions about roads", at_once=4, waiting=60, each=16)
"""Each waits for an answer of the process that holds the road graph."""
SYSTEMS = Budget("reference systems", at_once=1, waiting=60, each=2)
"""Transformations of coordinates: the first use of a reference system holds the GIL for some 20 ms."""

BULK = Budget("bulk questions and answers", at_once=2, waiting=16, each=4, takes_much=True)
FILES = Budget("files that are sent", at_once=2, waiting=16, each=4, takes_much=True)
"""Sending a file takes up to minutes; a budget of its own, so that bulk questions do not wait for it."""
IN_BULK = Group(BULK, FILES)

DRAFTS = Budget("work on drafts", at_once=4, waiting=32, each=8, takes_much=True)
REDRAWING = Budget("large shapes in drafts", at_once=2, waiting=16, each=4)
"""Run in processes that are killed when the request is cancelled, with connections of their own: a drawn shape may take
any time."""
ROUTES = Budget("patrol routes, moving up and siting", at_once=2, waiting=16, each=4)
"""Each asks the road process many times."""
SOLVING = Budget("comparisons, proposals and circles", at_once=2, waiting=16, each=4, takes_much=True)
"""Seconds each."""
DRAWING = Group(DRAFTS, ROUTES, SOLVING)
"""Solvers, drafts and drawing of circles."""

EVERY = (HASHING, MAPS, ROADS, SYSTEMS, *IN_BULK.kinds, REDRAWING, *DRAWING.kinds)
