"""Transactions with the rights of a principal: the database itself resolves the credential and applies row policies."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.generators import execute

from geo_grid.db.connections import AsyncConnection, Connection, ThreadPool, translated_errors
from geo_grid.db.replicas import Lends

_READ = "begin isolation level repeatable read read only"
_WRITE = "begin"
_WHO = (  # bound: the text of a statement is shown to others of the same role, and written to logs
    "select set_config('geo_grid.credential', %s, true), set_config('geo_grid.address', %s, true),"
    " set_config('geo_grid.request_id', %s, true)"
)
_WHO_READS = f"{_WHO}, set_config('transaction_read_only', 'on', true)"


class Asker(NamedTuple):
    """The client of a transaction.

    Attributes
    ----------
    credential
        SHA-256 of the client's secret, in hexadecimal; empty: not logged in.
    address
        IP address of the client; empty when unknown.
    request_id
        Identifier of the request, for the audit.
    """

    credential: str
    address: str = ""
    request_id: str = ""


type Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a read-only transaction in one snapshot, with the rights of a principal."""


@contextlib.asynccontextmanager
async def acting(pool: Lends, asker: Asker, read_only: bool = True) -> AsyncIterator[AsyncConnection]:
    """Take a connection from a pool and run a transaction with the client's rights; commits, or rolls back on an error.

    A read-only transaction sees one snapshot throughout (repeatable read). Begin and settings take one round trip.
    """
    async with pool.connection() as connection:
        async with connection.pipeline():
            await connection.execute(_READ if read_only else _WRITE)
            await connection.execute(_WHO, asker)
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(psycopg.OperationalError):  # the connection was lost
                await _roll_back(connection)
            raise
        await connection.commit()


async def _roll_back(connection: AsyncConnection) -> None:
    """Roll back. The driver's own `rollback` forgets all prepared statements, since what they name may have been made in the
    transaction: a client's makes nothing, and a refusal would have the next statements of others planned again.
    """
    connection.pgconn.send_query(b"rollback")
    await connection.wait(execute(connection.pgconn))


@contextlib.contextmanager
def acting_in_thread(pool: ThreadPool, asker: Asker) -> Iterator[Connection]:
    """Lend a connection as `acting` does, to work in a thread."""
    with translated_errors(), pool.connection() as connection:
        connection.execute(_WHO, asker)
        yield connection


async def ask_once(
    pool: Lends, asker: Asker, statement: str, values: dict[str, Any], read_only: bool = True
) -> list[dict[str, Any]]:
    """Run one statement with the client's rights in one round trip; return its rows (fetched in binary).

    All messages between two Sync messages of the protocol are one transaction (PostgreSQL 15, 55.2.4), which is committed
    when this returns.
    """
    async with pool.connection() as connection:
        async with connection.pipeline():
            await connection.execute(_WHO_READS if read_only else _WHO, asker)
            answer = await connection.execute(statement, values, binary=True)
        return await answer.fetchall()


def acting_conninfo(conninfo: str, asker: Asker) -> str:
    """Return a libpq connection string whose sessions have the client's rights in every transaction."""
    quoted = {name: re.sub(r"[\\\s]", r"\\\g<0>", value) for name, value in asker._asdict().items() if value}
    options = (f"-c geo_grid.{name}={value}" for name, value in quoted.items())
    return make_conninfo(
        conninfo, options=" ".join([str(conninfo_to_dict(conninfo).get("options") or ""), *options]).strip()
    )
