"""The one-owner rule, told by hand on squares and by a second program on the demo city."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
import shapely
from pandas import DataFrame
from psycopg.rows import dict_row

from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.coordinates import snap
from geo_grid.db import connect
from geo_grid.errors import InvalidCoordinates
from geo_grid.layers import find_layer
from geo_grid.layers.grid_levels import set_levels
from geo_grid.locate import Location, assign, locate, never_assigned, refuse_swapped
from tests.boundaries.test_drawn import level, wavy_city
from tests.squares import SIDE, SOUTH, STEP, WEST, square


def ask(conninfo: str, lon: float, lat: float, at: datetime | None = None, error_m: float = 10) -> Location:
    async def answer() -> Location:
        async with await psycopg.AsyncConnection.connect(conninfo, row_factory=dict_row, autocommit=True) as connection:
            return await locate(connection, lon, lat, at, error_m)

    return asyncio.run(answer())


MIDDLE = (WEST + SIDE, SOUTH + SIDE)  # where A, B, C and D meet


@pytest.mark.parametrize(
    ("lon", "lat", "owner"),
    [
        (WEST + SIDE / 2, SOUTH + SIDE / 2, "A"),
        (WEST + SIDE * 1.5, SOUTH + SIDE * 1.5, "D"),
        (*MIDDLE, "A"),  # a four-way corner: the smallest code
        (MIDDLE[0], SOUTH + SIDE / 2, "A"),  # the edge of A and B
        (MIDDLE[0], SOUTH + SIDE * 1.5, "C"),  # the edge of C and D
        (MIDDLE[0] + STEP, SOUTH + SIDE / 2, "B"),  # one lattice step to each side of it
        (MIDDLE[0] - STEP, SOUTH + SIDE / 2, "A"),
        (WEST, SOUTH, "A"),  # the outermost corner
        (WEST + 2 * SIDE, SOUTH + 2 * SIDE, "D"),
        (WEST - STEP, SOUTH, None),
        (WEST + 2 * SIDE, SOUTH + 2 * SIDE + STEP, None),
    ],
)
def test_every_point_has_exactly_one_owner(four_cells: str, lon: float, lat: float, owner: str | None) -> None:
    found = ask(four_cells, lon, lat)
    assert [cell.grid_code for cell in found.grid_cells] == (["P", owner] if owner else [])
    assert found.unassigned == (owner is None)


def test_an_answer_names_the_distance_to_the_border_and_the_neighbours_within_the_error(small_city: str) -> None:
    metres_east = 11.0 / 88_900
    found = ask(small_city, float(snap(MIDDLE[0] + metres_east)), SOUTH + SIDE / 2, error_m=20)
    assert found.grid_cells[-1].grid_code == "B"
    assert found.distance_to_boundary_m == pytest.approx(11.0, abs=0.1)
    assert [a.grid_code for a in found.alternatives] == ["A"]
    assert found.alternatives[0].distance_m == pytest.approx(11.0, abs=0.1)
    assert ask(small_city, float(snap(MIDDLE[0] + metres_east)), SOUTH + SIDE / 2, error_m=10).alternatives == []


def test_before_the_first_edition_nobody_was_responsible(small_city: str) -> None:
    past = ask(small_city, *MIDDLE, at=datetime.now(UTC) - timedelta(days=1))
    assert past.unassigned
    assert past.edition is None
    assert ask(small_city, *MIDDLE).edition == 1


def test_an_empty_city_answers_too(database: str) -> None:
    found = ask(database, 114.5, 37)
    assert found.unassigned
    assert found.grid_cells == []


def test_swapped_coordinates_are_refused_only_when_they_would_fit(small_city: str) -> None:

    async def check(lon: float, lat: float) -> None:
        async with await psycopg.AsyncConnection.connect(small_city, row_factory=dict_row) as connection:
            await refuse_swapped(connection, lon, lat)

    asyncio.run(check(WEST, SOUTH))
    asyncio.run(check(10.0, 10.0))
    with pytest.raises(InvalidCoordinates, match="swapped"):
        asyncio.run(check(SOUTH, WEST))


def test_one_statement_assigns_any_number_by_the_same_rule(small_city: str) -> None:
    """Random, corner, edge and outside points: equal to a rule written a second time, with shapely."""
    rng = np.random.default_rng(7)
    with connect(small_city) as connection:
        inside = rng.uniform((WEST - SIDE, SOUTH - SIDE), (WEST + 3 * SIDE, SOUTH + 3 * SIDE), (500, 2))
        corners = [(WEST + i * SIDE / 2 + dx * STEP, SOUTH + j * SIDE / 2 + dy * STEP)
                   for i in range(5) for j in range(5) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]  # fmt: skip
        points = snap(np.vstack([inside, corners]))
        for lon, lat in points.tolist():
            place = "insert into incidents (category, geom) values ('x', ST_SetSRID(ST_MakePoint(%s, %s), 4490))"
            connection.execute(place, (lon, lat))
        layer = find_layer("incidents")
        assert len(never_assigned(connection, layer)) == len(points)
        done = assign(connection, layer)
        assert never_assigned(connection, layer) == []
        rows = connection.execute(
            "select grid_code, unassigned, edition_id from incidents order by incident_id"
        ).fetchall()
        shapes = connection.execute(
            "select grid_code, ST_AsBinary(geom) as g from grid_cells where grid_level = 2"
        ).fetchall()
    cover = sorted((s["grid_code"], shapely.from_wkb(bytes(s["g"]))) for s in shapes)
    expected = [next((c for c, g in cover if shapely.covers(g, shapely.Point(p))), None) for p in points.tolist()]
    assert [r["grid_code"] for r in rows] == expected
    assert all(r["edition_id"] == 1 and r["unassigned"] == (r["grid_code"] is None) for r in rows)
    assert (done.rows, done.unassigned) == (len(points), expected.count(None))


def test_the_demo_citys_vertices_have_the_owner_that_shapely_says(demo: str) -> None:
    """Corners of three and four cells, where a wrong rule shows."""
    rng = np.random.default_rng(11)
    with connect(demo) as connection:
        rows = connection.execute(
            "select grid_code, ST_AsBinary(geom) as g from grid_cells c where not exists"
            " (select from grid_cells k where k.parent_code = c.grid_code) order by grid_code"
        ).fetchall()
        codes = np.array([r["grid_code"] for r in rows])
        leaves = shapely.from_wkb([bytes(r["g"]) for r in rows])
        points = rng.choice(shapely.get_coordinates(leaves), 300, replace=False)
        point, cell = shapely.STRtree(leaves).query(shapely.points(points), predicate="covered_by")
        assert (np.bincount(point) >= 2).sum() > 250
        expected = [min(codes[cell[point == i]]) for i in range(len(points))]
        found = [
            connection.execute(
                "select min(grid_code) as c from grid_cells c where ST_Covers(geom, ST_SetSRID(ST_MakePoint(%s, %s), 4490))"
                " and not exists (select from grid_cells k where k.parent_code = c.grid_code)",
                tuple(p),
            ).fetchone()["c"]
            for p in points.tolist()
        ]
    assert found == expected
    answered = [ask(demo, *p).grid_cells[-1].grid_code for p in points[:40].tolist()]
    assert answered == expected[:40]


def test_the_database_gives_the_owner_that_the_rule_in_its_plainest_words_gives(database: str) -> None:
    with connect(database) as connection:
        set_levels(connection, [level(1, 0), level(2, 9)])
        publish_cells(connection, wavy_city(), "wavy")
        first = datetime.now(UTC)
        zones = DataFrame({
            "zone_code": [f"z{x}{y}" for x in range(3) for y in range(3)], "name": "x", "zone_kind": "area",
            "zone_type": "regular", "responsible_unit": "x",
            "geometry": [square(2 * x, 2 * y, 2, 2) for x in range(3) for y in range(3)],
        })  # fmt: skip
        publish_zones(connection, zones, "zones")
        shapes = [
            shapely.from_wkb(row["geom"])
            for row in connection.execute("select ST_AsBinary(geom) as geom from grid_cells").fetchall()
        ]
        chance = np.random.default_rng(16)
        corners = shapely.get_coordinates(shapes)
        edges = snap((corners[:-1] + corners[1:]) / 2)
        west, south, east, north = shapely.total_bounds(shapes)
        anywhere = snap(chance.random((400, 2)) * [(east - west) * 1.2, (north - south) * 1.2] + [west, south])
        near = np.concatenate([corners, edges])[chance.integers(0, len(corners) + len(edges), 400)]
        near = near + chance.integers(-1, 2, near.shape) * STEP
        points = np.concatenate([chance.permutation(corners)[:300], chance.permutation(edges)[:300], anywhere, near])
        for moment in (first, datetime.now(UTC), first - timedelta(days=1)):
            row = connection.execute(
                "with given as (select ST_SetSRID(ST_MakePoint(x, y), 4490) as geom"
                "               from unnest(%(x)s::float8[], %(y)s::float8[]) p (x, y)),"
                " told as (select access.owning_cell(geom, %(at)s) as cell, access.owning_zone(geom, %(at)s) as zone,"
                "   (select min(c.grid_code) from grid_cells c"
                "    where ST_Covers(c.geom, g.geom) and c.valid_from <= %(at)s and (c.valid_to is null or %(at)s < c.valid_to)"
                "      and not exists (select from grid_cells k where k.parent_code = c.grid_code"
                "                      and k.valid_from <= %(at)s and (k.valid_to is null or %(at)s < k.valid_to))) as its_cell,"
                "   (select min(z.zone_code) from patrol_zones z"
                "    where z.zone_kind = 'area' and ST_Covers(z.geom, g.geom)"
                "      and z.valid_from <= %(at)s and (z.valid_to is null or %(at)s < z.valid_to)) as its_zone from given g)"
                " select count(*) filter (where cell is distinct from its_cell or zone is distinct from its_zone) as wrong,"
                "        count(cell) as owned from told",
                {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "at": moment},
            ).fetchone()
            assert row is not None
            assert row["wrong"] == 0
            assert (row["owned"] > 900) == (moment >= first)
