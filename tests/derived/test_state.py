"""State in memory is true or is not given out; it is read once for all who want it, and only when what it depends on changed."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from geo_grid.changes import Feed, Table
from geo_grid.db import connect
from geo_grid.derived import DerivedStates
from geo_grid.derived import state as module
from geo_grid.errors import SetupError


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def duties(conninfo: str, count: Callable[[], None] = lambda: None) -> Callable[[], int]:
    def read() -> int:
        count()
        with connect(conninfo) as connection:
            row = connection.execute("select count(*) as n from duties").fetchone()
        return int(row["n"]) if row else 0

    return read


def add_duty(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_lead', 'Li')")


def test_it_is_read_again_when_what_it_depends_on_changed_and_only_then(database: str) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            states = DerivedStates(feed)
            state = states.declare("duties", (Table.DUTIES,), duties(database), size=int)
            assert state.held() is None
            assert [await asyncio.to_thread(state.read) for _ in range(3)] == [0, 0, 0]
            with psycopg.connect(database) as connection:
                connection.execute("delete from patrol_units")
                connection.execute("delete from roads")
            await feed.look()
            assert (state.held(), states.now()[0].reads) == (0, 1)
            await asyncio.to_thread(add_duty, database)
            assert await asyncio.to_thread(state.read, is_strict=True) == 1
            now = states.now()[0]
            assert (now.name, now.size, now.reads, now.trouble) == ("duties", 1, 2, "")

    run(check())


def test_it_is_distrusted_before_those_who_listen_hear_of_the_change(database: str) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            state = DerivedStates(feed).declare("duties", (Table.DUTIES,), duties(database))
            await asyncio.to_thread(state.read)
            await asyncio.to_thread(add_duty, database)
            number = feed.newest.number
            while not any(change.subject == "duties" for pulse in feed.since(number) for change in pulse.changes):
                await feed.news(10)
            assert state.held() is None

    run(check())


def test_those_who_want_it_at_once_read_it_once(database: str) -> None:
    asked: list[float] = []

    def slowly() -> None:
        asked.append(time.monotonic())
        time.sleep(0.3)

    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            state = DerivedStates(feed).declare("duties", (Table.DUTIES,), duties(database, slowly))
            with ThreadPoolExecutor(8) as threads:
                found = await asyncio.gather(
                    *(asyncio.get_running_loop().run_in_executor(threads, state.read) for _ in range(8))
                )
            assert (found, len(asked)) == ([0] * 8, 1)

    run(check())


def test_a_change_while_it_is_read_makes_it_be_read_again(database: str) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            loop = asyncio.get_running_loop()

            def meanwhile() -> None:
                asyncio.run_coroutine_threadsafe(feed.look(), loop).result()

            changes = iter([lambda: add_duty(database), lambda: None, lambda: None])
            state = DerivedStates(feed).declare(
                "duties", (Table.DUTIES,), duties(database, lambda: (next(changes)(), meanwhile())[0])
            )
            await asyncio.to_thread(state.read)
            assert state.held() is None  # what was read may be of before

    run(check())


def test_it_ends_by_itself_and_is_kept_true_meanwhile(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.1)
    faults = iter([True])

    def read() -> int:
        if next(faults, False):
            message = "not yet"
            raise ValueError(message)
        return 1

    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            states = DerivedStates(feed)
            state = states.declare("short", (Table.ROADS,), read, longest_s=0.5)
            async with state.kept(10):
                assert (state.held(), states.now()[0].trouble) == (None, "ValueError: not yet")
                await asyncio.sleep(3)
                assert states.now()[0].reads >= 3
            assert states.now()[0].trouble == ""
            await asyncio.sleep(0.6)
            assert state.held() is None

    run(check())


def test_it_is_not_trusted_while_nobody_knows_what_changed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            state = DerivedStates(feed).declare("one", (Table.ROADS,), lambda: 1)
            state.read()
            assert state.held() == 1
            monkeypatch.setattr(module, "_TRUSTED_S", -1.0)
            assert state.held() is None

    run(check())


def test_what_depends_on_a_table_whose_changes_nobody_tells_is_refused(database: str) -> None:
    async def check() -> None:
        states = DerivedStates(Feed(database))
        with pytest.raises(SetupError, match="nobody tells: vehicles"):
            states.declare("x", ("duties", "vehicles"), lambda: 1)
        states.declare("x", ("duties",), lambda: 1)
        with pytest.raises(SetupError, match="declared twice"):
            states.declare("x", ("duties",), lambda: 1)

    run(check())
