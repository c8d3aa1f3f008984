"""The compiled edition and the snapshot against their twin, PostGIS."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import shapely
from psycopg.rows import dict_row

from geo_grid.boundaries import publish_zones
from geo_grid.coordinates import snap
from geo_grid.db import connect
from geo_grid.errors import NotFound, UnreadableFile
from geo_grid.layers import find_layer
from geo_grid.locate import EVERYTHING, CityIndex, Location, assign, assign_all, hold_edition, locate, open_city
from geo_grid.locate.city import _KEPT
from geo_grid.locate.snapshot import Snapshot
from geo_grid.progress import silent
from tests.squares import SIDE, SOUTH, STEP, WEST, local_levels, square, whole


@pytest.fixture(scope="module")
def saved_demo(demo: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_city(demo, tmp_path_factory.mktemp("editions"), 1)


@pytest.fixture(scope="module")
def snapshot(demo: str, saved_demo: Path) -> Iterator[Snapshot]:
    with connect(demo) as connection:
        return Snapshot.read(connection, saved_demo)


def by_postgis(conninfo: str, points: np.ndarray, error_m: float) -> list[Location]:
    async def ask() -> list[Location]:
        async with await psycopg.AsyncConnection.connect(conninfo, row_factory=dict_row, autocommit=True) as connection:
            return [await locate(connection, lon, lat, None, error_m) for lon, lat in points.tolist()]

    return asyncio.run(ask())


def test_an_answer_from_memory_is_the_answer_of_postgis(demo: str, snapshot: Snapshot) -> None:
    """Vertices (on several borders), their neighbours one step off, random points, points outside."""
    with connect(demo) as connection:
        shapes = connection.execute(
            "select ST_AsBinary(geom) as g from grid_cells where grid_level = 4 order by grid_code limit 3000"
        ).fetchall()
    vertices = shapely.get_coordinates(shapely.from_wkb([bytes(row["g"]) for row in shapes]))
    rng = np.random.default_rng(6)
    chosen = rng.choice(vertices, 60, replace=False)
    west, south, east, north = snapshot.city.cells.bounds
    random = snap(rng.uniform((west, south), (east, north), (60, 2)))
    off = np.vstack([np.add(chosen, step) for step in ((STEP, 0), (0, -STEP), (7e-5, 3e-5))])
    points = np.vstack([chosen, off, random, [[0.0, 0.0], [114.5043, 37.0682]]])
    points = snap(points)
    for point, expected in zip(points.tolist(), by_postgis(demo, points, 10), strict=True):
        found = snapshot.locate(*point, 10, EVERYTHING)
        ours, theirs = found.model_dump(), expected.model_dump()
        near = [{(a["grid_code"], a["name"]) for a in answer.pop("alternatives")} for answer in (ours, theirs)]
        metres = [answer.pop("distance_to_boundary_m") for answer in (ours, theirs)]
        assert ours == theirs
        assert near[0] == near[1]
        # PostGIS draws borders as geodesics, we as they are stored: straight in degrees
        assert metres == [None, None] or metres[0] == pytest.approx(metres[1], rel=1e-3, abs=0.01)
        Location.model_validate(found.model_dump())  # made without checks, so checked here


def test_alternatives_come_nearest_first(snapshot: Snapshot) -> None:
    metres = [a.distance_m for a in snapshot.locate(114.5043, 37.0682, 200, EVERYTHING).alternatives]
    assert len(metres) >= 2
    assert metres == sorted(metres)


def test_the_saved_edition_answers_as_the_compiled(demo: str, saved_demo: Path) -> None:
    with connect(demo) as connection:
        made = CityIndex.compile(connection, 1)
    loaded = CityIndex.load(saved_demo)
    assert loaded.edition == made.edition == 1
    assert loaded.facts == made.facts
    assert loaded.zone_facts == made.zone_facts
    assert loaded.levels == [1, 2, 3, 4, 5]
    lon, lat = np.random.default_rng(1).uniform((113.5, 36.5), (116, 38), (20_000, 2)).T
    for name in ("cells", "zones"):
        assert np.array_equal(getattr(made, name).owners(lon, lat), getattr(loaded, name).owners(lon, lat))


def test_codes_at_a_level_are_the_ancestors(demo: str, snapshot: Snapshot) -> None:
    with connect(demo) as connection:
        rows = connection.execute(
            "select l.grid_code as leaf, t.grid_code as town from grid_cells l join grid_cells t"
            " on t.grid_level = 2 and ST_Covers(t.geom, ST_PointOnSurface(l.geom))"
        ).fetchall()
    by_place = {row["leaf"]: row["town"] for row in rows}
    leaves = snapshot.city.cells.codes.tolist()
    assert snapshot.city.codes_at(2) == [by_place[leaf] for leaf in leaves]
    assert snapshot.city.codes_at(5).count(None) > 10_000  # only in 襄都区 are cells divided into building blocks


class TestPastEditions:
    def test_each_edition_is_as_it_was(self, small_city: str, tmp_path: Path) -> None:
        with connect(small_city) as connection:
            local_zones(connection)
        first, second = (CityIndex.load(open_city(small_city, tmp_path, number)) for number in (1, 2))
        inside = (WEST + SIDE / 2, SOUTH + SIDE / 2)
        assert [city.cells.owner(*inside) for city in (first, second)] == ["A", "A"]
        assert [city.zones.owner(*inside) for city in (first, second)] == [None, "Z1"]

    def test_before_the_first_nobody_owns_anything(self, database: str, tmp_path: Path) -> None:
        city = CityIndex.load(open_city(database, tmp_path, None))
        assert city.edition is None
        assert city.cells.owner(WEST, SOUTH) is None
        assert city.cells.bounds is None

    def test_unknown_ones_are_said(self, database: str, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="no edition 7"):
            open_city(database, tmp_path, 7)


class TestKeeping:
    def test_it_is_built_once_and_again_when_broken(self, small_city: str, tmp_path: Path) -> None:
        saved = open_city(small_city, tmp_path, 1)
        made = (saved / "city.json").stat().st_mtime_ns
        assert open_city(small_city, tmp_path, 1) == saved
        assert (saved / "city.json").stat().st_mtime_ns == made
        (saved / "cells" / "bucket.npy").write_bytes(b"not an array")
        with pytest.raises(UnreadableFile):
            CityIndex.load(saved)
        assert CityIndex.load(open_city(small_city, tmp_path, 1)).cells.owner(WEST, SOUTH) == "A"

    def test_another_database_has_another_edition_1(self, small_city: str, demo: str, tmp_path: Path) -> None:
        assert open_city(small_city, tmp_path, 1) != open_city(demo, tmp_path, 1)

    def test_old_ones_are_forgotten(self, small_city: str, tmp_path: Path) -> None:
        for number in range(_KEPT + 2):
            (tmp_path / f"edition-{number}-old").mkdir()
        saved = open_city(small_city, tmp_path, 1)
        assert saved in set(tmp_path.glob("edition-*"))
        assert len(list(tmp_path.glob("edition-*"))) == _KEPT


class TestAssigningThroughTheIndex:
    def test_it_is_what_the_statement_assigns(self, small_city: str, tmp_path: Path) -> None:
        with connect(small_city) as connection:
            local_zones(connection)
            fill(connection)
            layer = find_layer("incidents")
            expected = assign(connection, layer)
            question = "select incident_id, grid_code, zone_code, edition_id from incidents order by incident_id"
            by_statement = connection.execute(question).fetchall()
            connection.execute("update incidents set grid_code = 'D', zone_code = null, edition_id = null")
        with connect(small_city) as connection:
            hold_edition(connection)
            city = CityIndex.load(open_city(small_city, tmp_path, 2))
            assert assign_all(connection, layer, city, silent) == expected
            assert connection.execute(question).fetchall() == by_statement
        with connect(small_city) as connection:
            written = "select max(xmin::text::bigint) as x from incidents"
            before = connection.execute(written).fetchone()
            assign_all(connection, layer, city, silent)
            assert connection.execute(written).fetchone() == before  # nothing to change, nothing written

    def test_a_layer_without_rows(self, database: str, tmp_path: Path) -> None:
        with connect(database) as connection:
            city = CityIndex.load(open_city(database, tmp_path, None))
            assert assign_all(connection, find_layer("cameras"), city, silent).rows == 0


def test_overlaps_that_slipped_into_the_database_go_to_the_smallest_code(database: str, tmp_path: Path) -> None:
    """No publish lets them in, but a hand in the database can: index and PostGIS still agree."""
    with connect(database) as connection:
        local_levels(connection, 1)
        connection.execute("insert into editions (valid_from, note) values (now(), 'by hand')")
        for code, shape in (("A", square(1, 0)), ("B", whole(3, 1))):
            connection.execute(
                "insert into grid_cells (grid_code, code_scheme, grid_level, name, geom, valid_from, edition_id)"
                " values (%s, 'local', 1, 'x', ST_Multi(ST_GeomFromText(%s, 4490)), now(), 1)",
                (code, shape.wkt),
            )
    city = CityIndex.load(open_city(database, tmp_path, 1))
    middle = SOUTH + SIDE / 2
    assert [city.cells.owner(WEST + SIDE * x, middle) for x in (0.5, 1.0, 1.5, 2.0, 2.5)] == ["B", "A", "A", "A", "B"]


def local_zones(connection) -> None:
    from pandas import DataFrame

    zones = DataFrame(
        [("Z1", square(0, 0, 1, 2)), ("Z2", square(1, 0, 1, 2))], columns=["zone_code", "geometry"]
    ).assign(name="z", zone_kind="area", zone_type="regular", responsible_unit="u")
    publish_zones(connection, zones, "zones")


def fill(connection) -> None:
    corners = [(WEST + i * SIDE / 2 + dx * STEP, SOUTH + j * SIDE / 2 + dy * STEP)
               for i in range(-1, 6) for j in range(-1, 6) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]  # fmt: skip
    for lon, lat in corners:
        place = "insert into incidents (category, geom) values ('x', ST_SetSRID(ST_MakePoint(%s, %s), 4490))"
        connection.execute(place, (lon, lat))
