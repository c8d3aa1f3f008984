"""States of cameras: in batches, apart from their place, counted by cell, owner and hour."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from geo_grid.cameras.states import QUERIES
from geo_grid.db import connect
from geo_grid.live_demo.people import SUPERVISOR
from geo_grid.live_demo.roads import Roads
from geo_grid.live_demo.speaking import Speaker
from geo_grid.live_demo.works import Works
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.identities import api_key, as_server, bearing

A, B, SECRET, FRESH = (f"1305020000132000000{n}" for n in range(4))
LONG_AGO = "2026-01-01T00:00:00Z"
_INSERT = """
insert into cameras (gb28181_id, name, owner_name, is_secret, grid_code, geom)
select * from (values
    ('{A}', 'a', '公安局', false, 'A', ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490)),
    ('{B}', 'b', '社区', false, 'B', ST_SetSRID(ST_MakePoint(114.51171875, 37.00390625), 4490)),
    ('{SECRET}', 's', '公安局', true, 'A', ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490)),
    ('{FRESH}', 'f', '公安局', false, 'A', ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490))) x
"""


@pytest.fixture
def city(small_city: str):
    with connect(small_city) as connection:
        connection.execute(_INSERT.format(A=A, B=B, SECRET=SECRET, FRESH=FRESH))
        connection.execute("update cameras set zone_code = 'Z1' where gb28181_id = %s", [A])
    with live_server(small_city) as url:
        yield url, small_city


def report(client: httpx.Client, *states: tuple[str, str, str | None]) -> dict:
    told = [{"gb28181_id": key, "state": state} | ({"since": since} if since else {}) for key, state, since in states]
    answer = client.post("/cameras/states", json={"states": told})
    assert answer.status_code == 200, answer.text
    return answer.json()


def count(database: str, what: str) -> int:
    with connect(database) as connection:
        return connection.execute(f"select count(*) as n from {what}").fetchone()["n"]


def test_states_are_no_edits(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        item = client.get(f"/collections/cameras/items/{A}")
        audited, told = count(database, "access.audit_log"), count(database, "changes")
        assert report(client, (A, "online", LONG_AGO), (B, "fault", None)) == {
            "changed": 2,
            "same": 0,
            "late": 0,
            "refused": [],
        }
        assert report(client, (A, "online", None), (B, "offline", LONG_AGO)) == {
            "changed": 0,
            "same": 1,
            "late": 1,
            "refused": [],
        }
        flapping = [(A, state, f"2026-01-02T0{n}:00:00Z") for n, state in enumerate(("offline", "online", "offline"))]
        assert report(client, *flapping)["changed"] == 3
        assert (count(database, "access.audit_log"), count(database, "changes")) == (audited, told)
        again = client.get(f"/collections/cameras/items/{A}")
        assert again.headers["etag"] == item.headers["etag"]  # whoever edits it is not disturbed
        assert again.json()["properties"]["camera_state"] == "offline"
        assert again.json()["properties"]["state_since"].startswith("2026-01-02T02:00")
        drawn = client.get("/collections/cameras/items?bbox=114.5,37,114.52,37.02&zoom=17").json()["features"]
        assert {one["id"]: one["properties"]["camera_state"] for one in drawn} == {
            A: "offline",
            B: "fault",
            FRESH: None,
        }
        broken = client.get("/cameras/states?bbox=114.5,37,114.52,37.02").json()["states"]
        assert [(one["gb28181_id"], one["state"]) for one in broken] == [(A, "offline"), (B, "fault")]
    assert count(database, "camera_state_log") == 5


def test_what_is_wrong_is_refused_one_by_one(city: tuple[str, str]) -> None:
    url, database = city
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with bearing(url, api_key(database, "dispatcher", ["A"])) as client:
        taken = report(
            client,
            (A, "online", None),
            (B, "online", None),
            (SECRET, "online", None),
            (FRESH, "online", future),
            ("x", "fault", None),
            (f"{A}\0", "fault", None),
        )
        assert (taken["changed"], [one["number"] for one in taken["refused"]]) == (1, [2, 3, 4, 5, 6])
        assert taken["refused"][4]["reason"] == "there is no such camera"
        assert "future" in taken["refused"][2]["reason"]
        assert (
            client.post("/cameras/states", json={"states": [{"gb28181_id": A, "state": "broken"}]}).status_code == 422
        )
        assert client.post("/cameras/states", json={"states": []}).status_code == 422
    with bearing(url, api_key(database, "wall")) as other:
        assert other.post("/cameras/states", json={"states": [{"gb28181_id": A, "state": "fault"}]}).status_code == 403
    assert count(database, "camera_states") == 1


def test_cameras_are_counted_by_state(city: tuple[str, str]) -> None:
    url, database = city
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with bearing(url, api_key(database, "dispatcher")) as client:
        report(
            client,
            (A, "online", (now - timedelta(hours=3)).isoformat()),
            (B, "offline", (now - timedelta(hours=3)).isoformat()),
        )
        report(client, (A, "fault", (now - timedelta(hours=1, minutes=45)).isoformat()))

        def groups(**how: object) -> dict[str, tuple]:
            answer = client.get("/cameras/availability", params=how)
            assert answer.status_code == 200, answer.text
            return {
                one["key"]: tuple(one[key] for key in ("cameras", "online", "offline", "fault", "unknown"))
                for one in answer.json()["groups"]
            }

        assert groups(by="cell") == {"A": (2, 0, 0, 1, 1), "B": (1, 0, 1, 0, 0)}
        assert groups(by="cell", level=1) == {"P": (3, 0, 1, 1, 1)}
        assert groups(by="owner") == {"公安局": (2, 0, 0, 1, 1), "社区": (1, 0, 1, 0, 0)}
        assert groups(by="zone") == {"": (2, 0, 1, 0, 1), "Z1": (1, 0, 0, 1, 0)}
        assert groups(by="network") == {"0": (3, 0, 1, 1, 1)}
        hours = groups(by="hour", since=(now - timedelta(hours=4)).isoformat(), until=now.isoformat())
        assert list(hours.values()) == [(3, 0, 0, 0, 3), (3, 1, 1, 0, 1), (3, 0.25, 1, 0.75, 1), (3, 0, 1, 1, 1)]
        assert len(groups(by="hour")) in (24, 25)
        for bad in ({"since": now.isoformat(), "until": LONG_AGO}, {"since": LONG_AGO, "until": now.isoformat()}):
            assert client.get("/cameras/availability", params={"by": "hour", **bad}).status_code in (400, 422)


def test_the_state_before_the_days_that_are_kept_stays(city: tuple[str, str]) -> None:
    _, database = city
    logged = ((A, 50, "online"), (A, 40, "fault"), (A, 3, "online"), (B, 60, "offline"))
    with connect(database) as connection:
        for camera, days, state in logged:
            connection.execute(
                "insert into camera_state_log select camera_id, now() - make_interval(days => %s), %s from cameras"
                " where gb28181_id = %s",
                (days, state, camera),
            )
    as_server(database, QUERIES["tidy"], {"kept_days": 35})
    with connect(database) as connection:
        kept = connection.execute(
            "select gb28181_id, state from camera_state_log join cameras using (camera_id) order by 1, since"
        ).fetchall()
    assert [(row["gb28181_id"], row["state"]) for row in kept] == [(A, "fault"), (A, "online"), (B, "offline")]


def test_states_come_from_a_file_too(city: tuple[str, str], tmp_path) -> None:
    _, database = city
    path = tmp_path / "states.csv"
    made = io.StringIO()
    csv.writer(made).writerows(
        [
            ("gb28181_id", "state", "since", "more"),
            (A, "online", LONG_AGO, 1),
            (B, "fault", "", 2),
            ("x", "fault", "", 3),
        ]
    )
    path.write_text(made.getvalue())
    done = geo_grid(database, "cameras", "states", path)
    assert "2 cameras changed" in done.stderr
    assert "row 3: there is no such camera" in done.stderr
    path.write_text(f"gb28181_id,state\n{A},broken\n")
    assert "row 1: state" in geo_grid(database, "cameras", "states", path, expect=2).stderr
    path.write_text("name\nx\n")
    assert "no column gb28181_id" in geo_grid(database, "cameras", "states", path, expect=2).stderr


def test_the_living_demo_reports_states(city: tuple[str, str]) -> None:
    url, database = city
    works = Works(Speaker(url, {SUPERVISOR: api_key(database, "supervisor")}), [A], [], Roads([], []), 1)
    works.do(61.0)
    assert count(database, "camera_states where state = 'offline'") == 1
    works.do(9000.0)  # the first is back, and off again
    assert count(database, "camera_state_log") == 3
