"""Every indicator of every cell, of a million incidents over the full-size demo city; the last line is JSON."""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.city import demo_city, say
from geo_grid.access import digest_of
from geo_grid.access.accounts import NewAccount, NewCredential, add_account, issue_credential
from geo_grid.cli.access import as_owner
from geo_grid.confined import Confined
from geo_grid.db import APPLICATION_ROLE, Asker, acting_conninfo, connect
from geo_grid.indicators import Question, figures_apart
from geo_grid.settings import settings

INCIDENTS = 1_000_000
_ZONE = "Asia/Shanghai"
_FILL = """
    insert into incidents (category, subtype, received_at, accepted_at, dispatched_at, departed_at, arrived_at, closed_at,
                           outcome, step, geom, grid_code, zone_code, edition_id)
    select category, subtype, at, at + interval '30 s' * random(), at + interval '2 min' * random(),
           at + interval '2 min' + interval '2 min' * random(), at + interval '4 min' + interval '10 min' * random(),
           case when random() < 0.9 then at + interval '2 days' * random() end, 'solved', 'verified', geom, grid_code,
           zone_code, edition_id
    from (select i.*, %(until)s - interval '364 days' * random() as at
          from incidents i cross join generate_series(1, %(times)s)
          limit %(rows)s) i
"""
_TIMES = 5


def fill(conninfo: str) -> None:
    """Bring a city to a million incidents, received within 364 days, all of them with all clocks."""
    with connect(conninfo) as connection:
        count = connection.execute("select count(*) as count from incidents").fetchone()["count"]  # type: ignore[index]
        if count < INCIDENTS:
            say(f"making {INCIDENTS - count:,} incidents ...")
            values = {"until": datetime.now(UTC), "times": INCIDENTS // count, "rows": INCIDENTS - count}
            connection.execute("alter table incidents disable trigger user")
            connection.execute(_FILL, values)
            connection.execute("alter table incidents enable trigger user")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("vacuum (analyze) incidents")


def indicators_s(conninfo: str) -> float:
    """Return the seconds in which all indicators of all leaf cells are answered: the median of five, after one.

    As the server does it: in a process of its own, which writes the answer as JSON, with the rights of a supervisor of the whole
    city.

    Parameters
    ----------
    conninfo
        libpq connection string of the owner of a city with a million incidents (`fill`).
    """
    name = f"bench-indicators-{time.monotonic_ns()}"
    new = NewAccount(kind="machine", name=name, role="supervisor", city_wide=True, grid_codes=[], staff_number=None)
    as_owner(conninfo, lambda connection: add_account(connection, new, 5))
    key = as_owner(conninfo, lambda connection: issue_credential(connection, NewCredential(name=name, rights=None)))[1]
    now = datetime.now(UTC)
    question = Question(by=["cell"], begins=now - timedelta(days=365), ends=now)

    async def measure() -> float:
        times = []
        supervisor = acting_conninfo(make_conninfo(conninfo, user=APPLICATION_ROLE), Asker(digest_of(key)))
        async with Confined.opened(1, 0, settings().solver_memory_mb, 120) as apart:
            for _ in range(1 + _TIMES):
                begun = time.perf_counter()
                async with apart.turn() as turn:
                    answer, cells = await turn.do(figures_apart, supervisor, question, now, _ZONE, "json")
                times.append(time.perf_counter() - begun)
                incidents = sum(row["count"] for row in json.loads(answer)["rows"])
                say(f"{incidents:,} incidents, {cells:,} cells: {times[-1]:.2f} s")
        return statistics.median(times[1:])

    return asyncio.run(measure())


@contextlib.contextmanager
def million_city() -> Iterator[str]:
    """The demo city with a million incidents, in a database of its own; made once, then kept."""
    with demo_city() as conninfo:
        name, made = str(conninfo_to_dict(conninfo)["dbname"]), make_conninfo(conninfo, dbname="indicators")
        with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as owner:
            if owner.execute("select from pg_database where datname = 'indicators'").fetchone() is None:
                owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
                owner.execute(sql.SQL("create database indicators template {}").format(sql.Identifier(name)))
        fill(made)
        yield made


if __name__ == "__main__":
    with million_city() as city:
        print(json.dumps({"incidents": INCIDENTS, "indicators_s": round(indicators_s(city), 3)}))
