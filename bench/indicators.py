"""Every indicator of every cell, of a million incidents over the full-size demo city; the last line is JSON.

- indicators_s: until they are answered as JSON; indicators_wrong: cells of which any differs from what pandas makes of the rows.
"""

import asyncio
import contextlib
import io
import json
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
from pandas import DataFrame
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.city import demo_city, say
from geo_grid.access import digest_of
from geo_grid.access.accounts import NewAccount, NewCredential, add_account, issue_credential
from geo_grid.cli.access import as_owner
from geo_grid.confined import Confined
from geo_grid.db import APPLICATION_ROLE, Asker, acting_conninfo, connect
from geo_grid.indicators import Question, figures_apart
from geo_grid.indicators.definitions import CLOCKS, LONGEST_S
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
_MOMENTS = (
    "received_at", "contacted_at", "accepted_at", "dispatched_at", "departed_at", "arrived_at", "handled_at", "closed_at", "due_at",
)  # fmt: skip
_OF = {"handled_at": "i"}
_STORED = f"""
    copy (select coalesce(c.grid_code, '') as grid_code, c.outcome, {
    ", ".join(
        f"(extract(epoch from {_OF.get(name, 'c')}.{name}) * 1000000)::bigint as {name}"
        for name in _MOMENTS
        if name != "contacted_at"
    )
}
          from counted_incidents c join incidents i using (incident_id) where c.received_at >= %s and c.received_at < %s) to stdout with (format csv, header)
"""


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


def indicators(conninfo: str) -> dict[str, float]:
    """Measure how long all indicators of all leaf cells take, as the median of five after one, and compare the last answer.

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

    async def measure() -> tuple[float, bytes]:
        times, answer = [], b""
        supervisor = acting_conninfo(make_conninfo(conninfo, user=APPLICATION_ROLE), Asker(digest_of(key)))
        async with Confined.opened(1, 0, settings().solver_memory_mb, 120) as apart:
            for _ in range(1 + _TIMES):
                begun = time.perf_counter()
                async with apart.turn() as turn:
                    answer, cells = await turn.do(figures_apart, supervisor, question, now, _ZONE, "json")
                times.append(time.perf_counter() - begun)
                incidents = sum(row["count"] for row in json.loads(answer)["rows"])
                say(f"{incidents:,} incidents, {cells:,} cells: {times[-1]:.2f} s")
        return statistics.median(times[1:]), answer

    took, answer = asyncio.run(measure())
    wrong = wrong_cells(conninfo, question, now, json.loads(answer))
    return {"indicators_s": round(took, 2), "indicators_wrong": wrong}


def wrong_cells(conninfo: str, question: Question, now: datetime, answer: dict[str, Any]) -> int:
    """Count the cells of which an indicator differs from what pandas makes of the same rows, in microseconds."""
    out = io.BytesIO()
    with (
        psycopg.connect(conninfo) as connection,
        connection.cursor().copy(_STORED, [question.begins, question.ends]) as copy,
    ):
        for block in copy:
            out.write(block)
    out.seek(0)
    rows = pd.read_csv(
        out, keep_default_na=True, dtype={"grid_code": str, "outcome": str, **dict.fromkeys(_MOMENTS, "Int64")}
    )
    rows["grid_code"] = rows["grid_code"].fillna("")
    rows["contacted_at"] = rows[["accepted_at", "dispatched_at"]].min(axis=1)
    asked = int(now.timestamp() * 1_000_000)
    closed = (rows["closed_at"] <= asked).fillna(value=False)
    due = rows["due_at"].notna() & (closed | (rows["due_at"] < asked).fillna(value=False))
    in_time = (rows["handled_at"].fillna(rows["closed_at"]) <= rows["due_at"]).fillna(value=False)
    counted = DataFrame(
        {
            "cell": rows["grid_code"], "count": 1, "settlement.closed": closed, "settlement.not_solved": closed & (rows["outcome"] == "not_solved"),
            "on_time.due": due, "on_time.on_time": closed & in_time,
        }
    ).groupby("cell").sum()  # fmt: skip
    for stage, (since, until) in CLOCKS.items():
        took = rows[until] - rows[since]
        kept = ((took >= 0) & (took <= LONGEST_S * 1_000_000)).fillna(value=False)
        by_cell = took[kept].astype("int64").sort_values().groupby(rows["grid_code"][kept])
        counted[f"{stage}.n"] = by_cell.size()
        counted[f"{stage}.no_clock"] = took.isna().groupby(rows["grid_code"]).sum()
        for name, hundredths in (("p50_s", 50), ("p90_s", 90)):
            rank = -(-by_cell.transform("size") * hundredths // 100) - 1
            of_rank = by_cell.cumcount() == rank
            counted[f"{stage}.{name}"] = (
                took[kept]
                .astype("int64")
                .loc[of_rank[of_rank].index]
                .set_axis(rows["grid_code"].loc[of_rank[of_rank].index])
            )
    told = {row["key"]["cell"] or "": row for row in (*answer["rows"], *answer["not_ranked"])}
    return sum(_differs(told.get(str(cell)), row) for cell, row in counted.iterrows())


def _differs(told: dict[str, Any] | None, row: "pd.Series[Any]") -> bool:
    if told is None:
        return True
    for name, value in row.items():
        figure, _, part = str(name).partition(".")
        found = told[figure] if not part else told[figure][part]
        if part.startswith("p") and found is not None:
            found = round(found * 1_000_000)
        if (found or 0) != (0 if pd.isna(value) else int(value)):
            return True
    return False


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
        print(json.dumps({"incidents": INCIDENTS, **indicators(city)}))
