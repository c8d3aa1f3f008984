"""A small city whose boundaries were redrawn, with real categories and times of Chicago's police, and clocks made by chance."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import shapely
from pandas import DataFrame

from geo_grid.boundaries import as_step, edit_draft, make_draft, publish_cells, publish_draft, publish_zones
from geo_grid.coordinates import snap
from geo_grid.db import Connection, connect
from geo_grid.layers import find_layer
from geo_grid.locate.assignment import assign
from tests.squares import SIDE, SOUTH, WEST, cells, local_levels, square

ZONE = "America/Chicago"
LATER = datetime(2018, 1, 3, 12, tzinfo=ZoneInfo(ZONE))
"""When the tests ask: some matters of 2017 are open, and some deadlines to come."""
_ROWS = 4_000
_INSERT = """
    insert into incidents (category, subtype, received_at, accepted_at, dispatched_at, departed_at, arrived_at, closed_at,
                           outcome, geom)
    select category, subtype, received_at, accepted_at, dispatched_at, departed_at, arrived_at, closed_at, outcome,
           ST_SetSRID(ST_MakePoint(lon, lat), 4490)
    from jsonb_to_recordset(%s::jsonb) as r (category text, subtype text, received_at timestamptz, accepted_at timestamptz,
        dispatched_at timestamptz, departed_at timestamptz, arrived_at timestamptz, closed_at timestamptz, outcome text,
        lon float8, lat float8)
    returning incident_id
"""
_UNITS = """
    insert into incident_units (incident_id, unit_code, assigned_at, departed_at, arrived_at)
    select i.incident_id, 'car-' || 1 + (i.incident_id * 7 + n) % 3, received_at + make_interval(secs => n * 50 + incident_id % 40),
           received_at + make_interval(secs => 60 + n * 50 + incident_id % 30),
           case when incident_id % 5 > 0 then received_at + make_interval(secs => 100 + incident_id % 900 + n) end
    from incidents i cross join generate_series(0, 4, 2) n
    where (i.incident_id + n) % 3 < 2
"""


@dataclass(frozen=True)
class City:
    """Its way in, and the moment between its two editions."""

    conninfo: str
    between: datetime


def make_city(conninfo: str, shared: Path) -> City:
    """Two counties of four cells; then A and B got another border, and C became two cells."""
    given = _incidents(shared)
    layer = find_layer("incidents")
    with connect(conninfo) as connection:
        local_levels(connection)
        homes = {"A": 100, "B": 350, "C": 470, "E": 0, "F": 310}
        squares = {
            "A": (0, 0),
            "B": (1, 0),
            "C": (0, 1),
            "D": (1, 1),
            "E": (2, 0),
            "F": (3, 0),
            "G": (2, 1),
            "H": (3, 1),
        }
        frame = cells(
            ("P", 1, None, shapely.coverage_union_all([square(*squares[code]) for code in "ABCD"])),
            ("Q", 1, None, shapely.coverage_union_all([square(*squares[code]) for code in "EFGH"])),
            *((code, 2, "P" if code in "ABCD" else "Q", square(*at)) for code, at in squares.items()),
        )
        frame["household_count"] = pd.Series([homes.get(code) for code in frame["grid_code"]], dtype=object)
        publish_cells(connection, frame, "first")
        _zones(connection, {"west": square(0, 0, 2, 2), "east": square(2, 0, 1, 2)})
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, geom) select 'car-' || n, 'Car ' || n, 'car',"
            " ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490) from generate_series(1, 4) n"
        )
    half = len(given) // 2
    with connect(conninfo) as connection:
        connection.execute(_INSERT, (json.dumps(given[:half].to_dict("records")),))
        assign(connection, layer)
    with connect(conninfo) as connection:
        between = connection.execute("select clock_timestamp() as at").fetchone()["at"]  # type: ignore[index]
    with connect(conninfo) as connection:
        draft = make_draft(connection, "second", "test")
        for name, codes, line in (
            ("move_border", ["A", "B"], [(0.7, -0.5), (0.7, 1.5)]), ("split", ["C"], [(-0.5, 1.4), (1.5, 1.4)]),
        ):  # fmt: skip
            along = [[WEST + x * SIDE, SOUTH + y * SIDE] for x, y in line]
            step = as_step(name, {"codes": codes, "line": {"type": "LineString", "coordinates": along}})
            edit_draft(connection, draft, step, "test")
        publish_draft(connection, draft, "second")
    with connect(conninfo) as connection:
        rows = connection.execute(_INSERT, (json.dumps(given[half:].to_dict("records")),)).fetchall()
        assign(connection, layer, [row["incident_id"] for row in rows])
        connection.execute("set local session_replication_role = replica")
        connection.execute(_UNITS)  # of three cars for ever: each row would say anew whether its car is free
    return City(conninfo, between)


def _zones(connection: Connection, shapes: dict[str, shapely.Polygon]) -> None:
    frame = DataFrame({
        "zone_code": list(shapes), "name": list(shapes), "zone_kind": "area", "zone_type": "regular",
        "responsible_unit": "x", "geometry": list(shapes.values()),
    })  # fmt: skip
    publish_zones(connection, frame, "zones")


def _incidents(shared: Path) -> DataFrame:
    """Rows of the police, all of 2016 and 2017; some lie outside of every cell, and some on borders."""
    chance = np.random.default_rng(7)
    path = shared / "chicago_incidents_2001_2019.csv"
    police = pd.read_csv(path).sample(_ROWS, random_state=1).reset_index(drop=True)
    day = pd.to_datetime(police["date"])
    day = day.where(~((day.dt.month == 2) & (day.dt.day == 29)), pd.Timestamp("2016-02-29"))
    years = np.where((day.dt.month == 2) & (day.dt.day == 29), 2016, 2016 + day.dt.year % 2)
    local = pd.to_datetime(
        DataFrame({"year": years, "month": day.dt.month, "day": day.dt.day, "hour": chance.integers(4, 24, _ROWS),
                   "minute": chance.integers(0, 60, _ROWS), "us": chance.integers(0, 10**6, _ROWS)})
    )  # fmt: skip
    received = local.dt.tz_localize(ZONE).dt.tz_convert("UTC")
    made = DataFrame(
        {"category": police["primary_type"], "subtype": police["description"].str[:100], "received_at": received}
    )
    since = received
    for name, minutes in (
        ("accepted_at", 1),
        ("dispatched_at", 3),
        ("departed_at", 2),
        ("arrived_at", 12),
        ("closed_at", 2_000),
    ):
        took = pd.to_timedelta(chance.exponential(minutes, _ROWS) - minutes * 0.02, unit="min").round("us")
        took = took.where(chance.random(_ROWS) > 0.02, pd.Timedelta(days=1, seconds=5))
        clock = since + took
        made[name] = clock.where(chance.random(_ROWS) > 0.1)
        since = clock
    made["outcome"] = np.where(chance.random(_ROWS) < 0.2, "not_solved", "solved")
    xy = chance.uniform((-0.2, -0.2), (4.2, 2.2), (_ROWS, 2))
    xy[::10] = np.round(xy[::10])  # corners, which several cells have
    points = snap(xy * SIDE + [WEST, SOUTH])
    made["lon"], made["lat"] = points[:, 0], points[:, 1]
    for name in made.select_dtypes("datetimetz"):
        made[name] = made[name].map(lambda moment: None if pd.isna(moment) else moment.isoformat()).astype(object)
    return made.where(made.notna(), None)
