"""Who may see a camera, who saw it, what is unusual: one question each, and each question on record."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing, disable, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

OPEN, SECRET, IN_D = (f"1305020000132000000{number}" for number in range(3))
SPOTS = {OPEN: (0.5, "A", False), SECRET: (0.5, "A", True), IN_D: (1.5, "D", False)}


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[tuple[str, str]]:
    with new_database(cluster, "watched") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            for number, (place, cell, is_secret) in SPOTS.items():
                connection.execute(
                    "insert into cameras (gb28181_id, name, geom, grid_code, is_secret)"
                    " values (%s, 'x', ST_SetSRID(ST_MakePoint(%s, %s), 4490), %s, %s)",
                    (number, WEST + place * SIDE, SOUTH + place * SIDE, cell, is_secret),
                )
        with live_server(conninfo, feed_many_cameras=2) as url:
            yield url, conninfo


@pytest.fixture
def auditor(city: tuple[str, str]) -> Iterator[httpx.Client]:
    url, database = city
    with logged_in(url, user(database, "auditor")) as client:
        yield client


def looks(database: str) -> list[dict[str, Any]]:
    with connect(database) as connection:
        return connection.execute(
            "select actor_role, object_id, detail from access.audit_log where action = 'audit.look' order by audit_id"
        ).fetchall()


def test_who_may_see_a_camera_is_who_can_open_it(city: tuple[str, str], auditor: httpx.Client) -> None:
    url, database = city
    asked = [
        *itertools.product(("dispatcher", "supervisor"), (None, ["A"], ["D"]), (False, True)),
        ("planner", None, True), ("grid_worker", ["A"], False), ("administrator", None, False),
    ]  # fmt: skip
    people = {user(database, role, cells, sees_secret=secret): (role, cells) for role, cells, secret in asked}
    gone = user(database, "dispatcher")
    disable(database, gone)
    may = {
        number: {one["login_name"] for one in auditor.get(f"/cameras/{number}/viewers").json()["viewers"]}
        for number in SPOTS
    }
    for name, who in people.items():
        with logged_in(url, name) as client:
            for number in SPOTS:
                answer = client.post(f"/cameras/{number}/openings", json={"reason": "a look"})
                assert (answer.status_code == 201) == (name in may[number]), (name, who, number, answer.text)
    assert not any(gone in names for names in may.values())
    assert len(may[OPEN] & people.keys()) == 8
    assert len(may[SECRET] & people.keys()) == 4
    assert auditor.get("/cameras/13050200001320000009/viewers").status_code == 404
    assert {"actor_role": "auditor", "object_id": OPEN, "detail": {"question": "viewers"}} in looks(database)


def test_keys_that_are_narrower_than_their_account_open_nothing(city: tuple[str, str], auditor: httpx.Client) -> None:
    url, database = city
    seen = []
    for rights in (["map"], ["map", "cameras.open"]):
        with bearing(url, api_key(database, "dispatcher", rights=rights)) as client:
            seen.append(client.post(f"/cameras/{OPEN}/openings", json={"reason": "a look"}).status_code)
    assert seen == [403, 201]
    machines = [
        one for one in auditor.get(f"/cameras/{OPEN}/viewers").json()["viewers"] if one["principal_kind"] == "machine"
    ]
    assert len(machines) == 1


def test_who_saw_a_camera_and_what_is_unusual(city: tuple[str, str], auditor: httpx.Client) -> None:
    url, database = city
    name = user(database, "dispatcher", sees_secret=True)
    with logged_in(url, name) as client:
        place = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "category": "x"}
        incident = client.post("/incidents", json=place).json()["incident_id"]
        why = {"reason": "a quarrel", "incident_id": incident}
        made = [client.post(f"/cameras/{number}/openings", json=why).json()["audit_id"] for number in SPOTS]
        alone = client.post(f"/cameras/{OPEN}/openings", json={"reason": "no matter, password=geh1"}).json()["audit_id"]
    seen = auditor.get(f"/cameras/{OPEN}/openings", params={"limit": 2}).json()
    assert [one["audit_id"] for one in seen["openings"]] == [alone, made[0]]
    assert seen["openings"][0]["reason"] == "no matter, password=***"
    assert seen["next"] == made[0]
    older = auditor.get(f"/cameras/{OPEN}/openings", params={"before": seen["next"]}).json()["openings"]
    assert all(one["audit_id"] < made[0] for one in older)
    mine = seen["openings"][1]
    assert (mine["login_name"], mine["role"], mine["reason"], mine["incident_id"], mine["seconds"]) == (
        name, "dispatcher", "a quarrel", incident, None,
    )  # fmt: skip
    unusual = {
        one["audit_id"]: set(one["unusual"]) - {"out_of_hours"}
        for one in auditor.get("/audit/openings", params={"limit": 1000}).json()["openings"]
        if one["login_name"] == name and set(one["unusual"]) - {"out_of_hours"}
    }
    assert unusual == {made[2]: {"many_cameras"}, alone: {"no_incident", "many_cameras"}}
    assert {"actor_role": "auditor", "object_id": "", "detail": {"question": "unusual"}} in looks(database)
    assert auditor.get("/audit").status_code == 200
    assert {"actor_role": "auditor", "object_id": "", "detail": {"question": "search"}} in looks(database)


@pytest.mark.parametrize(
    ("hours", "is_unusual"), [("00:00-23:59", False), ("11:00-11:01", True), ("11:01-11:00", False)]
)
def test_hours_are_the_citys_own_and_may_go_past_midnight(city: tuple[str, str], hours: str, is_unusual: bool) -> None:
    _, database = city
    with connect(database) as connection:
        now = connection.execute("select (now() at time zone 'Asia/Shanghai')::time as t").fetchone()["t"]
    if now.strftime("%H:%M") in ("11:00", "23:59"):
        pytest.skip("it is just that minute")
    with live_server(database, feed_usual_hours=hours) as url:
        with bearing(url, api_key(database, "dispatcher")) as client:
            made = client.post(f"/cameras/{OPEN}/openings", json={"reason": "a look"}).json()["audit_id"]
        with logged_in(url, user(database, "auditor")) as client:
            found = client.get("/audit/openings", params={"limit": 1000}).json()["openings"]
    (mine,) = [one for one in found if one["audit_id"] == made]  # without an incident at least
    assert ("out_of_hours" in mine["unusual"]) == is_unusual


def test_nobody_asks_but_an_auditor_and_hosts_are_the_administrators(city: tuple[str, str]) -> None:
    url, database = city
    with logged_in(url, user(database, "administrator")) as client:
        for path in (f"/cameras/{OPEN}/viewers", f"/cameras/{OPEN}/openings", "/audit/openings"):
            assert client.get(path).status_code == 403
        host = "/streams/hosts/recorder"
        for bad in (
            {"host": "rtsp://10.0.0.5"},
            {"host": "op:pw@10.0.0.5"},
            {"host": "10.0.0.5", "port": 0},
            {"host": ""},
        ):
            assert client.put(host, json=bad).status_code == 422, bad
        assert client.put(host, json={"host": "10.0.0.5", "note": "in the yard"}).status_code == 204
        for path in ("rtsp://op:pw@10.0.0.5/live", "live", "/a b", "/" + "x" * 1000):
            answer = client.put(f"{host}/cameras", json={"cameras": [{"gb28181_id": OPEN, "path": path}]})
            assert answer.status_code == 422, path
        answer = client.put(f"{host}/cameras", json={"cameras": [{"gb28181_id": "x", "path": "/live"}]})
        assert (answer.status_code, "x: nothing was changed" in answer.json()["detail"]) == (422, True)
        twice = {"cameras": [{"gb28181_id": OPEN, "path": "/1"}, {"gb28181_id": OPEN, "path": "/2"}]}
        assert client.put(f"{host}/cameras", json=twice).status_code == 422
        with connect(database) as connection:  # two townships may each have one of this local number
            connection.execute("set session_replication_role = replica")  # without triggers
            for _ in range(2):
                connection.execute(
                    "insert into cameras (gb28181_id, name, geom) select 'LOCAL-1', 'one of two', geom from cameras limit 1"
                )
        of_two = {"cameras": [{"gb28181_id": OPEN, "path": "/1"}, {"gb28181_id": "LOCAL-1", "path": "/2"}]}
        answer = client.put(f"{host}/cameras", json=of_two)
        assert (answer.status_code, "or there twice" in answer.json()["detail"]) == (422, True)
        address = {"cameras": [{"gb28181_id": OPEN, "path": "/1"}, {"gb28181_id": IN_D, "path": "/2"}]}
        assert client.put(f"{host}/cameras", json=address).json() == {"camera_count": 2}
        withdrawn = {"cameras": [{"gb28181_id": IN_D, "path": None}]}
        assert client.put(f"{host}/cameras", json=withdrawn).json() == {"camera_count": 1}
        (known,) = client.get("/streams/hosts").json()["hosts"]
        assert known == {"name": "recorder", "host": "10.0.0.5", "port": 554, "note": "in the yard", "camera_count": 1}
        assert client.delete(host).status_code == 204
        assert client.put(f"{host}/cameras", json=address).status_code == 404
    with connect(database) as connection:
        told = connection.execute(
            "select action, detail from access.audit_log where object_type = 'stream_host' order by audit_id"
        ).fetchall()
    assert [(row["action"], row["detail"].get("cameras")) for row in told] == [
        ("stream.host_registered", None), ("stream.addresses", 2), ("stream.addresses", 1), ("stream.host_removed", None),
    ]  # fmt: skip
