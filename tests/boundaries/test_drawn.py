"""Cells as maps draw them: simplified at every zoom, and still a coverage; redrawn only where something moved."""

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from pandas import DataFrame

from bench.access import tile_of
from geo_grid.boundaries import publish_cells, redraw_cells
from geo_grid.boundaries.drawn import Step, draw_missing, draw_steps
from geo_grid.coordinates import snap_geometry
from geo_grid.db import Connection, connect
from geo_grid.layers import find_layer
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.layers.items import tile_statement, tile_values
from tests.squares import SIDE, SOUTH, WEST, cells, square, whole

WIDTH = 6


def wavy(polygon: shapely.Geometry) -> shapely.Geometry:
    """The same with many corners: what is shared stays shared, as every corner moves by its place alone."""

    def moved(xy: np.ndarray) -> np.ndarray:
        x, y = ((xy - [WEST, SOUTH]) / SIDE).T
        shift = np.column_stack([np.sin(9 * y + 2 * x), np.sin(8 * x - 3 * y)]) * SIDE * 0.05
        return xy + shift

    return snap_geometry(shapely.transform(shapely.segmentize(polygon, SIDE / 32), moved))


def wavy_city(width: int = WIDTH) -> DataFrame:
    small = [(f"c{x}{y}", 2, "P", square(x, y)) for x in range(width) for y in range(width)]
    frame = cells(("P", 1, None, whole(width, width)), *small)
    frame["geometry"] = list(wavy(frame["geometry"].to_numpy()))
    # the parent's corners are its children's
    frame.loc[0, "geometry"] = shapely.coverage_union_all(frame["geometry"].to_numpy()[1:])
    return frame


def level(number: int, zoom: int) -> GridLevel:
    return GridLevel(grid_level=number, name_zh="级", name_en="level", code_scheme="local", min_zoom=zoom)


def test_zooms_are_divided_where_the_level_changes() -> None:
    assert draw_steps([level(1, 0), level(2, 10), level(3, 14)]) == [
        Step(0, 0, 1), Step(1, 3, 1), Step(4, 6, 1), Step(7, 9, 1), Step(10, 10, 2), Step(11, 13, 2), Step(14, 15, 3),
    ]  # fmt: skip
    assert draw_steps([level(1, 3), level(2, 3), level(3, 18)])[0].level == 1
    assert draw_steps([level(1, 3), level(2, 3), level(3, 18)])[-1] == Step(13, 15, 2)


@pytest.fixture
def city(database: str) -> str:
    with connect(database) as connection:
        set_levels(connection, [level(1, 0), level(2, 9)])
        publish_cells(connection, wavy_city(), "wavy")
    return database


def test_neighbours_meet_at_every_zoom(city: str) -> None:
    statement = tile_statement(find_layer("grid_cells"))
    with connect(city) as connection:
        for zoom in range(19):
            column, row = tile_of(WEST + 2 * SIDE, SOUTH + 2 * SIDE, zoom)
            for x in {column, column + 1}:
                values = tile_values(zoom, min(x, 2**zoom - 1), row)
                drawn = connection.execute(statement, values, binary=True).fetchone() or {}
                decoded = mapbox_vector_tile.decode(bytes(drawn["grid_cells"]))
                found = decoded.get("grid_cells", {"features": []})["features"]
                shapes = np.array([shapely.geometry.shape(feature["geometry"]) for feature in found], dtype=object)
                assert shapely.is_valid(shapes).all(), zoom
                assert shapely.coverage_is_valid(shapes), zoom
                united = shapely.union_all(shapes)
                assert shapely.get_num_interior_rings(shapely.get_parts(united)).sum() == 0, zoom
        rows = connection.execute(
            "select to_zoom, sum(ST_NPoints(geom)) as corners from drawn_cells where grid_level = 2 group by to_zoom"
        ).fetchall()
    corners = {row["to_zoom"]: row["corners"] for row in rows}
    assert corners[9] < corners[12] < corners[15]
    assert corners[9] < WIDTH**2 * 128 / 4  # 128 corners a cell, as they are


def test_a_tile_holds_what_postgis_holds(city: str) -> None:
    zoom = 14
    column, row = tile_of(WEST + 2 * SIDE, SOUTH + 2 * SIDE, zoom)
    statement = tile_statement(find_layer("grid_cells"))
    with connect(city) as connection:
        drawn = connection.execute(statement, tile_values(zoom, column, row), binary=True).fetchone() or {}
        held = connection.execute(
            "select grid_code, name, ST_Area(ST_Transform(geom, 3857)) as area, ST_Transform(geom, 3857) && ST_TileEnvelope(%s, %s, %s)"
            " as is_here from grid_cells where grid_level = 2",
            (zoom, column, row),
        ).fetchall()
    features = mapbox_vector_tile.decode(bytes(drawn["grid_cells"]), default_options={"y_coord_down": True})
    found = {f["properties"]["grid_code"]: f for f in features["grid_cells"]["features"]}
    assert {row["grid_code"] for row in held if row["is_here"]} <= found.keys()
    metres = 2 * np.pi * 6378137.0 / 2**zoom / 4096
    for row in held:
        if row["grid_code"] in found:
            feature = found[row["grid_code"]]
            assert feature["properties"]["name"] == row["name"]
            ring = np.array(feature["geometry"]["coordinates"][0])
            area = np.sum(ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]) / 2
            assert area > 0  # an outer ring, as Mapbox vector tiles turn them (2.1, 4.3.4.4), rows counting downward
            assert area * metres**2 == pytest.approx(row["area"], rel=0.01)


def drawn_rows(connection: Connection) -> set[tuple[int, str, str]]:
    rows = connection.execute(
        "select to_zoom, grid_code, md5(ST_AsBinary(ST_Normalize(geom))) as shape from drawn_cells where valid_to is null"
    ).fetchall()
    return {(row["to_zoom"], row["grid_code"], row["shape"]) for row in rows}


def test_only_what_moved_is_drawn_again_and_comes_out_the_same(city: str) -> None:
    with connect(city) as connection:
        before = drawn_rows(connection)
        beside = cells(("Q", 1, None, square(WIDTH, 0)), ("q", 2, "Q", square(WIDTH, 0)))
        beside["geometry"] = list(wavy(beside["geometry"].to_numpy()))
        publish_cells(connection, beside, "beside")
        after = drawn_rows(connection)
        untouched = {row for row in after if row in before}
        assert {code for _, code, _ in after} == {code for _, code, _ in before} | {"Q", "q"}
        assert len(untouched) > 0.7 * len(before)
        redraw_cells(connection)
        assert drawn_rows(connection) == after


def test_boundaries_of_an_older_geo_grid_are_drawn_at_the_next_start(city: str) -> None:
    with connect(city) as connection:
        before = drawn_rows(connection)
        connection.execute("delete from drawn_cells; delete from draw_steps", prepare=False)
        draw_missing(connection)
        assert drawn_rows(connection) == before
        draw_missing(connection)
        assert drawn_rows(connection) == before


def test_other_levels_are_drawn_otherwise(city: str) -> None:
    with connect(city) as connection:
        set_levels(connection, [level(1, 0), level(2, 15)])
        redraw_cells(connection)
        codes = {(to_zoom, code) for to_zoom, code, _ in drawn_rows(connection)}
    assert {code for to_zoom, code in codes if to_zoom < 15} == {"P"}
    assert len(codes) == 5 + WIDTH * WIDTH
