from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.errors import UserError
from geo_grid.exchange import Mapping, export_file, import_file
from geo_grid.layers import REGISTRY, find_layer
from geo_grid.progress import silent
from tests.squares import local_levels, two_by_two


def shapes(conninfo: str) -> dict[str, shapely.Geometry]:
    with connect(conninfo) as connection:
        rows = connection.execute("select grid_code, ST_AsBinary(geom) as g from grid_cells where valid_to is null")
        return {r["grid_code"]: shapely.normalize(shapely.from_wkb(bytes(r["g"]))) for r in rows.fetchall()}


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "shp"])
def test_cells_come_back_as_they_went(database: str, tmp_path: Path, kind: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
        before = shapes(database)
        assert export_file(connection, find_layer("grid_cells"), tmp_path / f"cells.{kind}") == 5
    frame = gpd.read_file(tmp_path / f"cells.{kind}")
    code = "grid_code"
    again = {
        r[code]: shapely.normalize(shapely.multipolygons(shapely.get_parts(snap_geometry(r.geometry))))
        for _, r in frame.iterrows()
    }
    assert all(shapely.equals_identical(again[name], shape) for name, shape in before.items()) or not before


def test_an_export_can_be_imported_elsewhere(cluster, database: str, tmp_path: Path) -> None:
    from tests.conftest import new_database

    with connect(database) as connection:
        two_by_two(connection)
    with connect(database) as connection:
        export_file(connection, find_layer("grid_cells"), tmp_path / "cells.geojson")
    with new_database(cluster, "elsewhere") as other:
        with connect(other) as connection:
            local_levels(connection)
            import_file(connection, find_layer("grid_cells"), tmp_path / "cells.geojson", silent, mapping=Mapping())
        ours, theirs = shapes(database), shapes(other)
        assert ours.keys() == theirs.keys()
        assert all(shapely.equals_identical(ours[code], theirs[code]) for code in ours)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_every_layer_of_the_demo_city_can_be_exported(demo: str, tmp_path: Path, name: str) -> None:
    with connect(demo) as connection:
        count = export_file(connection, find_layer(name), tmp_path / f"{name}.csv")
    frame = pd.read_csv(tmp_path / f"{name}.csv", dtype=str)
    assert len(frame) == count
    assert "caller_number" not in frame
    assert count > 0 or name == "roads"


def test_unknown_kinds_and_places_are_refused_and_leave_nothing(demo: str, tmp_path: Path) -> None:
    with connect(demo) as connection:
        with pytest.raises(UserError, match="unknown kind"):
            export_file(connection, find_layer("police_posts"), tmp_path / "a.docx")
        with pytest.raises(UserError, match="cannot be written"):
            export_file(connection, find_layer("police_posts"), tmp_path / "no/such/folder/a.csv")
    assert list(tmp_path.iterdir()) == []
