"""Pools whose database was restarted: what they lend works, and at once."""

import asyncio
import contextlib
import time

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from geo_grid.db import Asker, acting, fetch_one, open_pool, open_thread_pool
from geo_grid.errors import Conflict

_SIZE = 4


def cut_all(database: str) -> None:
    """End all connections to a database but this, as a restart does."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def test_a_pool_whose_connections_were_all_cut_lends_new_ones_without_delay(database: str) -> None:
    """It waited a second after the first that was cut, two after the next, and gave up after the third."""

    async def seconds() -> float:
        async with open_pool(database, _SIZE, 30, least=_SIZE) as pool:
            await pool.wait()
            cut_all(database)
            began = time.monotonic()
            async with contextlib.AsyncExitStack() as all_of_them:
                for _ in range(_SIZE):
                    connection = await all_of_them.enter_async_context(pool.connection())
                    await connection.execute("select 1")
            return time.monotonic() - began

    assert asyncio.run(seconds()) < 0.9


def test_a_pool_for_threads_does_so_too(database: str) -> None:
    with open_thread_pool(database, _SIZE, 30) as pool:
        with contextlib.ExitStack() as all_of_them:
            for _ in range(_SIZE):
                all_of_them.enter_context(pool.connection())
        cut_all(database)
        began = time.monotonic()
        with contextlib.ExitStack() as all_of_them:
            for _ in range(_SIZE):
                all_of_them.enter_context(pool.connection()).execute("select 1")
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(("of_threads", "idle"), [(True, "15min"), (False, "30s")])
def test_no_transaction_stands_idle_for_ever(database: str, of_threads: bool, idle: str) -> None:
    """Whatever a server does in one, it lets go of what it has locked."""
    asked = "select current_setting('statement_timeout') s, current_setting('idle_in_transaction_session_timeout') i"

    async def of_requests() -> dict[str, str]:
        async with open_pool(database, 1, 30) as pool, pool.connection() as connection:
            return await fetch_one(connection, asked)

    if of_threads:
        with open_thread_pool(database, 1, 30) as pool, pool.connection() as connection:
            found = connection.execute(asked).fetchone()
    else:
        found = asyncio.run(of_requests())
    assert found == {"s": "30s", "i": idle}


def test_whoever_waits_longer_than_it_lends_is_told_so(database: str) -> None:
    async def ask() -> None:
        async with open_pool(database, 1, 30) as pool, pool.connection():
            async with pool.connection(timeout=0.2):
                raise AssertionError

    with pytest.raises(PoolTimeout):
        asyncio.run(ask())


def test_a_refusal_rolls_back_and_leaves_statements_prepared(database: str) -> None:
    """The driver forgot them all, and each was planned anew for whoever came next."""
    writes = "insert into loops (loop_code, name_zh, name_en) values ('refused', 'x', 'x')"

    async def left() -> tuple[int, int]:
        async with open_pool(database, 1, 30) as pool:
            for _ in range(8):
                with contextlib.suppress(Conflict):
                    async with acting(pool, Asker(""), read_only=False) as connection:
                        await connection.execute(writes)
                        raise Conflict("not now")
            async with pool.connection() as connection:
                assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
                prepared = "select count(*) as n from pg_prepared_statements where statement like 'insert into loops%'"
                stored = "select count(*) as n from loops where loop_code = 'refused'"
                return (await fetch_one(connection, prepared))["n"], (await fetch_one(connection, stored))["n"]

    assert asyncio.run(left()) == (1, 0)
