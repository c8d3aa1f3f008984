"""Households of cells whose borders change: kept where nothing changes, stored as the impact promised where it does."""

import itertools
import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from pandas import Series

from geo_grid.boundaries import as_step, edit_draft, make_draft, publish_cells, publish_draft, read_division
from geo_grid.boundaries.division import Division
from geo_grid.boundaries.operations import carve, merge, move_border, reshape, split, transfer
from geo_grid.boundaries.review import draft_impact
from geo_grid.db import Connection, connect
from geo_grid.exchange.draft_files import export_draft, import_draft
from geo_grid.layers.grid_levels import set_levels
from tests.boundaries.test_drawn import level
from tests.boundaries.test_operations import at, wavy_city
from tests.squares import cells, square, whole


def counts(connection: Connection) -> dict[str, tuple[int | None, bool]]:
    rows = connection.execute(
        "select grid_code, household_count, households_estimated from grid_cells where valid_to is null order by 1"
    )
    return {row["grid_code"]: (row["household_count"], row["households_estimated"]) for row in rows}


@pytest.fixture
def counted(database: str) -> str:
    """P of four squares with 310, 452, 346 and unknown households; A south-west, B south-east, C and D north."""
    with connect(database) as connection:
        set_levels(connection, [level(1, 0), level(2, 5)])
        frame = cells(
            ("P", 1, None, whole(2, 2)),
            ("A", 2, "P", square(0, 0)),
            ("B", 2, "P", square(1, 0)),
            ("C", 2, "P", square(0, 1)),
            ("D", 2, "P", square(1, 1)),
        )
        frame["household_count"] = Series([None, 310, 452, 346, None], dtype=object)
        publish_cells(connection, frame, "counted")
    return database


def line(*points: tuple[float, float]) -> dict[str, object]:
    return json.loads(shapely.to_geojson(shapely.LineString([at(*point) for point in points])))


def test_a_published_split_has_the_households_that_its_impact_promised(counted: str) -> None:
    with connect(counted) as connection:
        draft = make_draft(connection, "x", "planner")
        cut = {"codes": ["A"], "line": line((-0.1, 0.54), (1.1, 0.54))}
        edit_draft(connection, draft, as_step("split", cut), "planner")
        promised = {work.grid_code: work.households_after for work in draft_impact(connection, draft).workloads}
        publish_draft(connection, draft, "split")
    with connect(counted) as connection:
        found = counts(connection)
    assert promised == {"A": 167, "A.2": 143}
    assert {code: found[code] for code in promised} == {"A": (167, True), "A.2": (143, True)}
    # B only got a corner where the line ends
    assert found["B"] == (452, False)
    assert found["C"] == (346, False)


def test_a_split_in_qgis_leaves_neighbours_their_households(counted: str, tmp_path: Path) -> None:
    path = tmp_path / "draft.gpkg"
    with connect(counted) as connection:
        draft = make_draft(connection, "x", "planner")
        export_draft(read_division(connection, draft), path)
    frame = gpd.read_file(path).set_index("grid_code", drop=False).rename_axis(None)
    west, south, east, north = square(0, 0).bounds
    middle = south + 0.25 * (north - south)
    lower, upper = shapely.box(west, south, east, middle), shapely.box(west, middle, east, north)
    frame.loc["A", "geometry"] = shapely.MultiPolygon([upper])
    # as QGIS does with topological editing: the neighbour gets the vertex, both parts keep the attributes
    frame.loc["B", "geometry"] = shapely.MultiPolygon([with_corner(square(1, 0), (east, middle))])
    part = {**frame.loc["A"].to_dict(), "geometry": shapely.MultiPolygon([lower])}
    frame = gpd.GeoDataFrame([*frame.to_dict("records"), part], crs=4490)
    frame.to_file(path, layer="grid_cells", driver="GPKG")
    with connect(counted) as connection:
        import_draft(connection, draft, path, "planner")
        publish_draft(connection, draft, "back")
    with connect(counted) as connection:
        found = counts(connection)
    assert found["B"] == (452, False)
    assert found["C"] == (346, False)
    (small, is_estimate), (large, _) = sorted([found["A"], found["A.2"]])
    assert (small + large, is_estimate) == (310, True)
    assert small in (77, 78)


def with_corner(polygon: shapely.Polygon, corner: tuple[float, float]) -> shapely.Polygon:
    """The polygon with one more corner, on the edge it lies on."""
    ring = list(polygon.exterior.coords)
    for index, (one, other) in enumerate(itertools.pairwise(ring)):
        if shapely.LineString([one, other]).distance(shapely.Point(corner)) < 1e-12:
            return shapely.Polygon([*ring[: index + 1], corner, *ring[index + 1 :]])
    raise AssertionError(corner)


@pytest.mark.parametrize(
    "do",
    [
        lambda city: split(city, "c22", shapely.LineString([at(1.7, 2.6), at(3.4, 2.3)])),
        lambda city: move_border(city, "c21", "c31", shapely.LineString([at(2.4, 0.5), at(2.4, 2.5)])),
        lambda city: carve(city, ["c00", "c10"], shapely.box(*at(0.6, 0.3), *at(1.4, 0.7)), "邢台站"),
        lambda city: reshape(city, "c11", shapely.box(*at(0.7, 0.8), *at(2.3, 1.9))),
        lambda city: transfer(city, "c22", "q10"),
        lambda city: merge(city, ["c00", "c01", "c10"]),
        lambda city: merge(city, ["q00", "q01"]),
    ],
)
def test_no_step_loses_a_household_at_any_level(do) -> None:
    city = wavy_city()  # every cell says 100
    edits = do(city)
    after = city.proved(edits)
    for grid_level in (1, 2, 3):

        def total(division: Division, grid_level: int = grid_level) -> int:
            return sum(c.household_count or 0 for c in division.cells.values() if c.grid_level == grid_level)

        assert total(after) == total(city), grid_level
    untouched = {"c05", "c55", "c50"} & after.cells.keys()
    assert all(not after.cells[code].households_estimated for code in untouched)


def test_what_moves_between_parents_moves_their_own_numbers_too() -> None:
    city = wavy_city()
    after = city.proved(transfer(city, "c22", "q10"))
    assert (after.cells["q00"].household_count, after.cells["q10"].household_count) == (0, 200)
    assert not after.cells["q10"].households_estimated  # the whole cell went: counted, not shared out
