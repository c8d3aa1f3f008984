"""Patrol zones in drafts: areas that never overlap, road segments, stops; and who answers for cells."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from pandas import DataFrame

from geo_grid.boundaries import (
    as_step,
    draft_restoring,
    edit_draft,
    impact_of,
    make_draft,
    publish_draft,
    publish_now,
    publish_zones,
    read_division,
    redo,
    undo,
)
from geo_grid.boundaries.division import Refused
from geo_grid.boundaries.reading import read_zones, zone_changes
from geo_grid.db import Connection, connect
from geo_grid.layers import find_layer
from geo_grid.locate import assign
from tests.boundaries.test_drafts import city, line
from tests.boundaries.test_drawn import wavy
from tests.boundaries.test_operations import at
from tests.squares import square

__all__ = ["city"]


@pytest.fixture
def zoned(city: str) -> str:
    """The wavy city with four zones over its south-west, of nine cells each but one, and a road segment."""
    rows = []
    for x in (0, 3):
        for y in (0, 3):
            shape = shapely.coverage_union_all([wavy(square(x + i, y + j)) for i in range(3) for j in range(3)])
            rows.append((f"Z{1 + x // 3 + 2 * (y // 3):02}", f"zone {x}{y}", "area", shape))
    rows.pop()  # the north-east has none yet
    segment = shapely.LineString(np.round(np.array([at(0.5, 0.5), at(2.5, 0.6)]) * 2**26) / 2**26)
    frame = DataFrame(
        [*rows, ("R01", "road", "segment", segment)], columns=["zone_code", "name", "zone_kind", "geometry"]
    )
    with connect(city) as connection:
        publish_zones(connection, frame.assign(zone_type="regular", responsible_unit="所一"), "zones")
        for name in ("cameras", "incidents"):
            assign(connection, find_layer(name))
    return city


@pytest.fixture
def draft(zoned: str) -> Iterator[tuple[Connection, int]]:
    with connect(zoned) as connection:
        yield connection, make_draft(connection, "x", "planner")


def area(*points: tuple[float, float]) -> dict[str, Any]:
    return json.loads(shapely.to_geojson(shapely.Polygon([at(*point) for point in points])))


def step(given: tuple[Connection, int], operation: str, **arguments: Any) -> dict[str, Any]:
    connection, number = given
    return edit_draft(connection, number, as_step(operation, {"layer": "patrol_zones", **arguments}), "planner")


def zones_are_right(connection: Connection) -> bool:
    wrong = connection.execute(
        "select count(*) as n from (select geom, zone_code from cameras union all"
        " select geom, zone_code from incidents where closed_at is null) t"
        " where zone_code is distinct from (select min(z.zone_code) from patrol_zones z"
        "  where z.valid_to is null and z.zone_kind = 'area' and ST_Covers(z.geom, t.geom))"
    ).fetchone()
    return wrong == {"n": 0}


def test_zones_are_redrawn_and_never_overlap(draft: tuple[Connection, int], zoned: str) -> None:
    connection, number = draft
    before = read_zones(connection)
    new = step(
        draft,
        "create",
        name="north-east",
        area=area((2.5, 2.5), (6.5, 2.5), (6.5, 6.5), (2.5, 6.5)),
        responsible_unit="所二",
    )
    assert next(iter(new)) == "Z04"
    assert step(draft, "split", codes=["Z01"], line=line((1.4, -0.5), (1.6, 3.5))).keys() >= {"Z01", "Z01.2"}
    step(draft, "move_border", codes=["Z02", "Z04"], line=line((2.5, 2.7), (6.5, 2.8)))
    step(
        draft,
        "carve",
        codes=["Z03"],
        area=area((0.5, 4), (1.5, 4), (1.5, 5), (0.5, 5)),
        name="fair",
        cell_kind="temporary",
    )
    step(draft, "describe", codes=["Z03"], name="renamed", responsible_unit="所三")
    step(draft, "create", name="road two", line=line((3.5, 0.5), (5.5, 0.5)))
    step(draft, "reshape", codes=["R01"], line=line((0.5, 0.5), (0.6, 2.5)))
    planned = read_zones(connection, number)
    shapes = np.array([z.shape for z in planned.cells.values() if z.grid_level == 1], dtype=object)
    assert shapely.coverage_is_valid(shapes)
    changes = zone_changes(connection, number)
    told = impact_of(connection, *changes, "zone_code")
    assert {flow.kind for flow in told.flows} >= {"cameras", "incidents of 12 months"}
    moved = {(f.from_code, f.to_code): f.count for f in told.flows if f.kind == "cameras"}
    held = {
        r["camera_id"]: r["zone_code"]
        for r in connection.execute("select camera_id, zone_code from cameras").fetchall()
    }
    publish_draft(connection, number, "zones anew")
    assert zones_are_right(connection)
    now = {
        r["camera_id"]: r["zone_code"]
        for r in connection.execute("select camera_id, zone_code from cameras").fetchall()
    }
    happened: dict[tuple[Any, Any], int] = {}
    for camera, zone in now.items():
        if zone != held[camera]:
            happened[held[camera], zone] = happened.get((held[camera], zone), 0) + 1
    assert moved == happened
    row = connection.execute(
        "select name, responsible_unit from patrol_zones where zone_code = 'Z03' and valid_to is null"
    ).fetchone()
    assert row == {"name": "renamed", "responsible_unit": "所三"}
    connection.commit()
    publish_now(connection, draft_restoring(connection, 2, "planner", "as it was"), "planner", "as it was")
    again = read_zones(connection)
    assert again.cells.keys() == before.cells.keys()
    assert all(
        shapely.equals_identical(shapely.normalize(again.cells[c].shape), shapely.normalize(before.cells[c].shape))
        for c in before.cells
    )
    assert zones_are_right(connection)


def test_what_would_leave_ground_without_a_zone_or_with_two_is_refused(draft: tuple[Connection, int]) -> None:
    for operation, arguments, said in (
        ("retire", {"codes": ["Z01"]}, "regular zone"),
        ("create", {"name": "x", "area": area((0.5, 0.5), (1.5, 0.5), (1.5, 1.5))}, "belongs to zones already"),
        ("create", {"name": "x"}, "draw an area, or the line"),
        ("create", {"name": "x", "code": "Z01", "line": line((0, 0), (1, 1))}, "given before"),
        ("split", {"codes": ["R01"], "line": line((0, 0), (1, 1))}, "road segment"),
        ("reshape", {"codes": ["Z01"], "line": line((0, 0), (1, 1))}, "is an area"),
        ("merge", {"codes": ["Z02", "Z03"]}, "not neighbours"),
        ("transfer", {"codes": ["Z01"], "parent_code": "Z02"}, "is not done to patrol_zones"),
        ("describe", {"codes": ["Z01"], "cell_kind": "basic"}, "no kind of patrol_zones"),
    ):
        with pytest.raises(Refused, match=said):
            step(draft, operation, **arguments)
    assert zone_changes(*draft)[1] == {}
    step(
        draft, "carve", codes=["Z01"], area=area((0.5, 0.5), (1.5, 0.5), (1.5, 1.5)), name="fair", cell_kind="temporary"
    )
    fair = next(iter(zone_changes(*draft)[1].keys() - {"Z01"}))
    step(draft, "retire", codes=[fair])
    assert undo(*draft) == "retire"
    assert redo(*draft) == "retire"


def test_duties_and_stops_come_into_force_with_the_boundaries(draft: tuple[Connection, int]) -> None:
    connection, number = draft
    edit_draft(
        connection, number, as_step("split", {"codes": ["c22"], "line": line((1.7, 2.6), (3.4, 2.3))}), "planner"
    )
    duties = [
        {"duty_role": "grid_lead", "person_name": "赵网格", "phone": "1"},
        {"duty_role": "grid_manager", "person_name": "钱网格"},
    ]
    edit_draft(connection, number, as_step("set_duties", {"codes": ["c22.2", "c00"], "duties": duties}), "planner")
    stop = {"name": "校门", "point": list(at(0.5, 0.5)), "window_from": "07:00", "window_to": "08:00"}
    step(draft, "set_stops", codes=["Z01"], stops=[stop])
    with pytest.raises(Refused, match="no grid cell nope"):
        edit_draft(connection, number, as_step("set_duties", {"codes": ["nope"], "duties": duties}), "planner")
    people = (
        "select grid_code, person_name from duties where valid_to is null or valid_to > clock_timestamp() order by 1, 2"
    )
    assert [row["person_name"] for row in connection.execute(people).fetchall()] == ["李网格"]
    publish_draft(connection, number, "x")
    assert [tuple(row.values()) for row in connection.execute(people).fetchall()] == [
        ("c00", "赵网格"), ("c00", "钱网格"), ("c22.2", "赵网格"), ("c22.2", "钱网格"),
    ]  # fmt: skip
    stops = connection.execute("select zone_code, name, window_from::text from mandatory_stops").fetchall()
    assert stops == [{"zone_code": "Z01", "name": "校门", "window_from": "07:00:00"}]
    assert "c22.2" in read_division(connection).cells
