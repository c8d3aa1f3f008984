"""Transactions on behalf of somebody: the database itself looks up what their credential is worth."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo_grid.db.connections import AsyncConnection, AsyncPool, Connection, ThreadPool, translated_errors

_READ = "begin isolation level repeatable read read only"
_WRITE = "begin"
_WHO = (  # bound: the text of a statement is shown to others of the same role, and written to logs
    "select set_config('geo_grid.credential', %s, true), set_config('geo_grid.address', %s, true),"
    " set_config('geo_grid.request_id', %s, true)"
)
_READ_ONLY = "select set_config('transaction_read_only', 'on', true)"


class Asker(NamedTuple):
    """On whose behalf a transaction runs.

    Attributes
    ----------
    credential
        SHA-256 of a secret that only its bearer has, in hexadecimal; empty: nobody.
    address
        IP address they come from; empty when unknown.
    request_id
        Name of the request, for the audit.
    """

    credential: str
    address: str = ""
    request_id: str = ""


type Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a transaction that reads one state of the database, on somebody's behalf."""


@contextlib.asynccontextmanager
async def acting(pool: AsyncPool, asker: Asker, read_only: bool = True) -> AsyncIterator[AsyncConnection]:
    """Lend a connection with a transaction on somebody's behalf; commits at the end, rolls back on an error.

    A read-only one sees one state of the database throughout. Begin and settings travel in one round trip.
    """
    async with pool.connection() as connection:
        async with connection.pipeline():
            await connection.execute(_READ if read_only else _WRITE)
            await connection.execute(_WHO, asker)
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(psycopg.OperationalError):  # who asked is gone, and the connection with them
                await connection.rollback()
            raise
        await connection.commit()


@contextlib.contextmanager
def acting_in_thread(pool: ThreadPool, asker: Asker) -> Iterator[Connection]:
    """Lend a connection as `acting` does, to work in a thread."""
    with translated_errors(), pool.connection() as connection:
        connection.execute(_WHO, asker)
        yield connection


async def ask_once(
    pool: AsyncPool, asker: Asker, statement: str, values: dict[str, Any], read_only: bool = True
) -> dict[str, Any]:
    """Run one statement on somebody's behalf in one round trip; its one row in binary form, or nothing.

    What is sent between two synchronisations of the protocol is one transaction (PostgreSQL 15, 55.2.4): it is committed
    when this returns.
    """
    async with pool.connection() as connection:
        async with connection.pipeline():
            if read_only:
                await connection.execute(_READ_ONLY)
            await connection.execute(_WHO, asker)
            answer = await connection.execute(statement, values, binary=True)
        return await answer.fetchone() or {}


def acting_conninfo(conninfo: str, asker: Asker) -> str:
    """Return a libpq connection string whose every transaction is on somebody's behalf."""
    quoted = {name: re.sub(r"[\\\s]", r"\\\g<0>", value) for name, value in asker._asdict().items() if value}
    told = (f"-c geo_grid.{name}={value}" for name, value in quoted.items())
    return make_conninfo(
        conninfo, options=" ".join([str(conninfo_to_dict(conninfo).get("options") or ""), *told]).strip()
    )
