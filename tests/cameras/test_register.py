"""Registers of cameras: imported from what platforms send, compared with what is stored, and explained over HTTP."""

import json
import random
from pathlib import Path

import httpx
import pandas as pd
import psycopg
import pytest

from geo_grid.coordinates import to_lonlat
from geo_grid.db import connect
from geo_grid.errors import GeoGridError, InvalidRows, NotFound, UnreadableFile, UserError
from geo_grid.exchange import Mapping, Report, import_file
from geo_grid.exchange.catalogues import take_catalogue
from geo_grid.exchange.datum import SeemsMislabelled
from geo_grid.layers import find_layer
from geo_grid.layers.cameras import local_id
from geo_grid.progress import silent
from tests.cameras.catalogues import catalogue, item
from tests.cameras.lower import UPPER
from tests.conftest import live_server
from tests.identities import api_key, bearing, logged_in, user

HEAD = "gb28181_id,name,lon,lat"


def send(database: str, path: Path, platform: str | None = None, crs: str | None = "EPSG:4490", **how: bool) -> Report:
    mapping = Mapping(constants={"platform_code": platform} if platform else {})
    with connect(database) as connection:
        return import_file(connection, find_layer("cameras"), path, silent, None if platform else crs, mapping, **how)


def rows(database: str, statement: str) -> list[dict]:
    with connect(database) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def city(small_city: str) -> str:
    with connect(small_city) as connection:
        connection.execute(
            "insert into camera_platforms (platform_code, name, source_crs) values ('HK', '平台', 'EPSG:4490'), ('GCJ', 'x', 'GCJ-02')"
        )
    return small_city


def test_a_catalogue_that_lies_is_told_before_it_is_confirmed_and_after(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1)).replace(b"<SumNum>1<", b"<SumNum>5<"))
    tried = send(city, path, dry_run=True)
    assert (tried.is_refused, "announces 5 devices and holds 1" in " ".join(tried.notes)) == (True, True)
    with pytest.raises(UserError, match="announces 5 devices and holds 1"):
        send(city, path)
    report = send(city, path, skip_invalid=True)
    assert (report.imported, "announces 5 devices and holds 1" in " ".join(report.notes)) == (1, True)


def test_a_register_of_which_nothing_can_be_read_says_why(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(f"<Item><Name>{'x' * 70_000}</Name></Item>"))
    with pytest.raises(InvalidRows, match="none of the 1 rows") as refused:
        send(city, path)
    assert "65,536 are taken" in refused.value.rows[0][1]
    path.write_bytes(catalogue("<Item><DeviceID>13050200001180000009</DeviceID></Item>"))
    with pytest.raises(UserError, match="has no rows; 1 items were left out, which are no cameras"):
        send(city, path)


def test_a_catalogue_is_imported_without_its_passwords(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(
        catalogue(
            item(1), item(2, Status="OFF", PTZType="99"), item(3, DeviceID="130502"), "<Item><Name>A & B</Name></Item>"
        )
    )
    with pytest.raises(InvalidRows, match="1 of 3 rows"):
        send(city, path)
    report = send(city, path, skip_invalid=True)
    assert (report.imported, report.rows, report.unassigned) == (2, 3, 0)
    told = " ".join(report.notes)
    assert "3 passwords were dropped" in told
    assert "1 items were left out, which are no cameras: administrative divisions" in told
    assert "1 rows: PTZType 99 occurs" in told
    assert report.skipped[0][0] == 3
    stored = rows(
        city, "select c.*, s.state from cameras c left join camera_states s using (camera_id) order by gb28181_id"
    )
    assert [(row["state"], row["direction_type"], row["grid_code"], row["network_code"]) for row in stored] == [
        ("online", 5, "A", "0"), ("offline", 5, "A", "0")
    ]  # fmt: skip
    assert "/" in stored[0]["parent_id"]
    everything = rows(
        city, "select to_jsonb(c)::text as text from cameras c union all select detail::text from access.audit_log"
    )
    assert not any("geheim" in row["text"] for row in everything)


@pytest.mark.parametrize("announced", [1, 3, 5000])
def test_a_catalogue_that_lies_about_its_count_is_refused(city: str, tmp_path: Path, announced: int) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1), item(2), announced=announced))
    with pytest.raises(UserError, match=f"announces {announced:,} devices and holds 2"):
        send(city, path)
    assert rows(city, "select from cameras") == []
    assert send(city, path, skip_invalid=True).imported == 2


def test_passwords_in_tables_and_addresses_are_dropped(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(
        f"{HEAD},note,登录密码,PassWord\n13050200001320000001,a,114.503,37.003,rtsp://admin:geheim@10.0.0.1/1,geheim,\n"
        "13050200001320000002,b,114.504,37.003,see http://x/@y,,geheim\n"
    )
    report = send(city, path)
    assert "3 passwords were dropped" in " ".join(report.notes)
    assert [row["note"] for row in rows(city, "select note from cameras order by 1")] == [
        "rtsp://10.0.0.1/1",
        "see http://x/@y",
    ]
    assert "geheim" not in json.dumps(vars(report))


IN_TEXTS = (
    "admin:geheim1@10.1.1.1:554/ch1",
    "rtsp：//root:pa@ss/w:geheim2@10.1.1.1",
    "用户名admin 密码:geheim3",
    '{"password":"geheim4"}',
)


@pytest.mark.parametrize("kind", ["csv", "xlsx", "xml", "json", "geojson"])
def test_passwords_in_texts_are_dropped_whatever_the_file(city: str, tmp_path: Path, kind: str) -> None:
    path, keys = tmp_path / f"cameras.{kind}", [f"1305020000132000000{number}" for number in range(4)]
    table = pd.DataFrame({"gb28181_id": keys, "name": "x", "lon": "114.503", "lat": "37.003", "note": IN_TEXTS})
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "xlsx":
        table.to_excel(path, index=False)
    elif kind == "xml":
        path.write_bytes(catalogue(*(item(n, name="x", Address=text, Password="") for n, text in enumerate(IN_TEXTS))))
    elif kind == "json":
        apes = [
            {"ApeID": key, "Name": "x", "Longitude": 114.503, "Latitude": 37.003, "Place": text}
            for key, text in zip(keys, IN_TEXTS, strict=True)
        ]
        path.write_text(json.dumps({"APEListObject": {"APEObject": apes}}))
    else:
        place = {"type": "Point", "coordinates": [114.503, 37.003]}
        features = [
            {"type": "Feature", "geometry": place, "properties": {"gb28181_id": key, "name": "x", "note": text}}
            for key, text in zip(keys, IN_TEXTS, strict=True)
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    report = send(city, path)
    assert "4 passwords were dropped" in " ".join(report.notes)
    assert [row["note"] for row in rows(city, "select note from cameras order by gb28181_id")] == [
        "10.1.1.1:554/ch1", "rtsp：//10.1.1.1", "用户名admin 密码:***", '{"password":"***"}',
    ]  # fmt: skip
    assert "geheim" not in json.dumps(vars(report))
    assert not rows(city, "select from access.audit_log where detail::text like '%geheim%'")


def test_passwords_in_items_and_constants_are_not_stored(city: str, tmp_path: Path) -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [114.503, 37.003]},
        "properties": {
            "gb28181_id": "13050200001320000001", "name": "x 口令是geheim1", "note": "rtsp://a:geheim2@10.1.1.1/1",
            "sight_note": "pwd=geheim3", "owner_name": "密码：geheim4", "purpose": "passwd geheim5", "org_code": "pass:geheim6",
        },
    }  # fmt: skip
    with live_server(city) as url, bearing(url, api_key(city, "supervisor", sees_secret=True)) as client:
        assert client.post("/collections/cameras/items", json=feature).status_code == 201
        held = client.get("/collections/cameras/items/13050200001320000001")
        assert "geheim" not in held.text
        assert held.json()["properties"]["note"] == "rtsp://10.1.1.1/1"
        changed = client.patch(
            "/collections/cameras/items/13050200001320000001",
            json={"properties": {"note": "admin:geheim7@10.1.1.1"}},
            headers={"If-Match": held.headers["etag"], "Content-Type": "application/merge-patch+json"},
        )
        assert changed.status_code in (200, 204), changed.text
    path = tmp_path / "cameras.csv"
    path.write_text(f"{HEAD}\n13050200001320000002,a,114.503,37.003\n")
    with connect(city) as connection:
        mapping = Mapping(constants={"note": "密码:geheim8"})
        import_file(connection, find_layer("cameras"), path, silent, "EPSG:4490", mapping)
    everything = rows(
        city,
        "select to_jsonb(c)::text as text from cameras c union all select to_jsonb(a)::text from access.audit_log a",
    )
    assert not any("geheim" in row["text"] for row in everything)


def test_apes_are_imported_and_faces_are_refused(city: str, tmp_path: Path) -> None:
    ape = {"ApeID": "13050200001190000001", "Name": "卡口", "Longitude": 114.503, "Latitude": 37.003, "IsOnline": "2"}
    path = tmp_path / "apes.json"
    path.write_text(json.dumps({"cameras": [ape["Name"]]}))
    with pytest.raises(UnreadableFile, match="no list of cameras of GA/T 1400: that has APEListObject"):
        send(city, path)
    path.write_text(json.dumps({"APEList": {"APE": [ape]}}))
    assert send(city, path, dry_run=True).imported == 1
    path.write_text(json.dumps({"APEListObject": {"APEObject": [ape]}}))
    assert send(city, path).imported == 1
    assert rows(city, "select state from camera_states") == [{"state": "offline"}]
    path.write_text(
        json.dumps({"APEListObject": {"APEObject": [{**ape, "ApeID": "13050200001190000002", "FaceList": []}]}})
    )
    with pytest.raises(UnreadableFile, match="FaceList"):
        send(city, path)
    assert len(rows(city, "select from cameras")) == 1


def test_a_platform_says_the_datum_and_is_told_when_it_seems_wrong(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(f"{HEAD}\n13050200001320000001,a,114.503,37.003\n")
    with pytest.raises(NotFound, match="no platform 'XX'"):
        send(city, path, "XX")
    with pytest.raises(UserError, match="gives its coordinates in GCJ-02, not BD-09"), connect(city) as connection:
        mapping = Mapping(constants={"platform_code": "GCJ"})
        import_file(connection, find_layer("cameras"), path, silent, "BD-09", mapping)
    send(city, path, "GCJ")
    lon, lat = to_lonlat(114.503, 37.003, "GCJ-02")
    stored = rows(city, "select ST_X(geom) as lon, ST_Y(geom) as lat, platform_code from cameras")[0]
    assert (stored["lon"], stored["lat"]) == (pytest.approx(lon, abs=1e-7), pytest.approx(lat, abs=1e-7))
    assert stored["platform_code"] == "GCJ"
    # the same places as before, said to be CGCS2000: half a kilometre off
    known = [(f"1305020000132{n:07d}", f"路口{n}", 114.503 + n / 5000, 37.003 + n / 7000) for n in range(100, 112)]
    path.write_text(HEAD + "\n" + "".join(f"{key},{name},{x},{y}\n" for key, name, x, y in known))
    send(city, path, "GCJ")
    path.write_text(HEAD + "\n" + "".join(f"{int(key) + 500},{name},{x},{y}\n" for key, name, x, y in known))
    before = rows(city, "select * from cameras order by gb28181_id")
    tried = send(city, path, "HK", dry_run=True)
    assert (tried.is_refused, "look like GCJ-02" in tried.datum_doubt) == (True, True)
    with pytest.raises(SeemsMislabelled, match=r"look like GCJ-02.*correct what is said of HK"):
        send(city, path, "HK")
    assert rows(city, "select * from cameras order by gb28181_id") == before
    assert send(city, path, "HK", crs_is_certain=True, dry_run=True).is_refused is False
    with connect(city) as connection:
        connection.execute("update camera_platforms set is_crs_certain = true where platform_code = 'HK'")
    assert any("look like GCJ-02" in note for note in send(city, path, "HK").notes)
    doubt = rows(city, "select datum_note, imported_at from camera_platforms where platform_code = 'HK'")[0]
    assert "look like GCJ-02" in doubt["datum_note"]
    assert doubt["imported_at"] is not None


@pytest.mark.parametrize("wrong", [3, 60])
def test_some_rows_in_another_datum_are_found_by_their_ids_whatever_they_are_called(
    city: str, tmp_path: Path, wrong: int
) -> None:
    path = tmp_path / "cameras.csv"
    there = [(f"1305020000132{n:07d}", 114.5 + n / 5000, 37 + n / 7000) for n in range(60)]
    read = [(key, *to_lonlat(x, y, "GCJ-02")) for key, x, y in there]
    path.write_text("\n".join([HEAD, *(f"{key},a{key},{x:.8f},{y:.8f}" for key, x, y in read)]))
    send(city, path, "HK")
    mixed = [*there[:wrong], *read[wrong:]]
    path.write_text("\n".join([HEAD, *(f"{key},b{key},{x:.8f},{y:.8f}" for key, x, y in mixed)]))
    with pytest.raises(SeemsMislabelled, match=f"of 60 that are stored already, {wrong} look like GCJ-02"):
        send(city, path, "HK")
    assert rows(city, "select from camera_proposals") == []
    moved = [(key, x + 0.004, y) for key, x, y in read[:5]]  # in no datum: they moved
    path.write_text("\n".join([HEAD, *(f"{key},b{key},{x:.8f},{y:.8f}" for key, x, y in [*moved, *read[5:]])]))
    assert "5 cameras are elsewhere now" in " ".join(send(city, path, "HK").notes)


def test_a_place_that_is_no_place_of_the_city_is_refused(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(f"{HEAD}\n13050200001320000001,a,0,0\n13050200001320000002,b,114.503,37.003\n")
    with pytest.raises(InvalidRows) as refused:
        send(city, path)
    assert refused.value.rows[0] == (1, "lon 0.000000 lat 0.000000 is 12168 km outside the city")
    assert send(city, path, skip_invalid=True).imported == 1
    with live_server(city) as url, bearing(url, api_key(city, "supervisor", sees_secret=True)) as client:
        place = {"geometry": {"type": "Point", "coordinates": [0, 0]}}
        changed = client.patch("/collections/cameras/items/13050200001320000002", json=place)
        assert (changed.status_code, "km outside the city" in changed.text) == (422, True)
        named = client.patch(
            "/collections/cameras/items/13050200001320000002", json={"properties": {"platform_code": "NOPE"}}
        )
        assert (named.status_code, "no such platform" in named.text) == (409, True)
        seen = {"properties": {"sight_note": "看得到女更衣室里面"}}
        assert client.patch("/collections/cameras/items/13050200001320000002", json=seen).status_code == 422


def test_a_catalogue_over_sip_half_a_kilometre_off_leaves_the_register_and_says_why(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    there = [item(number, 114.5 + number / 5000, 37 + number / 7000) for number in range(12)]
    path.write_bytes(catalogue(*there))
    assert take_catalogue(city, path, "GCJ", is_whole=True, timezone="Asia/Shanghai").imported == 12
    path.write_bytes(catalogue(*(one.replace("1305020000132", "1305020000131") for one in there)))
    with pytest.raises(SeemsMislabelled, match="look like GCJ-02"):
        take_catalogue(city, path, "HK", is_whole=True, timezone="Asia/Shanghai")
    (platform,) = rows(city, "select datum_note, imported_at from camera_platforms where platform_code = 'HK'")
    assert ("look like GCJ-02" in platform["datum_note"], platform["imported_at"]) == (True, None)
    assert len(rows(city, "select from cameras")) == 12


def test_a_mutilated_catalogue_is_refused_and_the_register_stays(city: str, tmp_path: Path) -> None:
    path, rng, refused = tmp_path / "catalogue.xml", random.Random(28181), 0
    path.write_bytes(whole := catalogue(*(item(number) for number in range(1, 21))))
    send(city, path, "HK")
    before = rows(city, "select c.*, ST_AsText(geom) as place from cameras c order by gb28181_id")
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 20)):
            place = rng.randrange(len(broken))
            broken[place : place + rng.randint(0, 30)] = rng.randbytes(rng.randint(0, 3))
        path.write_bytes(broken)
        error: GeoGridError | None = None
        try:
            send(city, path, "HK")
        except GeoGridError as refusal:
            error = refusal
        now = rows(city, "select c.*, ST_AsText(geom) as place from cameras c order by gb28181_id")
        if error is not None:
            refused += 1
            assert (now, "geheim" in str(error)) == (before, False)
        before = now
    assert refused > 30


_OPEN = "select distance_m from camera_proposals where decided_at is null"


def test_a_register_that_comes_again_is_compared_and_moves_are_proposed(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1), item(2)))
    send(city, path, "HK")
    with pytest.raises(InvalidRows, match="nothing was changed"):
        send(city, path)  # nobody's register: as for other layers
    path.write_bytes(catalogue(item(1), item(2, lat=37.0035, Status="OFF"), item(3, name="新", lat=37.004)))
    tried = send(city, path, "HK", dry_run=True)
    assert "1 cameras are elsewhere now" in " ".join(tried.notes)
    assert rows(city, "select from camera_proposals") == []
    report = send(city, path, "HK")
    assert (report.imported, report.skipped) == (1, [])
    send(city, path, "HK")  # nothing is proposed twice
    proposed = rows(city, "select * from camera_proposals")
    assert [(one["proposal_kind"], round(one["distance_m"])) for one in proposed] == [("moved", 55)]
    path.write_bytes(catalogue(item(1), item(2, lat=37.0036), item(3, name="新", lat=37.004)))
    send(city, path, "HK")  # elsewhere again: one proposal, of the newest place
    path.write_bytes(catalogue(item(1), item(2, Status="OFF"), item(3, name="新", lat=37.004)))
    assert [round(one["distance_m"]) for one in rows(city, _OPEN)] == [67]
    send(city, path, "HK")
    assert rows(city, _OPEN) == []  # it is back
    places = rows(
        city, "select ST_Y(geom) as lat, state from cameras join camera_states using (camera_id) order by gb28181_id"
    )
    assert [(round(one["lat"], 4), one["state"]) for one in places] == [
        (37.003, "online"),
        (37.003, "offline"),
        (37.004, "online"),
    ]


def test_proposals_are_decided_by_a_person(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text("name,lon,lat\n东门,114.503,37.003\n西门,114.504,37.003\n")
    send(city, path)
    local = local_id(
        "东门", *rows(city, "select ST_X(geom) as x, ST_Y(geom) as y from cameras where name = '东门'")[0].values()
    )
    path.write_bytes(b"")
    path = tmp_path / "catalogue.xml"
    path.write_bytes(
        catalogue(
            item(1, name="东门"),
            item(2, 114.504, name="西门"),
            item(3, 114.5045, name="南门"),
            item(4, 114.5045, name="南门"),
        )
    )
    notes = " ".join(send(city, path, "HK").notes)
    assert "2 rows seem to be cameras with a local ID" in notes
    assert "1 new cameras seem to be others" in notes
    with live_server(city) as url, bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
        with bearing(url, api_key(city, "planner")) as blind:  # who gives no numbers is not asked about them
            asked = blind.get("/cameras/proposals").json()["proposals"]
            assert [one["proposal_kind"] for one in asked] == ["duplicate"]
        waiting = planner.get("/cameras/proposals").json()["proposals"]
        assert [(one["proposal_kind"], one["name"]) for one in waiting] == [
            ("national_id", "东门"), ("national_id", "西门"), ("duplicate", "南门")
        ]  # fmt: skip
        first, second, third = (f"/cameras/proposals/{one['proposal_id']}/decision" for one in waiting)
        assert planner.post(first, json={"is_accepted": True}).json()["gb28181_id"] == "13050200001320000001"
        assert planner.get(f"/collections/cameras/items/{local}").status_code == 404
        assert planner.get("/collections/cameras/items/13050200001320000001").json()["properties"]["name"] == "东门"
        assert planner.post(first, json={"is_accepted": True}).status_code == 404  # decided
        assert planner.post(second, json={"is_accepted": False}).status_code == 200
        assert planner.post(third, json={"is_accepted": True}).json()["gb28181_id"] == waiting[2]["gb28181_id"]
        assert planner.get(f"/collections/cameras/items/{waiting[2]['gb28181_id']}").status_code == 404
        assert planner.get("/cameras/proposals").json()["proposals"] == []
    report = send(city, path, "HK")  # what was refused to be one is a camera of its own
    assert "13050200001320000002" in {row["gb28181_id"] for row in rows(city, "select gb28181_id from cameras")}
    assert report.imported == 1  # without the double that was removed


def test_a_double_that_was_removed_stays_away_until_somebody_adds_it(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(3, 114.5045, name="南门"), item(4, 114.5045, name="南门")))
    send(city, path, "HK")
    with live_server(city) as url, bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
        (double,) = planner.get("/cameras/proposals").json()["proposals"]
        assert (
            planner.post(f"/cameras/proposals/{double['proposal_id']}/decision", json={"is_accepted": True}).status_code
            == 200
        )
        again = send(city, path, "HK")
        assert (again.imported, "1 cameras were removed as doubles of others" in " ".join(again.notes)) == (0, True)
        assert rows(city, "select from camera_proposals where decided_at is null") == []
        added = planner.post(
            "/collections/cameras/items",
            content=json.dumps(given(double["gb28181_id"])),
            headers={"Content-Type": "application/geo+json"},
        )
        assert added.status_code == 201, added.text
        assert rows(city, "select from removed_doubles") == []  # whoever adds it says that it is none
        for number in (3, 4):
            planner.delete(f"/collections/cameras/items/1305020000132000000{number}")
    assert send(city, path, "HK").imported == 2


def test_a_move_that_was_refused_is_not_proposed_again_but_another_is(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1)))
    send(city, path, "HK")
    path.write_bytes(catalogue(item(1, lat=37.0035)))
    send(city, path, "HK")
    with live_server(city) as url, bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
        (move,) = planner.get("/cameras/proposals").json()["proposals"]
        planner.post(f"/cameras/proposals/{move['proposal_id']}/decision", json={"is_accepted": False})
    assert "elsewhere now" not in " ".join(send(city, path, "HK").notes)
    path.write_bytes(catalogue(item(1, lat=37.0036)))
    assert "1 cameras are elsewhere now" in " ".join(send(city, path, "HK").notes)
    path.write_bytes(catalogue(item(1)))
    send(city, path, "HK")  # it is back, which withdraws that; nobody refused it
    path.write_bytes(catalogue(item(1, lat=37.0036)))
    assert "1 cameras are elsewhere now" in " ".join(send(city, path, "HK").notes)


def test_of_two_national_ids_for_one_camera_it_gets_one(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text("gb28181_id,name,lon,lat\nLOCAL-TW1,东门,114.503,37.003\n")
    send(city, path)
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1, name="东门"), item(2, name="东门")))
    send(city, path, "HK")
    with live_server(city) as url, bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
        first, second = (
            f"/cameras/proposals/{one['proposal_id']}/decision"
            for one in planner.get("/cameras/proposals").json()["proposals"]
        )
        assert planner.post(first, json={"is_accepted": True}).status_code == 200
        assert planner.post(second, json={"is_accepted": True}).status_code == 404
    send(city, path, "HK")  # the other is a camera of its own
    assert len(rows(city, "select from cameras where name = '东门'")) == 2


def test_thousands_of_proposals_are_counted_listed_and_decided_at_once(city: str, tmp_path: Path) -> None:
    path, many = tmp_path / "cameras.csv", 1_200
    lines = [f"1305020000132{number:07d},c{number},{{lon}},37.00{number % 10}" for number in range(many)]
    path.write_text("\n".join([HEAD, *lines]).replace("{lon}", "114.503"))
    send(city, path, "HK")
    path.write_text("\n".join([HEAD, *lines]).replace("{lon}", "114.5035"))
    send(city, path, "HK")
    with live_server(city) as url, bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
        page = planner.get("/cameras/proposals").json()
        assert (len(page["proposals"]), page["waiting"]) == (
            500, [{"proposal_kind": "moved", "source": "cameras.csv", "count": many}],
        )  # fmt: skip
        seen, following = len(page["proposals"]), page["next"]
        while following:
            page = planner.get(following).json()
            seen, following = seen + len(page["proposals"]), page["next"]
        assert seen == many
        about = {"proposal_kind": "moved", "source": "cameras.csv"}
        assert (
            planner.post("/cameras/proposals/decisions", json={**about, "source": "x", "is_accepted": True}).status_code
            == 404
        )
        done = planner.post("/cameras/proposals/decisions", json={**about, "is_accepted": True}, timeout=60)
        assert done.json() == {"decided": many, "left": 0}
    assert rows(city, "select count(*) as n from cameras where ST_X(geom) > 114.5034") == [{"n": many}]


def test_who_saw_a_camera_is_told_under_its_national_id_too(city: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text("gb28181_id,name,lon,lat\nLOCAL-HIST,x,114.503,37.003\n")
    send(city, path)
    with live_server(city) as url:
        with bearing(url, api_key(city, "dispatcher")) as dispatcher:
            opened = dispatcher.post("/cameras/LOCAL-HIST/openings", json={"reason": "a look"})
            assert opened.status_code == 201, opened.text
        with bearing(url, api_key(city, "planner", sees_secret=True)) as planner:
            changed = planner.patch(
                "/collections/cameras/items/LOCAL-HIST", json={"properties": {"gb28181_id": "13050200001320000009"}}
            )
            assert changed.status_code == 200, changed.text
        with logged_in(url, user(city, "auditor")) as auditor:
            told = auditor.get("/cameras/13050200001320000009/openings").json()["openings"]
    assert [one["audit_id"] for one in told] == [opened.json()["audit_id"]]


def test_ids_and_platforms_over_http(city: str) -> None:
    with live_server(city, sip_id=UPPER) as url, bearing(url, api_key(city, "supervisor", sees_secret=True)) as client:
        told = client.get("/cameras/ids/13050200001180000001").json()
        assert (told["is_camera"], told["type"]["zh"]) == (False, "网络视频录像机")
        for bad in ("1305020000132000001", "130502000013200000011", "1305020000132000000A"):
            refused: httpx.Response = client.get(f"/cameras/ids/{bad}")
            assert refused.status_code in (400, 422)
            assert "20 digits" in refused.json()["detail"]
        made = client.put("/cameras/platforms/NEW", json={"name": "新平台", "source_crs": "BD-09"})
        assert (made.status_code, made.json()["source_crs"]) == (200, "BD-09")
        assert client.put("/cameras/platforms/NEW", json={"name": "x", "source_crs": "nonsense"}).status_code in (
            400,
            422,
        )
        sip = {"name": "x 密码：geh1", "source_crs": "GCJ-02", "gb28181_id": "13050200002000000009", "is_enabled": True}
        assert client.put("/cameras/platforms/SIP", json=sip).json()["name"] == "x 密码：***"
        ourselves = client.put("/cameras/platforms/SIP", json={**sip, "gb28181_id": UPPER})
        assert (ourselves.status_code, "what we are called ourselves" in ourselves.json()["detail"]) == (422, True)
        assert [one["platform_code"] for one in client.get("/cameras/platforms").json()["platforms"]] == [
            "GCJ",
            "HK",
            "NEW",
            "SIP",
        ]
        for key in (api_key(city, "planner", ["A"]), api_key(city, "supervisor")):  # of some cells; sees no secret ones
            with bearing(url, key) as mine:
                for code in ("NEW", "SIP", "NONE"):
                    for refused in (
                        mine.put(f"/cameras/platforms/{code}", json={"name": "x", "source_crs": "GCJ-02"}),
                        mine.post(f"/cameras/platforms/{code}/queries"),
                    ):
                        told = refused.json()["detail"]
                        assert (refused.status_code, "and sees secret cameras" in told) == (403, True), told
        assert client.post("/cameras/platforms/NONE/queries").status_code == 404
        asked = client.post("/cameras/platforms/NEW/queries")
        assert (asked.status_code, "enable it first" in asked.json()["detail"]) == (409, True)
        nobody = client.post("/cameras/platforms/SIP/queries")
        assert (nobody.status_code, "nobody listens to platforms now" in nobody.json()["detail"]) == (409, True)
        with connect(city) as connection:
            connection.execute("insert into platform_door values (true, 'x', 5060, now(), now(), 0)")
        assert client.post("/cameras/platforms/SIP/queries").status_code == 202
        place = {"type": "Point", "coordinates": [114.503, 37.003]}
        camera = {
            "type": "Feature",
            "geometry": place,
            "properties": {"gb28181_id": "13050200001210000001", "name": "x", "direction_type": 5},
        }
        assert client.post("/collections/cameras/items", json=camera).status_code == 201
        camera["properties"] |= {"gb28181_id": "13050200001210000002", "name": "宿舍303"}
        refused = client.post("/collections/cameras/items", json=camera)
        assert (refused.status_code, "State Council Order 799" in refused.json()["detail"]) == (422, True)


def test_why_a_camera_is_refused_or_changed_otherwise_is_said(city: str) -> None:
    items = "/collections/cameras/items"
    with live_server(city) as url, bearing(url, api_key(city, "planner", ["A"])) as client:
        refused = client.post(items, json=given("LOCAL-1", is_secret=True))
        assert (refused.status_code, "by who sees secret cameras" in refused.json()["detail"]) == (403, True)
        made = client.post(items, json=given("LOCAL-1", is_demo=True, note="token: geh1"))
        assert made.status_code == 201, made.text
        for change, status in (({"is_secret": True}, 403), ({"is_demo": True, "purpose": "x"}, 200)):
            headers = {
                "Content-Type": "application/merge-patch+json",
                "If-Match": client.get(f"{items}/LOCAL-1").headers["ETag"],
            }
            done = client.patch(f"{items}/LOCAL-1", json={"type": "Feature", "properties": change}, headers=headers)
            assert done.status_code == status, done.text
    assert rows(city, "select is_demo, is_secret, purpose, note from cameras") == [
        {"is_demo": False, "is_secret": False, "purpose": "x", "note": "token: ***"}
    ]


def given(number: str, **more: object) -> dict:
    place = {"type": "Point", "coordinates": [114.503, 37.003]}
    return {"type": "Feature", "geometry": place, "properties": {"gb28181_id": number, "name": "x", **more}}


def test_a_platform_is_named_by_its_catalogue_or_by_who_sees_all_cameras(city: str) -> None:
    """A platform is called by the number of a camera alone: whoever planted the number of another one had its picture."""
    theirs, items = "13050200001320000077", "/collections/cameras/items"
    with live_server(city) as url:
        for key in (api_key(city, "planner", ["A"]), api_key(city, "supervisor")):
            with bearing(url, key) as client:
                refused = client.post(items, json=given(theirs, platform_code="HK"))
                assert (refused.status_code, "named by its catalogue" in refused.json()["detail"]) == (403, True)
                own = f"LOCAL-{client.headers['Authorization'][-6:]}"
                assert client.post(items, json=given(own)).status_code == 201
                change = {"type": "Feature", "properties": {"platform_code": "HK"}}
                headers = {
                    "Content-Type": "application/merge-patch+json",
                    "If-Match": client.get(f"{items}/{own}").headers["ETag"],
                }
                assert client.patch(f"{items}/{own}", json=change, headers=headers).status_code == 403
                file = f"gb28181_id,name,lon,lat,platform_code\n{theirs},x,114.503,37.003,HK\n".encode()
                sent = client.post(
                    "/imports", files={"file": ("a.csv", file)}, data={"layer": "cameras", "source_crs": "EPSG:4490"}
                )
                assert sent.status_code == 403, sent.text
        with bearing(url, api_key(city, "supervisor", sees_secret=True)) as client:
            assert client.post(items, json=given(theirs, platform_code="HK")).status_code == 201
    assert rows(city, "select gb28181_id from cameras where platform_code is not null") == [{"gb28181_id": theirs}]
    with pytest.raises(psycopg.errors.UniqueViolation), connect(city) as connection:
        connection.execute("alter table cameras disable trigger cameras_once")
        connection.execute("insert into cameras (gb28181_id, name, platform_code, geom) select gb28181_id, 'y', 'GCJ', geom"
                           " from cameras where platform_code = 'HK'")  # fmt: skip


def test_a_platform_tells_nothing_of_cameras_of_another(city: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.xml"
    path.write_bytes(catalogue(item(1), item(2)))
    assert send(city, path, "HK").imported == 2
    path.write_bytes(catalogue(item(1, Longitude="114.509", Status="OFF"), item(3)))
    with pytest.raises(InvalidRows, match="1 of 2 rows"):
        send(city, path, "GCJ")
    report = send(city, path, "GCJ", skip_invalid=True)
    assert report.imported == 1
    assert "is a camera of HK" in report.skipped[0][1]
    assert rows(city, "select * from camera_proposals") == []
    states = rows(
        city, "select platform_code, state from cameras join camera_states using (camera_id) order by gb28181_id"
    )
    assert [row["state"] for row in states if row["platform_code"] == "HK"] == ["online"] * 2


def test_what_is_said_of_a_platform_is_for_who_sees_the_city(city: str) -> None:
    with connect(city) as connection:
        connection.execute("update camera_platforms set datum_note = 'looks like GCJ-02'")
        connection.execute(
            "insert into platform_links (platform_code, is_online, trouble, note, announced)"
            " values ('HK', true, 'catalogue: it announced 7 devices', 'item 3: 客房5 is refused', 7)"
        )

    def told(key: str) -> tuple[object, ...]:
        with bearing(url, key) as client:
            (one,) = [
                one for one in client.get("/cameras/platforms").json()["platforms"] if one["platform_code"] == "HK"
            ]
            link = one["link"] or {}
            return one["datum_note"], link.get("announced"), link.get("note"), link.get("trouble")

    with live_server(city) as url:
        assert told(api_key(city, "planner", ["A"])) == ("", None, None, None)
        *rest, trouble = told(api_key(city, "supervisor"))  # counts would tell how many secret ones a platform has
        assert (rest, "7" in str(trouble), "is told what is wrong" in str(trouble)) == (
            ["looks like GCJ-02", None, ""],
            False,
            True,
        )
        assert told(api_key(city, "supervisor", sees_secret=True))[1:] == (
            7,
            "item 3: 客房5 is refused",
            "catalogue: it announced 7 devices",
        )


def test_a_camera_without_a_national_id_says_its_network_itself(city: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        f"{HEAD},local_network\nLOCAL-1,x,114.503,37.003,7\nLOCAL-2,y,114.504,37.003,\n13050200001325000001,z,114.505,37.003,7\n"
    )
    send(city, path)
    found = rows(city, "select gb28181_id, network_code from cameras order by name")
    assert [row["network_code"] for row in found] == ["7", "", "5"]
    path.write_text(f"{HEAD},local_network\nLOCAL-3,x,114.503,37.003,77\n")
    with pytest.raises(InvalidRows):
        send(city, path)
    with connect(city) as connection:  # once it has its number, that says it
        connection.execute("update cameras set gb28181_id = '13050200001326000002' where gb28181_id = 'LOCAL-1'")
    assert rows(city, "select network_code from cameras where name = 'x'") == [{"network_code": "6"}]


@pytest.mark.parametrize("far", ["5001", "1e12", "inf", "nan", "Infinity"])
def test_nothing_is_seen_beyond_five_kilometres(city: str, tmp_path: Path, far: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEAD},range_m\n13050200001320000001,x,114.503,37.003,{far}\n")
    with pytest.raises(InvalidRows):
        send(city, path)
    with live_server(city) as url, bearing(url, api_key(city, "supervisor")) as client:
        answer = client.post(
            "/collections/cameras/items",
            content=json.dumps(given("13050200001320000001", range_m=float(far))),
            headers={"Content-Type": "application/geo+json"},
        )
        assert answer.status_code in (400, 422), answer.text


def test_columns_may_have_the_chinese_names_of_fields(city: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "国标编码,名称,经度,纬度,可视距离\n13050200001320000001,东门,114.503,37.003,80\n", encoding="gb18030"
    )
    report = send(city, path)
    assert report.fields["gb28181_id"] == "国标编码"
    assert rows(city, "select gb28181_id, name, range_m from cameras") == [
        {"gb28181_id": "13050200001320000001", "name": "东门", "range_m": 80.0}
    ]
