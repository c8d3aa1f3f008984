"""What happened is told in its order, once, to whoever listens: across powers of ten, and after a restore."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.db import Asker, AsyncConnection, acting, connect, open_pool
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.workflow import Event, Place, events_after
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import two_by_two

HERE = {"lon": 114.501, "lat": 37.001, "category": "x"}


@pytest.fixture
def city(database: str) -> str:
    with connect(database) as connection:
        two_by_two(connection)
        connection.execute("delete from events")
    return database


def as_supervisor[T](city: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Work in a transaction on behalf of somebody who sees everything."""
    asker = Asker(digest_of(api_key(city, "supervisor")))

    async def run() -> T:
        conninfo = make_conninfo(city, user=APPLICATION_ROLE)
        async with open_pool(conninfo, 1, 30) as pool, acting(pool, asker) as connection:
            return await work(connection)

    return asyncio.run(run())


def happened(city: str, numbers: list[int]) -> None:
    """Events of so many transactions, one in each, as if they had been written there."""
    with connect(city) as connection:
        for number in numbers:
            connection.execute(
                "insert into events (written_in, kind, key) values (%s::text::xid8, 'layer', %s)", (number, str(number))
            )


def after(city: str, place: Place) -> list[Event]:
    """Everything after a place, page by page."""

    async def read(connection: AsyncConnection) -> list[Event]:
        found: list[Event] = []
        last = place
        while page := await events_after(connection, last):
            found, last = [*found, *page], page[-1].place
        return found

    return as_supervisor(city, read)


def newest(city: str) -> int:
    """A number above those of all transactions so far."""
    with connect(city) as connection:
        row = connection.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as n").fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("power", [10, 100, 1_000, 100_000])
def test_events_are_told_in_their_order_across_a_power_of_ten(city: str, power: int) -> None:
    numbers = list(range(power - 3, power + 3))
    while newest(city) <= numbers[-1]:  # until such transactions are past
        with connect(city) as connection:
            connection.execute(
                "do $$ begin for i in 1..2000 loop begin"
                " insert into idempotency_keys values ('x', 'x', 0); exception when others then null; end; end loop; end $$"
            )
    happened(city, numbers)
    assert [event.key for event in after(city, Place(0, 0))] == [str(number) for number in numbers]
    for number in numbers:
        told = after(city, Place(number, 2**62))
        assert [event.key for event in told] == [str(later) for later in numbers if later > number]


def test_more_than_one_page_across_a_power_of_ten_loses_nothing(city: str) -> None:
    happened(city, list(range(1, 13)) * 100)
    told = [event.key for event in after(city, Place(0, 0))]
    assert told == [str(number) for number in range(1, 13) for _ in range(100)]


def listener(url: str, key: str, last: str | None = None) -> Iterator[tuple[str, str, str]]:
    """What a page hears: (kind, data, id) of each event; ends when nothing comes for some seconds."""
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last} if last else {})
    with (
        httpx.Client(base_url=url, timeout=httpx.Timeout(10, read=8)) as client,
        client.stream("GET", "/events", headers=headers) as stream,
    ):
        said: dict[str, str] = {}
        try:
            for line in stream.iter_lines():
                if line == ": listening":
                    yield ("listening", "", "")
                name, _, value = line.partition(": ")
                said[name] = value
                if not line:
                    if "event" in said:
                        yield (said["event"], said["data"], said["id"])
                    said = {}
        except httpx.ReadTimeout:
            return


def test_who_begins_to_listen_hears_nothing_old(city: str) -> None:
    happened(city, [7, 8, 9, 10, 11, 100])
    key = api_key(city, "supervisor")
    with live_server(city) as url, bearing(url, key) as client:
        hears = listener(url, key)
        assert next(hears)[0] == "listening"
        made = client.post("/incidents", json=HERE).json()["incident_id"]
        assert next(hears)[:2] == ("incident", str(made))


def test_after_a_restore_events_go_on_and_whoever_listened_before_looks_again(city: str) -> None:
    future = newest(city) + 1_000_000  # the numbers of the database that was backed up
    happened(city, [future, future + 1])
    key = api_key(city, "supervisor")
    with live_server(city) as url, bearing(url, key) as client:
        hears = listener(url, key, last=f"{future + 50}-77")  # it had heard of more than was backed up
        kinds = {next(hears)[0] for _ in range(4)}
        assert kinds == {"listening", "incidents", "edition", "layer"}
        made = client.post("/incidents", json=HERE).json()["incident_id"]
        assert next(hears)[:2] == ("incident", str(made))
        fresh = listener(url, key)
        assert next(fresh)[0] == "listening"
        again = client.post("/incidents", json=HERE).json()["incident_id"]
        assert next(fresh)[:2] == ("incident", str(again))
    happened(city, [])
    told = after(city, Place(future, 2**62))
    assert [(event.kind, event.key) for event in told[:4]] == [
        ("layer", str(future + 1)), ("incidents", None), ("edition", None), ("layer", None),
    ]  # fmt: skip
    with connect(city) as connection:  # said once, not at every start
        assert connection.execute("select access.settle() as said").fetchall() == []


def test_a_place_that_is_not_reached_yet_is_answered_with_looking_again(city: str) -> None:
    told = after(city, Place(newest(city) + 1_000_000, 1))
    assert [(event.kind, event.key) for event in told] == [("incidents", None), ("edition", None), ("layer", None)]


def test_events_written_side_by_side_are_told_when_the_earlier_is_committed(city: str) -> None:
    committed = threading.Event()
    with connect(city) as slow:
        slow.execute("insert into events (kind, key) values ('layer', 'slow')")

        def fast() -> None:
            with connect(city) as connection:
                connection.execute("insert into events (kind, key) values ('layer', 'fast')")
            committed.set()

        threading.Thread(target=fast).start()
        assert committed.wait(20)
        assert after(city, Place(0, 0)) == []  # the slow one comes before it
    assert [event.key for event in after(city, Place(0, 0))] == ["slow", "fast"]
