"""Positions of cameras that move: in batches, the last of each, apart from the register."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from geo_grid.coordinates import snap
from geo_grid.db import connect
from tests.cameras.door import ask, until
from tests.conftest import live_server
from tests.identities import api_key, bearing

BODY, CAR, SECRET, FIXED = (f"1305020000132000000{n}" for n in range(4))
STATION, THERE, FAR = (114.50390625, 37.00390625), (114.51171875, 37.01171875), (116.4, 39.9)
BOX = "114.5,37,114.52,37.02"
_INSERT = """
insert into cameras (gb28181_id, name, is_secret, azimuth_deg, sight_note, grid_code, geom)
select x.*, ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490) from (values
    ('{BODY}', '单兵<b>1</b>', false, 90, '门口', 'A'), ('{CAR}', '车载', false, null, '', 'B'), ('{SECRET}', 's', true, null, '', 'A'),
    ('{FIXED}', 'f', false, null, '', 'A')) x
"""


@pytest.fixture
def city(small_city: str) -> Iterator[tuple[str, str]]:
    with connect(small_city) as connection:
        connection.execute(_INSERT.format(BODY=BODY, CAR=CAR, SECRET=SECRET, FIXED=FIXED))
        connection.execute(
            "insert into camera_views (camera_id, stands_at, fov_deg, range_m, buildings_of, is_cut, area_m2, geom)"
            " select camera_id, geom, 360, 50, 0, false, 1, ST_Expand(geom, 0.0005) from cameras where gb28181_id = %s",
            [BODY],
        )
    with live_server(small_city) as url:
        yield url, small_city


def ago(**past: float) -> str:
    return (datetime.now(UTC) - timedelta(**past)).isoformat()


def position(key: str, moment: str, place: tuple[float, float] = THERE, **more: Any) -> dict[str, Any]:
    return {"gb28181_id": key, "lon": place[0], "lat": place[1], "positioned_at": moment} | more


def report(client: httpx.Client, *positions: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/cameras/positions", json={"positions": positions})
    assert answer.status_code == 200, answer.text
    return answer.json()


def drawn(client: httpx.Client, box: str = BOX, **more: str) -> list[dict[str, Any]]:
    answer = client.get("/cameras/positions", params={"bbox": box, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["features"]


def near(client: httpx.Client, place: tuple[float, float]) -> list[dict[str, Any]]:
    return client.get("/desk", params={"lon": place[0], "lat": place[1]}).json()["nearest_cameras"]


def test_the_last_position_is_kept_and_it_is_no_edit(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        item = client.get(f"/collections/cameras/items/{BODY}")
        counted = "select (select count(*) from access.audit_log) as audited, (select count(*) from changes) as told"
        before = ask(database, counted)
        newest = ago(seconds=10)
        taken = report(
            client,
            position(BODY, ago(seconds=30)),
            position(BODY, newest, (114.5100001, 37.01), speed_kmh=4.5, heading_deg=359.5),
            position(BODY, ago(seconds=20)),
        )
        assert taken == {"accepted": 1, "late": 2, "refused": []}
        old = [position(key, moment) for key in (BODY, CAR) for moment in (ago(hours=25), "1000-01-01T00:00:00Z")]
        assert report(client, position(BODY, newest), position(BODY, ago(hours=2)), *old)["late"] == 6
        assert ask(database, counted) == before
        again = client.get(f"/collections/cameras/items/{BODY}")
        assert (again.headers["etag"], again.json()["geometry"]) == (item.headers["etag"], item.json()["geometry"])
        (one,) = drawn(client)
        assert one["properties"] == {
            "gb28181_id": BODY, "name": "单兵<b>1</b>", "positioned_at": one["properties"]["positioned_at"], "speed_kmh": 4.5,
            "heading_deg": 359.5, "camera_state": None,
        }  # fmt: skip
        assert one["geometry"]["coordinates"] == pytest.approx([114.51, 37.01], abs=1e-6)
        (stored,) = ask(
            database,
            "select ST_X(geom) as lon, received_at > now() - interval '1 minute' as is_now from camera_positions",
        )
        assert stored == {"lon": float(snap(114.5100001)), "is_now": True}
        assert drawn(client, "114.5,37,114.505,37.02") == []  # where the register has it
        (shifted,) = drawn(client, crs="GCJ-02")
        assert shifted["geometry"]["coordinates"][0] - 114.51 > 0.001


def test_what_is_wrong_is_refused_one_by_one(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher", ["A"])) as client:
        taken = report(
            client,
            position(BODY, ago(seconds=-60)),
            position(CAR, ago()),
            position(SECRET, ago()),
            position(BODY, ago(minutes=-3)),
            position(BODY, ago(), FAR),
            position("x", ago()),
            position(BODY, ago(), (0.0, 0.0)),
            position(f"{BODY}\0", ago()),
        )
        assert (taken["accepted"], [one["number"] for one in taken["refused"]]) == (1, [2, 3, 4, 5, 6, 7, 8])
        assert taken["refused"][6]["reason"] == "there is no such camera"
        assert "future" in taken["refused"][2]["reason"]
        assert "outside the city" in taken["refused"][3]["reason"]
        for wrong in (
            {"heading_deg": 360}, {"heading_deg": -1}, {"speed_kmh": -1}, {"lon": 181}, {"positioned_at": "2026-01-01T00:00:00"},
            {"more": 1}, {"lat": None},
        ):  # fmt: skip
            answer = client.post("/cameras/positions", json={"positions": [position(BODY, ago()) | wrong]})
            assert answer.status_code == 422, wrong
        assert client.post("/cameras/positions", json={"positions": []}).status_code == 422
        many = [position(BODY, ago())] * 5001
        assert client.post("/cameras/positions", json={"positions": many}).status_code in (413, 422)
        assert len(client.post("/cameras/positions", json={"positions": many[:5000]}).json()["refused"]) == 0
    with bearing(url, api_key(database, "wall")) as other:
        assert other.post("/cameras/positions", json={"positions": [position(BODY, ago())]}).status_code == 403
    assert len(ask(database, "select from camera_positions")) == 1


def test_who_sees_the_camera_sees_its_position(city: tuple[str, str]) -> None:
    url, database = city
    with connect(database) as connection:
        connection.execute(
            "insert into camera_positions (camera_id, geom, positioned_at)"
            " select camera_id, ST_SetSRID(ST_MakePoint(114.51171875, 37.01171875), 4490), now() from cameras"
        )
    for role, cells, seen in (
        ("dispatcher", None, {BODY, CAR, FIXED}), ("dispatcher", ["A"], {BODY, FIXED}), ("dispatcher", ["B"], {CAR}), ("wall", None, {BODY, CAR, FIXED}),
    ):  # fmt: skip
        with bearing(url, api_key(database, role, cells)) as client:
            assert {one["properties"]["gb28181_id"] for one in drawn(client)} == seen


def test_the_desk_finds_a_camera_where_it_is_now(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        assert [(one["code"], one["sees"], one["positioned_at"]) for one in near(client, STATION)] == [
            (BODY, True, None), (CAR, None, None), (FIXED, None, None),
        ]  # fmt: skip
        assert len(client.get("/cameras/views", params={"bbox": BOX}).json()["features"]) == 1
        report(client, position(BODY, ago(minutes=1)), position(CAR, ago(minutes=6)))
        assert client.get("/cameras/views", params={"bbox": BOX}).json()["features"] == []
        there = near(client, THERE)
        assert [(one["code"], one["distance_m"] < 1, one["positioned_at"] is None) for one in there] == [
            (BODY, True, False), (CAR, False, True), (FIXED, False, True),
        ]  # fmt: skip
        assert [there[0][name] for name in ("sees", "azimuth_deg", "sight_note")] == [None, None, None]
        assert (there[0]["lon"], there[0]["lat"]) == THERE
        at_home = near(client, STATION)
        assert [one["code"] for one in at_home] == [CAR, FIXED, BODY]
        assert (at_home[2]["sees"], at_home[2]["distance_m"] > 1000) == (None, True)
        assert [one["properties"]["gb28181_id"] for one in drawn(client)] == [BODY]  # the car's is too old


def test_those_that_are_away_leave_room_for_those_that_stand_here(city: tuple[str, str]) -> None:
    url, database = city
    with connect(database) as connection:
        connection.execute(
            "insert into cameras (gb28181_id, name, grid_code, geom) select '13050200001320001' || lpad(n::text, 3, '0'), 'm', 'A',"
            " ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490) from generate_series(1, 60) n"
        )
        connection.execute(
            "insert into camera_positions (camera_id, geom, positioned_at)"
            " select camera_id, ST_SetSRID(ST_MakePoint(114.51953125, 37.01953125), 4490), now() from cameras where name = 'm'"
        )
    with bearing(url, api_key(database, "dispatcher")) as client:
        assert [one["code"] for one in near(client, STATION)][:3] == [BODY, CAR, FIXED]


def test_a_position_is_forgotten_after_a_day(city: tuple[str, str]) -> None:
    _, database = city
    with connect(database) as connection:
        connection.execute(
            "insert into camera_positions (camera_id, geom, positioned_at)"
            " select camera_id, geom, now() - case gb28181_id when %s then 23 else 25 end * interval '1 hour' from cameras",
            [BODY],
        )
        connection.execute("select ask_for('tidy', '', now())")
    until(lambda: len(ask(database, "select from camera_positions")) == 1)
