"""What strangers send over HTTP: answered in words, within limits, and the server lives on."""

import csv
import io
import json
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest
from starlette.requests import Request

from geo_grid.confined import PROCESS
from geo_grid.db import connect
from geo_grid.errors import UnreadableFile
from geo_grid.exchange import uploads
from geo_grid.files.points import READERS, arrow_bodies
from geo_grid.files.points.json_text import _Guarded
from tests.api.test_http import problem
from tests.api.test_imports import HEAD, post, send
from tests.conftest import SHARED, live_server
from tests.files import hostile
from tests.files.readers import readers
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, two_by_two

CASES = SHARED.parent / "cases/cql2-broken.json"


@pytest.fixture(scope="module")
def served(cluster) -> Iterator[tuple[str, str, Path]]:
    """(address, the owner's way in, state folder) of one city of four cells that tests of refusals share."""
    from tests.databases import new_database, state_folder

    with new_database(cluster, "hostile") as database, state_folder() as folder:
        with connect(database) as connection:
            two_by_two(connection)
        with live_server(database, state_dir=folder) as url:
            yield url, database, folder


@pytest.fixture
def asking(served: tuple[str, str, Path]) -> Iterator[httpx.Client]:
    with bearing(served[0], api_key(served[1], "supervisor")) as client:
        client.timeout = 60
        yield client


class TestUploads:
    def test_bombs_and_disguises_are_refused_and_the_server_lives(self, asking: httpx.Client, tmp_path: Path) -> None:
        written = tmp_path / "written.csv"
        for name, body in (
            ("a.xlsx", hostile.far_cell()),
            ("a.parquet", hostile.repeated_text()),
            ("a.json", hostile.pipeline(written)),
            ("a.kml", hostile.virtual(Path("/etc/passwd"))),
        ):
            began = time.monotonic()
            told = problem(send(asking, name, body), 422)["detail"]
            assert name in told
            assert "/imports" not in told
            assert time.monotonic() - began < 60
        assert not written.exists()
        assert asking.get("/healthz").status_code == 200

    def test_the_same_door_for_drafts(self, asking: httpx.Client, tmp_path: Path) -> None:
        written = tmp_path / "written.csv"
        draft = asking.post("/boundaries/drafts", json={"title": "x"})
        assert draft.status_code == 201, draft.text
        for name, body in (("x.gpkg", hostile.pipeline(written)), ("x.xlsx", hostile.far_cell())):
            answer = asking.post(
                "/boundaries/imports", files={"file": (name, body)}, data={"draft_id": draft.json()["draft_id"]}
            )
            told = problem(answer, 422)["detail"]
            assert name in told
            assert "spool" not in told
        assert not written.exists()

    def test_shapes_over_each_other_are_no_division(self, asking: httpx.Client) -> None:
        draft = asking.post("/boundaries/drafts", json={"title": "x"}).json()["draft_id"]
        file = ("x.geojson", hostile.over_each_other(WEST, SOUTH, 2 * SIDE))
        answer = asking.post("/boundaries/imports", files={"file": file}, data={"draft_id": draft})
        assert "lie over each other" in problem(answer, 422)["detail"]
        assert asking.get(f"/boundaries/drafts/{draft}").json()["history"] == []

    def test_an_archive_that_is_broken_does_not_say_where_it_was_unpacked(self, asking: httpx.Client) -> None:
        with zipfile.ZipFile(archive := io.BytesIO(), "w") as made:
            for ending in (".shp", ".shx", ".dbf"):
                made.writestr(f"layer{ending}", b"no shapes")
        told = problem(send(asking, "a.zip", archive.getvalue()), 422)["detail"]
        assert "unpacked" not in told
        assert not any(place in told for place in ("/tmp", "/dev/shm"))

    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=X", "application/x-www-form-urlencoded"])
    def test_a_form_has_an_end(self, asking: httpx.Client, kind: str) -> None:
        """240 texts of a megabyte were taken, and of those of others as well, before anybody looked at them."""
        part = b'--X\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n' + b"a" * 20_000 + b"\r\n"
        multipart = b"".join(part % n for n in range(30))
        body = multipart if kind.startswith("multipart") else b"&".join(b"f%d=" % n + b"a" * 20_000 for n in range(30))
        answer = asking.post("/imports", content=body, headers={"Content-Type": kind})
        assert "maximum" in problem(answer, 400)["detail"].lower()

    @pytest.mark.parametrize(
        ("kind", "filling"),
        [
            ("multipart/form-data; boundary=X", b"\r\n--Xz"),
            ("multipart/form-data; boundary=X", b" "),
            ("application/x-www-form-urlencoded", b"&"),
        ],
    )
    def test_separators_of_a_form_have_an_end(self, asking: httpx.Client, kind: str, filling: bytes) -> None:
        """One upload of such bytes kept everybody waiting: the parser takes each by itself, on the event loop."""
        begin = b'--X\r\nContent-Disposition: form-data; name="layer"\r\n\r\nx\r\n--X' * kind.startswith("multipart")
        body = begin + filling * ((1 << 20) // len(filling))
        answer = asking.post("/imports", content=body, headers={"Content-Type": kind})
        assert "separators" in problem(answer, 400)["detail"]

    def test_files_that_wait_have_a_quota_for_each_account(self, served: tuple[str, str, Path], monkeypatch) -> None:
        monkeypatch.setattr(uploads, "MOST_WAITING", 3)
        url, database, folder = served
        with bearing(url, api_key(database, "planner")) as mine, bearing(url, api_key(database, "planner")) as other:
            theirs = send(other, "a.csv", HEAD + post("Q", 0.5)).json()["import_id"]
            kept = [send(mine, "a.csv", HEAD + post(f"P{n}", 0.5)).json()["import_id"] for n in range(5)]
            waiting = {path.name for path in (folder / "imports").iterdir()}
            assert waiting & set(kept) == set(kept[2:])
            assert theirs in waiting
            assert mine.post(f"/imports/{kept[0]}/confirmation", json={}).status_code == 404
            for import_id in kept[2:]:
                assert mine.delete(f"/imports/{import_id}").status_code == 204

    def test_files_that_wait_have_a_quota_of_bytes_too(self, served: tuple[str, str, Path], monkeypatch) -> None:
        url, database, folder = served
        with bearing(url, api_key(database, "planner")) as mine:
            first = send(mine, "a.csv", HEAD + post("P", 0.5)).json()["import_id"]
            size = sum(path.stat().st_size for path in (folder / "imports" / first).rglob("*") if path.is_file())
            monkeypatch.setattr(uploads, "MOST_WAITING_BYTES", size)
            second = send(mine, "a.csv", HEAD + post("P", 0.5)).json()["import_id"]
            assert mine.post(f"/imports/{first}/confirmation", json={}).status_code == 404
            assert mine.delete(f"/imports/{second}").status_code == 204

    def test_reading_ends_with_the_client(self, served: tuple[str, str, Path]) -> None:
        url, database, _ = served
        request = httpx.Request(
            "POST", f"{url}/imports", files={"file": ("a.geojson", hostile.over_each_other(114.5, 37, 0.001, 200_000))},
            data={"layer": "police_posts", "source_crs": "EPSG:4490"},
            headers={"Authorization": f"Bearer {api_key(database, 'planner')}"},
        )  # fmt: skip
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"POST /imports HTTP/1.1\r\n{head}\r\n".encode() + request.read())
            wait_for(reading)
            for process in reading():
                os.kill(process, signal.SIGSTOP)  # it would read for ever
        wait_for(lambda: not reading(), 10)


def reading() -> set[int]:
    """The processes that read a file for those that import for this one."""
    return readers([child.pid for child in multiprocessing.active_children() if child.name == PROCESS])


def wait_for(found, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestBulkBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"points":[[' + b"1," * 3_000_000 + b"1]]}",
            b'{"points":[[' + b"[1,1]," * 1_000_000 + b"1]]}",
            b'{"points":[' + b"[" * 300_000 + b"]" * 300_000 + b"]}",
            b'{"a":"' + b"]" * 300_000 + b'","points":[' + b"[" * 300_000 + b"]" * 300_000 + b"]}",
            b'{"points":{"a":[' + b"1," * 3_000_000 + b"1]}}",
            b'{"points":[["' + b"x" * 3_000_000 + b'",1]]}',
            b'{"points":[[' + b"1" * 5_000 + b",1]]}",
            b'{"points":[[[[[[[[1]]]]]],1]]}',
        ],
    )
    def test_json_that_is_no_list_of_points(self, asking: httpx.Client, body: bytes) -> None:
        began = time.monotonic()
        problem(asking.post("/locate", content=body, headers={"Content-Type": "application/json"}), 422)
        assert time.monotonic() - began < 20

    def test_brackets_in_texts_hide_none(self, asking: httpx.Client) -> None:
        """Closing ones in texts hid opening ones: 260 kB took 4 GB, and 6 MB all memory of the machine."""
        for begun in (b'"]]]]]]]]",[[', b'"\\"]]]]]]]]",[['):
            body = b'{"points":[[114.5,37.06],' + begun * 5_000
            answer = asking.post("/locate", content=body, headers={"Content-Type": "application/json"})
            assert "brackets" in problem(answer, 422)["detail"]

    def test_a_byte_order_mark_changes_nothing(self, asking: httpx.Client) -> None:
        body = f'{{"points":[[{WEST + SIDE / 2},{SOUTH + SIDE / 2}]]}}'.encode()
        answers = [
            asking.post("/locate", content=sent, headers={"Content-Type": "application/json"}).json()
            for sent in (body, b"\xef\xbb\xbf" + body)
        ]
        assert answers[0] == answers[1]
        assert answers[0]["points"][0]["grid_code"] == "A"

    @pytest.mark.parametrize("compression", ["zstd", "lz4"])
    def test_arrow_that_unpacks_to_very_much(self, asking: httpx.Client, compression: str) -> None:
        zeros = pa.record_batch({"lon": np.zeros(10_000_000), "lat": np.zeros(10_000_000)})
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, zeros.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_batch(zeros)
        answer = asking.post(
            "/locate", content=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"}
        )
        assert "unpacks to" in problem(answer, 422)["detail"]

    def test_arrow_that_repeats_what_is_stored_once(self, asking: httpx.Client) -> None:
        views = pa.array(["x" * 1000]).cast(pa.string_view())
        batch = pa.record_batch({"lon": [114.5], "lat": [37.0], "x": views})
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        answer = asking.post(
            "/locate", content=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"}
        )
        assert "plain values" in problem(answer, 422)["detail"]

    def test_arrow_whose_columns_are_of_the_same_bytes(self, asking: httpx.Client) -> None:
        body = columns_of_the_same_bytes(rows=20_000, columns=900)
        assert len(body) < 500_000
        answer = asking.post("/locate", content=body, headers={"Content-Type": "application/vnd.apache.arrow.stream"})
        assert "unpacks to" in problem(answer, 422)["detail"]

    def test_arrow_that_adds_to_its_dictionaries(self, asking: httpx.Client) -> None:
        """Each batch of the answer had all that was added before it: 63 kB became 1.5 GB."""
        sink = io.BytesIO()
        kind = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema([("lon", pa.float64()), ("lat", pa.float64()), ("x", kind)])
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            for count in (1, 2, 3):
                words = pa.array([f"{n}" * 10 for n in range(count)])
                column = pa.DictionaryArray.from_arrays(pa.array([count - 1], pa.int32()), words)
                writer.write_batch(pa.record_batch([pa.array([114.5]), pa.array([37.0]), column], schema=schema))
        answer = asking.post(
            "/locate", content=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"}
        )
        assert "write each of them whole" in problem(answer, 422)["detail"]

    def test_columns_within_columns(self, asking: httpx.Client) -> None:
        """The server, which reads the schema as well, took 2.7 GB."""
        wide = pa.array([{f"f{n}": 1 for n in range(600)}])
        table = pa.table({"lon": [114.5], "lat": [37.0], "a": wide, "b": wide})
        with pa.ipc.new_stream(sink := io.BytesIO(), table.schema) as writer:
            writer.write_table(table)
        answer = asking.post(
            "/locate", content=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"}
        )
        assert "1,204 columns" in problem(answer, 422)["detail"]

    def test_very_many_columns(self, asking: httpx.Client) -> None:
        body = "lon,lat" + "".join(f",c{n}" for n in range(20_000)) + "\n"
        answer = asking.post("/locate", content=body, headers={"Content-Type": "text/csv"})
        assert "columns" in problem(answer, 422)["detail"]


def columns_of_the_same_bytes(rows: int, columns: int) -> bytes:
    """An Arrow stream of many columns that all name the buffer of the first, 357 times what it is."""
    lon, lat = pa.array([114.5] * rows), pa.array([37.06] * rows)
    batch = pa.record_batch([lon, lat, *[lon] * columns], ["lon", "lat", *(f"c{n}" for n in range(columns))])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream = bytearray(sink.getvalue())
    place = 8 + struct.unpack_from("<I", stream, 4)[0]  # behind the schema
    head = place + 8
    length = struct.unpack_from("<I", stream, place + 4)[0]
    message = memoryview(stream)[head : head + length]
    table = arrow_bodies._Table.root(message)
    vector = (inner := table.table(2))._field(2)
    vector += struct.unpack_from("<I", message, vector)[0]
    for number in range(struct.unpack_from("<I", message, vector)[0]):
        at = vector + 4 + 16 * number
        if struct.unpack_from("<q", message, at + 8)[0]:
            struct.pack_into("<q", message, at, rows * 8 if number in (2, 3) else 0)
    assert inner is not None
    struct.pack_into("<q", message, table._field(3), 2 * rows * 8)
    return bytes(stream[: head + length + 2 * rows * 8]) + b"\xff\xff\xff\xff\0\0\0\0"


def test_points_that_are_none_are_kept_by_their_beginning_alone(tmp_path: Path) -> None:
    """Sixty thousand lists of empty lists were collected before the first was looked at."""
    (tmp_path / "points.json").write_bytes(b'{"points":[' + b",".join([b"[" + b"[]," * 100_000 + b"[]]"] * 15) + b"]}")
    tracemalloc.start()
    try:
        (batch,) = READERS["json"](tmp_path / "points.json").batches
        assert all("no pair" in said for said in batch.column(2).to_pylist())
        assert batch.num_rows == 15
        assert tracemalloc.get_traced_memory()[1] < 60 << 20  # one of them takes 7 MB, all together 105
    finally:
        tracemalloc.stop()


def test_two_columns_of_one_name_are_told(asking: httpx.Client) -> None:
    batch = pa.record_batch([pa.array([1.0])] * 3, names=["lon", "lat", "lat"])
    with pa.ipc.new_stream(sink := io.BytesIO(), batch.schema) as writer:
        writer.write_batch(batch)
    answer = asking.post(
        "/locate", content=sink.getvalue(), headers={"Content-Type": "application/vnd.apache.arrow.stream"}
    )
    assert "same name" in problem(answer, 422)["detail"]


class TestWordsInsteadOf500:
    @pytest.mark.parametrize(
        "path",
        [
            "/patrol/completion?day=0001-01-01",
            "/patrol/completion?day=9999-12-31",
            "/response/coverage?at=9999-12-31T23:59:59Z",
            "/response/coverage?by=hour&at=0001-01-01T00:00:00%2B14:00",
            "/response/unions?bbox=114,36,115,38&at=9999-12-31T23:59:59-14:00",
            "/locate?lon=114.5&lat=37&at=0001-01-01T00:00:00%2B14:00",
            "/locate?lon=114.5&lat=37&at=9999-12-31T23:59:59-14:00",
            "/units/U/track?until=0001-01-01T00:00:00Z",
            "/units/U/track?since=9999-12-31T23:59:59-14:00",
        ],
    )
    def test_the_ends_of_the_calendar(self, asking: httpx.Client, path: str) -> None:
        assert "years" in problem(asking.get(path), 422)["detail"]

    @pytest.mark.parametrize("year", [1000, 8999])
    def test_moments_within_it_are_answered(self, asking: httpx.Client, year: int) -> None:
        for path in (
            f"/patrol/completion?day={year}-12-31",
            f"/response/coverage?at={year}-12-31T23:59:59Z",
            f"/response/coverage?by=hour&at={year}-01-01T00:00:00Z",
            f"/locate?lon=114.5&lat=37&at={year}-01-01T00:00:00%2B14:00",
        ):
            assert asking.get(path).status_code == 200, path

    def test_no_parameter_takes_days_at_the_ends_of_the_calendar(self, asking: httpx.Client) -> None:
        """Every parameter that is a day, of every route: a new one that takes any day of Python's calendar fails here."""
        asked = []
        for path, methods in asking.get("/openapi.json").json()["paths"].items():
            for method, operation in methods.items():
                named = {given["name"]: given for given in operation.get("parameters", [])}
                for name, given in named.items():
                    kinds = given["schema"].get("anyOf", [given["schema"]])
                    if not any(kind.get("format") == "date" for kind in kinds):
                        continue
                    for day in ("0001-01-01", "9999-12-31"):
                        filled = {each: day if each == name else "1" for each in named if f"{{{each}}}" in path}
                        query = {name: day} if given["in"] == "query" else {}
                        answer = asking.request(method, path.format(**filled), params=query)
                        assert "years" in problem(answer, 422)["detail"], (method, path, name, day)
                        asked.append(path)
        assert {"/field/norms", "/duties/desk/{grid_code}/{day}", "/deadlines/days/{day}"} <= set(asked)

    def test_moments_in_bodies_and_files(self, asking: httpx.Client) -> None:
        for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
            filed = {"lon": WEST, "lat": SOUTH, "category": "x", "received_at": moment}
            problem(asking.post("/incidents", json=filed), 422)
            problem(asking.post("/patrol/routes", json={"zone_code": "Z", "begins_at": moment}), 422)
            problem(asking.post("/patrol/check-ins", json={"stop_id": 1, "unit_code": "U", "checked_at": moment}), 422)

    @pytest.mark.parametrize(
        "path",
        [
            "/cameras/１３０５０２０１００１３２５００００１０/openings",
            "/cameras/²²²²²²²²²²²²²²²²²²²²/openings",
        ],
    )
    def test_digits_that_are_not_ours(self, asking: httpx.Client, path: str) -> None:
        problem(asking.post(path, json={"reason": "x", "incident_id": 1}), 422)

    def test_a_code_with_other_digits_does_not_stop_numbering(self, asking: httpx.Client) -> None:
        from geo_grid.boundaries.division import is_number

        assert [is_number(text) for text in ("12", "１２", "²", "", "1a")] == [True, False, False, False, False]
        for level in ("１", "²"):
            answer = asking.post(
                "/locate", content="lon,lat\n1,2\n", params={"levels": level}, headers={"Content-Type": "text/csv"}
            )
            problem(answer, 422)

    def test_very_deep_coordinates(self, asking: httpx.Client) -> None:
        for depth in (100, 500, 900, 990):
            deep = "[" * depth + "1" + "]" * depth
            for method, path, body in (
                ("POST", "/collections/police_posts/items",
                 f'{{"type":"Feature","geometry":{{"type":"Point","coordinates":{deep}}},"properties":{{"post_code":"P"}}}}'),
                ("POST", "/collections/police_posts/items",
                 f'{{"type":"Feature","geometry":{{"type":"Point","coordinates":[1,2]}},"properties":{{"name":{deep}}}}}'),
                ("POST", "/units/positions", f'{{"positions":{deep}}}'),
            ):  # fmt: skip
                answer = asking.request(method, path, content=body, headers={"Content-Type": "application/geo+json"})
                assert 400 <= answer.status_code < 500, (depth, path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
            node = f'{{"op":"s_intersects","args":[{{"property":"geometry"}},{{"type":"Point","coordinates":{deep}}}]}}'
            answer = asking.get("/collections/police_posts/items", params={"filter": node, "filter-lang": "cql2-json"})
            problem(answer, 400)

    def test_filters_without_arguments(self, asking: httpx.Client) -> None:
        filters = [("facilities", {"op": op, "args": args}) for op in ("and", "not", "=", "between", "in", "like", "isNull", "casei", "s_within", "t_after")
                   for args in ([], [[]], [{"property": "name"}], {"property": "name"}, None)]  # fmt: skip
        for layer, one in filters:
            answer = asking.get(
                f"/collections/{layer}/items", params={"filter": json.dumps(one), "filter-lang": "cql2-json"}
            )
            assert answer.status_code in (200, 400), (one, answer.text)

    def test_filters_of_the_wrong_number_or_kind_of_arguments(self, asking: httpx.Client) -> None:
        """Those that are right, though odd, are answered; all others are refused in words."""
        right = {"facilities": [], "incidents": []}
        for layer, filters in json.loads(CASES.read_text()).items():
            for number, one in enumerate(filters):
                asked = {"filter": json.dumps(one), "filter-lang": "cql2-json"}
                answer = asking.get(f"/collections/{layer}/items", params=asked)
                if answer.status_code == 200:
                    right[layer].append(number)
                else:
                    assert problem(answer, 400)["detail"], one
        assert right == {"facilities": [3, 21, 29, 30], "incidents": [7, 8]}


class TestNamesOfReferenceSystems:
    @pytest.mark.parametrize(
        "name", ["nonsense", "WGS 84 / UTM zone 50N", "EPSG:４４９０", "EPSG:999999", "EPSG:4326+5773", "+proj=longlat",
                 "http://127.0.0.1:1/x", 'GEOGCRS["x"]', "EPSG:-1", "EPSG:4490\n", "ESRI:102100", "GCJ-03"]
    )  # fmt: skip
    def test_free_text_does_not_reach_proj(self, asking: httpx.Client, name: str) -> None:
        began = time.monotonic()
        for _ in range(5):
            answer = asking.get("/locate", params={"lon": 114.5, "lat": 37, "source_crs": name})
            if name.strip() != "EPSG:4490":
                assert "unknown source_crs" in problem(answer, 422)["detail"]
        assert time.monotonic() - began < 1.5

    def test_a_code_is_looked_up_beside_the_event_loop(self, monkeypatch) -> None:
        import asyncio

        from geo_grid import coordinates
        from geo_grid.api.server.parameters import known_crs

        nobody = Request({"type": "http", "geo_grid.identity": None})
        asked: list[str] = []
        slow = coordinates._resolve

        def resolve(name: str):
            time.sleep(0.5)
            asked.append(name)
            return slow(name)

        monkeypatch.setattr(coordinates, "_resolve", resolve)

        async def longest_pause() -> float:
            looking, worst = asyncio.create_task(known_crs(nobody, "EPSG:4542")), 0.0
            while not looking.done():
                began = time.monotonic()
                await asyncio.sleep(0.01)
                worst = max(worst, time.monotonic() - began)
            await known_crs(nobody, "epsg:4542")
            await known_crs(nobody, "EPSG:2333")
            await known_crs(nobody, "EPSG:2333")  # refused, and remembered as refused
            return worst

        assert asyncio.run(longest_pause()) < 0.4
        assert asked == ["EPSG:4542", "EPSG:2333"]

    @pytest.mark.parametrize("name", ["epsg:4490", " EPSG:4490 ", "urn:ogc:def:crs:EPSG::4490", "OGC:CRS84", "gcj_02",
                                      "http://www.opengis.net/def/crs/EPSG/0/4490"])  # fmt: skip
    def test_spellings_that_people_use_stay(self, asking: httpx.Client, name: str) -> None:
        answer = asking.get("/locate", params={"lon": 114.505, "lat": 37.005, "source_crs": name})
        assert answer.status_code == 200, answer.text


def test_formulas_leave_csv_as_text(asking: httpx.Client, served: tuple[str, str, Path]) -> None:
    names = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "'=x", "it's", "-5", "plain"]
    with connect(served[1]) as connection:
        for number, name in enumerate(names):
            connection.execute(
                "insert into police_posts (post_code, name, geom) values (%s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                (f"F{number}", name, WEST + SIDE / 2, SOUTH + SIDE / 2),
            )
    for path in ("/collections/police_posts/export?f=csv", "/collections/police_posts/items?f=csv&limit=100"):
        rows = {row["post_code"]: row for row in csv.DictReader(io.StringIO(asking.get(path).text))}
        found = [rows[f"F{number}"]["name"] for number in range(len(names))]
        assert found == ["'=1+1", "'+cmd|' /C calc'!A0", "'-2+3", "'@SUM(A1)", "'\tx", "''=x", "it's", "-5", "plain"]
        assert float(rows["F0"]["lon"]) == pytest.approx(WEST + SIDE / 2)


class TestADiskThatIsFullOrClosed:
    @pytest.fixture
    def closed(self, small_city: str, state_dir: Path) -> Iterator[tuple[httpx.Client, Path]]:
        """A client of a server whose folders for files are not to be had."""
        with (
            live_server(small_city, state_dir=state_dir) as url,
            bearing(url, api_key(small_city, "supervisor")) as client,
        ):
            yield client, state_dir

    def everything(self, client: httpx.Client) -> list[httpx.Response]:
        draft = client.post("/boundaries/drafts", json={"title": "x"}).json()["draft_id"]
        cells = {"file": ("x.geojson", hostile.point())}
        return [
            client.post("/locate", content="lon,lat\n1,2\n" * 1, headers={"Content-Type": "text/csv"}),
            send(client, "a.csv", HEAD + post("P", 0.5)),
            *(
                client.get(f"/collections/grid_cells/export?f={form}")
                for form in ("geojson", "csv", "gpkg", "kml", "xlsx")
            ),
            client.get(f"/boundaries/drafts/{draft}/file"),
            client.post("/boundaries/imports", files=cells, data={"draft_id": draft}),
        ]

    def test_a_folder_that_cannot_be_made(self, closed: tuple[httpx.Client, Path]) -> None:
        client, folder = closed
        for name in ("spool", "imports"):
            (folder / name).write_text("a file stands in its place")
        for answer in self.everything(client):
            told = problem(answer, 507)["detail"]
            assert "cannot keep files" in told
            assert str(folder) not in told
        assert client.get("/healthz").status_code == 200

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
    @pytest.mark.parametrize("options", ["size=4k", "ro"])
    def test_a_disk_that_is_full_or_read_only(self, closed: tuple[httpx.Client, Path], options: str) -> None:
        client, folder = closed
        for name in ("spool", "imports"):
            (folder / name).mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder / name)], check=False)
            if mounted.returncode:
                pytest.skip("this machine does not let us mount")
            if options != "ro":
                (folder / name / "filling").write_bytes(b"x" * 4096)
        try:
            for answer in self.everything(client):
                problem(answer, 507)
            for name in ("spool", "imports"):
                assert {path.name for path in (folder / name).iterdir()} <= {"filling"}
        finally:
            for name in ("spool", "imports"):
                subprocess.run(["umount", "-l", str(folder / name)], check=False)


class TestPatternsThatLookTwice:
    """Texts that took the square of their length, with Python's lock held: everybody waited."""

    def test_a_moment_is_short(self, asking: httpx.Client) -> None:
        began = time.process_time()
        answer = asking.get("/locate", params={"lon": WEST, "lat": SOUTH, "at": "1" * 40_000 + "x"})
        assert answer.status_code == 422
        assert time.process_time() - began < 1

    def test_a_coordinate_is_short(self, asking: httpx.Client) -> None:
        began = time.process_time()
        row = f"1°1{' ' * 100_000}x,37.06,A,n,school\n"
        answer = send(asking, "a.csv", "lon,lat,facility_code,name,facility_kind\n" + row, layer="facilities")
        assert answer.status_code in (201, 422)
        assert time.process_time() - began < 5

    def test_a_text_that_is_never_closed(self, tmp_path: Path) -> None:
        (tmp_path / "points.json").write_bytes(b'{"a":"' + b'\\"' * 450_000)
        began = time.process_time()
        with pytest.raises(UnreadableFile):
            list(READERS["json"](tmp_path / "points.json").batches)
        assert time.process_time() - began < 5

    @pytest.mark.parametrize("text", [b'"a\\"]]]b"', b'"a\\\\"', b'"[[["', b'"\\\\\\""'])
    @pytest.mark.parametrize("cut", range(1, 8))
    def test_texts_across_blocks_are_texts(self, text: bytes, cut: int, tmp_path: Path) -> None:
        body = b'{"a":' + text + b',"points":[[1.0,2.0]]}'
        (tmp_path / "points.json").write_bytes(body)
        with (tmp_path / "points.json").open("rb") as opened:
            guarded = _Guarded(opened)
            while guarded.read(cut):
                pass
            assert guarded._depth == 0


def test_coordinates_within_coordinates_are_told(asking: httpx.Client) -> None:
    draft = asking.post("/boundaries/drafts", json={"title": "x"}).json()["draft_id"]
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    step = {"operation": "carve", "codes": ["A"], "area": {"type": "Polygon", "coordinates": deep}}
    assert "within each other" in problem(asking.post(f"/boundaries/drafts/{draft}/steps", json=step), 422)["detail"]


def test_a_line_that_crosses_very_often_is_refused(asking: httpx.Client) -> None:
    """Of a zigzag of 2,000 corners each piece became a cell, for half a minute; of two, with each other, gigabytes."""
    draft = asking.post("/boundaries/drafts", json={"title": "x"}).json()["draft_id"]
    north = [SOUTH + SIDE / 2, SOUTH + 2 * SIDE]
    line = [[WEST + SIDE * (0.01 + n / 2_000), north[n % 2]] for n in range(1_900)]
    step = {"operation": "split", "codes": ["A"], "line": {"type": "LineString", "coordinates": line}}
    refused = asking.post(f"/boundaries/drafts/{draft}/steps", json=step)
    assert "crosses borders more than" in problem(refused, 422)["detail"]
