"""Runs due work: one loop in each server; any number of servers share the table.

A server claims jobs with a lease of some seconds (`for update skip locked`) and renews it while it works on them. When it
dies the lease expires, and another server claims the jobs. The transaction that does a job also ends its claim; if the
claim was lost meanwhile it is rolled back.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from geo_grid.db import Asker, AsyncPool, Connection, acting, load_queries
from geo_grid.due.kinds import Kind
from geo_grid.errors import Busy, GeoGridError

log = logging.getLogger(__name__)
QUERIES = load_queries("geo_grid.due", "due.sql")
_LEASE_S = 30.0
_LOOK_S = 2.0
"""Longest time between two polls, in seconds: the delay of jobs that other processes added."""
_PAUSE_S = 0.1
"""Shortest time between two polls, in seconds, however often `soon` is called."""


@dataclass(frozen=True)
class _Row:
    """A job that this server has claimed."""

    due_id: int
    kind: str
    subject: str
    attempts: int
    claimed_in: str


@dataclass(frozen=True)
class Waiting:
    """How many jobs of one kind wait, for /metrics.

    Attributes
    ----------
    late_s
        Seconds since the oldest of them was due; 0: none is due yet.
    failed_tries
        Highest number of attempts of a job that fails; 0: none fails.
    """

    kind: str
    count: int
    late_s: float
    failed_tries: int


class _LostError(Exception):
    """The lease expired, and another server has claimed the job."""


class Due[C]:
    """The worker of one server process. Its methods belong on the event loop; jobs run in the threads of their budgets.

    Parameters
    ----------
    kinds
        The kinds it can do; rows of other kinds stay in the table.
    doing
        First argument of every `Kind.do`.
    pool, service
        Connection pool and principal of the service role, for claims.
    connecting
        Opens a transaction of the service role, for a job; called in a thread.
    lease_s
        Lease in seconds: how long after the death of a server others claim its jobs.
    """

    def __init__(
        self,
        kinds: Iterable[Kind[C]],
        doing: C,
        pool: AsyncPool,
        service: Asker,
        connecting: Callable[[], AbstractContextManager[Connection]],
        lease_s: float = _LEASE_S,
    ) -> None:
        self.failing: dict[str, int] = {}
        """By kind with a failing job on any server: the highest number of attempts, as of the last poll."""
        self._kinds = {kind.name: kind for kind in kinds}
        self._doing, self._pool, self._service, self._connecting = doing, pool, service, connecting
        self._lease_s = lease_s
        self._wanted = asyncio.Event()
        self._in_hand: dict[str, tuple[list[_Row], asyncio.Task[None]]] = {}
        self._is_told = False

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[Self]:
        """Run due jobs while the context lasts; leaving cancels those in progress, which others claim when the lease ends."""
        loop = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            tasks = [loop, *(task for _, task in self._in_hand.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def soon(self) -> None:
        """Poll at once: a job was added."""
        self._wanted.set()

    async def waiting(self) -> list[Waiting]:
        """Return how many jobs of each kind wait, those of all servers together."""
        async with acting(self._pool, self._service) as connection:
            return [Waiting(**row) for row in await (await connection.execute(QUERIES["waiting"])).fetchall()]

    async def _keep(self) -> None:
        recurring = [kind.name for kind in self._kinds.values() if kind.every_s is not None]
        while True:
            wait_s = _LOOK_S
            try:
                if recurring:
                    async with acting(self._pool, self._service, read_only=False) as connection:
                        await connection.execute(QUERIES["expect"], {"kinds": recurring})
                    recurring = []
                wait_s = await self._look()
                self._is_told = False
            except (psycopg.Error, OSError, GeoGridError) as error:
                if not self._is_told:  # logged once, not at every retry
                    log.warning("due work could not be claimed; trying again every %.0f s: %s", _LOOK_S, error)
                self._is_told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), max(0.0, wait_s - _PAUSE_S))
            self._wanted.clear()
            await asyncio.sleep(_PAUSE_S)

    async def _look(self) -> float:
        """Renew leases, claim due jobs and start them; return the seconds until the next poll."""
        held = [row for rows, _ in self._in_hand.values() for row in rows]
        idle = [kind for kind in self._kinds.values() if kind.name not in self._in_hand]
        claimed: defaultdict[str, list[_Row]] = defaultdict(list)
        async with acting(self._pool, self._service, read_only=False) as connection:
            if held:
                claims = list({row.claimed_in for row in held})
                await connection.execute(
                    QUERIES["renew"],
                    {"due_ids": [row.due_id for row in held], "claims": claims, "lease_s": self._lease_s},
                )
            names, limits = [kind.name for kind in idle], [kind.at_once for kind in idle]
            limits_of_kinds = {"kinds": names, "limits": limits, "lease_s": self._lease_s}
            for row in await (await connection.execute(QUERIES["claim"], limits_of_kinds)).fetchall():
                claimed[row["kind"]].append(_Row(**row))
            waiting = [name for name in names if name not in claimed]
            following = await (await connection.execute(QUERIES["next"], {"kinds": waiting})).fetchone() or {}
            failing = await (await connection.execute(QUERIES["failing"])).fetchall()
        self.failing = {row["kind"]: row["attempts"] for row in failing}
        for name, rows in claimed.items():
            self._in_hand[name] = rows, asyncio.create_task(self._do(self._kinds[name], rows))
        seconds = following.get("seconds")
        return min(_LOOK_S, self._lease_s / 4, _LOOK_S if seconds is None else max(0.0, seconds))

    async def _do(self, kind: Kind[C], rows: list[_Row]) -> None:
        try:
            try:
                failed = await kind.budget.run(None, self._work, kind, rows)
            except Busy as error:
                failed = [(row, error) for row in rows]
            if failed:
                await self._note(kind, failed)
        except psycopg.Error as error:  # the lease expires, and the job is claimed again
            log.warning("due work %s failed, and the failure could not be recorded: %s", kind.name, error)
        finally:
            del self._in_hand[kind.name]
            self.soon()

    def _work(self, kind: Kind[C], rows: Sequence[_Row]) -> list[tuple[_Row, Exception]]:
        """Do claimed jobs (in a thread); return those that failed, each with its error."""
        try:
            self._done(kind, rows)
        except _LostError:
            log.warning("due work %s took longer than its lease, and another server claimed it", kind.name)
        except Exception as error:  # an error in one job must not stop the others
            if len(rows) > 1:
                return [failed for row in rows for failed in self._work(kind, [row])]
            is_ours = not isinstance(error, psycopg.Error | GeoGridError)
            log.warning("%s %s failed: %s", kind.name, rows[0].subject, error, exc_info=error if is_ours else None)
            return [(rows[0], error)]
        return []

    def _done(self, kind: Kind[C], rows: Sequence[_Row]) -> None:
        values: dict[str, Any] = {"due_ids": [row.due_id for row in rows], "claim": rows[0].claimed_in}
        with self._connecting() as connection:
            again_s = kind.do(self._doing, connection, [row.subject for row in rows])
            wait_s = kind.every_s if again_s is None else again_s
            if len(connection.execute(QUERIES["hold"], values).fetchall()) < len(rows):
                raise _LostError
            if wait_s is None:
                connection.execute(QUERIES["done"], values)
            connection.execute(QUERIES["again"], {**values, "wait_s": wait_s})

    async def _note(self, kind: Kind[C], failed: Iterable[tuple[_Row, Exception]]) -> None:
        async with acting(self._pool, self._service, read_only=False) as connection:
            for row, error in failed:
                await connection.execute(
                    QUERIES["failed"],
                    {
                        "due_id": row.due_id,
                        "claim": row.claimed_in,
                        "wait_s": kind.wait_s(row.attempts),
                        "error": f"{type(error).__name__}: {error}",
                    },
                )
