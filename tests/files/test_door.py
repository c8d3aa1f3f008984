"""Files from strangers: only what the name promises is opened, within limits, and nothing else is touched."""

import contextlib
import csv
import io
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import ijson
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files import forked
from geo_grid.files.door import WALLS, Asking, Table, read_extract, read_points, read_table, standing_walls
from geo_grid.files.formulas import FIRST, csv_of, unguarded
from geo_grid.files.limits import SENT, SENT_POINTS, Limits
from tests.files import hostile
from tests.files.readers import nests, readers, still_there

SMALL = replace(SENT, memory_bytes=256 << 20, processor_s=3, wall_s=20, rows=20_000, cells=100_000)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text("word\nopen sesame\n")
    return path


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address, and who has called there."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                calls.append("called")
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        done.set()
        thread.join()


def read(path: Path, content: bytes, limits=SMALL) -> Table:
    path.write_bytes(content)
    return read_table(path, asking=Asking(limits, path.name))


@pytest.mark.parametrize("name", ["a.json", "a.geojson", "a.gpkg", "a.kml", "a.fgb", "a.shp"])
def test_a_pipeline_under_an_honest_name_writes_nothing(tmp_path: Path, name: str) -> None:
    written = tmp_path / "written.csv"
    with pytest.raises(UnreadableFile, match=name):
        read(tmp_path / name, hostile.pipeline(written))
    assert not written.exists()


@pytest.mark.parametrize("name", ["a.gpkg", "a.kml", "a.fgb", "a.parquet"])
def test_a_virtual_dataset_shows_no_other_file(tmp_path: Path, secret: Path, name: str) -> None:
    with pytest.raises(UserError) as refused:
        read(tmp_path / name, hostile.virtual(secret))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.gpkg", "a.kml"])
def test_a_service_is_not_called(tmp_path: Path, listener: tuple[str, list[str]], name: str) -> None:
    with pytest.raises(UnreadableFile):
        read(tmp_path / name, hostile.service(listener[0]))
    assert listener[1] == []


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "fgb", "shp"])
def test_a_file_is_named_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A GeoPackage was "broken" when it was named so: SQLite asks for the folder, and the walls do not answer."""
    monkeypatch.chdir(tmp_path)
    path = Path(f"posts.{ending}")
    gpd.GeoDataFrame({"post": ["A"]}, geometry=[shapely.Point(114.5, 37)], crs=4326).to_file(path)
    assert read_table(path).attributes["post"].tolist() == ["A"]
    with pytest.raises(UnreadableFile, match=r"^missing\."):
        read_table(path.with_stem("missing"))


def test_names_of_reference_systems_in_geojson_call_nobody(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    for crs in ({"type": "name", "properties": {"name": f"{listener[0]}/x"}},
                {"type": "link", "properties": {"href": f"{listener[0]}/x", "type": "ogcwkt"}}):  # fmt: skip
        found = read(tmp_path / "a.geojson", hostile.point(crs=f'"crs":{json.dumps(crs)},'))
        assert len(found.geometry) == 1
    assert listener[1] == []


def test_kml_follows_no_link_and_no_entity(tmp_path: Path, secret: Path, listener: tuple[str, list[str]]) -> None:
    kml = (
        f'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "file://{secret}">]>'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<NetworkLink><Link><href>{listener[0]}/a.kml</href></Link></NetworkLink>"
        "<Placemark><name>&x;</name><Point><coordinates>114.5,37</coordinates></Point></Placemark></Document></kml>"
    )
    try:
        found = read(tmp_path / "a.kml", kml.encode()).attributes.to_json()
    except UserError as refused:
        found = str(refused)
    assert "sesame" not in found
    assert listener[1] == []


def test_a_package_that_opens_other_files_shows_none(tmp_path: Path, secret: Path) -> None:
    hostile.package_that_runs(tmp_path / "a.gpkg", secret)
    try:
        found = read_table(tmp_path / "a.gpkg", asking=Asking(SMALL)).attributes.to_json()
    except UserError as refused:
        found = str(refused)
    assert "sesame" not in found


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (hostile.package_without_end, "view or a computed column .endless."),
        (hostile.package_that_computes, "view or a computed column .t.long."),
    ],
)
def test_a_package_whose_rows_are_worked_out_is_not_read(
    tmp_path: Path, made: Callable[[Path], None], said: str
) -> None:
    made(tmp_path / "a.gpkg")
    with pytest.raises(UnreadableFile, match=said):
        read_table(tmp_path / "a.gpkg", asking=Asking(SMALL, "a.gpkg"))


def test_shapes_in_very_many_folders_are_not_looked_for(tmp_path: Path) -> None:
    """GDAL looks at each as a layer: 60,000 took all the time that a file has."""
    folder = "<Folder><Placemark><Point><coordinates>114.5,37</coordinates></Point></Placemark></Folder>"
    (tmp_path / "a.kml").write_text(f"<kml><Document>{folder * 3000}</Document></kml>")
    with pytest.raises(UnreadableFile, match="more than 2,000 folders"):
        read_table(tmp_path / "a.kml", asking=Asking(SMALL))


def test_a_file_that_never_ends_is_given_up(tmp_path: Path) -> None:
    hostile.without_end(tmp_path / "a.kml")
    began = time.monotonic()
    with pytest.raises(UnreadableFile):
        read_table(tmp_path / "a.kml", asking=Asking(SMALL))
    assert time.monotonic() - began < 25


BOMBS = {
    "far.xlsx": hostile.far_cell(),
    "sheets.xlsx": hostile.many_sheets(200_000),
    "sheet.xlsx": hostile.many_sheets(900),
    "laughs.xlsx": hostile.laughing_workbook(),
    "repeated.parquet": hostile.repeated_text(),
    "deep.geojson": b'{"type":"Polygon","coordinates":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "rows.csv": b"lon,lat\n" + b"1,2\n" * 20_001,
    "cells.csv": b"lon,lat" + b",x" * 98 + b"\n" + b"1,2\n" * 2_000,
    "columns.csv": b"lon,lat" + b",x" * 5_000 + b"\n1,2\n",
    "cell.csv": b'lon,lat,x\n1,2,"' + b"y" * 10_000_000 + b'"\n',
    "quote.csv": b'lon,lat,x\n1,2,"never closed\n3,4,5\n',
    "long.csv": b"lon,lat\n1,2,3\n",
    "rings.parquet": hostile.empty_rings(),
    "nothing.geojson": b'{"type":"FeatureCollection"}',
    "lines.geojson": hostile.point()[39:-2] + b"\n" + hostile.point()[39:-2],
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_words_that_name_the_file(tmp_path: Path, name: str) -> None:
    began = time.monotonic()
    with pytest.raises(UnreadableFile) as refused:
        read(tmp_path / name, BOMBS[name])
    assert time.monotonic() - began < 25
    assert name in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_geometry_within_geometry_without_end_ends_the_reader_alone(tmp_path: Path) -> None:
    """1.8 kB of it ended the server: GEOS reads what is within by calling itself."""
    for kind in (7, 6):
        nested = struct.pack("<BII", 1, kind, 1) * 300_000 + shapely.to_wkb(shapely.Point(114.5, 37))
        geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}}}
        table = pa.table({"name": ["x"], "geometry": [nested]}).replace_schema_metadata({"geo": json.dumps(geo)})
        parquet.write_table(table, tmp_path / "nested.parquet", compression="zstd")
        with pytest.raises(UnreadableFile, match=r"nested\.parquet"):
            read_table(tmp_path / "nested.parquet", asking=Asking(SENT))


def test_a_file_without_a_layer_is_told(tmp_path: Path) -> None:
    for inner in (b"", b"<Document/>", b"<Document><name>x</name></Document>"):
        with pytest.raises(UnreadableFile, match=r"no layer|not a readable"):
            read(tmp_path / "a.kml", b'<kml xmlns="http://www.opengis.net/kml/2.2">' + inner + b"</kml>")


@pytest.mark.parametrize("memory_mb", [20, 70, 90])  # from 96 on it may fit where libraries are loaded already
def test_a_file_for_which_memory_does_not_suffice_is_not_called_broken(tmp_path: Path, memory_mb: int) -> None:
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)]))
    gpd.GeoDataFrame({"name": ["x"]}, geometry=[ring], crs=4326).to_parquet(tmp_path / "many.parquet")
    with pytest.raises(UnreadableFile, match="memory to read"):
        read_table(tmp_path / "many.parquet", asking=Asking(replace(SENT, memory_bytes=memory_mb << 20)))


def test_only_one_driver_is_left() -> None:
    script = "from geo_grid.files.child import one_driver; one_driver('GPKG'); import pyogrio; print(*pyogrio.list_drivers())"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["GPKG"]


def test_nothing_is_possible_behind_the_walls(secret: Path) -> None:
    script = f"""
import os, socket, sys
from pathlib import Path
from geo_grid.files.walls import confine, limit_memory
print(*confine([Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), Path("/proc/self")], None, 10, 0))
def tried(what):
    try:
        what()
    except (OSError, MemoryError):
        return
    print("possible:", what.__name__)
def read_another_file(): Path({str(secret)!r}).read_text()
def write_a_file(): Path({str(secret.with_name("new"))!r}).write_text("x")
def remove_a_file(): Path({str(secret)!r}).unlink()
def open_a_socket(): socket.socket()
def open_a_local_socket(): socket.socket(socket.AF_UNIX)
def start_a_program(): os.execv("/usr/bin/env", ["env"])
def signal_the_parent(): os.kill(os.getppid(), 0)
def read_the_parent(): Path(f"/proc/{{os.getppid()}}/environ").read_bytes()
def take_memory(): bytearray(1 << 30)
def open_many_files(): [os.open("/proc/self/stat", os.O_RDONLY) for _ in range(100)]
limit_memory(256 << 20)
for what in (read_another_file, write_a_file, remove_a_file, open_a_socket, open_a_local_socket, start_a_program,
             signal_the_parent, read_the_parent, take_memory, open_many_files):
    tried(what)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    standing, *possible = said.splitlines()
    assert possible == [] or set(standing.split()) != set(WALLS)
    assert not {"possible: take_memory", "possible: open_many_files"} & set(possible)  # these walls stand everywhere
    assert secret.exists()
    assert set(standing_walls()) == set(standing.split())
    assert "limits" in standing


def test_a_file_that_nobody_waits_for_is_read_no_further(tmp_path: Path) -> None:
    hostile.without_end(tmp_path / "a.kml")
    asked = "import sys, pathlib; from geo_grid.files.door import read_table; read_table(pathlib.Path(sys.argv[1]))"

    with subprocess.Popen([sys.executable, "-c", asked, str(tmp_path / "a.kml")]) as asking:
        try:
            deadline = time.monotonic() + 90
            while not (seen := readers([asking.pid])):
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            asking.kill()  # as a server does when its client has left
    deadline = time.monotonic() + 90
    while still_there(seen):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_those_who_read_at_the_same_time_know_nothing_of_each_other(tmp_path: Path) -> None:
    """They come from one process: one that is killed, and one that is refused, leave the others alone."""
    hostile.without_end(tmp_path / "endless.kml")
    (tmp_path / "broken.kml").write_bytes(b"no shapes")
    (tmp_path / "good.csv").write_bytes(b"lon,lat\n114.5,37\n")

    def read_one(number: int) -> object:
        name = ("endless.kml", "broken.kml", "good.csv")[number % 3]
        limits = replace(SMALL, wall_s=5, processor_s=60) if number % 3 == 0 else SMALL
        try:
            return len(read_table(tmp_path / name, asking=Asking(limits, name)).attributes)
        except UnreadableFile as refused:
            return str(refused)

    with ThreadPoolExecutor(6) as pool:
        said = [*pool.map(read_one, range(12))]
    assert said[2::3] == [1] * 4
    assert all("endless.kml was not read within 5 s" in str(one) for one in said[0::3])
    assert all("broken.kml" in str(one) for one in said[1::3])
    assert readers([os.getpid()]) == set()


def test_readers_come_again_after_the_process_they_are_forked_from_was_killed(tmp_path: Path) -> None:
    for _ in range(2):
        assert len(read(tmp_path / "points.csv", b"lon,lat\n114.5,37\n").attributes) == 1
        (nest,) = nests(os.getpid())
        os.kill(nest, signal.SIGKILL)
        ended(nest)


def ended(process: int) -> None:
    """Wait until nothing is left of it, not even its number."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_process_they_are_forked_from_ends_when_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends while others ask, who get another; what it has begun goes on, and it leaves no zombie."""
    monkeypatch.setattr(forked, "_kept", [])
    monkeypatch.setattr(forked, "IDLE_S", 0.05)
    for turn in range(8):
        assert len(read(tmp_path / "points.csv", b"lon,lat\n114.5,37\n").attributes) == 1
        time.sleep(0.03 + 0.01 * turn)
    hostile.without_end(tmp_path / "endless.kml")
    with pytest.raises(UnreadableFile, match="was not read within 2 s"):
        read_table(tmp_path / "endless.kml", asking=Asking(replace(SENT, wall_s=2)))
    for nest in nests(os.getpid()):
        ended(nest)
    assert readers([os.getpid()]) == set()


def written_points(path: Path, count: int) -> Path:
    table = pa.table({"lon": np.linspace(114, 115, count), "lat": np.linspace(37, 38, count)})
    if path.suffix == ".arrow":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        path.write_text('{"points":[' + ",".join(["[114.5,37.0]"] * count) + "]}")
    return path


@pytest.mark.parametrize("form", ["csv", "json", "arrow", "parquet"])
def test_points_in_bulk_are_read_behind_the_walls(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written_points(tmp_path / f"points.{form}", 3_000_000)
    for module, name in ((pa, "memory_map"), (pa.csv, "open_csv"), (ijson, "items"), (parquet, "ParquetFile")):
        monkeypatch.setattr(module, name, None)  # were they read here, this would be missed
    with read_points(path, form, SENT_POINTS) as points:
        first = next(iter(points.batches))
        (process,) = readers([os.getpid()])
    assert first.schema.names[:2] == ["lon", "lat"]
    assert 1_000 < first.num_rows <= 1 << 20
    assert still_there([process]) == set()


@pytest.mark.parametrize(
    ("form", "limits", "says"),
    [
        ("csv", replace(SENT_POINTS, memory_bytes=0), "memory to read"),
        ("parquet", replace(SENT_POINTS, memory_bytes=0), "memory to read"),
        ("json", replace(SENT_POINTS, processor_s=1), "the JSON body takes more than 1 s to read"),
        ("arrow", replace(SENT_POINTS, answer_bytes=16 << 20), "the Arrow stream holds more than 16 MB"),
    ],
)
def test_points_in_bulk_that_take_more_than_they_may(tmp_path: Path, form: str, limits: Limits, says: str) -> None:
    path = written_points(tmp_path / f"points.{form}", 3_000_000)
    with pytest.raises(UnreadableFile, match=says), read_points(path, form, limits) as points:
        all(points.batches)
    assert readers([os.getpid()]) == set()


def test_they_know_no_descriptor_and_no_secret_of_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEO_GRID_SECRET", "open sesame")
    hostile.without_end(tmp_path / "a.kml")
    with (tmp_path / "opened").open("wb"), ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_table, tmp_path / "a.kml", asking=Asking(replace(SENT, wall_s=5)))
        deadline = time.monotonic() + 90
        while not (found := readers([os.getpid()])):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (process,) = found
        while not (known := opened_by(process)) & {str(tmp_path / "a.kml")}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        environment = Path(f"/proc/{process}/environ").read_bytes()
        with pytest.raises(UnreadableFile):
            reading.result()
    assert b"sesame" not in environment
    assert str(tmp_path / "opened") not in known
    assert not [path for path in known if path.startswith(("socket:", "anon_inode:[pidfd]"))]


def opened_by(pid: int) -> set[str]:
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if os.path.lexists(path)}


def test_an_extract_that_is_none_is_refused(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "a.osm").write_text(
        f'<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY x SYSTEM "file://{secret}">]><osm version="0.6">'
        '<node id="1" lat="37" lon="114.5"><tag k="place" v="town"/><tag k="name" v="&x;"/></node></osm>'
    )
    try:
        found = str(read_extract(tmp_path / "a.osm", None, Asking(SMALL))[1].to_pylist())
    except UnreadableFile as refused:
        found = str(refused)
    assert "sesame" not in found
    (tmp_path / "b.osm.pbf").write_bytes(b"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\xff\xff\xff\x7f")
    with pytest.raises(UnreadableFile, match=r"b\.osm\.pbf"):
        read_extract(tmp_path / "b.osm.pbf", None, Asking(SMALL, "b.osm.pbf"))


def test_a_package_that_an_open_program_still_writes_to_is_read_as_it_is_now(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(114.5, 37)], crs=4326).to_file(path, layer="t", driver="GPKG")
    opened = sqlite3.connect(path)
    opened.execute("pragma journal_mode = wal")
    opened.create_function("ST_IsEmpty", 1, lambda _: 0)
    for name in ("ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
        opened.create_function(name, 1, lambda _: 0.0)
    opened.execute("update t set a = 7")
    opened.commit()
    assert read_table(path).attributes["a"].tolist() == [7]
    opened.close()
    assert read_table(path).attributes["a"].tolist() == [7]


def test_text_that_looks_like_a_formula_comes_back_from_csv(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", b"lon,lat,name\n114.5,37,'=1+1\n-114.5,37,it's\n")
    assert found.attributes["name"].tolist() == ["=1+1", "it's"]
    assert found.geometry[1].x == -114.5


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1), min_size=1))
def test_tables_that_are_written_have_no_formula_and_come_back(names: list[str]) -> None:
    written = csv_of([["name", "count"], *([name, number] for number, name in enumerate(names))])
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    assert [unguarded(row["name"]) for row in rows] == names
    assert [int(row["count"]) for row in rows] == list(range(len(names)))
    for row in rows:
        assert row["name"][0] not in FIRST or re.fullmatch(r"[+-]?[\d.eE+-]+", row["name"])


def test_a_server_that_holds_very_many_connections_reads_files_all_the_same(tmp_path: Path) -> None:
    """select() knows no descriptor beyond 1,023: every file that was sent to a busy server was a fault of ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
        for _ in range(1100):
            stack.callback(os.close, os.open("/dev/null", os.O_RDONLY))
        assert len(read(tmp_path / "points.csv", b"lon,lat\n114.5,37\n").attributes) == 1


def test_kinds_that_name_other_files_show_none_and_call_nobody(
    tmp_path: Path, secret: Path, listener: tuple[str, list[str]]
) -> None:
    address, calls = listener
    gml = (
        f'<?xml version="1.0"?><!DOCTYPE o [<!ENTITY x SYSTEM "file://{secret}">]>'
        f'<o:FeatureCollection xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://o/ {address}/o.xsd"'
        ' xmlns:o="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<gml:featureMember><o:a fid="a.0"><o:g xlink:href="{address}/g"/><o:name>&x;</o:name></o:a></gml:featureMember>'
        "</o:FeatureCollection>"
    )
    table = f'!table\n!version 300\n!charset Neutral\nDefinition Table\n  File "{secret}"\n  Type NATIVE\n  Fields 1\n    word Char (10) ;\n'
    linked = f"<kml><NetworkLink><Link><href>{address}/k.kml</href></Link></NetworkLink></kml>"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../doc.kml", linked)
    for name, content in (
        ("a.gml", gml.encode()),
        ("a.tab", table.encode()),
        ("a.kmz", packed.getvalue()),
        ("a.gpx", gml.encode()),
    ):
        try:
            found = read(tmp_path / name, content).attributes.to_string()
        except UserError as refused:
            found = str(refused)
        assert "sesame" not in found, name
        assert str(tmp_path) not in found.replace(str(tmp_path / name), ""), name
    assert calls == []


def test_an_archive_unpacks_to_no_more_than_is_taken(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", b" " * (64 << 20))
    with pytest.raises(UnreadableFile, match=r"a\.kmz unpacks to more than"):
        read(tmp_path / "a.kmz", packed.getvalue(), replace(SMALL, unpacked_bytes=1 << 20))


def test_shapes_that_say_the_same_arc_again_and_again_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "beats.topojson"
    arc = [[number / 1000, (number * number % 1000) / 1000] for number in range(2_000)]
    ring = [[0] * 200]
    shapes = [{"type": "Polygon", "arcs": ring, "properties": {"code": str(number)}} for number in range(2_000)]
    objects = {"beats": {"type": "GeometryCollection", "geometries": shapes}}
    path.write_text(json.dumps({"type": "Topology", "arcs": [arc], "objects": objects}))
    began = time.monotonic()
    with pytest.raises(UnreadableFile, match="more than 5,000,000 points"):
        read_table(path, asking=Asking(SENT))
    assert time.monotonic() - began < SENT.wall_s / 2
