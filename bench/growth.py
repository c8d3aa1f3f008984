"""What 10 million rows cost: incidents, tracks, changes, states of cameras, whole and in partitions; the last line is JSON.

The full-size demo city in a database of its own, dropped at the end. Of each table, at a tenth of GROWTH_ROWS (10,000,000)
and at all of them:

- fill_s: the rows without the indexes, triggers and foreign keys; build_s, index_mb: of each index; table_mb;
- ms: the statements that the program asks most, by the role and with the rights it asks them with, as EXPLAIN (ANALYZE)
  says: the least of three times. The plans go to .cache/bench/growth-<rows>.txt.
- twin: the same rows once more, in partitions by hour, day or month, with the same indexes. Statements on both side by side as the
  owner, and what it takes to delete the oldest part of the one, and to drop it of the other.

GROWTH_TABLES names some of the tables, with commas. Stops before it starts when the rows would take more than half of the
free disk.
"""

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from bench.city import CACHE, demo_city, say
from bench.serving import new_key
from geo_grid.access import digest_of
from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.cameras.states import QUERIES as CAMERA_STATES
from geo_grid.cameras.states import StateReport, availability, take_states
from geo_grid.changes.feed import MOST
from geo_grid.changes.kinds import QUERIES as FEED
from geo_grid.db import APPLICATION_ROLE, SERVICE_ROLE, connect
from geo_grid.layers import find_layer
from geo_grid.layers.features import FeatureQuery, read_page
from geo_grid.layers.items import items
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.response.positions import Position, take_positions, track
from geo_grid.workflow import counts, get, newest
from geo_grid.workflow.duplicates import duplicates_of
from geo_grid.workflow.steps import QUERIES as STEPS

ROWS = int(os.environ.get("GROWTH_ROWS", "10_000_000"))
_NAME = "growth"
_BYTES_A_ROW = 2_400
"""Of the largest table and its twin with their indexes, and the log: a table is empty again before the next is filled."""
_LEAST = 200_000
_UNITS, _CAMERAS = 1_000, 62_000
_INCIDENTS = find_layer("incidents")
_TIME = re.compile(r"Execution Time: ([\d.]+) ms")
_TIMES, _LONG_MS = 3, 5_000.0
_LONGEST_S = 60


class Explaining:
    """A connection that says how each statement is carried out before it does so."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self.ms, self.plans = 0.0, list[str]()

    async def execute(self, statement: Any, values: Any = None, **more: Any) -> psycopg.AsyncCursor[Any]:
        text = statement.as_string(self._connection) if isinstance(statement, sql.Composable) else statement
        if not text.lstrip().startswith("select set_config"):
            plans = []
            for _ in range(_TIMES):
                await self._connection.execute("savepoint explained")
                rows = await (
                    await self._connection.execute(f"explain (analyze, buffers) {text}", values, prepare=False)
                ).fetchall()
                await self._connection.execute("rollback to savepoint explained")
                plan = "\n".join(row["QUERY PLAN"] for row in rows)
                found = _TIME.search(plan)
                assert found is not None
                plans.append((float(found[1]), plan))
                if plans[-1][0] > _LONG_MS:
                    break
            least, plan = min(plans)
            self.ms += least
            self.plans.append(plan)
        return await self._connection.execute(statement, values, **more)


@dataclass
class City:
    """The database, and who asks it what."""

    owner: str
    supervisor: str
    manager: str
    service: str
    file: Any = field(repr=False)

    @classmethod
    @contextlib.contextmanager
    def made(cls) -> Iterator[Self]:
        with demo_city() as conninfo:
            name, owner = str(conninfo_to_dict(conninfo)["dbname"]), make_conninfo(conninfo, dbname=_NAME)
            with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as admin:
                made = sql.Identifier(_NAME)
                admin.execute(sql.SQL("drop database if exists {} with (force)").format(made))
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
                admin.execute(sql.SQL("create database {} template {}").format(made, sql.Identifier(name)))
                try:
                    yield cls._begun(owner)
                finally:
                    admin.execute(sql.SQL("drop database if exists {} with (force)").format(made))

    @classmethod
    def _begun(cls, owner: str) -> Self:
        with connect(owner) as connection:
            connection.execute(_SAMPLES)
            row = connection.execute(
                "select grid_code from incidents where grid_code is not null group by 1 order by count(*) desc, 1 limit 1"
            ).fetchone()
            service = secrets.token_hex(16)
            connection.execute("select access.admit_server(%s, interval '1 day')", (digest_of(service),))
        assert row is not None
        return cls(
            owner, new_key(owner, role="supervisor"), new_key(owner, [row["grid_code"]]), service,
            (CACHE / f"growth-{ROWS}.txt").open("w", encoding="utf-8"),
        )  # fmt: skip

    def do(self, statement: str, values: Any = None) -> list[dict[str, Any]]:
        """Do something as the owner, without triggers and foreign keys, each statement for itself."""
        with psycopg.connect(self.owner, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("set session_replication_role = replica")
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, values: Any = None) -> Any:
        return next(iter(self.do(statement, values)[0].values()))

    def explained(self, title: str, ask: Callable[[Any], Awaitable[Any]], who: str = "supervisor") -> float | None:
        """Return the milliseconds that the statements of a question take, None: more than a minute. Nothing of it stays."""
        role, credential = {
            "supervisor": (APPLICATION_ROLE, self.supervisor), "manager": (APPLICATION_ROLE, self.manager),
            "service": (SERVICE_ROLE, self.service), "owner": (None, ""),
        }[who]  # fmt: skip

        @contextlib.asynccontextmanager
        async def asking() -> AsyncIterator[Explaining]:
            to = make_conninfo(self.owner, user=role) if role else self.owner
            async with await psycopg.AsyncConnection.connect(to, row_factory=dict_row) as connection:
                await connection.execute(
                    "select set_config('geo_grid.credential', %s, true), set_config('statement_timeout', %s, true)",
                    (digest_of(credential), f"{_LONGEST_S}s"),
                )
                yield Explaining(connection)
                await connection.rollback()

        async def measured() -> Explaining:
            async with asking() as connection:
                await ask(connection)
                return connection

        try:
            done = asyncio.run(measured())
        except psycopg.errors.QueryCanceled:
            say(f"  {title}: more than {_LONGEST_S} s")
            return None
        self.file.write("\n\n".join([f"=== {title}: {done.ms:.2f} ms", *done.plans, ""]))
        self.file.flush()
        say(f"  {title}: {done.ms:,.2f} ms")
        return round(done.ms, 2)


_SAMPLES = f"""
    create table sample as
    select row_number() over (order by incident_id) - 1 as n, category, subtype, geom, grid_code, zone_code, edition_id
    from incidents;
    analyze sample;
    insert into patrol_units (unit_code, name, unit_kind, geom, reported_at)
    select 'G' || n, 'G' || n, (select unit_kind from patrol_units limit 1), geom, now() - interval '1 year'
    from sample where n < {_UNITS} - (select count(*) from patrol_units);
    create table sample_units as
    select row_number() over (order by unit_code) - 1 as n, unit_code, geom from patrol_units limit {_UNITS};
    create table sample_cameras as
    select row_number() over (order by camera_id) - 1 as n, camera_id from cameras limit {_CAMERAS};
    analyze sample_cameras;
"""


@dataclass(frozen=True)
class Grown:
    """A table, how it is filled, what is asked of it, and how it would be parted.

    Attributes
    ----------
    fill
        INSERT of %(rows)s rows up to the moment %(until)s, in the order in which they would come.
    span
        Of the rows' moments; None: five seconds for each of the units.
    by
        Its moment; `part` of it (hour, day, month) makes a partition.
    key
        Primary key of the twin.
    beside
        Statements to ask of both, by name; {t} is the table.
    """

    table: str
    fill: str
    by: str
    part: str
    key: str
    questions: Callable[["Grown", City, int, datetime], dict[str, float | None]]
    beside: dict[str, str]
    span: timedelta | None = None

    def since(self, rows: int, until: datetime) -> datetime:
        return until - (self.span or timedelta(seconds=rows / _UNITS * 5))


_MOMENT, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_CALLERS_DAYS, _TEXTS_DAYS, _STATES_DAYS = 90, 90, 35


def _of_incidents(_: Grown, city: City, rows: int, now: datetime) -> dict[str, float | None]:
    middle = city.value("select incident_id from incidents where closed_at is null order by received_at limit 1")
    old = city.value("select min(incident_id) + %s from incidents", (rows // 2,))
    place = city.do("select ST_X(geom) as x, ST_Y(geom) as y from incidents where incident_id = %s", (middle,))[0]
    box = (place["x"] - 0.05, place["y"] - 0.05, place["x"] + 0.05, place["y"] + 0.05)
    at = f"{rows:,} incidents"

    async def page(connection: Any) -> None:
        await read_page(connection, _INCIDENTS, FeatureQuery(limit=10, sort=(("received_at", True),)))

    async def tidy(connection: Any) -> None:
        await connection.execute(ACCOUNTS["tidy"], {"callers_days": _CALLERS_DAYS})

    async def tidy_texts(connection: Any) -> None:
        await connection.execute(STEPS["tidy"], {"texts_days": _TEXTS_DAYS})

    return {
        "wall_counts": city.explained(f"{at}: open ones counted", counts),
        "wall_newest": city.explained(f"{at}: the wall's 500 newest open", lambda c: newest(c, 500, open_only=True)),
        "map_box": city.explained(f"{at}: open ones of a map", lambda c: items(c, _INCIDENTS, box, 14, 2000)),
        "of_a_cell": city.explained(f"{at}: the 100 newest of one cell's dispatcher", newest, "manager"),
        "of_a_cell_open": city.explained(
            f"{at}: the open ones of one cell's dispatcher", lambda c: newest(c, 500, open_only=True), "manager"
        ),
        "by_id": city.explained(f"{at}: one by its id", lambda c: get(c, old)),
        "near": city.explained(f"{at}: near matters of the desk", lambda c: duplicates_of(c, middle)),
        "items_page": city.explained(f"{at}: a page of items, newest first", page),
        "tidy_callers": city.explained(f"{at}: tidy, callers of an hour", tidy, "service"),
        "tidy_texts": city.explained(f"{at}: tidy, texts of an hour", tidy_texts, "service"),
    }


def _of_tracks(grown: Grown, city: City, rows: int, now: datetime) -> dict[str, float | None]:
    at, since = f"{rows:,} positions", grown.since(rows, now)
    units = city.do("select unit_code, ST_X(geom) as lon, ST_Y(geom) as lat from sample_units limit 500")
    reports = [Position(**unit, reported_at=now) for unit in units]
    code = units[0]["unit_code"]
    hour = {"unit_code": code, "since": now - 2 * _HOUR, "until": now - _HOUR}

    async def tidy(connection: Any, kept: timedelta) -> None:
        await connection.execute(POSITIONS["tidy"], {"kept_s": kept.total_seconds()})

    return {
        "track_of_an_hour": city.explained(
            f"{at}: the track of a unit for an hour", lambda c: track(c, code, now - 2 * _HOUR, now - _HOUR)
        ),
        "track_of_an_hour_one_cell": city.explained(
            f"{at}: the same by one cell's dispatcher", lambda c: c.execute(POSITIONS["track"], hour), "manager"
        ),
        "report_500": city.explained(f"{at}: 500 reported", lambda c: take_positions(c, reports, None)),
        "tidy_nothing": city.explained(f"{at}: tidy, nothing due", lambda c: tidy(c, now - since + _DAY), "service"),
        "tidy_an_hour": city.explained(f"{at}: tidy, an hour", lambda c: tidy(c, now - since - _HOUR), "service"),
        "tidy_all_but_today": city.explained(f"{at}: tidy, all but today", lambda c: tidy(c, _MOMENT), "service"),
    }  # fmt: skip


def _of_changes(_: Grown, city: City, rows: int, now: datetime) -> dict[str, float | None]:
    at, last = f"{rows:,} changes", city.value("select max(written_in::text::bigint) from changes")

    def resumed(behind: int) -> Callable[[Any], Awaitable[Any]]:
        place, end = last - behind, last + 1
        values = {"last": f"{place}:{place}:", "upto": f"{end}:{end}:", "most": MOST}
        return lambda c: c.execute(FEED["after"], values)

    async def tidy(connection: Any) -> None:
        await connection.execute("select access.tidy_changes()")

    return {
        "resume_100": city.explained(f"{at}: resumed 100 behind", resumed(100), "service"),
        "resume_5000": city.explained(f"{at}: resumed 5,000 behind", resumed(5_000), "service"),
        "start": city.explained(f"{at}: where a server starts", lambda c: c.execute(FEED["now"]), "service"),
        "tidy_an_hour": city.explained(f"{at}: tidy, an hour", tidy, "owner"),
    }


def _of_states(_: Grown, city: City, rows: int, now: datetime) -> dict[str, float | None]:
    at = f"{rows:,} states"
    cameras = city.do("select gb28181_id from cameras order by camera_id limit 500")
    reports = [
        StateReport(gb28181_id=row["gb28181_id"], state=("online", "fault")[n % 2]) for n, row in enumerate(cameras)
    ]

    async def tidy(connection: Any, days: int) -> None:
        await connection.execute(CAMERA_STATES["tidy"], {"kept_days": days})

    return {
        "by_hour": city.explained(f"{at}: a day by hour", lambda c: availability(c, "hour", None, None, None)),
        "by_hour_long_ago": city.explained(
            f"{at}: three days by hour, a month ago",
            lambda c: availability(c, "hour", None, now - 33 * _DAY, now - 30 * _DAY),
        ),
        "report_500": city.explained(f"{at}: 500 reported", lambda c: take_states(c, reports)),
        "tidy_nothing": city.explained(f"{at}: tidy, nothing due", lambda c: tidy(c, 60), "service"),
        "tidy_a_day": city.explained(f"{at}: tidy, a day", lambda c: tidy(c, _STATES_DAYS - 1), "service"),
    }


GROWN = (
    Grown(
        "unit_positions",
        """insert into unit_positions (unit_code, reported_at, geom)
           select u.unit_code, t, u.geom
           from generate_series(%(since)s, %(until)s - interval '5 s', interval '5 s') t cross join sample_units u""",
        "reported_at", "day", "unit_code, reported_at", _of_tracks,
        {
            "track": "select reported_at, geom from {t} where unit_code = 'G7' and reported_at >= %(until)s - interval '2 h'"
                     " and reported_at < %(until)s - interval '1 h' order by reported_at",
            "report": "insert into {t} select unit_code, %(until)s, geom from sample_units on conflict do nothing",
        },
    ),
    Grown(
        "camera_state_log",
        """insert into camera_state_log (camera_id, since, state)
           select c.camera_id, %(since)s + (%(until)s - %(since)s) / %(rows)s * g,
                  (array['online', 'offline', 'online', 'fault'])[1 + (g / (select count(*) from sample_cameras)) %% 4]
           from generate_series(0, %(rows)s::bigint - 1) g
           join sample_cameras c on c.n = g * 7919 %% (select count(*) from sample_cameras)""",
        "since", "month", "camera_id, since", _of_states,
        {
            "last_before": "select count(state) from sample_cameras c, lateral (select state from {t} l where l.camera_id ="
                           " c.camera_id and l.since <= %(until)s - interval '3 d' order by l.since desc limit 1) s",
            "within_a_day": "select state, count(*) from {t} where since > %(until)s - interval '1 d' group by 1",
            "report": "insert into {t} select camera_id, %(until)s, 'fault' from sample_cameras limit 500"
                      " on conflict (camera_id, since) do update set state = excluded.state",
        },
        timedelta(days=_STATES_DAYS),
    ),
    Grown(
        "changes",
        """insert into changes (written_in, kind, subject, grid_code, payload, happened_at)
           select (1000 + g)::text::xid8, case when g %% 10 = 0 then 'layer' else 'incident' end,
                  case when g %% 10 = 0 then 'patrol_units' else g::text end, case when g %% 10 > 0 then s.grid_code end,
                  case when g %% 10 > 0 then jsonb_build_object(
                      'incident_id', g, 'category', s.category, 'subtype', s.subtype, 'step', 'accepted',
                      'received_at', %(until)s, 'closed_at', null, 'lon', 114.50390625, 'lat', 37.00390625,
                      'grid_code', s.grid_code, 'grid_name', s.grid_code, 'zone_code', s.zone_code,
                      'zone_name', s.zone_code, 'edition_id', s.edition_id, 'unassigned', false, 'is_demo', false,
                      'due_at', %(until)s, 'due_for', 'arrive') end,
                  %(since)s + (%(until)s - %(since)s) / %(rows)s * g
           from generate_series(0, %(rows)s::bigint - 1) g join sample s on s.n = g * 7919 %% (select count(*) from sample)""",
        "happened_at", "hour", "change_id, happened_at", _of_changes,
        {
            "resume": "select change_id, kind, payload from {t} where written_in >= (select (max(change_id)::text)::xid8"
                      " from changes) order by written_in limit 1000",
            "newest": "select max(change_id) from {t} where kind in ('layer', 'table') and subject = 'patrol_units'",
        },
        timedelta(hours=25),
    ),
    Grown(
        "incidents",
        """insert into incidents (category, subtype, received_at, accepted_at, dispatched_at, departed_at, arrived_at, closed_at,
                                  outcome, step, geom, grid_code, zone_code, edition_id, description, address, caller_number,
                                  due_at, due_for)
           select category, subtype, at, at + interval '20 s', at + interval '1 min', at + interval '3 min',
                  at + interval '9 min', case when not is_open then at + interval '1 h' end,
                  case when not is_open then 'solved' end, case when is_open then 'reported' else 'verified' end, geom,
                  grid_code, zone_code, edition_id, case when is_fresh then repeat('路口有人求助', 8) else '' end,
                  case when is_fresh then '中兴路与建设大街交叉口东北角' else '' end, case when is_fresh then '13800000000' end,
                  case when is_open then at + interval '3 d' end, case when is_open then 'settle' end
           from (
               select s.*, at, at > %(until)s - interval '2 d' and g %% 10 = 0 as is_open,
                      at > %(until)s - interval '90 d 2 h' as is_fresh
               from generate_series(0, %(rows)s::bigint - 1) g
               cross join lateral (select %(since)s + (%(until)s - %(since)s) / %(rows)s * g as at) t
               join sample s on s.n = g * 7919 %% (select count(*) from sample)
           ) made""",
        "received_at", "month", "incident_id, received_at", _of_incidents,
        {
            "by_id": "select * from {t} where incident_id = (select min(incident_id) + 50000 from incidents)",
            "newest": "select * from {t} order by received_at desc, incident_id desc limit 100",
            "open": "select * from {t} where closed_at is null order by received_at desc limit 500",
            "of_a_cell": "select * from {t} where grid_code = (select grid_code from sample where n = 7)"
                         " order by received_at desc, incident_id desc limit 100",
            "around": "select * from {t} where geom && (select ST_Expand(geom, 0.005) from sample where n = 7)"
                      " and closed_at is null",
        },
        timedelta(days=1095),
    ),
)  # fmt: skip


def _timed(city: City, statement: str, values: Any = None) -> float:
    began = time.perf_counter()
    city.do(statement, values)
    return round(time.perf_counter() - began, 2)


def fill(city: City, grown: Grown, rows: int, until: datetime) -> dict[str, Any]:
    """Fill the table anew, and build its indexes one by one."""
    city.do(f"truncate {grown.table} restart identity cascade")
    indexes = city.do(_INDEXES, {"table": grown.table})
    for index in indexes:
        if not index["is_key"]:
            city.do(f"drop index {index['name']}")
    values = {"rows": rows, "until": until, "since": grown.since(rows, until)}
    if _is_parted(city, grown.table):
        city.do(_OWN_PARTS, {"table": grown.table, "part": grown.part, **values})
    made: dict[str, Any] = {"fill_s": _timed(city, grown.fill, values)}
    made["build_s"] = {
        index["name"]: _timed(city, f"reindex index {index['name']}" if index["is_key"] else index["made_by"])
        for index in indexes
    }
    made["vacuum_s"] = _timed(city, f"vacuum (analyze) {grown.table}")
    made["index_mb"] = {one["name"]: round(city.value(_SIZE, {"of": one["name"]}), 1) for one in indexes}
    made["table_mb"] = round(city.value(_SIZE, {"of": grown.table}), 1)
    say(json.dumps({grown.table: made}))
    return made


def _is_parted(city: City, table: str) -> bool:
    return bool(city.value("select relkind = 'p' from pg_class where oid = %s::regclass", (table,)))


_SIZE = """
    select (coalesce(sum(pg_relation_size(t.relid)), pg_relation_size(%(of)s::regclass)) / 1e6)::float
    from pg_partition_tree(%(of)s::regclass) t
"""
_OWN_PARTS = """
    select access.make_partition(%(table)s::regclass, %(part)s, t)
    from generate_series(%(since)s, %(until)s + interval '1 day', interval '1 day') t
"""
_INDEXES = """
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as made_by,
           exists (select from pg_constraint c where c.conindid = i.indexrelid) as is_key
    from pg_index i where i.indrelid = %(table)s::regclass order by 1
"""


async def _ask(connection: Any, statement: str, values: dict[str, Any]) -> None:
    await connection.execute(statement, values)


def twin(city: City, grown: Grown, rows: int, until: datetime) -> dict[str, Any]:
    """Compare the table with one of the same rows and indexes in partitions."""
    since, table = grown.since(rows, until), grown.table
    is_parted = _is_parted(city, table)  # then the twin is the one that is whole
    whole, parted = ("twin", table) if is_parted else (table, "twin")
    form = "" if is_parted else f" partition by range ({grown.by})"
    city.do("drop table if exists twin")
    city.do(f"create table twin (like {table} including constraints including generated){form}")
    if not is_parted:
        values = {"unit": grown.part, "part": f"1 {grown.part}", "since": since, "until": until}
        for part in city.do(_PARTS, values):
            city.do(part["made_by"])
    columns = ", ".join(row["name"] for row in city.do(_COLUMNS, {"table": table}))
    made: dict[str, Any] = {
        "fill_s": _timed(city, f"insert into twin ({columns}) select {columns} from {table}"),
        "partitions": city.value("select count(*) from pg_inherits where inhparent = %s::regclass", (parted,)),
    }
    city.do(f"alter table twin add primary key ({grown.key})")
    for index in city.do(_INDEXES, {"table": table}):
        if not index["is_key"]:
            city.do(re.sub(r"INDEX \S+ ON (?:ONLY )?\S+", "INDEX ON twin", index["made_by"]))
    city.do("vacuum (analyze) twin")
    made["ms"] = {name: [] for name in grown.beside}
    for name, statement in grown.beside.items():
        for which in (whole, parted):
            asked = partial(_ask, statement=statement.format(t=which), values={"until": until})
            made["ms"][name].append(city.explained(f"{rows:,} {table}: {name} of {which}", asked, "owner"))
    first = city.value(_FIRST, (parted,))
    border = city.value(
        f"select date_trunc('{grown.part}', min({grown.by}), 'UTC') + interval '1 {grown.part}' from {parted}"
    )
    many = city.value(f"select count(*) from {whole} where {grown.by} < %s", (border,))
    made["oldest_part_rows"] = many
    began = time.perf_counter()
    with psycopg.connect(city.owner) as connection:  # with triggers and foreign keys, as it would be
        connection.execute(f"delete from {whole} where {grown.by} < %s".encode(), (border,))
    made["delete_s"] = round(time.perf_counter() - began, 2)
    made["vacuum_s"] = _timed(city, f"vacuum {whole}")
    made["drop_s"] = _timed(city, f"drop table {first}")
    city.do("drop table twin")
    say(json.dumps({f"twin of {table}": made}))
    return made


_PARTS = """
    select format('create table %%I partition of twin for values from (%%L) to (%%L)',
                  'twin_' || to_char(t at time zone 'UTC', 'YYYYMMDDHH24'), t, t + %(part)s::interval) as made_by
    from generate_series(date_trunc(%(unit)s, %(since)s::timestamptz, 'UTC'), %(until)s + %(part)s::interval, %(part)s) t
"""
_COLUMNS = """
    select quote_ident(attname) as name from pg_attribute
    where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped and attgenerated = ''
"""
_FIRST = """
    select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by inhrelid limit 1
"""


def main() -> None:
    """Measure all of it."""
    if ROWS < _LEAST:
        message = f"GROWTH_ROWS must be {_LEAST:,} at least: of fewer incidents none is open"
        raise SystemExit(message)
    free, needed = shutil.disk_usage(CACHE).free, ROWS * _BYTES_A_ROW
    if needed > free / 2:
        message = f"{ROWS:,} rows take some {needed / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free: set GROWTH_ROWS"
        raise SystemExit(message)
    wanted = os.environ.get("GROWTH_TABLES", "").split(",")
    figures: dict[str, Any] = {"rows": ROWS}
    with City.made() as city:
        for grown in GROWN:
            if wanted != [""] and grown.table not in wanted:
                continue
            figures[grown.table] = {}
            for rows in (ROWS // 10, ROWS):
                until = datetime.now(UTC)
                made = fill(city, grown, rows, until)
                figures[grown.table][str(rows)] = {**made, "ms": grown.questions(grown, city, rows, until)}
            figures[grown.table]["twin"] = twin(city, grown, rows, until)
            city.do(f"truncate {grown.table} restart identity cascade")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
