"""Streaming replicas, which answer heavy reads instead of the primary when they have all that the primary has.

Before each read the primary is asked how far its log goes, and the replica whether it has replayed that much: every commit
that anybody can have seen by then is in the snapshot that the replica takes afterwards, whichever server told of it. A
replica's clock must not be behind either, for it says which edition is in force. Else the primary is asked.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from geo_grid.db.connections import AsyncConnection, AsyncPool, Connection, connect, fetch_one
from geo_grid.db.queries import load_queries
from geo_grid.errors import BrokenOff, DatabaseUnavailable

log = logging.getLogger(__name__)

QUERIES = load_queries("geo_grid.db", "replicas.sql")
_PATIENCE_S, _LOOK_S = 0.2, 0.01
"""Longest that a read waits for a replica that lags, and seconds between two looks."""
_ANSWER_S = 1.0
"""Longest that a replica may take to say how far it is."""
_AGAIN_S = 2.0
"""Seconds after which a replica that was left out is looked at again."""


class Lends(Protocol):
    """A pool, or what lends connections as one does."""

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection while a context lasts."""
        ...


class Replicas:
    """Lends connections to replicas. Use it on one event loop.

    Parameters
    ----------
    conninfo
        libpq connection string of the replicas, as the application's role.
    pools
        For each pool of the primary that of the replicas which stands in for it.

    Attributes
    ----------
    reads
        How many heavy reads were begun at a replica, and at the primary.
    trouble
        Why no replica is asked now; empty: they are.
    """

    def __init__(self, conninfo: str, pools: Mapping[AsyncPool, AsyncPool]) -> None:
        self.conninfo, self._pools = conninfo, pools
        self.reads: Counter[str] = Counter(replica=0, primary=0)
        self.trouble = ""
        self._healing: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(cls, conninfo: str, pools: Mapping[AsyncPool, AsyncPool]) -> AsyncIterator["Replicas"]:
        """Look again at replicas that were left out, while the context lasts."""
        replicas = cls(conninfo, pools)
        try:
            yield replicas
        finally:
            if replicas._healing is not None:
                replicas._healing.cancel()

    def before(self, primary: AsyncPool) -> Lends:
        """Return what lends connections to a replica that has all that the primary has then, or else to the primary."""
        return _Before(self, primary)

    async def place(self, primary: AsyncPool) -> str | None:
        """Return the connection string of one replica that has all that the primary has now; None: there is none."""
        async with self._caught_up(primary) as replica:
            self.reads["primary" if replica is None else "replica"] += 1
            if replica is None:
                return None
            at = replica.info
            return make_conninfo(self.conninfo, host=at.host, hostaddr=at.hostaddr or None, port=at.port)

    @contextlib.asynccontextmanager
    async def lent(self, primary: AsyncPool) -> AsyncIterator[AsyncConnection]:
        """See `before`. Raises BrokenOff when the replica ends the read."""
        async with self._caught_up(primary) as replica:
            if replica is not None:
                self.reads["replica"] += 1
                with broken_off():
                    yield replica
                return
        self.reads["primary"] += 1
        async with primary.connection() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _caught_up(
        self, primary: AsyncPool, is_asked_again: bool = False
    ) -> AsyncIterator[AsyncConnection | None]:
        """Lend a connection to a replica that has all that the primary has now; None: there is none, and why is noted."""
        if self.trouble and not is_asked_again:
            yield None
            return
        async with primary.connection() as connection:
            wanted = await fetch_one(connection, QUERIES["end"])
        pool, replica = self._pools[primary], None
        looking = asyncio.create_task(_looked_at(pool, wanted))
        try:
            # not `timeout`: the driver would wait ten seconds for a frozen one to take back the question
            if (await asyncio.wait({looking}, timeout=_ANSWER_S))[0]:
                replica, trouble = looking.result()
            else:
                trouble = f"the replica does not answer within {_ANSWER_S:.0f} s"
            self._note(trouble, primary)
            yield None if trouble else replica
        finally:
            if replica is not None:
                await pool.putconn(replica)
            elif looking.done() and not looking.cancelled() and (late := looking.result()[0]) is not None:
                await pool.putconn(late)  # whoever waited has gone
            else:
                looking.cancel()

    def _note(self, trouble: str, primary: AsyncPool) -> None:
        if trouble and not self.trouble:
            log.warning("heavy reads go to the primary: %s", trouble)
            self._healing = asyncio.create_task(self._heal(primary))
        if self.trouble and not trouble:
            log.warning("heavy reads go to replicas again")
        self.trouble = trouble

    async def _heal(self, primary: AsyncPool) -> None:
        while self.trouble:
            await asyncio.sleep(_AGAIN_S)
            with contextlib.suppress(psycopg.Error, PoolTimeout):  # of the primary
                async with self._caught_up(primary, is_asked_again=True):
                    pass


class _Before:
    def __init__(self, replicas: Replicas, primary: AsyncPool) -> None:
        self._replicas, self._primary = replicas, primary

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._replicas.lent(self._primary)


@contextlib.contextmanager
def broken_off() -> Iterator[None]:
    """Raise BrokenOff for what a replica ends: a read that its recovery is in conflict with, or all, when it stops."""
    try:
        yield
    except psycopg.errors.QueryCanceled:  # it took too long, and would at the primary
        raise
    except (psycopg.OperationalError, DatabaseUnavailable) as error:
        message = f"the replica broke it off: {_first_line(error)}"
        raise BrokenOff(message) from error


async def _looked_at(pool: AsyncPool, wanted: dict[str, Any]) -> tuple[AsyncConnection | None, str]:
    """Wait until a replica has what is wanted; return a connection to it, and why it has not, or nothing."""
    try:
        replica = await pool.getconn(_ANSWER_S)
    except (psycopg.Error, PoolTimeout, OSError) as error:
        return None, _first_line(error)
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while True:
            trouble = _trouble(await fetch_one(replica, QUERIES["has"], wanted))
            if not trouble or time.monotonic() > deadline:
                return replica, trouble
            await asyncio.sleep(_LOOK_S)
    except BaseException as error:
        await pool.putconn(replica)
        if isinstance(error, psycopg.Error):
            return None, _first_line(error)
        raise


def _trouble(found: dict[str, Any]) -> str:
    if not found["follows"]:
        return "what GEO_GRID_REPLICA_URL names is no replica of this database, or follows one that was primary before"
    if found["clock_behind_s"] > 0:
        return f"the replica's clock is {found['clock_behind_s']:.1f} s behind the primary's"
    if found["behind_bytes"] > 0:
        return f"the replica lags: {found['behind_bytes']:,} bytes of the primary's log are not in it yet"
    return ""


def examine_replicas(connection: Connection, conninfo: str) -> tuple[bool, str]:
    """Return whether heavy reads go to replicas now, and in words why not, for `doctor`."""
    wanted = connection.execute(QUERIES["end"]).fetchone() or {}
    deadline = time.monotonic() + _PATIENCE_S
    try:
        with connect(make_conninfo(conninfo, connect_timeout=5)) as replica:
            replica.autocommit = True
            while True:
                trouble = _trouble(replica.execute(QUERIES["has"], wanted).fetchone() or {})
                if not trouble or time.monotonic() > deadline:
                    break
                time.sleep(_LOOK_S)
    except DatabaseUnavailable as error:
        trouble = str(error).removeprefix("the database cannot be reached: ")
    return (False, f"heavy reads go to the primary: {trouble}") if trouble else (True, "have all that the primary has")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [f"no answer ({type(error).__name__})"])[0]
