"""Tracks in partitions by day: rows go to their day, days are dropped whole, and no server need have been there before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from drills.kit import until
from geo_grid.db import Cluster, connect, migrate, read_migrations
from geo_grid.db.as_text import differences
from geo_grid.response.positions import QUERIES
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, as_server, bearing

DAY = timedelta(days=1)
_UNITS = """
    insert into patrol_units (unit_code, name, unit_kind, reported_at, geom)
    select 'U' || n, 'x', 'car', now() - interval '2 years', ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490)
    from generate_series(1, 8) n
"""


@pytest.fixture
def city(small_city: str) -> str:
    with connect(small_city) as connection:
        connection.execute(_UNITS)
    return small_city


@pytest.fixture
def client(city: str) -> Iterator[httpx.Client]:
    """A client of a server that has tidied for the first time: it makes the days that come."""
    with live_server(city) as url, bearing(url, api_key(city, "dispatcher")) as client:
        until(lambda: of(datetime.now(UTC) + 2 * DAY) in days(city), "the days that come are not made")
        yield client


def report(client: httpx.Client, *reports: tuple[str, datetime]) -> dict:
    told = [{"unit_code": unit, "lon": 114.51, "lat": 37.01, "reported_at": at.isoformat()} for unit, at in reports]
    answer = client.post("/units/positions", json={"positions": told})
    assert answer.status_code == 200, answer.text
    return answer.json()


def days(database: str) -> dict[str, int]:
    """Rows by partition; those that are empty too."""
    with connect(database) as connection:
        found = connection.execute(
            "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'unit_positions'::regclass"
        ).fetchall()
        return {
            row["name"].removeprefix("unit_positions_"): count["n"]
            for row in found
            if (count := connection.execute(f"select count(*) as n from {row['name']}").fetchone())
        }


def of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y_%m_%d")


def tidy(database: str, kept: timedelta) -> None:
    as_server(database, QUERIES["tidy"], {"kept_s": kept.total_seconds()})


def store(database: str, *moments: datetime) -> None:
    with connect(database) as connection:
        for moment in moments:
            connection.execute("select access.make_partition('unit_positions', 'day', %s)", (moment,))
            connection.execute("insert into unit_positions select 'U1', %s, geom from patrol_units limit 1", (moment,))


def test_a_server_that_was_off_for_long_takes_what_is_reported(client: httpx.Client, city: str) -> None:
    """Nobody has made a partition: not of now, not of a month ago."""
    now = datetime.now(UTC)
    with connect(city) as connection:
        connection.execute("select access.drop_partitions('unit_positions', 'day', now() + interval '10 days')")
    assert days(city) == {}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [now, midnight, midnight - timedelta(microseconds=1), now - 30 * DAY]
    assert report(client, *(("U1", at) for at in moments))["accepted"] == 4
    assert days(city) == {of(now): 2, of(now - DAY): 1, of(now - 30 * DAY): 1}
    assert report(client, ("U1", now))["repeated"] == 1
    around = {"since": (midnight - DAY / 24).isoformat(), "until": (midnight + DAY / 24).isoformat()}
    assert len(client.get("/units/U1/track", params=around).json()["positions"]) == 2 + (now < midnight + DAY / 24)


def test_what_no_setting_keeps_is_in_no_track(client: httpx.Client, city: str) -> None:
    """A device whose clock is wrong by years makes no partitions."""
    now = datetime.now(UTC)
    wrong = [("U1", now - n * 7 * DAY) for n in (53, 1024)]
    taken = report(client, ("U1", now), *wrong)
    assert (taken["accepted"], taken["late"], taken["repeated"]) == (2, 1, 0)  # two years ago it was heard of last
    assert not {of(at) for _, at in wrong} & days(city).keys()
    assert report(client, *wrong)["late"] == 2


def test_those_who_report_at_once_make_a_day_once(client: httpx.Client, city: str) -> None:
    long_ago = datetime.now(UTC) - 40 * DAY

    def one(n: int) -> dict:
        return report(client, *((f"U{unit}", long_ago + timedelta(seconds=n)) for unit in range(8, 0, -1)))

    with ThreadPoolExecutor(8) as threads:
        assert sum(taken["accepted"] + taken["late"] for taken in threads.map(one, range(32))) == 32 * 8
    assert days(city)[of(long_ago)] == 32 * 8


def test_days_that_are_over_are_dropped_and_the_next_are_made(city: str) -> None:
    now = datetime.now(UTC)
    border = now - 3 * DAY
    begins = border.replace(hour=0, minute=0, second=0, microsecond=0)
    store(city, begins - timedelta(microseconds=1), begins, border, now)
    tidy(city, 3 * DAY)
    assert days(city) == {of(begins): 2, of(now): 1, of(now + DAY): 0, of(now + 2 * DAY): 0}
    tidy(city, 3 * DAY)
    tidy(city, timedelta(seconds=1))
    assert days(city) == {of(now): 1, of(now + DAY): 0, of(now + 2 * DAY): 0}


def test_who_reports_while_it_is_tidied_is_heard(client: httpx.Client, city: str) -> None:
    now = datetime.now(UTC)

    def one(n: int) -> int:
        return report(client, *((f"U{unit}", now - timedelta(milliseconds=n)) for unit in range(1, 9)))["repeated"]

    with ThreadPoolExecutor(4) as threads:
        reported = threads.map(one, range(60))
        for n in range(8):
            store(city, now - (n + 3) * DAY)
            with connect(city) as connection:
                connection.execute("select access.drop_partitions('unit_positions', 'day', now())")
                connection.execute("drop table if exists unit_positions_" + of(now + 2 * DAY))
            tidy(city, DAY)
        assert sum(reported) == 0
    assert days(city)[of(now)] == 60 * 8


def test_tidying_waits_for_nobody(city: str) -> None:
    """A backup reads all tables for minutes: else whoever writes would wait as long."""
    old = datetime.now(UTC) - 9 * DAY
    store(city, old)
    with psycopg.connect(city) as reading:
        reading.execute("lock table unit_positions in access share mode")
        tidy(city, DAY)
        assert of(old) in days(city)
    tidy(city, DAY)
    assert of(old) not in days(city)


def test_units_and_readers_are_not_held_up_by_what_is_dropped(city: str) -> None:
    store(city, datetime.now(UTC) - 9 * DAY)
    with connect(city) as dropping:
        dropping.execute("select access.drop_partitions('unit_positions', 'day', now())")
        with connect(city) as other:
            other.execute("set lock_timeout = '1s'")
            assert other.execute("update patrol_units set name = 'y'").rowcount == 8


def test_tracks_go_with_their_unit_and_are_seen_by_whom_they_concern(client: httpx.Client, city: str) -> None:
    now = datetime.now(UTC)
    store(city, now - 2 * DAY, now)
    with connect(city) as connection:
        connection.execute("delete from patrol_units where unit_code = 'U1'")
    assert set(days(city).values()) == {0}
    with psycopg.connect(make_conninfo(city, user="geo_grid_app"), autocommit=True) as connection:
        assert connection.execute("select count(*) from unit_positions").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select from unit_positions_{of(now)}")


def test_an_upgrade_keeps_all_positions(cluster: Cluster) -> None:
    with new_database(cluster, "tracks_before", "template0") as conninfo:
        migrate(conninfo, [one for one in read_migrations() if one.number < 48])
        with connect(conninfo) as connection:
            connection.execute(_UNITS)
            connection.execute(
                "insert into unit_positions select unit_code, now() - n * interval '5 hours', geom"
                " from patrol_units, generate_series(0, 99) n"
            )
            before = connection.execute("select * from unit_positions order by 1, 2").fetchall()
        migrate(conninfo)
        with connect(conninfo) as connection:
            assert connection.execute("select * from unit_positions order by 1, 2").fetchall() == before
            assert differences(connection) == []
        assert sum(days(conninfo).values()) == 800
        assert len(days(conninfo)) in (21, 22)
        assert days(conninfo)[of(datetime.now(UTC) - 10 * DAY)] in (32, 40)
