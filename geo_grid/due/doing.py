"""Does what is due: one loop for each server, and any number of servers on one list.

A server claims rows for some seconds and says again, while it lives, that it has them in hand. When it dies, others claim
them after that. The claim is ended in the transaction of the work: work that lost its claim is rolled back.
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
"""How late a server hears of what others asked for."""
_PAUSE_S = 0.1
"""Between two looks, however often somebody says that there is something to do."""


@dataclass(frozen=True)
class _Row:
    """Work that this server has in hand."""

    due_id: int
    kind: str
    subject: str
    attempts: int
    claimed_in: str


@dataclass(frozen=True)
class Waiting:
    """What of one kind is on the list.

    Attributes
    ----------
    late_s
        Seconds since the first of it was due; 0: none is.
    failed_tries
        How often the row that failed most was tried.
    """

    kind: str
    count: int
    late_s: float
    failed_tries: int


class _LostError(Exception):
    """Another server has it in hand."""


class Due[C]:
    """What is due, done by this server.

    Parameters
    ----------
    kinds
        Those that are declared; rows of others are left alone.
    doing
        What the work is done with, handed to each.
    pool, service
        Connections of the server itself, which claim.
    connecting
        Opens a transaction of the server itself, for the work.
    lease_s
        How long after the death of a server others take its work.
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
        """Of each kind that fails anywhere, how often it was tried."""
        self._kinds = {kind.name: kind for kind in kinds}
        self._doing, self._pool, self._service, self._connecting = doing, pool, service, connecting
        self._lease_s = lease_s
        self._wanted = asyncio.Event()
        self._in_hand: dict[str, tuple[list[_Row], asyncio.Task[None]]] = {}
        self._is_told = False

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[Self]:
        """Do what is due while the context lasts."""
        loop = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            tasks = [loop, *(task for _, task in self._in_hand.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def soon(self) -> None:
        """Look at once: something was asked for."""
        self._wanted.set()

    async def waiting(self) -> list[Waiting]:
        """Return what is on the list, of all servers."""
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
                if not self._is_told:  # once, not every few seconds while the database is away
                    log.warning("what is due was not looked at, and is soon: %s", error)
                self._is_told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), max(0.0, wait_s - _PAUSE_S))
            self._wanted.clear()
            await asyncio.sleep(_PAUSE_S)

    async def _look(self) -> float:
        """Take in hand what is due, and return after how many seconds to look again."""
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
            asked = {"kinds": names, "limits": limits, "lease_s": self._lease_s}
            for row in await (await connection.execute(QUERIES["claim"], asked)).fetchall():
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
        except psycopg.Error as error:  # the claim ends by itself
            log.warning("that %s failed was not written down: %s", kind.name, error)
        finally:
            del self._in_hand[kind.name]
            self.soon()

    def _work(self, kind: Kind[C], rows: Sequence[_Row]) -> list[tuple[_Row, Exception]]:
        """Do work in a thread; return what failed, and why."""
        try:
            self._done(kind, rows)
        except _LostError:
            log.warning("%s was taken over by another server", kind.name)
        except Exception as error:  # a fault in one must not end all others
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
