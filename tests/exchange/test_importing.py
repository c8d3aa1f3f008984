"""Files in: all or nothing, every bad row named, nothing half-done."""

import json
import os
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely
from pyproj import Transformer

from geo_grid.coordinates import snap, source_crs
from geo_grid.db import connect
from geo_grid.errors import Conflict, DatabaseUnavailable, InvalidRows, UnknownCrs, UnreadableFile, UserError
from geo_grid.exchange import Mapping, Report, import_file
from geo_grid.layers import find_layer
from geo_grid.progress import silent
from tests.squares import SIDE, SOUTH, WEST, local_levels, square, write_geojson

HEADER = "gb28181_id,name,lon,lat\n"


def camera(serial: int, lon: object = 114.505, lat: object = 37.005) -> str:
    return f"13050201001321{serial:06d},camera {serial},{lon},{lat}\n".replace("13050201001321", "13050201001325")


def load(conninfo: str, layer: str, path: Path, crs: str | None = "EPSG:4490", **options: object) -> Report:
    with connect(conninfo) as connection:
        return import_file(connection, find_layer(layer), path, silent, crs, **options)


def count(conninfo: str, table: str) -> int:
    with connect(conninfo) as connection:
        return connection.execute(f"select count(*) as n from {table}").fetchone()["n"]


@pytest.fixture
def city(small_city: str) -> str:
    return small_city


def test_a_csv_of_cameras_is_stored_and_assigned(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1) + camera(2, 114.512, 37.012) + camera(3, 114.6, 37.1))
    report = load(city, "cameras", path)
    assert (report.rows, report.imported, report.unassigned) == (3, 3, 1)
    with connect(city) as connection:
        rows = connection.execute("select grid_code from cameras order by gb28181_id").fetchall()
    assert [row["grid_code"] for row in rows] == ["A", "D", None]


def test_columns_are_mapped_and_constants_set(city: str, tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("编号,名称,经度,纬度\nP1,一号,114.505,37.005\n", encoding="gb18030")
    mapping = Mapping({"post_code": "编号", "name": "名称"}, {"post_kind": "standby_post"})
    assert load(city, "police_posts", path, mapping=mapping).imported == 1
    with connect(city) as connection:
        row = connection.execute("select name, post_kind from police_posts").fetchone()
    assert row == {"name": "一号", "post_kind": "standby_post"}


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "shp"])
def test_polygons_come_from_geojson_geopackage_and_shapefile(database: str, tmp_path: Path, kind: str) -> None:
    with connect(database) as connection:
        local_levels(connection)
    frame = gpd.GeoDataFrame(
        {"code": ["西", "东"], "name": ["西区", "东区"]}, geometry=[square(0, 0), square(1, 0)], crs=4490
    )
    frame["code"] = ["W", "E"]
    frame.to_crs(4326).to_file(tmp_path / f"cells.{kind}", encoding="UTF-8")
    mapping = Mapping({"grid_code": "code"}, {"grid_level": "1"})
    assert load(database, "grid_cells", tmp_path / f"cells.{kind}", "EPSG:4326", mapping=mapping).imported == 2
    with connect(database) as connection:
        rows = connection.execute("select grid_code, name from grid_cells order by 1").fetchall()
    assert rows == [{"grid_code": "E", "name": "东区"}, {"grid_code": "W", "name": "西区"}]


def test_gcj02_points_find_their_true_cell(city: str, tmp_path: Path) -> None:
    import geocoordinates_ffi as china

    lon, lat = WEST + SIDE / 2, SOUTH + SIDE / 2
    shifted = china.wgs84_to_gcj02(china.Wgs84(lat=lat, lon=lon))
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1, shifted.lon, shifted.lat))
    load(city, "cameras", path, "GCJ-02")
    with connect(city) as connection:
        row = connection.execute("select grid_code, ST_X(geom) as lon from cameras").fetchone()
    assert row["grid_code"] == "A"
    assert row["lon"] == pytest.approx(lon, abs=1e-7)


BAD_CAMERAS = {
    camera(10, "NaN"): "finite",
    camera(11, "abc"): "finite",
    camera(12, 200): "out of range",
    camera(13, 37.005, 114.505): "swapped",
    camera(14, "", ""): "no geometry",
    "123,short,114.505,37.005\n": "20 digits",
    "13050201001185000015,an NVR,114.505,37.005\n": "no camera",
    camera(16).replace("camera 16", ""): "name|Field",
    camera(1): "stands in row 1 already",
}


def test_every_bad_row_is_named_with_its_reason_and_nothing_is_stored(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1) + "".join(BAD_CAMERAS) + camera(2))
    with pytest.raises(InvalidRows, match="nothing was changed") as refused:
        load(city, "cameras", path)
    reasons = dict(refused.value.rows)
    assert 1 not in reasons
    for row, says in enumerate(BAD_CAMERAS.values(), start=2):
        if "Field" not in says:  # an empty name falls back on the ID
            assert says in reasons[row]
    assert count(city, "cameras") == 0


def test_bad_rows_are_skipped_when_asked_and_reported(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1) + camera(2, 200) + camera(3))
    report = load(city, "cameras", path, skip_invalid=True)
    assert (report.imported, [row for row, _ in report.skipped]) == (2, [2])


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1) + camera(1) + camera(2, 114.6, 37.1) + "nonsense,x,114.5,37\n")
    report = load(city, "cameras", path, dry_run=True)
    assert (report.rows, report.imported, report.unassigned) == (4, 2, 1)
    assert [row for row, _ in report.skipped] == [2, 4]
    assert count(city, "cameras") == 0
    write_geojson(str(tmp_path / "cells.geojson"), [({"grid_code": "Q", "grid_level": 1, "name": "x"}, square(0, 0))])
    with pytest.raises(InvalidRows, match="cannot come into force"):
        load(city, "grid_cells", tmp_path / "cells.geojson", dry_run=True)


def test_incidents_of_a_chinese_program_come_in_as_gb_18030(city: str, tmp_path: Path) -> None:
    path = tmp_path / "警情.csv"
    path.write_text("category,description,lon,lat\n交通,邢台市吉祥路追尾事故,114.505,37.005\n", encoding="gb18030")
    assert load(city, "incidents", path).imported == 1
    with connect(city) as connection:
        row = connection.execute("select category, description, grid_code from incidents").fetchone()
    assert row == {"category": "traffic", "description": "邢台市吉祥路追尾事故", "grid_code": "A"}


@pytest.mark.parametrize("encoding", ["GB18030", "UTF-8"])
def test_a_shapefile_that_does_not_say_its_encoding(city: str, tmp_path: Path, encoding: str) -> None:
    frame = gpd.GeoDataFrame(
        {"post_code": ["P"], "name": ["邢台市公安局 一号警务站"]}, geometry=[shapely.Point(114.505, 37.005)], crs=4490
    )
    frame.to_file(tmp_path / "posts.shp", encoding=encoding)
    (tmp_path / "posts.cpg").unlink()
    assert load(city, "police_posts", tmp_path / "posts.shp").imported == 1
    with connect(city) as connection:
        row = connection.execute("select name from police_posts").fetchone()
    assert row == {"name": "邢台市公安局 一号警务站"}


def test_keys_that_are_stored_are_refused(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1))
    load(city, "cameras", path)
    with pytest.raises(InvalidRows) as refused:
        load(city, "cameras", path)
    assert "is stored already" in refused.value.rows[0][1]


BOWTIE = shapely.Polygon([(114.5, 37), (114.6, 37.1), (114.6, 37), (114.5, 37.1)])


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        (BOWTIE, "Self-intersection"),
        (shapely.Polygon(), "empty|no geometry"),
        (shapely.Point(114.5, 37), "is a Point; grid_cells takes Polygon or MultiPolygon"),
        (shapely.LineString([(114.5, 37), (114.6, 37)]), "is a LineString"),
        (shapely.box(114.5, 37, 114.5 + 1e-9, 37.1), "too thin"),
        (shapely.box(37, 114.5, 37.1, 114.6), "swapped"),
    ],
)
def test_bad_geometry_is_refused_with_the_reason(database: str, tmp_path: Path, geometry, says: str) -> None:
    with connect(database) as connection:
        local_levels(connection)
    path = tmp_path / "cells.geojson"
    write_geojson(path, [({"grid_code": "A"}, square(0, 0)), ({"grid_code": "B"}, geometry)])
    with pytest.raises(InvalidRows) as refused:
        load(database, "grid_cells", path, None, mapping=Mapping(constants={"grid_level": "1"}))
    assert [row for row, _ in refused.value.rows] == [2]
    assert any(part in refused.value.rows[0][1] for part in says.split("|"))
    assert count(database, "grid_cells") == 0


def test_overlapping_cells_are_refused_with_the_files_row_numbers(database: str, tmp_path: Path) -> None:
    with connect(database) as connection:
        local_levels(connection)
    path = tmp_path / "cells.geojson"
    rows = [
        ({"grid_code": "bad"}, BOWTIE),
        ({"grid_code": "A"}, square(0, 0)),
        ({"grid_code": "B"}, square(0, 0, 2, 1)),
    ]
    write_geojson(path, rows)
    with pytest.raises(InvalidRows) as refused:
        load(database, "grid_cells", path, None, mapping=Mapping(constants={"grid_level": "1"}), skip_invalid=True)
    assert dict(refused.value.rows)[2].startswith("overlaps B")
    assert count(database, "editions") == 0


class TestFilesThatAreNotWhatTheySay:
    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("a.csv", b"", "is empty"),
            ("a.csv", b"gb28181_id,name,lon\n1,2,3\n", "has no column lat"),
            ("a.csv", b"\x00\x01\x02\x03" * 100, "not a CSV file|not text"),
            ("a.csv", b"lon,lat\n" + bytes(range(128, 256)) * 5, "not text|not a readable|no rows"),
            ("a.csv", b"gb28181_id,lon,lat\n1,2,3,4,5\n1,2\n", "not a readable CSV"),
            ("a.geojson", b"hello", "does not begin with an object"),
            ("a.geojson", b'{"type": "FeatureCollection", "features": [', "not a readable GeoJSON"),
            ("a.geojson", b'{"a": 1}', "is no GeoJSON (a FeatureCollection)"),
            ("a.gpkg", b"not a package at all", "not a readable GPKG"),
            ("a.shp", b"junk" * 50, "not a readable ESRI Shapefile"),
            ("a.pdf", b"%PDF", "unknown kind of file .pdf"),
            ("a", b"x", "unknown kind of file"),
        ],
    )
    def test_junk(self, database: str, tmp_path: Path, name: str, content: bytes, says: str) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError) as refused:
            load(database, "cameras", path)
        assert any(part in str(refused.value) for part in says.split("|")), refused.value
        assert name in str(refused.value)

    def test_missing(self, database: str, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match="no such file"):
            load(database, "cameras", tmp_path / "nothing.csv")
        with pytest.raises(UnreadableFile, match="no such file"):
            load(database, "cameras", tmp_path.with_suffix(".csv"))

    def test_a_package_under_the_name_of_geojson(self, database: str, tmp_path: Path) -> None:
        frame = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326)
        frame.to_file(tmp_path / "a.gpkg")
        (tmp_path / "a.gpkg").rename(tmp_path / "a.shp")
        with pytest.raises(UnreadableFile, match=r"not what its name says|not a readable"):
            load(database, "cameras", tmp_path / "a.shp")

    def test_several_layers(self, database: str, tmp_path: Path) -> None:
        frame = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326)
        for layer in ("one", "two"):
            frame.to_file(tmp_path / "a.gpkg", layer=layer)
        with pytest.raises(UserError, match="holds 2 layers"):
            load(database, "cameras", tmp_path / "a.gpkg")

    @pytest.mark.parametrize("name", ["junk.csv", "junk.geojson", "junk.gpkg", "junk.shp"])
    def test_a_gigabyte_of_junk_is_refused_in_seconds_and_little_memory(
        self, database: str, tmp_path: Path, name: str
    ) -> None:
        path = tmp_path / name
        with path.open("wb") as opened:
            opened.write(os.urandom(1 << 20))
            opened.truncate(1 << 30)
        script = (
            "import resource, sys\nfrom pathlib import Path\nfrom geo_grid.files.door import read_table\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"try: read_table(Path({str(path)!r}))\n"
            "except Exception as error: print(type(error).__name__, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        done = subprocess.run([os.sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        kind, kilobytes = done.stdout.split()
        assert kind == "UnreadableFile"
        assert int(kilobytes) < 200_000


class TestQuestionsThatAreWrongAsAWhole:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "cameras.csv"
        path.write_text(HEADER + camera(1))
        return path

    def test_no_source_crs(self, database: str, path: Path) -> None:
        with pytest.raises(UserError, match="--source-crs"):
            load(database, "cameras", path, None)

    @pytest.mark.parametrize("crs", ["EPSG:4610", "EPSG:2333", "EPSG:12345678", "mars"])
    def test_unsafe_or_unknown_crs(self, database: str, path: Path, crs: str) -> None:
        with pytest.raises(UnknownCrs):
            load(database, "cameras", path, crs)

    def test_unknown_field_and_column(self, database: str, path: Path) -> None:
        with pytest.raises(UserError, match="no field 'colour'"):
            load(database, "cameras", path, mapping=Mapping({"colour": "name"}))
        with pytest.raises(UserError, match="no column 'nothing'"):
            load(database, "cameras", path, mapping=Mapping({"name": "nothing"}))

    def test_a_needed_field_without_a_column(self, database: str, path: Path) -> None:
        with pytest.raises(UserError, match="--column category=COLUMN"):
            load(database, "incidents", path)

    def test_a_file_without_rows(self, database: str, tmp_path: Path) -> None:
        (tmp_path / "none.csv").write_text(HEADER)
        with pytest.raises(UserError, match="has no rows"):
            load(database, "cameras", tmp_path / "none.csv")


def test_the_file_may_lie_about_its_crs_and_is_overruled_aloud(city: str, tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"post_code": ["P1"]}, geometry=[shapely.Point(114.505, 37.005)], crs=4326)
    frame.to_file(tmp_path / "posts.gpkg")
    report = load(city, "police_posts", tmp_path / "posts.gpkg", "GCJ-02")
    assert "read as GCJ-02" in report.notes[0]


def test_times_without_a_zone_are_the_citys(city: str, tmp_path: Path) -> None:
    path = tmp_path / "incidents.csv"
    path.write_text("category,received_at,lon,lat\n治安,2026-01-02 03:04:05,114.505,37.005\n")
    load(city, "incidents", path, timezone="Asia/Shanghai")
    with connect(city) as connection:
        row = connection.execute("select received_at at time zone 'UTC' as t from incidents").fetchone()
    assert row["t"].isoformat() == "2026-01-01T19:04:05"


def test_circles_that_stand_twice_are_a_conflict(city: str, tmp_path: Path) -> None:
    with connect(city) as connection:
        place = "insert into police_posts (post_code, name, geom) values ('P', 'p', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        connection.execute(place)
    row = {"post_code": "P", "tier_minutes": 1, "method": "drawn", "speed_kmh": 30, "detour_factor": 1}
    path = tmp_path / "circles.geojson"
    write_geojson(path, [(row, square(0, 0)), (row, square(0, 0))])
    with pytest.raises(Conflict, match="unique"):
        load(city, "response_circles", path, None)
    assert count(city, "response_circles") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_changes_nothing_and_says_so(cluster, tmp_path: Path) -> None:
    """A real full disk: a database on a memory file system of 24 MB."""
    disk = Path("/tmp") / f"geo_grid_disk_{os.getpid()}"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        disk.rmdir()
        pytest.skip("this machine does not let us mount")
    try:
        with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as admin:
            owner = cluster.data.stat()
            os.chown(disk, owner.st_uid, owner.st_gid)
            admin.execute(f"create tablespace small location '{disk}'")
            admin.execute("create database full_disk template template_geo_grid tablespace small")
            try:
                conninfo = cluster.conninfo_for("full_disk")
                path = tmp_path / "cameras.csv"
                path.write_text(HEADER + "".join(camera(n) for n in range(40_000)))
                # connected before: on a full disk PostgreSQL cannot always let anyone in
                with psycopg.connect(conninfo, autocommit=True) as onlooker:
                    with pytest.raises(DatabaseUnavailable, match="disk is full: nothing was changed"):
                        load(conninfo, "cameras", path)
                    assert onlooker.execute("select count(*) from cameras").fetchone() == (0,)
            finally:
                admin.execute("drop database full_disk with (force)")
                admin.execute("drop tablespace small")
    finally:
        subprocess.run(["umount", str(disk)], check=False)
        disk.rmdir()


def test_an_unreachable_database_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1))
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        load("host=/nowhere dbname=x", "cameras", path)


def test_reports_can_be_read_by_programs(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(HEADER + camera(1))
    assert json.loads(json.dumps(vars(load(city, "cameras", path))))["imported"] == 1


SYSTEMS = ["EPSG:4490", "EPSG:4326", "EPSG:3857", "EPSG:4547", "GCJ-02", "BD-09"]


@pytest.mark.parametrize("crs", SYSTEMS)
def test_a_point_comes_back_to_its_place_on_the_lattice_from_every_reference_system(
    database: str, tmp_path: Path, crs: str
) -> None:
    chance = np.random.default_rng(11)
    lon, lat = snap(114.5 + chance.random(40) * 0.01), snap(37 + chance.random(40) * 0.01)
    x, y = _expressed(lon, lat, crs)
    rows = [f"P{n},x,{a!r},{b!r}" for n, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True))]
    path = tmp_path / "posts.csv"
    path.write_text("\n".join(["post_code,name,x,y", *rows]))
    with connect(database) as connection:
        import_file(connection, find_layer("police_posts"), path, silent, crs, Mapping(lon_column="x", lat_column="y"))
        stored = connection.execute(
            "select ST_X(geom) as lon, ST_Y(geom) as lat from police_posts order by police_post_id"
        ).fetchall()
    assert [row["lon"] for row in stored] == lon.tolist()
    assert [row["lat"] for row in stored] == lat.tolist()


def _expressed(lon: np.ndarray, lat: np.ndarray, crs: str) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates of points in another system: by PROJ, or for the Chinese offsets by going back from where they lead."""
    if crs.startswith("EPSG"):
        return Transformer.from_crs("EPSG:4490", crs, always_xy=True).transform(lon, lat)
    x, y = lon.copy(), lat.copy()
    for _ in range(30):
        back = source_crs(crs).convert(x, y)
        x, y = x + lon - back[0], y + lat - back[1]
    return x, y


def test_a_very_long_text_is_refused_and_not_repeated(database: str, tmp_path: Path) -> None:
    with connect(database) as connection:
        local_levels(connection)
    path = tmp_path / "cells.geojson"
    write_geojson(path, [({"grid_code": "A", "name": "x" * 1_000_000}, square(0, 0))])
    with pytest.raises(InvalidRows) as refused:
        load(database, "grid_cells", path, None, mapping=Mapping(constants={"grid_level": "1"}))
    ((_, reason),) = refused.value.rows
    assert "1,000,000 characters" in reason
    assert len(reason) < 300
