"""Files sent over HTTP: tried first, confirmed by whoever sent them, within their rights; hostile ones are refused."""

import http.client
import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import pytest
import shapely

from geo_grid.coordinates import snap, source_crs
from geo_grid.db import connect
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

HEAD = "post_code,name,lon,lat\n"


def post(code: str, column: float, row: float = 0.5) -> str:
    return f"{code},警务站{code},{WEST + column * SIDE},{SOUTH + row * SIDE}\n"


def send(client: httpx.Client, name: str, body: bytes | str, **fields: Any) -> httpx.Response:
    data = {"layer": "police_posts", "source_crs": "EPSG:4490", **fields}
    content = body.encode() if isinstance(body, str) else body
    return client.post("/imports", files={"file": (name, content)}, data=data)


def stored(client: httpx.Client, layer: str = "police_posts") -> list[str]:
    found = client.get(f"/collections/{layer}/items?limit=1000").json()["features"]
    return [feature["id"] for feature in found]


def test_a_file_is_tried_then_confirmed(planner: httpx.Client, city: tuple[str, str]) -> None:
    body = HEAD + post("P1", 0.5) + post("P2", 1.5) + post("P1", 0.25) + "P3,x,no,number\n" + post("P4", 7)
    tried = send(planner, "posts.csv", body)
    assert tried.status_code == 201, tried.text
    report = tried.json()
    assert (report["rows"], report["importable"], report["bad_row_count"], report["duplicates"]) == (5, 3, 2, 1)
    assert [bad["row"] for bad in report["bad_rows"]] == [3, 4]
    assert report["fields"]["post_code"] == "post_code"
    assert stored(planner) == []
    address = f"/imports/{report['import_id']}/confirmation"
    refused = planner.post(address, json={})
    assert refused.status_code == 422
    assert [fault["row"] for fault in refused.json()["errors"]] == [3, 4]
    with bearing(city[0], api_key(city[1], "planner")) as other:
        assert other.post(address, json={"skip_invalid": True}).status_code == 404
        assert other.delete(f"/imports/{report['import_id']}").status_code == 404
    done = planner.post(address, json={"skip_invalid": True})
    assert (done.status_code, done.json()["importable"]) == (200, 3)
    assert stored(planner) == ["P1", "P2", "P4"]
    assert planner.post(address, json={"skip_invalid": True}).status_code == 404
    with connect(city[1]) as connection:
        acts = connection.execute("select object_id from access.audit_log where action = 'feature.create'").fetchall()
    assert {act["object_id"] for act in acts} == {"P1", "P2", "P4"}


def test_what_somebody_stores_meanwhile_is_named_as_what_was_stored_before(
    planner: httpx.Client, city: tuple[str, str]
) -> None:
    """A file that was confirmed twice at once took three minutes to be refused: row by row, each staged anew."""
    sent = send(
        planner, "posts.csv", HEAD + "".join(post(f"P{number}", number / 3000) for number in range(3000))
    ).json()
    address = f"/imports/{sent['import_id']}/confirmation"
    with ThreadPoolExecutor(1) as beside, connect(city[1]) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom)"
            " select 'P' || n, 'Px', ST_SetSRID(ST_MakePoint(%s, %s), 4490) from generate_series(0, 2998) n",
            list(snap(np.array([WEST + SIDE / 2, SOUTH + SIDE / 2]))),
        )
        confirmed = beside.submit(planner.post, address, json={"skip_invalid": True}, timeout=60)
        until = time.monotonic() + 30
        waits = "select count(*) from pg_locks where not granted"
        while not connection.execute(waits).fetchone()["count"]:  # type: ignore[index]
            assert time.monotonic() < until
            time.sleep(0.05)
        connection.commit()
        done = confirmed.result()
    assert (done.status_code, done.json()["importable"], done.json()["duplicates"]) == (200, 1, 2999)
    assert "is stored already" in done.json()["bad_rows"][0]["reason"]


def test_columns_and_constants_are_named(planner: httpx.Client) -> None:
    body = f"编号,名称,x,y\nC1,摄像机,{WEST + 0.5 * SIDE},{SOUTH + 0.5 * SIDE}\n"
    missing = send(planner, "c.csv", body, layer="facilities")
    assert missing.status_code == 422
    assert "needs facility_code" in missing.json()["detail"]
    tried = send(
        planner, "c.csv", body, layer="facilities",
        columns=json.dumps({"facility_code": "编号", "name": "名称"}), constants=json.dumps({"facility_kind": "school"}),
    )  # fmt: skip
    assert tried.status_code == 201, tried.text
    assert tried.json()["columns"] == ["编号", "名称", "x", "y"]
    assert planner.delete(f"/imports/{tried.json()['import_id']}").status_code == 204
    assert planner.post(f"/imports/{tried.json()['import_id']}/confirmation", json={}).status_code == 404
    assert send(planner, "c.csv", body, columns="[1]").status_code == 422


def test_cameras_get_their_owner_and_only_ones_own_cells_are_written(city: tuple[str, str]) -> None:
    url, database = city
    rows = "".join(f"LOCAL-{n:02},x,{WEST + x * SIDE},{SOUTH + 0.5 * SIDE}\n" for n, x in enumerate((0.5, 1.5, 9)))
    body = "gb28181_id,name,lon,lat\n" + rows
    with bearing(url, api_key(database, "planner", ["A"])) as mine:
        report = send(mine, "c.csv", body, layer="cameras").json()
        assert (report["importable"], report["bad_row_count"]) == (1, 2)
        assert {bad["reason"] for bad in report["bad_rows"]} == {"it lies in none of your grid cells"}
        done = mine.post(f"/imports/{report['import_id']}/confirmation", json={"skip_invalid": True})
        assert done.status_code == 200, done.text
        assert stored(mine, "cameras") == ["LOCAL-00"]
        assert mine.get("/collections/cameras/items/LOCAL-00").json()["properties"]["grid_code"] == "A"
    with bearing(url, api_key(database, "planner", sees_secret=False)) as planner:
        secret = send(planner, "c.csv", "gb28181_id,lon,lat,is_secret\nLOCAL-9,114.5,37,true\n", layer="cameras")
        assert (secret.status_code, "registered by who sees secret cameras" in secret.text) == (422, True)


@pytest.mark.parametrize(("true", "said"), [("GCJ-02", "EPSG:4490"), ("BD-09", "GCJ-02"), ("EPSG:4490", "GCJ-02")])
def test_a_datum_that_is_mislabelled_is_guessed(
    planner: httpx.Client, city: tuple[str, str], true: str, said: str
) -> None:
    chance = np.random.default_rng(7)
    lon, lat = snap(114.5 + chance.random(60) * 0.1), snap(37 + chance.random(60) * 0.1)
    with connect(city[1]) as connection:
        for x, y in zip(lon, lat, strict=True):
            line = shapely.LineString([(x, y), (x + 2**-10, y)])
            connection.execute(
                "insert into roads (road_class, geom) values ('primary', ST_GeomFromEWKB(%s))",
                (shapely.to_wkb(shapely.set_srid(line, 4490), include_srid=True),),
            )
    body = HEAD
    for number, (x, y) in enumerate(zip(lon, lat, strict=True)):
        sent = _shifted(float(x), float(y), true)
        body += f"Q{number},x,{sent[0]:.8f},{sent[1]:.8f}\n"
    answer = send(planner, "posts.csv", body, source_crs=said)
    assert answer.status_code == 201, answer.text
    notes = answer.json()["notes"]
    names = {"EPSG:4490": "WGS 84 or CGCS2000"}
    assert len(notes) == 1
    assert f"look like {names.get(true, true)}, not {names.get(said, said)}" in notes[0]
    rightly = send(planner, "posts.csv", body, source_crs=true).json()
    assert (rightly["notes"], rightly["datum_doubt"]) == ([], "")
    address = f"/imports/{answer.json()['import_id']}/confirmation"
    refused = planner.post(address, json={})
    assert refused.status_code == 422
    assert "not imported: the coordinates look like" in refused.json()["detail"]
    assert "crs_is_certain" in refused.json()["detail"]
    assert stored(planner) == []
    assert planner.post(address, json={"crs_is_certain": True}).json()["importable"] == 60


def _shifted(lon: float, lat: float, crs: str) -> tuple[float, float]:
    """What a device in that datum would say: the conversion turned round, by going back from where it leads."""
    x, y = np.array([lon]), np.array([lat])
    for _ in range(20):
        back = source_crs(crs).convert(x, y)
        x, y = x + lon - back[0], y + lat - back[1]
    return float(x[0]), float(y[0])


def shapefile(folder: Path, encoding: str) -> bytes:
    frame = gpd.GeoDataFrame(
        {"post_code": ["S1"], "name": ["邢台站"]}, geometry=[shapely.Point(WEST + SIDE / 2, SOUTH + SIDE / 2)], crs=4490
    )
    frame.to_file(folder / "s.shp", encoding=encoding)
    (folder / "s.cpg").unlink(missing_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in folder.glob("s.*"):
            archive.write(part, f"../../../{part.name}")  # a path that leads out
    return packed.getvalue()


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
def test_a_zipped_shapefile_is_read_under_names_of_ours(planner: httpx.Client, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deep/er/still").mkdir(parents=True)
    tried = send(planner, "s.zip", shapefile(tmp_path / "deep/er/still", encoding))
    assert tried.status_code == 201, tried.text
    assert planner.post(f"/imports/{tried.json()['import_id']}/confirmation", json={}).status_code == 200
    assert planner.get("/collections/police_posts/items/S1").json()["properties"]["name"] == "邢台站"


def bomb() -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.shp", "w", force_zip64=True) as part,
    ):
        for _ in range(1100):
            part.write(bytes(1 << 20))
    return packed.getvalue()


def test_hostile_files_are_refused(planner: httpx.Client, city: tuple[str, str]) -> None:
    assert "unpacks to more than" in send(planner, "b.zip", bomb()).json()["detail"]
    for name, body, words in (
        ("x.zip", b"PK\x03\x04broken", "not a readable archive"),
        ("x.zip", b"", "is empty"),
        ("x.exe", b"MZ", "unknown kind"),
        ("../../../etc/passwd", b"root", "unknown kind"),
        ("a.geojson", b"[" * 100_000, "not GeoJSON"),
        ("a.csv", b"\0" * 1000, "not a CSV"),
        ("a.gpkg", b"SQLite format 3\0 and then nothing", "not a readable"),
    ):
        answer = send(planner, name, body)
        assert answer.status_code == 422, (name, answer.text)
        assert words in answer.json()["detail"], answer.text
    for layer in ("grid_cells", "incidents", "roads"):
        assert send(planner, "a.csv", HEAD, layer=layer).status_code == 405
    assert send(planner, "a.csv", HEAD, layer="nothing").status_code == 404
    # 10 GB: refused by what it says of itself, before a byte of it is read
    connection = http.client.HTTPConnection(city[0].removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/imports")
    for header, value in (("Authorization", planner.headers["authorization"]), ("Content-Length", str(10 << 30)),
                          ("Content-Type", "multipart/form-data; boundary=x")):  # fmt: skip
        connection.putheader(header, value)
    connection.endheaders()
    large = connection.getresponse()
    assert (large.status, large.getheader("content-type")) == (413, "application/problem+json")
    assert stored(planner) == []


def test_words_are_of_the_web_and_tell_no_place_on_the_server(planner: httpx.Client) -> None:
    for name, body, fields, words in (
        ("邢台.csv", b"", {}, "邢台.csv is empty"),
        ("邢台.csv", (HEAD + post("P1", 0.5)).encode(), {"source_crs": ""}, "name them with source_crs"),
        ("邢台.csv", b"a,b\n1,2\n", {}, "lon_column"),
        ("邢台.csv", (HEAD + "P1,x,no,1\n").encode(), {}, "none of the 1 rows of 邢台.csv"),
    ):
        answer = send(planner, name, body, **fields)
        assert answer.status_code == 422
        assert words in answer.json()["detail"], answer.text
        assert "/imports/" not in answer.text
        assert "--" not in answer.json()["detail"]


def test_a_shape_with_very_many_corners_is_refused(planner: httpx.Client) -> None:
    angle = np.linspace(0, 2 * np.pi, 5_000_000, endpoint=False)  # takes half the memory that there is for a file
    ring = shapely.Polygon(np.column_stack([114.5 + 0.01 * np.cos(angle), 37 + 0.01 * np.sin(angle)]))
    file = io.BytesIO()
    gpd.GeoDataFrame({"post_code": ["B"], "name": ["x"]}, geometry=[ring], crs=4326).to_parquet(file)
    begun = time.monotonic()
    answer = send(planner, "big.parquet", file.getvalue())
    assert time.monotonic() - begun < 60
    assert answer.status_code == 422, answer.text
    assert "Polygon" in answer.json()["errors"][0]["detail"]
