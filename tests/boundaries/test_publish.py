from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import shapely

from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.db import connect
from geo_grid.errors import Conflict, InvalidRows
from tests.squares import bulging, cells, local_levels, square, whole


def in_force(connection) -> list[str]:
    rows = connection.execute("select grid_code from grid_cells where valid_to is null order by 1").fetchall()
    return [row["grid_code"] for row in rows]


def test_cells_of_several_levels_come_into_force_together(small_city: str) -> None:
    with connect(small_city) as connection:
        assert in_force(connection) == ["A", "B", "C", "D", "P"]
        row = connection.execute("select area_m2 from grid_cells where grid_code = 'A'").fetchone()
        assert row["area_m2"] == pytest.approx(600_000, rel=0.05)  # 0.87 km by 0.69 km


def test_parents_are_found_by_place_when_not_named(database: str) -> None:
    with connect(database) as connection:
        local_levels(connection)
        publish_cells(connection, cells(("P", 1, None, whole(2, 1)), ("Q", 1, None, square(2, 0))), "parents")
    with connect(database) as connection:
        rows = [("A", 2, None, square(0, 0)), ("B", 2, None, square(1, 0)), ("C", 2, None, square(2, 0))]
        publish_cells(connection, cells(*rows), "children")
        found = connection.execute("select grid_code, parent_code from grid_cells where grid_level = 2").fetchall()
        assert {r["grid_code"]: r["parent_code"] for r in found} == {"A": "P", "B": "P", "C": "Q"}


def test_cells_in_several_parts_come_into_force_beside_whole_ones(database: str) -> None:
    exclave = shapely.MultiPolygon([square(0, 0), square(2, 0), square(4, 0)])
    with connect(database) as connection:
        local_levels(connection)
        publish_cells(connection, cells(("A", 1, None, exclave), ("B", 1, None, square(1, 0))), "in parts")
        parts = connection.execute(
            "select grid_code, ST_NumGeometries(geom) as n from grid_cells order by 1"
        ).fetchall()
    assert [(row["grid_code"], row["n"]) for row in parts] == [("A", 3), ("B", 1)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("A", 1, None, square(0, 0)), ("B", 1, None, square(0, 0, 2, 1))], "overlaps"),
        ([("P", 1, None, whole(2, 1)), ("A", 2, "P", square(0, 0))], "leave a gap"),
        ([("P", 1, None, square(0, 0)), ("A", 2, "P", square(0, 0)), ("B", 2, "P", square(1, 0))], "reach outside"),
        ([("A", 2, "P", square(0, 0))], "not in force at the level above"),
        ([("A", 2, None, square(0, 0))], "no cell of the level above covers it"),
        ([("A", 7, None, square(0, 0))], "no grid level 7"),
        # a neighbour with a vertex that the other lacks does not share its border
        (
            [("P", 1, None, square(0, 0, 2, 1)), ("Q", 1, None, square(0, 1)), ("R", 1, None, square(1, 1))],
            "does not match",
        ),
    ],
)
def test_what_is_no_coverage_is_refused_with_the_place_and_changes_nothing(database: str, rows, says: str) -> None:
    with pytest.raises(InvalidRows) as refused, connect(database) as connection:
        local_levels(connection)
        publish_cells(connection, cells(*rows), "bad")
    assert any(says in reason for _, reason in refused.value.rows)
    with connect(database) as connection:
        assert in_force(connection) == []
        assert connection.execute("select count(*) as n from editions").fetchone() == {"n": 0}


def test_near_parents_are_recut_through_all_levels_when_asked(database: str) -> None:
    with connect(database) as connection:
        local_levels(connection, 3)
        publish_cells(connection, cells(("P", 1, None, square(0, 0)), ("Q", 2, "P", square(0, 0))), "upper")
    with pytest.raises(InvalidRows, match="cannot come into force"), connect(database) as connection:
        publish_cells(connection, cells(("A", 3, "Q", bulging(0, 0))), "lower")
    with connect(database) as connection:
        published = publish_cells(connection, cells(("A", 3, "Q", bulging(0, 0))), "lower", fit_parents_m=0.1)
        assert [code for code, _ in published.recut] == ["Q", "P"]
    with connect(database) as connection:
        shapes = connection.execute("select ST_AsBinary(geom) as g from grid_cells where valid_to is null").fetchall()
        first, *others = [shapely.normalize(shapely.from_wkb(bytes(s["g"]))) for s in shapes]
        assert all(shapely.equals_identical(first, other) for other in others)
        closed = connection.execute("select grid_code from grid_cells where valid_to is not null order by 1").fetchall()
        assert [r["grid_code"] for r in closed] == ["P", "Q"]  # history is kept


def test_recutting_one_of_two_neighbours_is_refused(database: str) -> None:
    with connect(database) as connection:
        local_levels(connection)
        publish_cells(connection, cells(("P", 1, None, square(0, 0)), ("Q", 1, None, square(1, 0))), "upper")
    with pytest.raises(InvalidRows) as refused, connect(database) as connection:
        publish_cells(connection, cells(("A", 2, "P", bulging(0, 0))), "lower", fit_parents_m=1)
    assert "neighbours' children" in refused.value.rows[0][1]


def test_zones_may_hold_segments_beside_a_coverage_of_areas(database: str) -> None:
    from pandas import DataFrame

    line = shapely.LineString([(114.5, 37.0), (114.515625, 37.0078125)])
    rows = [("Z1", "area", square(0, 0)), ("Z2", "area", square(1, 0)), ("S1", "segment", line)]
    zones = DataFrame(rows, columns=["zone_code", "zone_kind", "geometry"])
    zones = zones.assign(name=zones["zone_code"], zone_type="regular", responsible_unit="")
    with connect(database) as connection:
        assert publish_zones(connection, zones, "zones").rows == 3
    zones.loc[1, "geometry"] = square(0, 0, 2, 1)
    zones["zone_code"] = ["Y1", "Y2", "Y3"]
    with pytest.raises(InvalidRows, match="cannot come into force"), connect(database) as connection:
        publish_zones(connection, zones, "again")


def test_editions_follow_each_other_in_time(small_city: str) -> None:
    with pytest.raises(Conflict, match="must begin later"), connect(small_city) as connection:
        past = datetime.now(UTC) - timedelta(days=1)
        publish_cells(connection, cells(("Z", 1, None, square(9, 9))), "too early", past)


class TestTheDatabaseItselfRefuses:
    """Whatever program writes: the constraints hold."""

    ROW = (
        "insert into grid_cells (grid_code, code_scheme, grid_level, parent_code, name, geom, valid_from, edition_id)"
        " values (%(code)s, %(scheme)s, %(level)s, %(parent)s, 'x', ST_Multi(ST_GeomFromText(%(wkt)s, %(srid)s)),"
        " '2030-01-01', %(edition)s)"
    )

    def insert(self, conninfo: str, publish: bool = True, **changed: object) -> None:
        row = {"code": "Z", "scheme": "local", "level": 1, "parent": None, "wkt": square(5, 5).wkt, "srid": 4490}
        with connect(conninfo) as connection:
            edition = 1
            if publish:
                opened = "insert into editions (valid_from, note) values ('2030-01-01', 'x') returning edition_id"
                edition = connection.execute(opened).fetchone()["edition_id"]
            connection.execute(self.ROW, row | {"edition": edition} | changed)

    def test_nothing_by_itself(self, small_city: str) -> None:
        self.insert(small_city)

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"wkt": "POLYGON((0 0,1 1,1 0,0 1,0 0))"}, psycopg.errors.CheckViolation),
            ({"wkt": "POLYGON EMPTY"}, psycopg.errors.CheckViolation),
            ({"wkt": "POLYGON((0 0,0.1 0,0.1 0.1,0 0))"}, psycopg.errors.CheckViolation),
            ({"srid": 4326}, psycopg.errors.InvalidParameterValue),
            ({"code": "a code with blanks"}, psycopg.errors.CheckViolation),
            ({"code": "1", "scheme": "division_code_6"}, psycopg.errors.CheckViolation),
            ({"scheme": "invented"}, psycopg.errors.IntegrityError),
            ({"code": "A"}, psycopg.errors.ExclusionViolation),
            ({"level": 2, "parent": "nowhere"}, psycopg.errors.ForeignKeyViolation),
            ({"level": 2, "parent": "A"}, psycopg.errors.CheckViolation),
            ({"level": 2, "parent": "P"}, psycopg.errors.CheckViolation),
            ({"level": 2}, psycopg.errors.CheckViolation),
            ({"level": 8, "parent": "P"}, psycopg.errors.ForeignKeyViolation),
        ],
    )
    def test_rows_that_break_a_rule(self, small_city: str, changed, error) -> None:
        with pytest.raises(error):
            self.insert(small_city, **changed)

    def test_boundaries_outside_a_publish(self, small_city: str) -> None:
        with pytest.raises(psycopg.errors.IntegrityError, match="only in the transaction"):
            self.insert(small_city, publish=False)
        with pytest.raises(psycopg.errors.IntegrityError, match="only in the transaction"), connect(small_city) as c:
            c.execute("update grid_cells set name = 'other' where grid_code = 'A'")

    def test_deleting_history(self, small_city: str) -> None:
        with pytest.raises(psycopg.errors.IntegrityError, match="keeps its history"), connect(small_city) as connection:
            connection.execute("delete from grid_cells")

    def test_closing_a_parent_whose_children_stay(self, small_city: str) -> None:
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="no parent P"), connect(small_city) as connection:
            opened = "insert into editions (valid_from, note) values ('2030-01-01', 'x') returning edition_id"
            edition = connection.execute(opened).fetchone()["edition_id"]
            close = "update grid_cells set valid_to = '2030-01-01', closed_by = %s where grid_code = 'P'"
            connection.execute(close, (edition,))
