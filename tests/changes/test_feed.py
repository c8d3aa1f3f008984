"""What changed is told in its order, once, to whoever listens: whatever transactions do side by side, and after a restore."""

import asyncio
import hashlib
import json
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, with_config

from geo_grid.access import digest_of, new_secret
from geo_grid.api.lifetime import _admit
from geo_grid.changes import Change, Feed, IncidentNow, Place
from geo_grid.changes import feed as module
from geo_grid.db import Asker, connect
from geo_grid.errors import SetupError, UserError
from tests.conftest import live_server
from tests.identities import api_key, bearing

HERE = {"lon": 114.501, "lat": 37.001, "category": "x"}
MADE = "insert into changes (kind, subject, payload) values ('incident', %s, to_jsonb(%s::int))"


@pytest.fixture
def city(small_city: str) -> str:
    return small_city


class Reader:
    """A feed that reads only when it is told to."""

    def __init__(self, conninfo: str) -> None:
        self.feed = Feed(conninfo)
        self._conninfo = conninfo
        self.heard: list[Change] = []
        self._at = 0

    async def __aenter__(self) -> "Reader":
        self.connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, row_factory=psycopg.rows.dict_row
        )
        self.feed._connection = self.connection
        await self.feed._read(self.connection)
        self._at = self.feed.newest.number
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    async def read(self) -> list[Change]:
        """What is new."""
        await self.feed._read(self.connection)
        new = [change for pulse in self.feed.since(self._at) for change in pulse.changes]
        self._at = self.feed.newest.number
        self.heard += new
        return new


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


WRITERS, SUBJECTS = 3, 3
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, WRITERS - 1), st.integers(0, SUBJECTS - 1)),
        st.tuples(st.sampled_from(["commit", "rollback", "savepoint"]), st.integers(0, WRITERS - 1), st.just(0)),
        st.tuples(st.sampled_from(["read", "leave"]), st.just(0), st.just(0)),
    ),
    min_size=12,
    max_size=40,
)
OVERTAKEN = [("write", 0, 0), ("write", 1, 1), ("commit", 1, 0), ("read", 0, 0), ("leave", 0, 0), ("commit", 0, 0)]
"""The earlier transaction is committed after the later one was read."""


class World:
    """Some who write, each in a transaction of their own, and one feed whose listeners leave and come back."""

    def __init__(self, writers: list[psycopg.Connection], reader: Reader) -> None:
        self.writers, self.reader = writers, reader
        self.open: list[list[tuple[str, int]]] = [[] for _ in writers]
        self.held: dict[str, int] = {}
        self.committed: list[tuple[str, int]] = []
        self.left: list[tuple[Place, int]] = []
        self.count = 0

    async def step(self, what: str, who: int, subject: int) -> None:
        if what == "write":
            self.write(who, str(subject))
        elif what == "read":
            await self.reader.read()
        elif what == "leave":
            self.left.append((self.reader.feed._last or Place("", ""), len(self.reader.heard)))
        else:
            self.end(who, what)

    def write(self, who: int, subject: str) -> None:
        if self.held.get(subject, who) != who:
            return  # its row is locked
        self.held[subject] = who
        self.count += 1
        self.writers[who].execute(MADE, (subject, self.count))
        self.open[who].append((subject, self.count))

    def end(self, who: int, how: str) -> None:
        if how == "savepoint":  # in a transaction within, whose number is another
            self.writers[who].execute("select 1")
            with self.writers[who].transaction():
                self.write(who, str(who % SUBJECTS))
            return
        self.writers[who].execute(how)
        if how == "commit":
            self.committed += self.open[who]
        self.open[who] = []
        self.held = {subject: holder for subject, holder in self.held.items() if holder != who}

    async def check(self) -> None:
        for who in range(len(self.writers)):
            self.end(who, "commit")
        await self.reader.read()
        heard = said(self.reader.heard)
        assert sorted(heard) == sorted(self.committed)  # each once, none that was given up
        for subject in map(str, range(SUBJECTS)):
            numbers = [number for one, number in heard if one == subject]
            assert numbers == sorted(numbers)
        for place, count in self.left:  # memory or database: the same, and in order
            pulse = await self.reader.feed.resume(place)
            assert not pulse.is_reset
            assert sorted(said(pulse.changes)) == sorted(heard[count:])
            for subject in map(str, range(SUBJECTS)):
                numbers = [number for one, number in said(pulse.changes) if one == subject]
                assert numbers == sorted(numbers)


def said(changes: Any) -> list[tuple[str, int]]:
    return [(change.subject, change.payload) for change in changes]


def test_any_interleaving_is_told_whole_once_and_in_order(database: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @example(steps=OVERTAKEN, kept=0)
    @example(steps=OVERTAKEN, kept=1000)
    @given(steps=STEPS, kept=st.sampled_from([0, 3, 1000]))
    def check(steps: list[tuple[str, int, int]], kept: int) -> None:
        async def go() -> None:
            module._KEPT = kept
            async with Reader(database) as reader:
                world = World(writers, reader)
                for step in steps:
                    await world.step(*step)
                await world.check()

        run(go())

    before = module._KEPT
    writers = [psycopg.connect(database) for _ in range(WRITERS)]
    try:
        check()
    finally:
        module._KEPT = before
        for writer in writers:
            writer.close()


def test_a_transaction_that_lasts_long_holds_back_its_own_changes_only(database: str) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            with psycopg.connect(database) as slow:
                slow.execute(MADE, ("slow", 1))
                begun = time.monotonic()
                while time.monotonic() - begun < 5:
                    number = feed.newest.number
                    with psycopg.connect(database) as fast:
                        fast.execute(MADE, ("fast", 2))
                    committed = time.monotonic()
                    await feed.look()
                    assert said(feed.since(number)[-1].changes) == [("fast", 2)]
                    assert time.monotonic() - committed < 2  # a busy machine
                    await asyncio.sleep(0.5)
                number = feed.newest.number
            await feed.look()
            assert said(feed.since(number)[-1].changes) == [("slow", 1)]

    run(check())


def test_changes_are_heard_without_being_told_to_look(database: str) -> None:
    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            number = feed.newest.number
            with psycopg.connect(database) as connection:
                connection.execute(MADE, ("1", 1))
            await feed.news(10)
            assert said(feed.since(number)[0].changes) == [("1", 1)]

    run(check())


def test_numbers_that_a_crashed_database_gives_again_hide_no_change(database: str) -> None:
    """Of transactions that were rolled back, and whose numbers were not on the disk yet when it crashed; nobody looks again."""

    async def check() -> None:
        async with Feed.kept(database) as feed:
            await feed.begun(10)
            with psycopg.connect(database) as connection:
                connection.execute(MADE, ("0", 0))
            await feed.look()
            with psycopg.connect(database) as connection:  # before the crash: their numbers are given away
                for _ in range(3):
                    connection.execute(MADE, ("1", 1))
                    connection.rollback()
            await feed.look()
            told, number = feed._told_to, feed.newest.number
            assert feed._last is not None
            assert (feed._last.xmax, feed.newest.place.xmax) == (told + 1, told + 1)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
                # as after the crash: the number that comes after the newest that was told
                connection.execute(
                    "insert into changes (written_in, kind, subject, payload) values (%s::text::xid8, 'incident', '1', '2')",
                    [told + 1],
                )
            await feed.look()
            heard = [change for pulse in feed.since(number) for change in pulse.changes]
            assert (said(heard), [pulse.is_reset for pulse in feed.since(number)]) == ([("1", 2)], [False])

    run(check())


def test_a_standby_that_took_over_is_another_feed(database: str) -> None:
    """Its name is that of another timeline (PostgreSQL's): it may lack what was told before."""
    with connect(database) as connection:
        row = connection.execute(
            "select feed_name('a') = left(md5('a00000001'), 16) as is_first, (select name from feed) as name, (select feed from access.feed_now())"
        ).fetchone()
    assert row is not None
    assert row["is_first"]
    assert row["feed"] == hashlib.md5(f"{row['name']}00000001".encode(), usedforsecurity=False).hexdigest()[:16]


def places_that_are_not_kept(reader: Reader, purged: int) -> dict[str, Place]:
    last = reader.feed._last
    assert last is not None
    return {
        "another database's": Place("0123456789abcdef", last.snapshot),
        "of the program before": Place.read("123456-789"),
        "of the future": Place(last.feed, f"{last.xmax + 1000}:{last.xmax + 1000}:"),
        "purged": Place(last.feed, f"{purged}:{purged}:"),
    }


def test_a_place_that_is_not_kept_is_answered_with_looking_again(database: str) -> None:
    async def check() -> None:
        with connect(database) as connection:
            connection.execute("insert into changes (kind, subject, happened_at) values ('edition', '0', '2020-01-01')")
            connection.execute(
                "insert into changes (kind, subject, happened_at) values ('layer', 'cameras', '2020-01-01'),"
                " ('layer', 'cameras', '2020-01-02')"
            )
        with connect(database) as connection:
            connection.execute("select access.tidy_changes()")
            purged = connection.execute("select purged_to::text::bigint as n from feed").fetchone()
            left = connection.execute(
                "select kind, happened_at from changes where happened_at < now() - interval '1 day'"
            ).fetchall()
        assert [(row["kind"], row["happened_at"].day) for row in left] == [("layer", 2)]  # the version of its table
        assert purged is not None
        async with Reader(database) as reader:
            for what, place in places_that_are_not_kept(reader, purged["n"]).items():
                found = await reader.feed.resume(place)
                assert (found.is_reset, found.place) == (True, reader.feed.newest.place), what

    run(check())


def test_more_than_is_read_at_once_is_answered_with_looking_again(database: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MOST", 10)

    async def check() -> None:
        async with Reader(database) as reader:
            place, number = reader.feed.newest.place, reader.feed.newest.number
            with psycopg.connect(database) as connection:
                for subject in range(11):
                    connection.execute(MADE, (str(subject), 0))
            await reader.read()
            assert [pulse.is_reset for pulse in reader.feed.since(number)] == [True]
            assert (await reader.feed.resume(place)).is_reset
            with psycopg.connect(database) as connection:
                connection.execute(MADE, ("next", 1))
            assert said(await reader.read()) == [("next", 1)]

    run(check())


@pytest.mark.parametrize("text", ["", "x", "1", "-", "0123456789abcdef-5:4:", "0123456789abcdef-4:5:3", "0123456789abcdef-4:9:6,5",
                                  "0123456789abcdef-0:9:", "0123456789abcdef-٤:5:", f"0123456789abcdef-1:{2**63}:", "0123456789ABCDEF-4:5:",
                                  "0123456789abcdef-1:9999999:" + ",".join(map(str, range(1, 2000)))])  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not the id of an event"):
        Place.read(text)


@pytest.mark.parametrize("power", [10, 1_000, 1_000_000])
def test_a_place_is_read_back_across_powers_of_ten(power: int) -> None:
    for number in range(power - 2, power + 3):
        place = Place("0123456789abcdef", f"{number}:{number + 3}:{number},{number + 2}")
        assert Place.read(str(place)) == place


def test_changes_keep_their_order_across_a_power_of_ten(database: str) -> None:
    """Numbers of transactions, and of changes, are numbers and not texts: 999 comes before 1000."""

    async def check() -> None:
        async with Reader(database) as reader:
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("alter sequence changes_change_id_seq restart with 95")
                power = _use_up(connection)
                begin, places = reader.feed.newest.place, []
                for number in range(12):
                    connection.execute(MADE, ("1", number))
                    if number in (2, 5, 9):
                        await reader.read()
                        places.append((number, reader.feed.newest.place))
                rows = connection.execute("select written_in::text from changes where kind = 'incident'").fetchall()
            written = [int(row[0]) for row in rows]
            assert min(written) < power <= max(written)
            await reader.read()
            assert [number for _, number in said(reader.heard)] == list(range(12))
            for last, place in ((-1, begin), *places):
                resumed = await reader.feed.resume(Place(place.feed, place.snapshot))
                assert not resumed.is_reset
                assert [number for _, number in said(resumed.changes)] == list(range(last + 1, 12))

    run(check())


def _use_up(connection: psycopg.Connection) -> int:
    """Use up the numbers of transactions before the next power of ten, but a few; return it."""
    (now,) = connection.execute("select pg_current_xact_id()::text").fetchone() or ("1",)
    power = 10 ** len(str(int(now) + 8))
    connection.execute(
        f"do $$ begin for n in 1..{power - 8 - int(now)} loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    return power


@pytest.mark.parametrize(("early", "late"), [(999, 1000), (99_999, 100_000)])
def test_what_is_purged_is_known_by_the_number_of_its_transaction(database: str, early: int, late: int) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("delete from changes")
        connection.execute("update feed set purged_to = '3'")
        connection.execute(
            "insert into changes (kind, subject, written_in, happened_at)"
            " select 'incident', '1', n::text::xid8, now() - interval '2 days' from unnest(%s::int[]) n", ([early, late],)
        )  # fmt: skip
        connection.execute("select access.tidy_changes()")
        (purged,) = connection.execute("select purged_to::text from feed").fetchone() or ()
    assert purged == str(late)


@with_config(ConfigDict(extra="forbid"))
class Strictly(IncidentNow):
    pass


def test_an_incident_is_told_as_it_is_now_without_what_is_private(city: str) -> None:
    async def check() -> Change:
        async with Reader(city) as reader:
            with psycopg.connect(city) as connection:
                connection.execute("set timezone = 'Asia/Shanghai'")
                connection.execute(
                    "insert into incidents (category, description, address, caller_number, received_at, geom, grid_code)"
                    " values ('x', 'what', 'where', '138', '1890-01-01 00:00+00', ST_SetSRID(ST_MakePoint(114.5, 37), 4490), 'A')"
                )
            (told,) = await reader.read()
            with psycopg.connect(city) as connection:  # a file: one change
                connection.execute(
                    "insert into incidents (category, geom) select 'x', ST_SetSRID(ST_MakePoint(114.5, 37), 4490)"
                    " from generate_series(1, 200)"
                )
            assert [(one.kind, one.subject) for one in await reader.read()] == [("incidents", None)]
            return told

    told = run(check())
    payload = TypeAdapter(Strictly).validate_python(dict(told.payload or {}), strict=True)
    assert (told.kind, told.subject, told.grid_code) == ("incident", str(payload["incident_id"]), "A")
    assert (payload["lon"], payload["lat"], payload["received_at"]) == (114.5, 37, "1890-01-01T00:00:00+00:00")
    assert told.payload_for(frozenset()) == {**payload, "zone_name": None}


def test_versions_of_tables_tell_states_apart(database: str) -> None:
    """A change that is committed after a later one has another version too, though the newest number stays."""

    async def check() -> None:
        async with Reader(database) as reader:
            seen = [reader.feed.versions(["duties", "editions"])]
            with psycopg.connect(database) as slow:
                slow.execute("delete from duties")
                with psycopg.connect(database) as fast:
                    fast.execute("delete from duties")
                await reader.read()
                seen.append(reader.feed.versions(["duties", "editions"]))
            await reader.read()
            seen.append(reader.feed.versions(["duties", "editions"]))
            assert len(set(seen)) == 3
            assert len({one[1] for one in seen}) == 1
        async with Reader(database) as again:  # after a restart; of boundaries the same
            assert again.feed.versions(["editions"]) == (seen[0][1],)

    run(check())


def admitted(conninfo: str) -> None:
    """What a server does before it serves."""
    run(_admit(conninfo, Asker(digest_of(new_secret("service")))))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("create trigger t after insert on categories_of_nobody for each statement execute function tell_table('table')",
         "table of categories_of_nobody is not declared here"),
        ("create trigger t after insert on categories_of_nobody for each statement execute function tell_table('vehicle')",
         "vehicle of categories_of_nobody is not declared here"),
        ("drop trigger duties_told on duties", "table of duties is not written by it"),
        ("drop trigger incidents_told_insert on incidents; drop trigger incidents_told_update on incidents",
         "incident is not written by it; incidents is not written by it"),
    ],
)  # fmt: skip
def test_a_server_and_a_database_that_differ_about_kinds_do_not_start(database: str, statement: str, told: str) -> None:
    admitted(database)
    with connect(database) as connection:
        connection.execute("create table categories_of_nobody (n int)")
        connection.execute(statement)
    with pytest.raises(SetupError, match=told):
        admitted(database)


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
                        yield (said["event"], said["data"], said.get("id", ""))
                    said = {}
        except httpx.ReadTimeout:
            return


def test_who_begins_to_listen_hears_nothing_old_and_who_comes_back_what_was_missed(city: str) -> None:
    key = api_key(city, "supervisor")
    with live_server(city) as url, bearing(url, key) as client:
        client.post("/incidents", json=HERE)
        hears = listener(url, key)
        assert next(hears)[0] == "listening"
        made = client.post("/incidents", json=HERE).json()
        kind, data, place = next(hears)
        assert kind == "incident"
        told = json.loads(data)
        assert {name: told[name] for name in ("incident_id", "lon", "lat", "grid_code", "grid_name", "step")} == {
            name: made[name] for name in ("incident_id", "lon", "lat", "grid_code", "grid_name", "step")
        }
        missed = client.post("/incidents", json=HERE).json()["incident_id"]
        again = listener(url, key, last=place)
        assert next(again)[0] == "listening"
        assert json.loads(next(again)[1])["incident_id"] == missed
        old = listener(url, key, last="123456-789")  # a page that was open while the program was renewed
        assert [next(old)[0], next(old)[0]] == ["listening", "reset"]


def test_after_a_restore_whoever_listened_before_looks_again(city: str) -> None:
    with connect(city) as connection:  # as of a database whose transactions had numbers to come
        connection.execute("update feed set database_id = 1")
        connection.execute("update changes set written_in = '9000000000'")
        connection.execute("insert into changes (kind, subject, written_in) values ('incident', 'old', '9000000001')")
        name = connection.execute("select name from feed").fetchone()["name"]  # type: ignore[index]
    key = api_key(city, "supervisor")
    with live_server(city) as url, bearing(url, key) as client:
        hears = listener(url, key, last=f"{name}-9000000002:9000000002:")  # it had heard of more than was backed up
        assert [next(hears)[0], next(hears)[0]] == ["listening", "reset"]
        made = client.post("/incidents", json=HERE).json()["incident_id"]
        kind, data, _ = next(hears)
        assert (kind, json.loads(data)["incident_id"]) == ("incident", made)
    with connect(city) as connection:  # said once, not at every start
        assert connection.execute("select access.settle() as said").fetchall() == []
        rows = connection.execute("select kind, subject, written_in::text from changes order by change_id").fetchall()
    assert {row["kind"] for row in rows if row["written_in"] == "3"} <= {"layer", "table"}
    assert ("incident", "old") not in {(row["kind"], row["subject"]) for row in rows}
