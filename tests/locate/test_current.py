"""Freshness: what the server holds in memory follows the database, and never answers with a mixture."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from geo_grid.boundaries import publish_cells
from geo_grid.changes import Feed
from geo_grid.db import connect
from geo_grid.derived import DerivedStates
from geo_grid.derived import state as module
from geo_grid.locate import EVERYTHING, CityIndex, Location, Locations, current
from tests.squares import SIDE, SOUTH, WEST, cells, local_levels, square

INSIDE = (WEST + SIDE / 2, SOUTH + SIDE / 2)


@pytest.fixture(autouse=True)
def _collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage is collected as in production."""
    monkeypatch.setattr(current, "gc", gc)


class Asked:
    """Locations, asked by the owner of the database."""

    def __init__(self, kept: Locations, conninfo: str) -> None:
        self.kept = kept
        self.conninfo = conninfo
        self.snapshot = kept.snapshot

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[psycopg.AsyncConnection]:
        async with await psycopg.AsyncConnection.connect(self.conninfo, row_factory=dict_row) as connection:
            yield connection

    async def locate(self, lon: float, lat: float, at: datetime | None, error_m: float) -> Location:
        return await self.kept.locate(self.reading, EVERYTHING, lon, lat, at, error_m)

    async def city(self, at: datetime | None = None) -> CityIndex:
        return await self.kept.city(self.reading, at)


@asynccontextmanager
async def locations(conninfo: str, folder: Path) -> AsyncIterator[Asked]:
    async with Feed.kept(conninfo) as feed, Locations.kept(conninfo, folder, DerivedStates(feed)) as kept:
        yield Asked(kept, conninfo)


async def until(condition: Callable[[], bool | Awaitable[bool]], patience_s: float = 20) -> float:
    """Wait for a condition and return how long it took."""
    began = time.monotonic()
    while True:
        met = condition()
        if met is True or (not isinstance(met, bool) and await met):
            return time.monotonic() - began
        assert time.monotonic() - began < patience_s, "it never came"
        await asyncio.sleep(0.02)


def edition_of(kept: Asked) -> int | None:
    found = kept.snapshot()
    return found.city.edition if found is not None else None


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def publish_another(conninfo: str) -> None:
    """A second parent with one cell, east of the first."""
    with connect(conninfo) as connection:
        publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")


def test_what_ended_keeps_no_edition_in_memory(small_city: str, tmp_path: Path) -> None:
    class Server:
        """Refers to itself, as an application and its routes do, so that the garbage collector alone can free it."""

        kept: Asked
        itself: "Server"

    def is_mapped() -> bool:
        return str(tmp_path) in Path("/proc/self/maps").read_text()

    async def serve() -> None:
        server = Server()
        server.itself = server
        async with locations(small_city, tmp_path) as server.kept:
            await until(lambda: edition_of(server.kept) == 1)
            assert is_mapped()

    asyncio.run(serve())
    gc.collect()
    assert not is_mapped()


def test_a_publish_is_told_and_the_snapshot_is_replaced(small_city: str, tmp_path: Path) -> None:
    east = (WEST + 2.5 * SIDE, SOUTH + SIDE / 2)

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: edition_of(kept) == 1)
            old = kept.snapshot()
            assert (await kept.locate(*east, None, 10)).unassigned
            await asyncio.to_thread(publish_another, small_city)
            await until(lambda: edition_of(kept) == 2, 60)
            assert (await kept.locate(*east, None, 10)).grid_cells[-1].grid_code == "E"
            assert old.city.edition == 1  # who still holds it still gets the whole old answer
            assert old.locate(*east, 10, EVERYTHING).unassigned

    asyncio.run(check())


def test_answers_go_on_while_an_edition_is_built_and_none_is_a_mixture(small_city: str, tmp_path: Path) -> None:
    east = (WEST + 2.5 * SIDE, SOUTH + SIDE / 2)
    waits: dict[str, list[float]] = {"before": [], "meanwhile": []}
    seen: list[int | None] = []

    async def ask(kept: Asked, when: str) -> None:
        began = time.perf_counter()
        found = await kept.locate(*east, None, 10)
        waits[when].append(time.perf_counter() - began)
        assert found.unassigned == (found.edition == 1)
        seen.append(found.edition)
        await asyncio.sleep(0.001)

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: edition_of(kept) == 1)
            for _ in range(200):
                await ask(kept, "before")
            publisher = threading.Thread(target=publish_another, args=(small_city,))
            publisher.start()
            while edition_of(kept) != 2:
                await ask(kept, "meanwhile")
            publisher.join()
            assert seen == sorted(seen)

    asyncio.run(check())
    assert len(waits["meanwhile"]) > 50
    usual, meanwhile = (sorted(some)[int(len(some) * 0.99)] for some in waits.values())
    assert meanwhile < max(0.2, 5 * usual)  # a busy machine


def test_duties_and_circles_are_followed_too(small_city: str, tmp_path: Path) -> None:

    async def lead(kept: Asked) -> str | None:
        found = await kept.locate(*INSIDE, None, 10)
        return found.grid_cells[-1].grid_lead

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: kept.snapshot() is not None)
            saved = names(tmp_path)
            with connect(small_city) as connection:
                connection.execute(
                    "insert into duties (grid_code, duty_role, person_name, valid_to)"
                    " values ('A', 'grid_lead', 'Zhang', now() + interval '3 seconds')"
                )

            async def is_zhang() -> bool:
                return await lead(kept) == "Zhang"

            async def is_nobody() -> bool:
                return await lead(kept) is None

            assert await until(is_zhang) < 2
            assert names(tmp_path) == saved  # no edition was built for it
            await until(is_nobody, 6)  # and it ends by the clock, though nothing changes
            await until(lambda: kept.snapshot() is not None)

    asyncio.run(check())


def test_what_a_snapshot_holds_nothing_of_does_not_make_it_read_again(small_city: str, tmp_path: Path) -> None:
    """Positions of units did: the whole snapshot, each second, with a collector's pause each time."""
    with connect(small_city) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, geom, reported_at)"
            " values ('U', 'u', 'car', ST_SetSRID(ST_MakePoint(114.5, 37), 4490), now())"
        )

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: kept.snapshot() is not None)
            first = kept.snapshot()
            for _ in range(5):
                with connect(small_city) as connection:
                    connection.execute("update patrol_units set reported_at = now()")
                await asyncio.sleep(0.3)
            assert kept.snapshot() is first
            with connect(small_city) as connection:
                connection.execute(
                    "insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_lead', 'Li')"
                )
            await until(lambda: kept.snapshot() not in {None, first})

    asyncio.run(check())


def test_after_a_publish_the_old_edition_is_answered_no_more(small_city: str, tmp_path: Path, monkeypatch) -> None:
    """It was, until the new one was compiled: for 11 s on a busy machine. PostGIS answers meanwhile."""
    east = (WEST + 2.5 * SIDE, SOUTH + SIDE / 2)
    compile_edition = Locations._in_worker
    goes_on = threading.Event()

    def slowly(self: Locations, edition: int | None) -> Path:
        assert goes_on.wait(60)
        return compile_edition(self, edition)

    monkeypatch.setattr(Locations, "_in_worker", slowly)

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: edition_of(kept) == 1)
            await asyncio.to_thread(publish_another, small_city)
            assert await until(lambda: kept.snapshot() is None) < 5
            found = await kept.locate(*east, None, 10)
            assert (found.edition, found.grid_cells[-1].grid_code) == (2, "E")
            goes_on.set()
            await until(lambda: edition_of(kept) == 2)

    asyncio.run(check())


def test_a_lost_connection_is_made_again(small_city: str, tmp_path: Path) -> None:

    async def check() -> None:
        named = make_conninfo(small_city, application_name="keeper")
        async with locations(named, tmp_path) as kept:
            await until(lambda: edition_of(kept) == 1)
            with psycopg.connect(small_city, autocommit=True) as admin:
                killed = admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and application_name = 'keeper'"
                ).fetchall()
            assert killed
            assert not (await kept.locate(*INSIDE, None, 10)).unassigned  # from memory meanwhile
            await asyncio.to_thread(publish_another, small_city)
            await until(lambda: edition_of(kept) == 2)

    asyncio.run(check())


def test_what_was_not_seen_to_be_current_for_long_is_not_answered_from(
    small_city: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "_TRUSTED_S", 0.0)

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            await until(lambda: kept.kept._snapshot._held is not None)
            assert kept.snapshot() is None
            assert (await kept.locate(*INSIDE, None, 10)).edition == 1  # PostGIS answers

    asyncio.run(check())


def test_an_edition_of_the_future_comes_into_force_on_time(database: str, tmp_path: Path) -> None:
    with connect(database) as connection:
        local_levels(connection)
        row = connection.execute("select clock_timestamp() as now").fetchone()
    begins = row["now"] + timedelta(seconds=3)
    with connect(database) as connection:
        publish_cells(
            connection, cells(("P", 1, None, square(0, 0)), ("A", 2, "P", square(0, 0))), "soon", valid_from=begins
        )

    async def check() -> None:
        async with locations(database, tmp_path) as kept:
            await until(lambda: kept.snapshot() is not None or datetime.now(UTC) >= begins)
            while datetime.now(UTC) < begins - timedelta(seconds=0.2):
                assert (await kept.locate(*INSIDE, None, 10)).edition is None
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.4)
            assert (await kept.locate(*INSIDE, None, 10)).edition == 1
            await until(lambda: edition_of(kept) == 1)

    asyncio.run(check())


def test_past_editions_are_compiled_when_asked_for(small_city: str, tmp_path: Path) -> None:
    with connect(small_city) as connection:
        moment = connection.execute("select clock_timestamp() as now").fetchone()["now"]
    publish_another(small_city)

    async def check() -> None:
        async with locations(small_city, tmp_path) as kept:
            assert (await kept.city(moment)).edition == 1
            assert (await kept.city()).edition == 2
            assert (await kept.locate(*INSIDE, moment, 10)).edition == 1

    asyncio.run(check())
