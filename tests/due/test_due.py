"""Work that is due is done once, by whichever server lives, and one that fails holds up no other."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psycopg
import pytest

from geo_grid.db import connect
from geo_grid.doctor import examine
from geo_grid.due import examine_due
from geo_grid.settings import Settings
from tests.due.looping import kinds, looping


@pytest.fixture
def listed(database: str) -> str:
    """A database with nothing due, and a table for what was done."""
    with connect(database) as connection:
        connection.execute("delete from due_work")
        connection.execute("create table done (subject text)")
    return database


def ask(database: str, *subjects: str, kind: str = "once", since: str = "0 s") -> None:
    with connect(database) as connection:
        for subject in subjects:
            connection.execute("select ask_for(%s, %s, now() - %s::interval)", (kind, subject, since))


def asked(database: str, question: str) -> list[dict[str, Any]]:
    with connect(database) as connection:
        return connection.execute(question).fetchall()


def done(database: str) -> Counter[str]:
    return Counter(row["subject"] for row in asked(database, "select subject from done"))


async def until(database: str, question: str, patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not asked(database, question):
        assert time.monotonic() < deadline, asked(database, "select * from due_work limit 20")
        await asyncio.sleep(0.05)


NOTHING_LEFT = "select where not exists (select from due_work where kind = 'once')"


@pytest.mark.parametrize("at_once", [1, 7])
def test_two_servers_do_each_row_once(listed: str, at_once: int) -> None:
    subjects = [f"s{number}" for number in range(40)]
    ask(listed, *subjects)

    async def both() -> None:
        async with looping(listed, at_once=at_once), looping(listed, at_once=at_once):
            await until(listed, NOTHING_LEFT)

    asyncio.run(both())
    found = done(listed)
    assert found.pop("") == 1  # what recurs, once for both
    assert found == Counter(subjects)


def test_what_a_killed_server_had_in_hand_is_done_by_another_once(listed: str) -> None:
    ask(listed, "x")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.due.looping", listed], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        server.kill()
        assert said == "in the middle\n"

    async def another() -> None:
        async with looping(listed):
            await until(listed, NOTHING_LEFT)

    asyncio.run(another())
    assert done(listed)["x"] == 1


def test_what_fails_waits_longer_each_time_and_the_others_go_on(listed: str) -> None:
    ask(listed, "a", "bad", "b", "c", since="1 hour")

    async def serve() -> dict[str, int]:
        async with looping(listed, at_once=4) as due:  # in one call, and then each alone
            await until(listed, "select from due_work where subject = 'bad' and attempts = 3 and claimed_until is null")
            await asyncio.sleep(0.3)
            due.soon()
            await asyncio.sleep(0.3)
            return due.failing

    failing = asyncio.run(serve())
    assert failing["once"] >= 3
    assert done(listed) == Counter(["", "a", "b", "c"])
    row = asked(listed, "select attempts, last_error, due_at - now() as waits from due_work where subject = 'bad'")[0]
    assert row["last_error"] == "RuntimeError: it is bad"
    assert [kinds()[0].wait_s(attempts) for attempts in (1, 2, 3, 60)] == [0.4, 0.8, 1.6, 600.0]
    with connect(listed) as connection:
        is_well, told = examine_due(connection, kinds())
    assert not is_well
    assert f"once bad failed at try {row['attempts']}: RuntimeError: it is bad" in told


def test_what_is_asked_for_again_while_it_is_done_is_done_again(listed: str) -> None:
    ask(listed, "x")

    async def serve() -> None:
        async with looping(listed, doing=0.5):
            await until(listed, "select from due_work where subject = 'x' and claimed_until is not null")
            ask(listed, "x")
            await until(listed, NOTHING_LEFT)

    asyncio.run(serve())
    assert done(listed)["x"] == 2


def test_what_takes_longer_than_a_claim_is_kept_in_hand(listed: str) -> None:
    ask(listed, "x")

    async def both() -> None:
        async with looping(listed, doing=2.5), looping(listed, doing=2.5):
            await until(listed, NOTHING_LEFT)

    asyncio.run(both())
    assert done(listed)["x"] == 1


def test_what_became_due_while_no_server_ran_is_caught_up_with_and_what_is_to_come_waits(listed: str) -> None:
    ask(listed, "old", since="3 days")
    ask(listed, "new", since="-1 day")
    ask(listed, "", kind="often", since="3 days")

    async def serve() -> None:
        async with looping(listed) as due:
            await until(listed, "select where (select count(*) from done) = 2")
            due.soon()
            await asyncio.sleep(0.5)

    asyncio.run(serve())
    assert done(listed) == Counter(["old", ""])
    left = asked(listed, "select kind, due_at > now() + interval '59 minutes' as waits from due_work order by kind")
    assert left == [{"kind": "often", "waits": True}, {"kind": "once", "waits": True}]


def test_the_earlier_moment_wins(listed: str) -> None:
    for since in ("-2 hours", "-1 hour", "-3 hours"):
        ask(listed, "x", since=since)
    assert asked(listed, "select due_at < now() + interval '1 hour' as wins from due_work") == [{"wins": True}]


def test_kinds_of_another_version_are_left_alone_and_named(listed: str) -> None:
    ask(listed, "x", kind="of_tomorrow")
    ask(listed, "y")

    async def serve() -> None:
        async with looping(listed):
            await until(listed, NOTHING_LEFT)

    asyncio.run(serve())
    assert asked(listed, "select attempts from due_work where kind = 'of_tomorrow'") == [{"attempts": 0}]
    found = {finding.what: finding for finding in examine(listed, Settings())}["work that is due"]
    assert not found.ok
    assert "1 of the kind of_tomorrow, which this version does not know" in found.found


def test_a_new_post_asks_for_circles(listed: str) -> None:
    with connect(listed) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom)"
            " values ('p', 'p', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
    assert asked(listed, "select kind from due_work where due_at <= now()") == [{"kind": "circles"}]


def test_those_who_ask_for_the_same_do_not_wait_for_each_other(listed: str) -> None:
    change = "update circle_rules set dispatch_s = dispatch_s where tier_minutes = %s"
    with psycopg.connect(listed) as slow:
        slow.execute(change, (1,))
        with connect(listed) as quick:
            quick.execute("set local lock_timeout = '2 s'")
            quick.execute(change, (3,))
        assert asked(listed, "select kind from due_work") == [{"kind": "circles"}]
