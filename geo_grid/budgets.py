"""Budgets: the thread pools and bounded queues for work that would block the event loop; all of them are declared here.

There are three groups: desk and lookups; bulk; solvers and drawing. Each group has its own connections to the database,
and each kind of work in it its own threads and queue. Beyond the queue a request is refused with a Retry-After, so that
many requests of one kind do not delay those of another.
"""

import asyncio
import contextlib
import ctypes
import math
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

from geo_grid.errors import Busy, TooMany

_COME_BACK_S = 5.0
_SLOW_FOR_S = 600.0
_AFTER_S = 0.01


type Asking = int | str | None
"""Whom a call counts for: the number of an account; a text for whoever is none yet, such as an address; None: the server
itself, without the limits of an account."""


class Budget:
    """Turns for one kind of work, of which no account ever has all; who has had least of them lately is next.

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
    slow_s
        Seconds from which a call is slow: accounts with a slow one lately never have all slots, together either.
    relief_s
        While a call runs that long, there is a slot more.

    Attributes
    ----------
    most_at_once
        Most calls that ever run at the same time.
    """

    def __init__(
        self,
        kind: str,
        at_once: int,
        waiting: int,
        each: int,
        takes_much: bool = False,
        slow_s: float = math.inf,
        relief_s: float = math.inf,
    ) -> None:
        self.kind, self._takes_much, self._slow_s, self._relief_s = kind, takes_much, slow_s, relief_s
        self._slow_until: dict[Asking, float] = {}
        self.at_once = at_once
        self._most, self._each = at_once + waiting, each
        self.most_at_once = at_once if math.isinf(relief_s) else at_once + 1
        self._threads = ThreadPoolExecutor(self.most_at_once, thread_name_prefix=kind)
        self._lock = threading.Lock()
        self._admitted: Counter[Asking] = Counter()
        self._running: dict[Future[None], Asking] = {}
        self._queue: deque[tuple[Future[None], Asking]] = deque()
        self._ranks: dict[Future[None], int] = {}  # of those in the queue, where it is not 0
        self._begun: dict[Asking, int] = {}  # of those who are here: the number of their newest turn
        self._turns = 0
        self._began: dict[Future[None], float] = {}

    @property
    def running(self) -> int:
        """Number of calls that run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Number of calls in the queue."""
        return len(self._queue)

    async def run[**P, T](self, account: Asking, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Wait for a slot, call `work` in its thread, and return its result. Call it on the event loop.

        A call that began runs to its end and keeps its slot until then, also when the waiting task is cancelled.

        Parameters
        ----------
        account
            Whom the call counts for.

        Raises
        ------
        TooMany
            The account has as many calls running and queued as it may.
        Busy
            The queue is full, of others who have no more than this account, or of those who came since and have less.
        """
        turn = self._enter(account)
        try:
            await asyncio.wrap_future(turn)
            # in the context of whoever asks, whose request what is logged there belongs to
            done = self._threads.submit(self._do, partial(copy_context().run, work, *arguments, **named))
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
    async def turn(self, account: Asking, rank: int = 0) -> AsyncIterator[None]:
        """Hold a slot while the context lasts, for work that runs elsewhere, such as in a process. Raises as `run` does.

        Parameters
        ----------
        rank
            Lower ones come first, whoever asks; of a full queue the highest are sent away first.
        """
        turn = self._enter(account, rank)
        try:
            await asyncio.wrap_future(turn)
            yield
        finally:
            self._leave(account, turn)

    def _enter(self, account: Asking, rank: int = 0) -> Future[None]:
        turn: Future[None] = Future()
        with self._lock:
            if account is not None and self._admitted[account] >= self._each:
                message = f"{self.kind}: {self._each} of yours are at work already; wait for one of them"
                raise TooMany(message, _COME_BACK_S)
            if self._admitted.total() >= self._most:
                self._make_room(account, rank)
            self._admitted[account] += 1
            self._queue.append((turn, account))
            if rank:
                self._ranks[turn] = rank
            self._next()
            if self.most_at_once > self.at_once and not turn.done():
                self._look_again()
        return turn

    def _look_again(self) -> None:
        """Look again when there is a slot more for the call that has run longest, as long as somebody waits. Call it on the event loop."""
        if self._queue and self._began:
            wait_s = min(self._began.values()) + self._relief_s - time.monotonic()
            if wait_s > 0:  # else there is a slot more already
                asyncio.get_running_loop().call_later(wait_s + _AFTER_S, self._look)

    def _look(self) -> None:
        with self._lock:
            self._next()
            self._look_again()

    def _make_room(self, account: Asking, rank: int) -> None:
        """Send away the newest that waits of whoever has most here, of those of the highest rank, if that rank is higher or
        they have much more than this account; else Busy.
        """
        message = f"{self.kind}: {self._most} are at work or waiting; try again in a moment"
        last = max((self._ranks.get(turn, 0) for turn, _ in self._queue), default=0)
        waiting = {whose for turn, whose in self._queue if self._ranks.get(turn, 0) == last}
        most = max(waiting, key=self._admitted.__getitem__, default=account)
        if last < rank or (last == rank and self._admitted[most] <= self._admitted[account] + 1) or not waiting:
            raise Busy(message, _COME_BACK_S)
        sent_away = next(one for one in reversed(self._queue) if one[1] == most and self._ranks.get(one[0], 0) == last)
        self._queue.remove(sent_away)
        if sent_away[0].set_running_or_notify_cancel():  # else they have left
            sent_away[0].set_exception(Busy(message, _COME_BACK_S))

    def _leave(self, account: Asking, turn: Future[None]) -> None:
        with self._lock:
            self._admitted[account] -= 1
            if not self._admitted[account]:
                del self._admitted[account]
                self._begun.pop(account, None)
            self._note_slow(turn, account)
            self._running.pop(turn, None)
            self._ranks.pop(turn, None)
            if (turn, account) in self._queue:
                self._queue.remove((turn, account))
            self._next()

    def _note_slow(self, turn: Future[None], account: Asking) -> None:
        """Remember for a while that a call took long; forget what was long ago."""
        now = time.monotonic()
        lasted = now - self._began.pop(turn, now)
        if account is not None and lasted > self._slow_s:
            self._slow_until[account] = now + _SLOW_FOR_S
        for other in [one for one, until in self._slow_until.items() if until < now]:
            del self._slow_until[other]

    def _next(self) -> None:
        now = time.monotonic()
        late = {turn for turn, began in self._began.items() if began < now - self._slow_s}
        while True:
            has_relief = any(began < now - self._relief_s for began in self._began.values())
            if len(self._running) >= (self.most_at_once if has_relief else self.at_once):
                return
            at_work = Counter(self._running.values())
            most = max(1, self.at_once - 1)  # the last one is for somebody else
            are_slow = sum(turn in late or account in self._slow_until for turn, account in self._running.items())
            may = [
                one for one in self._queue
                if one[1] is None or (are_slow if one[1] in self._slow_until else at_work[one[1]]) < most
            ]  # fmt: skip
            if not may:
                return
            turn, account = min(
                may, key=lambda one: (self._ranks.get(one[0], 0), at_work[one[1]], self._begun.get(one[1], 0))
            )
            self._queue.remove((turn, account))
            if turn.set_running_or_notify_cancel():  # else who waited has left
                self._turns += 1
                self._begun[account] = self._turns
                self._running[turn], self._began[turn] = account, time.monotonic()
                turn.set_result(None)


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
        self.connections = sum(kind.most_at_once for kind in kinds)


# Desk and lookups: a dispatcher waits for them with a caller on the telephone. Their queries run on the event loop with
# asynchronous connections; the budgets below are for work beside them.
HASHING = Budget("log-in", at_once=2, waiting=60, each=4)
"""Password hashes: 64 MiB and some 50 ms each. Bounds what somebody who tries passwords can use of the machine."""
LOGGING_IN = Budget("log-ins that are judged", at_once=2, waiting=60, each=30)
"""Each holds a connection while it hashes. By device or address: whoever tries passwords waits for others, not they for
them."""
MAPS = Budget("live coverage and lists", at_once=2, waiting=200, each=100)
"""Milliseconds each, asked for by every wall; many walls may share an account."""
SEARCHES = Budget("lists of features", at_once=4, waiting=200, each=50)
"""Of conditions and an order of the sender's choice, so that one may take as long as a statement may; whoever looks for
one thing borrows no connection of theirs."""
VIEWS = Budget("what maps show", at_once=3, waiting=400, each=200)
"""Up to 5,000 features each, asked for by every wall and page; a view of a whole layer takes longer than the desk waits."""
RANKING = Budget("arrivals of the desk", at_once=3, waiting=200, each=50)
"""Who is there first: asked of two processes, so that one account may keep both busy, and another's question waits for two."""
ROADS = Budget("questions about roads", at_once=4, waiting=60, each=16)
"""Each waits for an answer of the process that holds the road graph."""
CLOCKS = Budget("deadlines", at_once=2, waiting=4, each=2)
"""The server's own: a warning does not wait until somebody's file is read. On connections of their own."""
SYSTEMS = Budget("reference systems", at_once=1, waiting=60, each=2)
"""Transformations of coordinates: the first use of a reference system holds the GIL for some 20 ms."""

_SLOW_S, _RELIEF_S = 15.0, 5.0
"""One row among slow files took up to 10 s of a busy machine, while a process to read it started; slow ones take 30 to 90."""
BULK = Budget(
    "bulk questions and answers", at_once=2, waiting=16, each=4, takes_much=True, slow_s=_SLOW_S, relief_s=_RELIEF_S
)
FILES = Budget(
    "files that are sent", at_once=2, waiting=16, each=4, takes_much=True, slow_s=_SLOW_S, relief_s=_RELIEF_S
)
"""Sending a file takes up to minutes; a budget of its own, so that bulk questions do not wait for it."""
IN_BULK = Group(BULK, FILES)
KEEPING = Budget("files that are kept", at_once=2, waiting=60, each=8)
"""A copy on the disk, and whether the file may be sent at all: told before it waits for its turn to be read."""

DRAFTS = Budget("work on drafts", at_once=4, waiting=32, each=8, takes_much=True)
HOOKS = Budget("web hooks", at_once=2, waiting=8, each=4)
"""Each waits for receivers elsewhere, for some seconds at most."""
REDRAWING = Budget("large shapes in drafts", at_once=2, waiting=16, each=4)
"""Run in processes that are killed when the request is cancelled, with connections of their own: a drawn shape may take
any time."""
ROUTES = Budget("patrol routes, moving up and siting", at_once=2, waiting=16, each=4)
"""Each asks the road process many times."""
SOLVING = Budget("comparisons, proposals and circles", at_once=2, waiting=16, each=4, takes_much=True)
"""Seconds each."""
PICTURES = Budget("pictures of maps", at_once=2, waiting=8, each=3)
"""Each is a browser of its own, for some seconds; they are killed when the request is cancelled."""
DRAWING = Group(DRAFTS, ROUTES, SOLVING)
"""Solvers, drafts and drawing of circles."""

EVERY = (
    HASHING, LOGGING_IN, MAPS, SEARCHES, VIEWS, RANKING, ROADS, CLOCKS, SYSTEMS, HOOKS, KEEPING,
    *IN_BULK.kinds, REDRAWING, PICTURES, *DRAWING.kinds,
)  # fmt: skip
