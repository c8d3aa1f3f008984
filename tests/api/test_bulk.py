"""POST /locate: many points in, their owners out in the same form and order; nothing half-done."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from geo_grid.api.desk import bulk
from geo_grid.locate import open_city
from tests.api.test_http import problem
from tests.conftest import live_server
from tests.files.readers import readers
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
EXTENT = ((113.5, 36.5), (116.0, 38.0))


def post(client: httpx.Client, media: str, body: bytes | str, **params: object) -> httpx.Response:
    return client.post("/locate", content=body, headers={"Content-Type": media}, params=params)


def arrow(table: pa.Table, options: pa.ipc.IpcWriteOptions | None = None, batch: int | None = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, batch)
    return sink.getvalue()


def read_arrow(body: bytes) -> pd.DataFrame:
    return pa.ipc.open_stream(body).read_pandas()


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    lon, lat = np.random.default_rng(8).uniform(*EXTENT, (70_000, 2)).T
    return pd.DataFrame({"号": np.arange(len(lon)).astype(str), "lon": lon, "lat": lat})


def test_the_three_forms_give_the_answer_of_the_single_question(
    demo_client: httpx.Client, points: pd.DataFrame
) -> None:
    pairs = points[["lon", "lat"]].to_numpy().tolist()
    by_json = post(demo_client, JSON, json.dumps({"points": pairs}), levels="1,3")
    by_csv = post(demo_client, CSV, points.to_csv(index=False), levels="1,3")
    by_arrow = post(demo_client, ARROW, arrow(pa.Table.from_pandas(points), batch=9_999), levels="1,3")
    for answer in (by_json, by_csv, by_arrow):
        assert answer.status_code == 200
        assert answer.headers["geo-grid-edition"] == "1"
        assert answer.headers["geo-grid-points"] == "70000"
    frames = [
        pd.DataFrame(by_json.json()["points"]),
        pd.read_csv(
            io.BytesIO(by_csv.content), dtype={"号": str, "grid_code": str, "grid_code_1": str, "grid_code_3": str}
        ),
        read_arrow(by_arrow.content),
    ]
    assert by_json.json()["edition"] == 1
    assert pa.ipc.open_stream(by_arrow.content).schema.metadata[b"edition"] == b"1"
    columns = ["grid_code", "grid_code_1", "grid_code_3", "zone_code", "distance_to_boundary_m", "unassigned"]
    first = frames[0][columns].astype(object).where(frames[0][columns].notna(), None)
    for frame in frames[1:]:
        assert frame["号"].tolist() == points["号"].tolist()
        assert np.array_equal(frame[["lon", "lat"]].to_numpy(dtype=float), points[["lon", "lat"]].to_numpy())
        same = frame[columns].astype(object)
        assert same.where(same.notna(), None).equals(first)
    assert 20_000 < int(first["unassigned"].sum()) == int(by_json.headers["geo-grid-unassigned"]) < 50_000
    for row in range(0, 70_000, 3_001):
        single = demo_client.get("/locate", params={"lon": pairs[row][0], "lat": pairs[row][1]}).json()
        chain = {cell["grid_level"]: cell["grid_code"] for cell in single["grid_cells"]}
        got = first.iloc[row]
        assert got["unassigned"] == single["unassigned"]
        assert got["grid_code"] == (single["grid_cells"][-1]["grid_code"] if chain else None)
        assert (got["grid_code_1"], got["grid_code_3"]) == (chain.get(1), chain.get(3))
        assert got["zone_code"] == (single["patrol_zone"] or {}).get("zone_code")
        if chain:
            assert got["distance_to_boundary_m"] == pytest.approx(single["distance_to_boundary_m"], abs=0.002)


def test_other_datums_and_chinese_headers_and_gbk(demo_client: httpx.Client) -> None:
    text = '名称,经度,纬度\n"一, ""二""\n三",114.5043,37.0682\n'
    plain = post(demo_client, CSV, text.encode("gb18030"))
    assert plain.status_code == 200, plain.text
    row = pd.read_csv(io.BytesIO(plain.content), dtype=str).iloc[0]
    assert row["名称"] == '一, "二"\n三'
    assert row["grid_code"] == demo_client.get("/locate?lon=114.5043&lat=37.0682").json()["grid_cells"][-1]["grid_code"]
    shifted = post(demo_client, CSV, text, source_crs="GCJ-02")
    single = demo_client.get("/locate?lon=114.5043&lat=37.0682&source_crs=GCJ-02").json()
    assert (
        pd.read_csv(io.BytesIO(shifted.content), dtype=str).iloc[0]["grid_code"]
        == single["grid_cells"][-1]["grid_code"]
    )


@pytest.mark.parametrize(
    ("media", "body"), [(JSON, '{"points":[]}'), (CSV, "lon,lat\n"), (ARROW, arrow(pa.table({"lon": [], "lat": []}).cast(
        pa.schema([("lon", pa.float64()), ("lat", pa.float64())]))))]
)  # fmt: skip
def test_no_points_are_no_error(demo_client: httpx.Client, media: str, body: bytes | str) -> None:
    answer = post(demo_client, media, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["geo-grid-points"] == "0"
    if media == JSON:
        assert answer.json() == {"edition": 1, "points": []}
    elif media == CSV:
        assert answer.text.startswith('"lon","lat","grid_code"')
    else:
        assert read_arrow(answer.content).columns[:3].tolist() == ["lon", "lat", "grid_code"]


@pytest.mark.parametrize(
    ("media", "body", "says"),
    [
        (JSON, "", "not readable JSON"),
        (JSON, "[1, 2", "not readable JSON"),
        (JSON, '{"points":[[114,37],', "not readable JSON"),
        (JSON, '{"point":[[114,37]]}', 'no "points"'),
        (JSON, '{"points":{"a":1}}', 'no "points"'),
        (JSON, '{"points":[[114,37,1]]}', "1 of 1 points are no places"),
        (JSON, '{"points":[["114","37"]]}', "1 of 1 points are no places"),
        (JSON, '{"points":[[true,37]]}', "1 of 1 points are no places"),
        (JSON, '{"points":[' + "[]," * 20_000 + "[0,0]]}", "20000 of 20001 points are no places"),
        (JSON, '{"points":[[114.5,37.0],[200,37]]}', "1 of 2 points are no places"),
        (CSV, "", "empty"),
        (CSV, "a,b\n1,2\n", "no column lon"),
        (CSV, "lon,lat,lat\n1,2,3\n", "same name"),
        (CSV, "lon,lat\n114.5,37.0,5\n", "Expected 2 columns, got 3"),
        (CSV, "lon,lat\n114.5,37.0\nx,37\n,\n", "2 of 3 points are no places"),
        (CSV, "lon,lat\n37.0682,114.5043\n", "1 of 1 points are no places"),
        (CSV, b"lon,lat\n\xff\xfe\xff,1\n", "not text"),
        (ARROW, b"", "no end mark"),
        (ARROW, b"junk" * 100, "no end mark"),
        (ARROW, b"ARROW1" + b"junk" * 100, "Arrow file (Feather)"),
        (ARROW, b"junk" * 100 + b"\xff\xff\xff\xff\x00\x00\x00\x00", "not a readable Arrow stream"),
        (ARROW, arrow(pa.table({"x": ["a"], "y": ["b"]})), "not numbers"),
        (ARROW, arrow(pa.table({"a": [1.0]})), "no column lon"),
        (ARROW, arrow(pa.table({"lon": [114.5, None], "lat": [37.0, 37.0]})), "1 of 2 points are no places"),
        (ARROW, arrow(pa.table({"lon": [float("inf")], "lat": [37.0]})), "1 of 1 points are no places"),
    ],
)
def test_bad_bodies_are_refused_whole_with_the_reason(
    demo_client: httpx.Client, media: str, body: bytes | str, says: str
) -> None:
    assert says in problem(post(demo_client, media, body), 422)["detail"]


def test_what_is_no_point_is_named_or_skipped(demo_client: httpx.Client) -> None:
    body = '{"points":[[114.5043,37.0682],[],{"lon":1},null,"x",[1,[2]]]}'
    refused = problem(post(demo_client, JSON, body), 422)
    assert [fault["row"] for fault in refused["errors"]] == [2, 3, 4, 5, 6]
    assert [fault["detail"] for fault in refused["errors"]][2:4] == [
        "null is no pair of numbers [lon, lat]", '"x" is no pair of numbers [lon, lat]',
    ]  # fmt: skip
    told = post(demo_client, JSON, body, skip_invalid=True).json()["points"]
    assert [one["problem"] is None for one in told] == [True, False, False, False, False, False]
    assert told[0]["grid_code"]


def test_a_level_is_asked_for_once(demo_client: httpx.Client) -> None:
    body = '{"points":[[114.5043,37.0682]]}'
    assert "twice" in problem(post(demo_client, JSON, body, levels="1,3,1"), 422)["detail"]
    assert post(demo_client, JSON, body, levels=",".join("1" * 11)).status_code == 422


def test_what_a_spreadsheet_would_run_comes_back_as_text_once(demo_client: httpx.Client) -> None:
    body = "=A1,lon,lat\n=2+5,+114.5043,37.0682\n-3,114.5043,37.0682\n'@x,114.5043,37.0682\n＋1,-114.5043,37.0682\n"
    answer = post(demo_client, CSV, body)
    frame = pd.read_csv(io.BytesIO(answer.content), dtype=str)
    assert frame["'=A1"].tolist() == ["'=2+5", "-3", "'@x", "'＋1"]
    assert frame["lon"].tolist() == ["+114.5043", "114.5043", "114.5043", "-114.5043"]
    again = pd.read_csv(io.BytesIO(post(demo_client, CSV, answer.content).content), dtype=str)
    assert again.equals(frame)


def test_bad_rows_are_named_or_skipped_on_request(demo_client: httpx.Client) -> None:
    body = "lon,lat\n114.5043,37.0682\nnan,37\n37.0682,114.5043\n1e9,0\n"
    refused = problem(post(demo_client, CSV, body), 422)
    assert [fault["row"] for fault in refused["errors"]] == [2, 3, 4]
    assert "swapped" in refused["errors"][1]["detail"]
    answer = post(demo_client, CSV, body, skip_invalid=True)
    frame = pd.read_csv(io.BytesIO(answer.content), dtype=str)
    assert frame["grid_code"].notna().tolist() == [True, False, False, False]
    assert frame["problem"].isna().tolist() == [True, False, False, False]
    assert "out of range" in frame["problem"][3]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"levels": "1,9"}, "no grid level 9"),
        ({"levels": "a"}, "levels"),
        ({"source_crs": "EPSG:4610"}, "no public transformation"),
        ({"at": "yesterday"}, "datetime"),
    ],
)
def test_bad_questions(demo_client: httpx.Client, params: dict[str, str], says: str) -> None:
    assert says in problem(post(demo_client, CSV, "lon,lat\n114.5,37\n", **params), 422)["detail"]


def test_other_media_types_are_named(demo_client: httpx.Client) -> None:
    assert "text/csv" in problem(post(demo_client, "application/xml", "<a/>"), 415)["detail"]


def test_as_of_a_time(demo_client: httpx.Client) -> None:
    before = post(demo_client, CSV, "lon,lat\n114.5043,37.0682\n", at="2001-01-01T00:00:00Z")
    assert before.headers["geo-grid-edition"] == "None"
    assert pd.read_csv(io.BytesIO(before.content))["unassigned"].tolist() == [True]
    now = post(demo_client, CSV, "lon,lat\n114.5043,37.0682\n", at="2999-01-01T00:00:00Z")
    assert now.headers["geo-grid-edition"] == "1"


@pytest.mark.parametrize("options", [None, pa.ipc.IpcWriteOptions(compression="zstd")], ids=["plain", "zstd"])
def test_an_arrow_stream_cut_anywhere_is_refused(
    demo_client: httpx.Client, options: pa.ipc.IpcWriteOptions | None
) -> None:
    whole = arrow(pa.table({"lon": np.full(500, 114.5), "lat": np.full(500, 37.0)}), options, batch=100)
    assert post(demo_client, ARROW, whole).status_code == 200
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        problem(post(demo_client, ARROW, whole[:length]), 422)
    end = whole[-8:]
    for length in range(8, len(whole) - 8, max(1, len(whole) // 60)):  # cut, and made to look whole
        answer = post(demo_client, ARROW, whole[:length] + end)
        assert answer.status_code in (200, 422), answer.text
        assert int(answer.headers.get("geo-grid-points", 0)) < 500


def test_an_arrow_stream_with_broken_bytes_never_stops_the_server(demo_client: httpx.Client) -> None:
    whole = bytearray(arrow(pa.table({"lon": [114.5] * 50, "lat": [37.0] * 50, "name": ["x"] * 50})))
    rng = np.random.default_rng(3)
    for _ in range(150):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole) - 8, 3):
            broken[place] ^= int(rng.integers(1, 256))
        assert post(demo_client, ARROW, bytes(broken)).status_code in (200, 422)
    assert demo_client.get("/healthz").status_code == 200


class TestBodiesThatAreTooLarge:
    def test_told_by_the_header(self, demo_server: str, demo_key: str) -> None:
        with raw(demo_server, demo_key, bulk.LARGEST_BODY + 1) as connection:
            connection.settimeout(10)
            answer = connection.recv(4096).decode()  # at once: nothing of the body was sent
        assert " 413 " in answer
        assert "application/problem+json" in answer

    def test_counted_as_they_come(self, demo_client: httpx.Client) -> None:
        def endless():
            for _ in range(40):
                yield b"x" * 65_536

        answer = demo_client.post("/incidents", content=endless(), headers={"Content-Type": JSON})
        assert "larger than 1,048,576 bytes" in problem(answer, 413)["detail"]


def raw(url: str, key: str, length: int = 1_000_000) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        f"POST /locate HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return connection


class TestSlowAndVanishingClients:
    def test_a_reader_that_stands_still_ends_with_its_sender(self, small_city: str, state_dir: Path) -> None:
        """It held its turn for ten minutes, and with another one those of everybody."""
        key = api_key(small_city, "planner")
        body = b"lon,lat\n" + b"114.5,37.0\n" * 2_000_000
        with live_server(small_city, state_dir=state_dir) as url, bearing(url, key) as client:
            with raw(url, key, len(body)) as left:
                left.sendall(body)
                deadline = time.monotonic() + 90
                while not (reading := readers([os.getpid()])):
                    assert time.monotonic() < deadline
                for process in reading:
                    os.kill(process, signal.SIGSTOP)
            while readers([os.getpid()]):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert post(client, CSV, b"lon,lat\n114.5,37.0\n").status_code == 200

    def test_a_client_that_sends_nothing_is_given_up(self, database: str, state_dir: Path, monkeypatch) -> None:
        monkeypatch.setattr(bulk, "_SILENCE_S", 0.5)
        with live_server(database, state_dir=state_dir) as url, raw(url, api_key(database, "planner")) as slow:
            slow.sendall(b"lon,lat\n")
            slow.settimeout(10)
            assert b"408" in slow.recv(100)

    def test_twenty_slow_ones_hold_nobody_up(self, small_city: str, state_dir: Path) -> None:
        key = api_key(small_city, "planner")
        with live_server(small_city, state_dir=state_dir) as url, bearing(url, key) as client:
            body = f"lon,lat\n{WEST + SIDE / 2},{SOUTH + SIDE / 2}\n"
            assert post(client, CSV, body).status_code == 200  # the first one waits for the index
            slow = [raw(url, api_key(small_city, "planner")) for _ in range(20)]
            for connection in slow:
                connection.sendall(b"lon,lat\n")
            began = time.monotonic()
            assert post(client, CSV, body).headers["geo-grid-unassigned"] == "0"
            assert client.get("/locate", params={"lon": WEST, "lat": SOUTH}).json()["unassigned"] is False
            assert time.monotonic() - began < 2
            for connection in slow:
                connection.close()  # they vanish in the middle of their bodies
            deadline = time.monotonic() + 90
            while list((state_dir / "spool").iterdir()):
                assert time.monotonic() < deadline
            assert client.get("/healthz").status_code == 200


MEASURE = """
import os, sys, threading, time
from pathlib import Path
from geo_grid.compiling import make_ready
from geo_grid.exchange import Asked, locate_points
from geo_grid.locate import CityIndex

def anonymous_mb():
    # of this process; of the one that reads the file, what it does not share with the nest
    own = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(own.split()[1]) / 1024 + sum(map(private_mb, readers()))

def readers():
    for nest in children(os.getpid()):
        yield from children(nest)

def children(process):
    try:
        tasks = [*Path(f"/proc/{process}/task").iterdir()]
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []

def private_mb(process):
    try:
        with open(f"/proc/{process}/smaps_rollup") as told:
            return sum(int(line.split()[1]) for line in told if line.startswith("Private_Dirty")) / 1024
    except OSError:
        return 0

city, form = CityIndex.load(Path(sys.argv[1])), sys.argv[5]
make_ready()
locate_points(city, Path(sys.argv[2]), Path(sys.argv[4]), form, Asked(levels=(1,)))
before = peak = anonymous_mb()
done = False

def watch():
    global peak
    while not done:
        peak = max(peak, anonymous_mb())
        time.sleep(0.005)

watcher = threading.Thread(target=watch)
watcher.start()
result = locate_points(city, Path(sys.argv[3]), Path(sys.argv[4]), form, Asked(levels=(1,)))
done = True
watcher.join()
print(result.points, peak - before)
"""


@pytest.mark.parametrize("levels", ["", "1"])
def test_an_answer_has_no_codes_that_whoever_asks_does_not_see(small_city: str, state_dir: Path, levels: str) -> None:
    """Those of the whole city went with every Arrow answer, as its dictionary."""
    body = arrow(pa.table({"lon": [WEST + SIDE / 2, WEST + 1.5 * SIDE], "lat": [SOUTH + SIDE / 2] * 2}))
    with live_server(small_city, state_dir=state_dir) as url:
        for cells, expected in ((["A"], {"A"}), (None, {"A", "B", "C", "D"})):
            with bearing(url, api_key(small_city, "dispatcher", cells)) as client:
                answer = post(client, ARROW, body, levels=levels)
            table = pa.ipc.open_stream(answer.content).read_all().combine_chunks()
            assert set(table["grid_code"].chunk(0).dictionary.to_pylist()) == expected
            assert table["grid_code"].to_pylist() == (["A", None] if cells else ["A", "B"])
            assert not levels or table["grid_code_1"].to_pylist() == (["P", None] if cells else ["P", "P"])
            assert not cells or len(table["zone_code"].chunk(0).dictionary) <= 1


@pytest.fixture(scope="module")
def saved_demo(demo: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_city(demo, tmp_path_factory.mktemp("editions"), 1)


def write_points(path: Path, form: str, count: int) -> Path:
    lon, lat = np.random.default_rng(9).uniform(*EXTENT, (count, 2)).T
    table = pa.table({"lon": lon, "lat": lat})
    if form == "arrow":  # one batch of all: the worst case
        path.write_bytes(arrow(table))
    elif form == "parquet":  # one row group
        parquet.write_table(table, path, row_group_size=count, use_dictionary=False)
    elif form == "csv":
        pa.csv.write_csv(table, path)
    else:
        path.write_text(json.dumps({"points": np.column_stack([lon, lat]).tolist()}))
    return path


@pytest.mark.parametrize(
    ("form", "count", "most_mb"),
    [("arrow", 4_000_000, 100), ("parquet", 4_000_000, 270), ("csv", 1_000_000, 110), ("json", 300_000, 250)],
)
def test_memory_does_not_grow_with_the_points(
    saved_demo: Path, tmp_path: Path, form: str, count: int, most_mb: int
) -> None:
    """Beyond what a tenth of the points took. The answer alone has 147 MB as Arrow, 37 bytes a point; 66 MB as CSV, the
    points 37 MB more; one row group of Parquet is decoded as a whole, 64 MB, and encoded so."""
    few, many = (write_points(tmp_path / f"{n}.{form}", form, n) for n in (count // 10, count))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, (saved_demo, few, many, tmp_path / f"out.{form}")), form],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    located, grown_mb = run.stdout.split()
    assert int(located) == count
    assert float(grown_mb) < most_mb
