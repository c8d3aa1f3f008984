"""Files as other people's programs write them: read as they are meant, or refused by row or in one line."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import shapely

from geo_grid.db import Cluster, connect
from geo_grid.errors import InvalidRows, UnreadableFile, UserError
from geo_grid.exchange import Mapping, Report, Spelling, export_file, import_file
from geo_grid.files.door import Asking, read_table
from geo_grid.files.limits import SENT
from geo_grid.layers import find_layer
from geo_grid.progress import silent
from tests.databases import new_database
from tests.squares import square, two_by_two

POINT = shapely.Point(114.505, 37.005)
SCHOOL = Mapping(constants={"facility_kind": "school"})


@pytest.fixture(scope="module")
def built(cluster: Cluster) -> Iterator[str]:
    with new_database(cluster, f"foreign_files_{os.getpid()}") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        yield conninfo


@pytest.fixture
def city(built: str) -> Iterator[str]:
    """Four cells, and nothing else."""
    yield built
    with connect(built) as connection:
        connection.execute("truncate incidents, facilities, police_posts, cameras, road_closures cascade")


def load(
    conninfo: str,
    layer: str,
    path: Path,
    mapping: Mapping | None = None,
    crs: str | None = "EPSG:4490",
    **options: object,
) -> Report:
    with connect(conninfo) as connection:
        return import_file(connection, find_layer(layer), path, silent, crs, mapping, **options)


def rows(conninfo: str, statement: str) -> list[tuple]:
    with connect(conninfo) as connection:
        return [tuple(row.values()) for row in connection.execute(statement).fetchall()]


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ---- times


def test_numbers_are_no_times_since_1970(city: str, cases: Path) -> None:
    report = load(city, "incidents", cases / "dates.csv", skip_invalid=True)
    assert [row for row, _ in report.skipped] == [3, 4, 6]
    assert all("no time that can be read in one way only" in why for _, why in report.skipped)
    assert rows(city, "select incident_number, received_at at time zone 'Asia/Shanghai' from incidents order by 1") == [
        ("D-1", datetime(2026, 11, 1)),
        ("D-2", datetime(2026, 11, 1, 8, 30)),
        ("D-5", datetime(2026, 11, 1, 8, 30)),
    ]


def test_local_times_on_nights_when_clocks_change_are_named(city: str, cases: Path, tmp_path: Path) -> None:
    lines = (cases / "dst.csv").read_text() + "DST-3,test,2026-03-08 03:30:00,114.50,37.06\n"
    path = written(tmp_path / "dst.csv", lines)
    report = load(city, "incidents", path, timezone="America/Chicago", skip_invalid=True)
    assert [(row, why.partition(", ")[0]) for row, why in report.skipped] == [
        (1, "received_at: 2026-11-01 01:30:00 exists twice in America/Chicago"),
        (2, "received_at: 2026-03-08 02:30:00 does not exist in America/Chicago"),
    ]
    assert rows(city, "select received_at from incidents") == [(datetime(2026, 3, 8, 8, 30, tzinfo=UTC),)]


@pytest.mark.parametrize(
    ("texts", "form", "read"),
    [
        (["2016/1/29", "2016年1月29日", "29.01.2016", "20160129"], None, datetime(2016, 1, 28, 16)),
        (["2016-01-29T08:00:00Z", "2016/1/29 16:00", "2016年1月29日16时00分"], None, datetime(2016, 1, 29, 8)),
        (["01/29/2016 12:00:00 AM", "1/29/2016"], None, datetime(2016, 1, 28, 16)),
        (["29/01/2016 00:00", "29/1/2016"], None, datetime(2016, 1, 28, 16)),
        (["01.02.16 10h", "01.02.16 10h"], "%d.%m.%y %Hh", datetime(2016, 2, 1, 2)),
    ],
)
def test_forms_of_times(city: str, tmp_path: Path, texts: list[str], form: str | None, read: datetime) -> None:
    frame = pd.DataFrame({"category": "x", "received_at": texts, "lon": 114.505, "lat": 37.005})
    frame.to_csv(tmp_path / "a.csv", index=False)
    load(city, "incidents", tmp_path / "a.csv", Mapping(datetime_format=form))
    assert set(rows(city, "select received_at from incidents")) == {(read.replace(tzinfo=UTC),)}


def test_a_month_is_told_by_other_rows_or_asked_for(city: str, tmp_path: Path) -> None:
    head = "category,received_at,lon,lat\n"
    one, other = "x,01/02/2016 08:00,114.505,37.005\n", "x,01/29/2016 08:00,114.505,37.005\n"
    with pytest.raises(InvalidRows) as refused:
        load(city, "incidents", written(tmp_path / "a.csv", head + one))
    assert "--datetime-format %m/%d/%Y" in refused.value.rows[0][1]
    load(city, "incidents", written(tmp_path / "b.csv", head + one + other))
    assert rows(city, "select received_at from incidents order by 1")[0] == (datetime(2016, 1, 2, tzinfo=UTC),)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "geojson", "gpkg", "parquet", "kml", "shp", "fgb"])
def test_one_odd_moment_breaks_no_export(city: str, cases: Path, tmp_path: Path, suffix: str) -> None:
    load(city, "incidents", cases / "d1900.csv")
    far = "incident_number,category,received_at,lon,lat\nF,x,2026-01-01 00:00:00,114.5,37\n"
    load(city, "incidents", written(tmp_path / "far.csv", far))
    with connect(city) as connection:
        connection.execute("update incidents set received_at = '2199-12-31 23:59:59+08' where incident_number = 'F'")
        assert export_file(connection, find_layer("incidents"), tmp_path / f"out.{suffix}") == 2


def test_the_database_says_which_moments_it_takes(city: str, tmp_path: Path) -> None:
    text = "category,received_at,lon,lat\n" + "".join(
        f"x,{time},114.5,37\n" for time in ("1699-06-01", "9999-12-31", "2200-06-01 00:00", "0001-01-01", "1900-01-01")
    )
    report = load(city, "incidents", written(tmp_path / "a.csv", text), skip_invalid=True)
    assert [row for row, _ in report.skipped] == [1, 2, 3, 4]
    soon = datetime.now(UTC) + timedelta(hours=1)
    text = f"category,received_at,lon,lat\nx,{soon},114.5,37\nx,2026-01-01,114.5,37\n"
    report = load(city, "incidents", written(tmp_path / "b.csv", text), skip_invalid=True)
    assert [(row, "is in the future" in why) for row, why in report.skipped] == [(1, True)]
    with connect(city) as connection, pytest.raises(Exception, match="between_1700_and_2199"):
        connection.execute("update incidents set received_at = '9998-01-01'")


# ---- numbers and keys


def test_digits_that_a_file_has_lost_are_refused(city: str, cases: Path, tmp_path: Path) -> None:
    for name, count in (("cam.xlsx", 3), ("float.geojson", 1)):
        with pytest.raises(InvalidRows) as refused:
            load(city, "cameras", cases / name)
        assert len(refused.value.rows) == count
        assert all("store the column as text" in why for _, why in refused.value.rows)
    csv = "facility_code,facility_kind,name,lon,lat\n3.402E+19,school,x,114.5,37\n"
    with pytest.raises(InvalidRows) as refused:
        load(city, "facilities", written(tmp_path / "excel.csv", csv))
    assert "store the column as text" in refused.value.rows[0][1]


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "fgb", "parquet", "shp", "xlsx", "csv"])
def test_whole_numbers_stay_whole_beside_empty_cells(city: str, tmp_path: Path, suffix: str) -> None:
    big = 9_007_199_254_740_993  # 2^53 + 1
    frame = gpd.GeoDataFrame(
        {"code": pd.array([7001, big, None], "Int64"), "member": pd.array([3, None, 5], "Int64")},
        geometry=[POINT] * 3,
        crs=4326,
    )
    path = tmp_path / f"a.{suffix}"
    if suffix in ("csv", "xlsx"):
        plain = pd.DataFrame(frame.drop(columns="geometry")).assign(lon=114.505, lat=37.005)
        plain["code"] = plain["code"].astype(str).replace("<NA>", None)
        plain.to_csv(path, index=False) if suffix == "csv" else plain.to_excel(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    mapping = Mapping({"facility_code": "code", "name": "code", "member_count": "member"}, {"facility_kind": "school"})
    report = load(city, "facilities", path, mapping, "EPSG:4326", skip_invalid=True)
    assert [row for row, _ in report.skipped] == [3]
    assert rows(city, "select facility_code, name, member_count from facilities order by 1") == [
        ("7001", "7001", 3),
        (str(big), str(big), None),
    ]


def test_the_id_of_a_feature_may_be_its_key(city: str, cases: Path) -> None:
    mapping = Mapping({"facility_code": "id"})
    assert load(city, "facilities", cases / "fid.geojson", mapping, None).imported == 2
    assert rows(city, "select facility_code, name from facilities order by 1") == [("7001", "x"), ("7002", "y")]


def test_rules_of_codes_are_told_by_row(city: str, cases: Path) -> None:
    mapping = Mapping({"post_code": "code"})
    report = load(city, "police_posts", cases / "space_in_code.csv", mapping, skip_invalid=True)
    assert (report.imported, len(report.skipped)) == (1, 1)
    assert "'Post 1' is no code: 1 to 32 letters" in report.skipped[0][1]


def test_what_only_the_database_refuses_is_named_by_row(city: str, tmp_path: Path) -> None:
    head = "closure_code,closed_from,closed_to,wkt\n"
    line = '"LINESTRING (114.5 37, 114.51 37.01)"\n'
    text = head + f"A,2026-01-01,2026-01-02,{line}" + f"B,2026-01-03,2026-01-02,{line}" + f"C,,,{line}"
    path = written(tmp_path / "closures.csv", text)
    with pytest.raises(InvalidRows, match="1 of 3 rows") as refused:
        load(city, "road_closures", path)
    assert refused.value.rows == [(2, "it breaks the rule (closed_to > closed_from)")]
    assert load(city, "road_closures", path, skip_invalid=True).imported == 2


def test_numbers_and_texts_that_the_database_cannot_hold_are_named(city: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"facility_code": ["A", "B"], "name": ["x", "x\0y"], "member_count": [99_999_999_999, 1]})
    gpd.GeoDataFrame(frame, geometry=[POINT] * 2, crs=4326).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(InvalidRows) as refused:
        load(city, "facilities", tmp_path / "m.parquet", SCHOOL, "EPSG:4326")
    reasons = dict(refused.value.rows)
    assert "member_count: Input should be less than or equal to 2147483647" in reasons[1]
    assert "name: it holds the character NUL" in reasons[2]
    zones = 'zone_code,zone_kind,wkt\nZ,area,"LINESTRING (114.5 37, 114.6 37)"\n'
    with pytest.raises(InvalidRows) as refused:
        load(city, "patrol_zones", written(tmp_path / "z.csv", zones))
    assert refused.value.rows == [(1, "an area is a Polygon, and this a LineString")]
    cell = 'grid_code,grid_level,parent_code,wkt\nN N,1,,"POLYGON ((115 37, 115.1 37, 115 37.1, 115 37))"\n'
    for text, why in ((cell, "'N N' does not follow local: no standard"), (cell.replace("N N,1,", "N,1,P"), "has P")):
        with pytest.raises(InvalidRows) as refused:
            load(city, "grid_cells", written(tmp_path / "c.csv", text))
        assert why in refused.value.rows[0][1]


def test_cameras_without_a_national_id_get_local_ones(city: str, cases: Path) -> None:
    report = load(city, "cameras", cases / "camera_without_gb_id.csv")
    assert (report.imported, "2 cameras without a national ID" in " ".join(report.notes)) == (2, True)
    found = rows(city, "select gb28181_id, name from cameras order by name")
    assert [name for _, name in found] == ["gate", "hall"]
    assert all(code.startswith("LOCAL-") for code, _ in found)
    with pytest.raises(InvalidRows, match="2 of 2") as refused:
        load(city, "cameras", cases / "camera_without_gb_id.csv")
    assert "is stored already" in refused.value.rows[0][1]


# ---- places


def test_degrees_minutes_and_seconds(city: str, cases: Path, tmp_path: Path) -> None:
    mapping = Mapping({"post_code": "code"})
    load(city, "police_posts", cases / "dms.csv", mapping)
    assert rows(
        city, "select round(ST_X(geom)::numeric, 6)::float x, round(ST_Y(geom)::numeric, 6)::float y from police_posts"
    ) == [(114.504167, 37.005)]
    odd = 'code,lat,lon\nA,37°61\'N,114.5\nB,"37,0",114.5\nC,37°N,114°N\n'
    with pytest.raises(InvalidRows) as refused:
        load(city, "police_posts", written(tmp_path / "odd.csv", odd), mapping)
    reasons = dict(refused.value.rows)
    assert "lat 37°61'N is not a place" in reasons[1]
    assert "--decimal ," in reasons[2]
    assert "lon 114°N" in reasons[3]
    assert "inf" not in str(refused.value.rows)


def test_eastings_with_a_zone_are_shown_as_they_were_written(city: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "post_code,lon,lat\nP,38544987.5,4097000\n")
    with pytest.raises(InvalidRows) as refused:
        load(city, "police_posts", path, None, "EPSG:4547")
    assert (
        "x 38544987.5 y 4097000.0 is no place in EPSG:4547: its easting begins with zone 38, which is EPSG:4526"
        in refused.value.rows[0][1]
    )


def test_far_and_swapped_places_are_told(city: str, cases: Path) -> None:
    report = load(city, "police_posts", cases / "far_posts.csv", Mapping({"post_code": "code"}))
    assert any(
        "1 rows lie far outside the city: row 1 (lon -95.370000 lat 29.760000) by 11," in n for n in report.notes
    )
    with pytest.raises(InvalidRows) as refused:
        load(city, "grid_cells", cases / "swapped_polygon.geojson", Mapping({"grid_code": "code"}, {"grid_level": "1"}))
    assert "lon 42.350000 lat -71.050000 is where no city lies, but lon -71.050000 lat 42.350000" in str(
        refused.value.rows
    )


def test_well_known_text_that_was_exported_comes_back(city: str, tmp_path: Path) -> None:
    for suffix in ("csv", "xlsx"):
        with connect(city) as connection:
            export_file(connection, find_layer("grid_cells"), tmp_path / f"cells.{suffix}")
        table = read_table(tmp_path / f"cells.{suffix}")
        found = dict(zip(table.attributes["grid_code"], table.geometry, strict=True))
        assert found["A"].equals(square(0, 0))
    bad = 'closure_code,wkt\nA,nonsense\nB,"LINESTRING (114.5 37, 114.6 37)"\nC,\n'
    report = load(city, "road_closures", written(tmp_path / "bad.csv", bad), skip_invalid=True)
    assert report.skipped == [(1, "its geometry is no well-known text (WKT)"), (3, "it has no geometry")]


# ---- text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("euc-kr", "대한민국 경찰서"),
        ("big5", "臺北市政府警察局"),
        ("shift-jis", "東京都渋谷区の交番"),
        ("euc-jp", "東京のおまわりさん"),
        ("cp1252", "Gänsemarkt Straße"),
        ("gb18030", "邢台市公安局 一号警务站"),
    ],
)
def test_no_encoding_is_taken_for_another(city: str, tmp_path: Path, encoding: str, text: str) -> None:
    path = written(tmp_path / "posts.csv", f"post_code,name,lon,lat\nP,{text},114.505,37.005\n".encode(encoding))
    if encoding != "gb18030":
        with pytest.raises(UnreadableFile, match="--encoding"):
            load(city, "police_posts", path)
    load(city, "police_posts", path, Mapping(spelling=Spelling(encoding)))
    assert rows(city, "select name from police_posts") == [(text,)]


def test_the_case_of_korean_names_is_asked_about(city: str, cases: Path) -> None:
    with pytest.raises(UnreadableFile, match="--encoding"):
        load(city, "facilities", cases / "euckr.csv", Mapping({"facility_code": "code"}, {"facility_kind": "school"}))
    with pytest.raises(UserError, match="is unknown"):
        Spelling("klingon")


@pytest.mark.parametrize(
    "text",
    [
        "facility_code;name;lon;lat\nA;x, y;114.505;37.005\n",
        "facility_code\tname\tlon\tlat\nA\tx, y\t114.505\t37.005\n",
        '\ufefffacility_code,name,lon,lat\rA,"x, y",114.505,37.005\r',
        "facility_code;name;lon;lat;;\r\nA;x, y;114,505;37,005;;\r\n",
        'facility_code,name,lon,lat\nA,"x, y",114.505,37.005\n\x1a',
    ],
)
def test_signs_between_and_behind_fields(city: str, tmp_path: Path, text: str) -> None:
    spelling = Spelling(decimal="," if ";;" in text else None)
    load(
        city,
        "facilities",
        written(tmp_path / "a.csv", text),
        Mapping({}, {"facility_kind": "school"}, spelling=spelling),
    )
    assert rows(city, "select facility_code, name, round(ST_X(geom)::numeric, 6)::float from facilities") == [
        ("A", "x, y", 114.505)
    ]


def test_carriage_returns_alone_end_lines(city: str, cases: Path) -> None:
    assert load(city, "facilities", cases / "cr.csv").imported == 2


def test_a_stray_end_of_file_is_named(tmp_path: Path) -> None:
    for text in (
        "lon,lat,n\n1,2,a\n\x1athe end\n3,4,b\n",
        "lon,lat,n\n1,2,a\x1a\n3,4,b\n",
        'lon,lat,n\n1,2,"a\n\x1a"\n',
    ):
        with pytest.raises(UnreadableFile, match=r"line [23] holds the character 0x1A"):
            read_table(written(tmp_path / "a.csv", text))


def test_messages_are_no_pythons(tmp_path: Path) -> None:
    text = "编号,lon,lat\n1,114.5,37\n" * 60_000
    path = written(tmp_path / "a.csv", text.encode("gb18030") + b"\xff\xff,1,2\n")
    with pytest.raises(UnreadableFile) as refused:
        read_table(path)
    assert "codec" not in str(refused.value)
    assert "GB18030" in str(refused.value)
    table = pa.table({"b": [b"\x00\xff"], "g": [shapely.to_wkb(POINT)]})
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB", "geometry_types": []}}}
    pa.parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "b.parquet")
    assert read_table(tmp_path / "b.parquet").attributes["b"].tolist() == ["00ff"]


def test_moments_beyond_the_calendar_are_rows_not_broken_files(city: str, tmp_path: Path) -> None:
    moments = pa.array([2**61, 0, None], pa.timestamp("ms", "UTC"))
    wkb = [shapely.to_wkb(POINT)] * 3
    table = pa.table({"received_at": moments, "category": ["x"] * 3, "g": wkb})
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB", "geometry_types": []}}}
    pa.parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "a.parquet")
    report = load(city, "incidents", tmp_path / "a.parquet", None, "EPSG:4326", skip_invalid=True)
    assert [row for row, _ in report.skipped] == [1, 3]
    assert "received_at: " in report.skipped[0][1]
    assert report.skipped[1][1] == "received_at is empty"


def test_what_a_shapefile_cuts_is_matched_on_the_way_back(city: str, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"name": "x", "facility_code": ["A"], "facility_kind": ["school"], "member_count": [7], "member_counted": [9]},
        geometry=[POINT],
        crs=4326,
    )
    with pytest.warns(UserWarning, match="10 characters"):
        frame.to_file(tmp_path / "a.shp")
    report = load(city, "facilities", tmp_path / "a.shp", None, "EPSG:4326")
    assert rows(city, "select facility_code, facility_kind, member_count from facilities") == [("A", "school", 7)]
    assert any("facility_c, cut to 10 letters, is read as facility_code" in note for note in report.notes)
    assert any("member_c_1" in note and "was not read" in note for note in report.notes)


def test_a_control_character_does_not_break_kml(city: str, tmp_path: Path) -> None:
    text = "post_code,responsible_unit,lon,lat\nP,a\x0bb\x01c <&>,114.505,37.005\n"
    load(city, "police_posts", written(tmp_path / "a.csv", text))
    with connect(city) as connection:
        export_file(connection, find_layer("police_posts"), tmp_path / "posts.kml")
        export_file(connection, find_layer("police_posts"), tmp_path / "posts.csv", for_excel=True)
        with pytest.raises(UserError, match="only CSV"):
            export_file(connection, find_layer("police_posts"), tmp_path / "posts.kml", for_excel=True)
    assert read_table(tmp_path / "posts.kml").attributes["responsible_unit"].tolist() == ["a\ufffdb\ufffdc <&>"]
    assert (tmp_path / "posts.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert read_table(tmp_path / "posts.csv").attributes["post_code"].tolist() == ["P"]


@pytest.mark.parametrize("unseen", ["\x01", "\x85", "\u202e", "\u2066"])
def test_a_name_has_no_characters_that_hide_what_it_is(city: str, tmp_path: Path, unseen: str) -> None:
    text = f"post_code,name,lon,lat\nP,a{unseen}b,114.505,37.005\n"
    with pytest.raises(InvalidRows) as refused:
        load(city, "police_posts", written(tmp_path / "a.csv", text))
    assert f"U+{ord(unseen):04X}" in refused.value.rows[0][1]


# ---- kinds of files


def foreign(path: Path, suffix: str) -> Path:
    frame = gpd.GeoDataFrame({"name": ["甲", "乙"]}, geometry=[POINT, shapely.Point(114.51, 37.01)], crs=4326)
    target = path / f"a{suffix}"
    if suffix == ".topojson":
        topology = {
            "type": "Topology", "arcs": [],
            "objects": {"o": {"type": "GeometryCollection", "geometries": [
                {"type": "Point", "coordinates": [p.x, p.y], "properties": {"name": n}}
                for n, p in zip(frame["name"], frame.geometry, strict=True)]}},
        }  # fmt: skip
        return written(target, json.dumps(topology))
    if suffix == ".json":
        features = [{"attributes": {"name": n}, "geometry": {"x": p.x, "y": p.y}}
                    for n, p in zip(frame["name"], frame.geometry, strict=True)]  # fmt: skip
        esri = {"geometryType": "esriGeometryPoint", "spatialReference": {"wkid": 4326},
                "fields": [{"name": "name", "type": "esriFieldTypeString"}], "features": features}  # fmt: skip
        return written(target, json.dumps(esri))
    if suffix == ".kmz":
        frame.to_file(path / "doc.kml", driver="LIBKML")
        with zipfile.ZipFile(target, "w") as archive:
            archive.write(path / "doc.kml", "doc.kml")
            archive.writestr("files/icon.png", b"x")
        return target
    if suffix == ".zip":
        made = foreign(path, ".tab")
        with zipfile.ZipFile(target, "w") as archive:
            for part in path.glob("a.*"):
                if part != target:
                    archive.write(part, f"folder/{part.name}")
        assert made.exists()
        return target
    drivers = {".tab": "MapInfo File", ".mif": "MapInfo File", ".gml": "GML", ".gpx": "GPX"}
    options = {"FORMAT": "MIF"} if suffix == ".mif" else {}
    frame.to_file(target, driver=drivers[suffix], encoding="UTF-8" if "MapInfo" in drivers[suffix] else None, **options)
    return target


@pytest.mark.parametrize("suffix", [".tab", ".mif", ".gml", ".gpx", ".json", ".topojson", ".kmz", ".zip"])
def test_kinds_that_others_send_come_in(tmp_path: Path, suffix: str) -> None:
    table = read_table(foreign(tmp_path, suffix))
    names = {column.lower(): column for column in table.attributes}
    assert table.attributes[names["name"]].tolist() == ["甲", "乙"]
    assert [(round(p.x, 5), round(p.y, 5)) for p in table.geometry] == [(114.505, 37.005), (114.51, 37.01)]


@pytest.mark.parametrize("name", ["a.dxf", "a.xls", "a.gdb"])
def test_other_kinds_are_refused_with_the_way(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match="convert it, such as with QGIS or ogr2ogr"):
        read_table(written(tmp_path / name, "x"))


def test_a_path_is_read_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: Path) -> None:
    shutil.copy(cases / "cr.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(read_table(Path("cr.csv")).attributes) == 2


@pytest.mark.parametrize("suffix", ["parquet", "geojson", "csv", "kml", "gml", "mif"])
def test_very_many_columns_are_refused_early(tmp_path: Path, suffix: str) -> None:
    names = [f"c{number}" for number in range(10_000 if suffix == "csv" else 40_000)]
    path = tmp_path / f"a.{suffix}"
    if suffix == "geojson":
        feature = {
            "type": "Feature",
            "properties": dict.fromkeys(names, 1),
            "geometry": shapely.geometry.mapping(POINT),
        }
        written(path, json.dumps({"type": "FeatureCollection", "features": [feature]}))
    elif suffix == "kml":
        fields = "".join(f'<Data name="{name}"><value>1</value></Data>' for name in names)
        written(path, f"<kml><Document><Placemark><ExtendedData>{fields}</ExtendedData></Placemark></Document></kml>")
    elif suffix == "gml":
        fields = "".join(f"<o:{name}>1</o:{name}>" for name in names)
        written(path, f'<o:FeatureCollection xmlns:o="http://ogr.maptools.org/">{fields}</o:FeatureCollection>')
    elif suffix == "mif":
        fields = "".join(f"  {name} Char(10)\n" for name in names)
        written(path, f'Version 300\nCharset "Neutral"\nDelimiter ","\nColumns 40000\n{fields}Data\nPoint 114.5 37\n')
    elif suffix == "csv":
        written(path, ",".join(["lon", "lat", *names]) + "\n114.5,37" + ",1" * len(names))
    else:
        pa.parquet.write_table(pa.table({name: [1] for name in names}), path)
    with pytest.raises(UnreadableFile, match=r"columns; 2,000 are taken|more than 2,000 columns"):
        read_table(path, asking=Asking(replace(SENT, processor_s=10)))  # GDAL alone takes half a minute for some


def test_very_many_equal_column_names_are_refused_early(tmp_path: Path) -> None:
    """Each looked for a free number from 1 on: 117 kB held one of two places for two minutes."""
    path = written(tmp_path / "a.csv", ",".join(["lon", "lat", *["a"] * 60_000]) + "\n114.5,37" + ",1" * 60_000)
    with pytest.raises(UnreadableFile, match=r"columns; 2,000 are taken|more than 2,000 columns"):
        read_table(path, asking=Asking(replace(SENT, processor_s=10)))


def test_zones_are_healed_too(city: str, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"zone_code": ["Z1", "Z2", "Z3"]}, geometry=[square(0, 0, 1, 2), square(1, 0), square(1, 1)], crs=4326
    )
    frame.to_file(tmp_path / "zones.gpkg")
    assert (
        load(city, "patrol_zones", tmp_path / "zones.gpkg", None, "EPSG:4326", dry_run=True).healed[0]["code"] == "Z1"
    )
