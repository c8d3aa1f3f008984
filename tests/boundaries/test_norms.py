"""The norm of 300 to 500 households: one definition, about basic cells and grid managers, for whoever asks."""

from pathlib import Path

import pytest
import shapely
from pandas import Series

from geo_grid.boundaries import as_step, edit_draft, examine, make_draft, publish_cells, read_division
from geo_grid.boundaries.loads import overloaded
from geo_grid.boundaries.review import draft_impact
from geo_grid.db import connect
from geo_grid.doctor import examine as doctor
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.settings import Settings
from tests.boundaries.test_households import line
from tests.squares import cells, square

VILLAGE, HAMLET = "130502001001", "130502101001"  # of a subdistrict, and of a township


@pytest.fixture
def town(database: str) -> str:
    """A community of a town with a compound of two blocks, a full, a crowded and a dedicated cell, and a village."""
    levels = [("village", "division_code_12", 0), ("basic", "unit_grid_15", 5), ("block", "unit_grid_20", 9)]
    rows = [
        (VILLAGE, 1, None, square(0, 0, 4, 1), "division", 1650),
        (HAMLET, 1, None, square(4, 0), "division", 120),
        (VILLAGE + "001", 2, VILLAGE, square(0, 0), "basic", 400),
        (VILLAGE + "002", 2, VILLAGE, square(1, 0), "basic", 900),
        (VILLAGE + "003", 2, VILLAGE, square(2, 0), "basic", 150),
        (VILLAGE + "004", 2, VILLAGE, square(3, 0), "dedicated", 3),
        (HAMLET + "001", 2, HAMLET, square(4, 0), "basic", 120),
        (VILLAGE + "00100001", 3, VILLAGE + "001", west(square(0, 0)), "basic", 150),
        (VILLAGE + "00100002", 3, VILLAGE + "001", east(square(0, 0)), "basic", 250),
    ]
    frame = cells(*(row[:4] for row in rows))
    frame["cell_kind"] = [row[4] for row in rows]
    frame["household_count"] = Series([row[5] for row in rows], dtype=object)
    frame["geometry"] = fitted(list(frame["geometry"]))
    with connect(database) as connection:
        set_levels(
            connection,
            [
                GridLevel(grid_level=at, name_zh=name, name_en=name, code_scheme=scheme, min_zoom=zoom)
                for at, (name, scheme, zoom) in enumerate(levels, 1)
            ],
        )
        publish_cells(connection, frame, "town")
        for code in (VILLAGE + "001", VILLAGE + "002", VILLAGE + "003", HAMLET + "001"):
            for role in ("grid_manager", "grid_assistant"):
                connection.execute(
                    "insert into duties (grid_code, duty_role, person_name) values (%s, %s, %s)",
                    (code, role, f"{role} of {code}"),
                )
    return database


def west(cell: shapely.Polygon) -> shapely.Polygon:
    left, south, right, north = cell.bounds
    return shapely.box(left, south, (left + right) / 2, north)


def east(cell: shapely.Polygon) -> shapely.Polygon:
    left, south, right, north = cell.bounds
    return shapely.box((left + right) / 2, south, right, north)


def fitted(shapes: list[shapely.Polygon]) -> list[shapely.Polygon]:
    """The shapes with every corner of another that lies on their borders."""
    noded = shapely.union_all([shape.boundary for shape in shapes])
    faces = list(shapely.polygonize(shapely.get_parts(noded)).geoms)
    return [
        shapely.coverage_union_all([face for face in faces if shape.covers(face.representative_point())])
        for shape in shapes
    ]


def test_the_norm_is_about_basic_cells_alone(town: str, tmp_path: Path) -> None:
    with connect(town) as connection:
        division = read_division(connection)
    found = {one.grid_code: one.text for one in examine(division) if one.kind == "households"}
    # neither blocks, nor the dedicated cell, nor the village of the country
    assert found.keys() == {VILLAGE + "002", VILLAGE + "003"}
    told = {one.what: one.found for one in doctor(town, Settings(database_url=town, state_dir=tmp_path))}
    assert told["households of basic cells"].startswith("1 above 500, 1 below 300")


def test_assistants_do_not_stretch_the_norm_of_a_manager(town: str) -> None:
    with connect(town) as connection:
        division = read_division(connection)
        (worst,) = overloaded(connection, division, 2, 500)[:1]
        crowded = [one["grid_code"] for one in overloaded(connection, division, 2, 500) if one["workers"]]
        blocks = overloaded(connection, division, 3, 500)
    assert crowded == [VILLAGE + "002"]
    assert (worst["workers"], worst["assistants"], worst["households_per_worker"]) == (1, 1, 900)
    assert blocks == []  # who manages the compound manages its blocks


def test_an_impact_says_what_comes_out_of_the_norm(town: str) -> None:
    with connect(town) as connection:
        draft = make_draft(connection, "x", "planner")
        cut = {"codes": [VILLAGE + "002"], "line": line((1.25, -0.1), (1.25, 1.1))}
        edit_draft(connection, draft, as_step("split", cut), "planner")
        norms = {
            work.grid_code: (work.households_after, work.norm) for work in draft_impact(connection, draft).workloads
        }
    assert norms == {VILLAGE + "002": (675, "above"), VILLAGE + "005": (225, "below")}
