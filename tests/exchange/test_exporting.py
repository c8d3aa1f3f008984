from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.errors import UnwritableFile, UserError
from geo_grid.exchange import Mapping, export_file, import_file
from geo_grid.layers import REGISTRY, find_layer
from geo_grid.progress import silent
from tests.squares import STEP, local_levels


def shapes(conninfo: str) -> dict[str, shapely.Geometry]:
    with connect(conninfo) as connection:
        rows = connection.execute("select grid_code, ST_AsBinary(geom) as g from grid_cells where valid_to is null")
        return {r["grid_code"]: shapely.normalize(shapely.from_wkb(bytes(r["g"]))) for r in rows.fetchall()}


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "shp", "fgb", "parquet", "kml"])
def test_cells_come_back_as_they_went(small_city: str, tmp_path: Path, kind: str) -> None:
    before = shapes(small_city)
    with connect(small_city) as connection:
        assert export_file(connection, find_layer("grid_cells"), tmp_path / f"cells.{kind}") == 5
    frame = (gpd.read_parquet if kind == "parquet" else gpd.read_file)(tmp_path / f"cells.{kind}")
    code = "grid_code"
    again = {
        r[code]: shapely.normalize(shapely.multipolygons(shapely.get_parts(snap_geometry(r.geometry))))
        for _, r in frame.iterrows()
    }
    assert all(shapely.equals_identical(again[name], shape) for name, shape in before.items())


@pytest.mark.filterwarnings("error")
def test_a_shapefile_loses_nothing_in_silence(database: str, tmp_path: Path) -> None:
    """GDAL cuts texts off at 254 bytes, and its warnings named folders of ours."""
    layer, point = find_layer("facilities"), "ST_SetSRID(ST_MakePoint(114.5, 37), 4490)"
    insert = (
        "insert into facilities (facility_code, facility_kind, name, source, geom) values (%s, 'school', 'x', %s, "
        + point
        + ")"
    )
    with connect(database) as connection:
        connection.execute(insert, ("F-1", "学" * 84))  # 252 bytes
        assert export_file(connection, layer, tmp_path / "whole.shp") == 1
        connection.execute(insert, ("F-2", "学" * 85))
        with pytest.raises(UnwritableFile, match=r"254 bytes, and source has longer ones: write \.gpkg"):
            export_file(connection, layer, tmp_path / "cut.shp")
    assert not list(tmp_path.glob("cut*"))
    assert gpd.read_file(tmp_path / "whole.shp")["source"].tolist() == ["学" * 84]


def test_an_export_can_be_imported_elsewhere(cluster, small_city: str, tmp_path: Path) -> None:
    from tests.databases import new_database

    with connect(small_city) as connection:
        export_file(connection, find_layer("grid_cells"), tmp_path / "cells.geojson")
    with new_database(cluster, "elsewhere") as other:
        with connect(other) as connection:
            local_levels(connection)
            import_file(connection, find_layer("grid_cells"), tmp_path / "cells.geojson", silent, mapping=Mapping())
        ours, theirs = shapes(small_city), shapes(other)
        assert ours.keys() == theirs.keys()
        assert all(shapely.equals_identical(ours[code], theirs[code]) for code in ours)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_every_layer_of_the_demo_city_can_be_exported(demo: str, tmp_path: Path, name: str) -> None:
    with connect(demo) as connection:
        count = export_file(connection, find_layer(name), tmp_path / f"{name}.csv")
    frame = pd.read_csv(tmp_path / f"{name}.csv", dtype=str)
    assert len(frame) == count
    assert "caller_number" not in frame
    assert count > 0 or name in ("base_features", "road_closures", "registered_places")  # the demo city has none


def test_unknown_kinds_and_places_are_refused_and_leave_nothing(demo: str, tmp_path: Path) -> None:
    with connect(demo) as connection:
        with pytest.raises(UserError, match="unknown kind"):
            export_file(connection, find_layer("police_posts"), tmp_path / "a.docx")
        with pytest.raises(UserError, match="cannot be written"):
            export_file(connection, find_layer("police_posts"), tmp_path / "no/such/folder/a.csv")
    assert list(tmp_path.iterdir()) == []


CELLS = ["geojson", "gpkg", "shp", "fgb", "parquet", "kml"]
TABLES = ["csv", "xlsx"]
NAME = "=1+1 邢台市第一小学 \"学校\", 'x'"


@pytest.mark.parametrize("kind", [*CELLS, *TABLES])
def test_every_form_comes_back_with_its_chinese_and_its_place(
    cluster, database: str, tmp_path: Path, kind: str
) -> None:
    """A layer of points out, and into an empty database: the same rows, on the same lattice points."""
    from tests.databases import new_database

    what = "select facility_code, facility_kind, name, member_count, phone, geom::text from facilities order by 1"
    with connect(database) as connection:
        for number, lon in enumerate((*(114.5 + step * STEP for step in range(40)), -179.99999998509884)):
            connection.execute(
                "insert into facilities (facility_code, facility_kind, name, member_count, phone, geom)"
                " values (%s, 'school', %s, %s, '0319-0012345', ST_SetSRID(ST_MakePoint(%s, 37.0), 4490))",
                (f"0{number}", NAME, None if number else 7, lon),
            )
    with connect(database) as connection:
        before = connection.execute(what).fetchall()
        path = tmp_path / f"facilities.{kind}"
        assert export_file(connection, find_layer("facilities"), path) == 41
    with new_database(cluster, f"again_{kind}") as other:
        # a shapefile cuts names of fields to ten letters
        cut = {"facility_code": "facility_c", "facility_kind": "facility_k", "member_count": "member_cou"}
        mapping = Mapping(columns=cut if kind == "shp" else {})
        with connect(other) as connection:
            source = None if kind == "geojson" else "EPSG:4490"
            import_file(connection, find_layer("facilities"), path, silent, source, mapping)
        with connect(other) as connection:
            after = connection.execute(what).fetchall()
    assert after == before


def test_a_spreadsheet_runs_nothing(database: str, tmp_path: Path) -> None:
    import zipfile

    with connect(database) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, phone, geom)"
            " values ('F', 'school', '=HYPERLINK(\"http://evil.example\")', '@SUM(1)', 'SRID=4490;POINT(114.5 37)')"
        )
        export_file(connection, find_layer("facilities"), tmp_path / "f.xlsx")
    with zipfile.ZipFile(tmp_path / "f.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "xl/worksheets/_rels/sheet1.xml.rels" not in archive.namelist()
    assert "<f>" not in sheet


def test_files_that_are_bombs_are_refused(database: str, tmp_path: Path) -> None:
    import zipfile

    from geo_grid.errors import UnreadableFile
    from geo_grid.files.door import read_table

    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _ in range(1_100):
                part.write(b" " * (1 << 20))
    with pytest.raises(UnreadableFile, match="unpacks to"):
        read_table(tmp_path / "bomb.xlsx")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    (tmp_path / "laughs.kml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY l0 "ha">{laughs}]><kml xmlns="http://www.opengis.net/kml/2.2">'
        "<Document><Placemark><name>&l11;</name><Point><coordinates>1,2</coordinates></Point></Placemark></Document></kml>"
    )
    with pytest.raises(UnreadableFile):
        read_table(tmp_path / "laughs.kml")
    for kind in ("fgb", "parquet", "xlsx", "kml"):
        (tmp_path / f"noise.{kind}").write_bytes(b"\x00\x01noise" * 50)
        with pytest.raises(UnreadableFile):
            read_table(tmp_path / f"noise.{kind}")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_moments_come_back_exactly(cluster, database: str, tmp_path: Path, kind: str) -> None:
    """Also those of the hour that a city's clocks show twice, with their microseconds; as text that names the offset."""
    from tests.conftest import new_database

    said = "select incident_number, received_at from incidents order by 1"
    path, mapping = tmp_path / f"incidents.{kind}", Mapping()
    with connect(database) as connection:
        connection.execute(
            "insert into incidents (incident_number, category, received_at, geom) values"
            " ('1', 'other', '2026-11-01 01:30:00.123456-05', ST_SetSRID(ST_MakePoint(114, 37), 4490)),"
            " ('2', 'other', '2026-11-01 01:30:00-06', ST_SetSRID(ST_MakePoint(114, 37), 4490))"
        )
        before = [tuple(row.values()) for row in connection.execute(said).fetchall()]
        connection.execute("set time zone 'America/Chicago'")
        export_file(connection, find_layer("incidents"), path)
    table = pd.read_csv(path, dtype=str) if kind == "csv" else pd.read_excel(path, dtype=str, engine="calamine")
    assert table["received_at"].tolist() == ["2026-11-01T06:30:00.123456+00:00", "2026-11-01T07:30:00+00:00"]
    with new_database(cluster, f"again_{kind}") as other, connect(other) as connection:
        import_file(connection, find_layer("incidents"), path, silent, "EPSG:4490", mapping, timezone="America/Chicago")
        assert [tuple(row.values()) for row in connection.execute(said).fetchall()] == before
