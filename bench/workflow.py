"""How fast matters move: one function for each figure, in a database of its own with durable commits.

The last line is JSON:

- incidents_per_s: POST /incidents of a real `geo-grid up` in a minute in which server and PostgreSQL are killed; lost,
  doubled, steps_lost, events_lost, events_disordered: what became of each that was answered (bench/storm.py);
- event_p99_ms: from commit to each of 200 walls at 200 incidents/s (bench/feed.py);
- indicators_s, indicators_wrong: every indicator of every leaf cell, of a million incidents, and compared with pandas
  (bench/indicators.py);
- deadline_sweep_per_s: incidents whose deadline has come, noted and told in sets by the due work of one server; beside it
  what an incident costs that comes in with its deadlines, and how fast a change of the calendar moves all of them.

ONLY names figures (deadlines, storm, indicators; with commas); all of them without.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.city import say
from bench.feed import lateness, wait_for_first_work
from bench.indicators import indicators, million_city
from bench.restart import City
from bench.storm import storm
from geo_grid.db import Cluster, connect, migrate
from geo_grid.workflow.deadlines import sweep
from geo_grid.workflow.working_time import begin_calendar, reckon
from tests.squares import two_by_two

_ZONE = "Asia/Shanghai"
_MATTERS = 50_000
_MADE = (
    "insert into incidents (category, received_at, geom, grid_code, edition_id)"
    " select (array['help', 'fire', 'dispute', 'city_matter'])[1 + n %% 4], now() - interval '30 days' - n * interval '1 s',"
    " ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490), 'A', 1 from generate_series(1, %s) n"
)

type Figures = dict[str, float]


def deadlines(conninfo: str) -> Figures:
    """Sweep matters that are all late, as the due work does: set by set, each a transaction of its own connection."""
    began = time.perf_counter()
    with connect(conninfo) as connection:
        connection.execute(_MADE, (_MATTERS,))
    made_s = time.perf_counter() - began
    with connect(conninfo) as connection:
        connection.execute("update working_days set is_working = not is_working where day = current_date - 20")
    began = time.perf_counter()
    with connect(conninfo) as connection:
        assert reckon(connection, _ZONE) == _MATTERS
    moved_s = time.perf_counter() - began
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("vacuum analyze incidents")
    began, swept = time.perf_counter(), 0
    while True:
        with connect(conninfo) as connection:
            count, _ = sweep(connection, datetime.now(UTC))
        swept += count
        if not count:
            break
    swept_s = time.perf_counter() - began
    with connect(conninfo) as connection:
        row = connection.execute(
            "select count(*) as n, count(distinct incident_id) as of from deadline_marks"
        ).fetchone()
    assert row is not None
    assert (swept, row["of"]) == (_MATTERS, _MATTERS)
    say(f"deadlines: {row['n']:,} breaches of {swept:,} matters noted in {swept_s:.1f} s")
    return {
        "deadline_sweep_per_s": round(swept / swept_s),
        "deadline_moved_per_s": round(_MATTERS / moved_s),
        "deadline_made_us": round(made_s / _MATTERS * 1e6),
    }


def deadlines_of_a_small_city(folder: Path) -> Figures:
    """See `deadlines`; in a cluster of its own."""
    with Cluster(folder) as cluster:
        with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
            connection.execute("create database bench_deadlines")
        conninfo = cluster.conninfo_for("bench_deadlines")
        migrate(conninfo)
        with connect(conninfo) as connection:
            two_by_two(connection)
            begin_calendar(connection, _ZONE)
        return deadlines(conninfo)


def storm_over_the_demo(folder: Path) -> Figures:
    """See `storm` and `lateness`; in a demo city of its own."""
    city = City(folder)
    try:
        city.run("up", "--detach", "--still")
        key = city.run("key", "add", "walls", "--role", "supervisor", "--city", said=False)[1].strip()
        wait_for_first_work(Cluster(city.state).conninfo, key)
        late, unheard = asyncio.run(lateness(Cluster(city.state).conninfo, key, 20, False))
        return {**storm(city), "event_p99_ms": late, "events_unheard": unheard}
    finally:
        city.run("down")


def indicators_of_a_million(_: Path) -> Figures:
    """See `indicators`; the city is made once, and kept."""
    with million_city() as conninfo:
        return indicators(conninfo)


FIGURES: dict[str, Callable[[Path], Figures]] = {
    "deadlines": deadlines_of_a_small_city,
    "storm": storm_over_the_demo,
    "indicators": indicators_of_a_million,
}


def main() -> None:
    os.environ |= {"GEO_GRID_RATE_LIMIT": "1000000/second", "GEO_GRID_EVENT_STREAMS_PER_ACCOUNT": "1000"}
    wanted = set(filter(None, os.environ.get("ONLY", "").split(","))) or set(FIGURES)
    found: Figures = {}
    for name, figure in FIGURES.items():
        if name in wanted:
            with tempfile.TemporaryDirectory(prefix="geo_grid_bench_", dir="/tmp") as folder:
                Path(folder).chmod(0o755)  # the unprivileged user of PostgreSQL reaches it
                found |= figure(Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
