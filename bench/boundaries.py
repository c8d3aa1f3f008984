"""Redrawing boundaries in the full-size demo city; the last line is JSON. Nothing of it is kept."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import shapely
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.city import demo_city, say
from geo_grid.boundaries import (
    as_step,
    draft_changes,
    edit_draft,
    examine,
    impact_of,
    make_draft,
    publish_draft,
    read_division,
)
from geo_grid.boundaries.division import Division, Refused
from geo_grid.boundaries.operations import move_border
from geo_grid.db import connect

_TOUCHED = 200
_CROWD = """
    insert into incidents (category, subtype, received_at, step, closed_at, geom, grid_code, zone_code, edition_id)
    select category, subtype, now() - random() * interval '730 days', 'evaluated', now(), geom, grid_code, zone_code, edition_id
    from incidents cross join generate_series(1, 10000000 / (select count(*) from incidents) - 1)
"""


def _seconds[T](work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def _neighbours(city: Division, chance: np.random.Generator) -> tuple[str, str, Any]:
    """Two leaves that share a border, and a line across both."""
    leaves = [code for code in city.cells if not city.children(code)]
    while True:
        one = city.cells[leaves[chance.integers(len(leaves))]]
        for other in city.near(one.shape):
            shared = shapely.length(shapely.intersection(one.shape, other.shape))
            if other is one or other.grid_level != one.grid_level or city.children(other.grid_code) or not shared:
                continue
            middle = shapely.line_interpolate_point(
                shapely.line_merge(shapely.intersection(one.shape.boundary, other.shape.boundary)), 0.5, normalized=True
            )
            start, end = (np.array(shapely.centroid(cell.shape).coords[0]) for cell in (one, other))
            across = np.array([start[1] - end[1], end[0] - start[0]]) * 4
            place = np.array(middle.coords[0]) + (end - start) * 0.1
            return one.grid_code, other.grid_code, shapely.LineString([place - across, place + across])


@contextlib.contextmanager
def crowded_city() -> Iterator[str]:
    """The demo city with 10 million incidents over two years, in a database of its own; made once, then kept."""
    with demo_city() as conninfo:
        crowded = make_conninfo(conninfo, dbname="crowded")
        with psycopg.connect(conninfo, autocommit=True) as owner:
            if owner.execute("select from pg_database where datname = 'crowded'").fetchone() is None:
                say("making 10 million incidents (some minutes) ...")
                name = owner.info.dbname
                owner.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                    (name,),
                )
                with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as other:
                    owner.close()
                    other.execute(sql.SQL("create database crowded template {}").format(sql.Identifier(name)))
                with psycopg.connect(crowded, autocommit=True) as made:
                    made.execute(_CROWD)
                    made.execute("vacuum (analyze) incidents")
        yield crowded


def main() -> None:
    chance = np.random.default_rng(1)
    result: dict[str, float] = {}
    with crowded_city() as conninfo, connect(conninfo) as connection:
        result["read_s"], city = _seconds(lambda: read_division(connection))
        result["check_s"], findings = _seconds(lambda: examine(city))
        say(
            f"{len(city.cells)} cells read in {result['read_s']:.2f} s, checked in {result['check_s']:.2f} s: {len(findings)} findings"
        )
        city.near(shapely.Point(114.5, 37))  # the index of all shapes is made once
        times = []
        while len(times) < 40:
            one, other, line = _neighbours(city, chance)
            begun = time.perf_counter()
            try:
                city.proved(move_border(city, one, other, line))
            except Refused:
                continue
            times.append(time.perf_counter() - begun)
        result["move_border_ms"] = float(np.median(times)) * 1e3
        draft = make_draft(connection, "bench", "bench")
        touched: set[str] = set()
        while len(touched) < _TOUCHED:
            one, other, line = _neighbours(city, chance)
            if {one, other} & touched:
                continue
            arguments = {"codes": [one, other], "line": json.loads(shapely.to_geojson(line))}
            begun = time.perf_counter()
            try:
                edits = edit_draft(connection, draft, as_step("move_border", arguments), "bench", in_force=city)
            except Refused:
                continue
            result["edit_s"] = time.perf_counter() - begun
            touched |= edits.keys()
        before, edits = draft_changes(connection, draft, city)
        impact_of(connection, before, edits)  # compiled code is compiled once
        result["impact_s"], impact = _seconds(lambda: impact_of(connection, before, edits))
        say(f"{len(edits)} cells touched, {sum(flow.count for flow in impact.flows)} points change their owner")
        result["publish_s"], _ = _seconds(lambda: publish_draft(connection, draft, "bench"))
        connection.rollback()
    print(json.dumps({name: round(value, 2) for name, value in result.items()}))


if __name__ == "__main__":
    main()
