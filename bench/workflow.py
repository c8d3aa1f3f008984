"""How fast matters move: one function for each figure, in a database of its own with durable commits.

The last line is JSON:

- deadline_sweep_per_s: incidents whose deadline has come, noted and told in sets by the due work of one server; beside it
  what an incident costs that comes in with its deadlines, and how fast a change of the calendar moves all of them.

ONLY names figures (functions of this file, with commas); all of them without.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.city import say
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


FIGURES: tuple[Callable[[str], Figures], ...] = (deadlines,)


def main() -> None:
    wanted = set(filter(None, os.environ.get("ONLY", "").split(",")))
    found: Figures = {}
    with tempfile.TemporaryDirectory(prefix="geo_grid_bench_", dir="/tmp") as name:
        Path(name).chmod(0o755)  # the unprivileged user of PostgreSQL reaches it
        with Cluster(Path(name)) as cluster:
            for figure in FIGURES:
                if wanted and figure.__name__ not in wanted:
                    continue
                database = f"bench_{figure.__name__}"
                with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
                    connection.execute(f"create database {database}".encode())
                conninfo = cluster.conninfo_for(database)
                migrate(conninfo)
                with connect(conninfo) as connection:
                    two_by_two(connection)
                    begin_calendar(connection, _ZONE)
                found |= figure(conninfo)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
