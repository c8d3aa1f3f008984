"""What the owner of a database does for tests, on connections that are kept: a new one takes 15 ms of a core, and as much
again until it has read the catalogue.
"""

import asyncio
import getpass
import select
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg.rows import dict_row

from geo_grid.db import AsyncConnection, Cluster, translated_errors


class _Owner:
    """A connection to the database that was asked about last; in a thread, because Playwright has a loop running in ours."""

    def __init__(self) -> None:
        self._thread, self._runner = ThreadPoolExecutor(1, thread_name_prefix="owner"), asyncio.Runner()
        self._conninfo, self._connection = "", None

    def do[T](self, conninfo: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return self._thread.submit(lambda: self._runner.run(self._do(conninfo, work))).result()

    def let_go(self) -> None:
        self._thread.submit(lambda: self._runner.run(self._close())).result()

    async def _do[T](self, conninfo: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        if conninfo != self._conninfo or self._connection is None or _was_ended(self._connection):
            await self._close()
            options = f"-c geo_grid.actor={getpass.getuser()}@command-line"
            self._connection = await psycopg.AsyncConnection.connect(conninfo, row_factory=dict_row, options=options)
            self._conninfo = conninfo
        with translated_errors():
            async with self._connection.transaction():
                return await work(self._connection)

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        self._connection = None


_owner = _Owner()
_admins: dict[str, psycopg.Connection] = {}


def owner[T](conninfo: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do something in one transaction of the owner of the database, as `geo_grid.cli.access.as_owner` does."""
    return _owner.do(conninfo, work)


def admin(cluster: Cluster) -> psycopg.Connection:
    """A connection to a cluster that makes and drops databases, in autocommit mode; PostgreSQL copies only a database that
    nobody is connected to, so nobody keeps one."""
    _owner.let_go()
    conninfo = cluster.conninfo_for("postgres")
    kept = _admins.get(conninfo)
    if kept is None or kept.closed:
        kept = _admins[conninfo] = psycopg.connect(conninfo, autocommit=True)
    return kept


def _was_ended(connection: AsyncConnection) -> bool:
    """Say whether PostgreSQL has said something unasked, such as that it closes the connection."""
    if connection.closed:
        return True
    unread = select.poll()
    unread.register(connection.fileno(), select.POLLIN)
    return bool(unread.poll(0))
