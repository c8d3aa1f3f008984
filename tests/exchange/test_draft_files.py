"""A draft goes out as a GeoPackage and comes back with what was edited in it, as steps."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from geo_grid.boundaries import draft_steps, make_draft, read_division
from geo_grid.boundaries.division import Refused
from geo_grid.db import Connection, connect
from geo_grid.errors import InvalidRows, UserError
from geo_grid.exchange.draft_files import export_draft, import_draft
from tests.boundaries.test_drafts import city
from tests.boundaries.test_operations import at, check
from tests.squares import SIDE

__all__ = ["city"]
METRE = 1 / 111_000


@pytest.fixture
def file(city: str, tmp_path: Path) -> Path:
    path = tmp_path / "draft.gpkg"
    with connect(city) as connection:
        assert export_draft(read_division(connection, make_draft(connection, "x", "planner")), path) == 37
    return path


def read(path: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(path).set_index("grid_code", drop=False).rename_axis(None)


def come_back(connection: Connection, frame: gpd.GeoDataFrame, path: Path, **more: Any) -> list[tuple[str, list[str]]]:
    frame.to_file(path, layer="grid_cells", driver="GPKG")
    return import_draft(connection, 1, path, "planner", **more)


def halves(shape: shapely.Geometry, line: list[tuple[float, float]]) -> list[shapely.Geometry]:
    work = shapely.union_all([shape.boundary, shapely.LineString([at(*point) for point in line])])
    parts = shapely.get_parts(shapely.polygonize(shapely.get_parts(work)))
    return [shapely.MultiPolygon([part]) for part in parts if shape.covers(part.representative_point())]


def test_a_draft_is_written_under_no_other_ending(city: str, tmp_path: Path) -> None:
    with connect(city) as connection, pytest.raises(UserError, match=r"name it draft\.gpkg"):
        export_draft(read_division(connection), tmp_path / "draft.geojson")
    assert not list(tmp_path.iterdir())


def test_what_was_edited_comes_in_as_steps(city: str, file: Path) -> None:
    frame = read(file)
    assert frame.crs.to_epsg() == 4490
    with connect(city) as connection:
        assert import_draft(connection, 1, file, "planner") == []  # nothing was edited
    # split, as QGIS does: both parts keep the attributes
    one, other = halves(frame.loc["c22", "geometry"], [(1.7, 2.6), (3.4, 2.3)])
    frame.loc["c22", "geometry"] = one
    frame = gpd.GeoDataFrame([*frame.to_dict("records"), {**frame.loc["c22"].to_dict(), "geometry": other}], crs=4490)
    by_code = {code: index for index, code in enumerate(frame["grid_code"])}
    # merged
    frame.loc[by_code["c01"], "geometry"] = shapely.MultiPolygon(
        [shapely.union(frame.loc[by_code["c00"], "geometry"], frame.loc[by_code["c01"], "geometry"])]
    )
    # a border moved by hand, in both cells, not quite alike
    both = shapely.union(frame.loc[by_code["c33"], "geometry"], frame.loc[by_code["c43"], "geometry"])
    west, east = sorted(halves(both, [(3.8, 2.5), (3.9, 3.5), (3.8, 4.6)]), key=lambda part: part.centroid.x)
    frame.loc[by_code["c33"], "geometry"] = shapely.buffer(west, -0.3 * METRE)
    frame.loc[by_code["c43"], "geometry"] = east
    frame.loc[by_code["c55"], "name"] = "新名"
    frame = frame.drop(index=by_code["c00"])
    with connect(city) as connection:
        done = come_back(connection, frame, file)
        assert sorted(done) == [
            ("describe", ["c55"]), ("merge", ["c00", "c01"]), ("move_border", ["c33", "c43"]), ("split", ["c22"]),
        ]  # fmt: skip
        after = read_division(connection, 1)
        check(after)
        assert after.cells.keys() == (read_division(connection).cells.keys() - {"c00"}) | {"c22.2"}
        assert after.cells["c55"].name == "新名"
        inside = shapely.Point(at(3.85, 3.5))
        assert after.cells["c33"].shape.covers(inside)
        assert all(step["reason"] == f"from {file.name}" for step in draft_steps(connection, 1))


def test_identities_are_found_by_place(city: str, file: Path) -> None:
    frame = read(file)
    frame = frame[frame["grid_level"] == 2].reset_index(drop=True)
    by_code = {code: index for index, code in enumerate(frame["grid_code"])}
    both = shapely.union(frame.loc[by_code["c33"], "geometry"], frame.loc[by_code["c43"], "geometry"])
    west, east = sorted(halves(both, [(3.8, 2.5), (3.8, 4.6)]), key=lambda part: part.centroid.x)
    frame.loc[by_code["c33"], "geometry"], frame.loc[by_code["c43"], "geometry"] = west, east
    frame["grid_code"] = [f"X{number}" for number in range(len(frame))]
    frame["name"] = "named anew"
    with connect(city) as connection:
        done = come_back(connection, frame, file, match="overlap")
        assert ("move_border", ["c33", "c43"]) in done
        assert [operation for operation, _ in done].count("describe") == 36
        after = read_division(connection, 1)
        check(after)
        assert after.cells.keys() == read_division(connection).cells.keys()


def test_what_is_no_division_is_refused_as_a_whole(city: str, file: Path) -> None:
    whole = read(file)
    for code, change, said in (
        ("c22", lambda shape: shapely.buffer(shape, 0.05 * SIDE), "overlap at|reaches into"),
        ("c22", lambda shape: shapely.buffer(shape, -0.05 * SIDE), "left to nobody"),
        ("c22", lambda shape: shapely.box(0, 0, 1, 1), "overlap|reaches into|left to nobody|outside"),
    ):
        frame = whole.copy()
        frame.loc["c55", "name"] = "never"
        frame.loc[code, "geometry"] = change(frame.loc[code, "geometry"])
        with connect(city) as connection, pytest.raises(Refused, match=said):
            come_back(connection, frame, file)
        with connect(city) as connection:
            assert draft_steps(connection, 1) == []
    frame = whole.copy()
    frame.loc["c55", "name"] = "txt.\u202egpj"
    with connect(city) as connection, pytest.raises(Refused, match=r"U\+202E"):
        come_back(connection, frame, file)
    frame = gpd.GeoDataFrame([*whole.to_dict("records"), whole.loc["c22"].to_dict()], crs=4490)
    with connect(city) as connection, pytest.raises(Refused, match="a second time"):
        come_back(connection, frame, file)
    frame = whole.copy()
    frame.loc["c22", "geometry"] = shapely.Polygon([(114.5, 37), (114.6, 37.1), (114.6, 37), (114.5, 37.1)])
    with connect(city) as connection, pytest.raises(InvalidRows, match="cannot be cells"):
        come_back(connection, frame, file)
