"""The demo city lives: calls by the hour and the seed, matters worked on by people of the demo, units on its roads."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import shapely
from psycopg.conninfo import make_conninfo

from drills.kit import City, alive, children, until
from geo_grid.cli.access import as_owner
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.errors import Conflict
from geo_grid.live_demo.calls import HOUR_S, calls_of, share_of
from geo_grid.live_demo.living import Living, Pace
from geo_grid.live_demo.matters import check_in
from geo_grid.live_demo.people import DISPATCHERS, PEOPLE
from geo_grid.live_demo.plan import make_plan
from geo_grid.live_demo.roads import Roads, apart_m
from geo_grid.live_demo.speaking import Away, NoKey
from tests.conftest import live_server
from tests.identities import bearing, logged_in, user
from tests.live_demo.city import MIDDLES

ZONE = ZoneInfo("Asia/Shanghai")
PLACES = [
    {"lon": 114.5 + n / 1000, "lat": 37.0, "category": "traffic", "subtype": "轻微事故", "address": f"路{n}"}
    for n in range(50)
]
NOON = 1_800_000_000.0 // HOUR_S * HOUR_S


def test_the_same_seed_brings_the_same_calls_whenever_it_begins() -> None:
    day = calls_of(NOON, NOON + 24 * HOUR_S, 7, PLACES, 600, ZONE)
    assert day == calls_of(NOON, NOON + 24 * HOUR_S, 7, PLACES, 600, ZONE)
    again = calls_of(NOON + 90, NOON + 24 * HOUR_S, 7, PLACES, 600, ZONE)  # started a minute and a half later
    assert again == [call for call in day if call.at >= NOON + 90]
    parts = [calls_of(NOON + n * 8, NOON + (n + 1) * 8, 7, PLACES, 600, ZONE) for n in range(2 * HOUR_S // 8)]
    assert list(itertools.chain(*parts)) == [call for call in day if call.at < NOON + 2 * HOUR_S]  # every eight seconds
    assert [call.lon for call in day] != [call.lon for call in calls_of(NOON, NOON + 24 * HOUR_S, 8, PLACES, 600, ZONE)]
    assert len({call.name for call in day}) == len(day)
    assert all("演示" in call.description and call.caller_number.startswith("12") for call in day)


def test_calls_follow_the_hours_of_the_city() -> None:
    month = calls_of(NOON, NOON + 30 * 24 * HOUR_S, 7, PLACES, 600, ZONE)
    assert len(month) == pytest.approx(30 * 600, rel=0.05)
    hours = [time.gmtime(call.at + 8 * HOUR_S).tm_hour for call in month]
    assert hours.count(20) / len(month) == pytest.approx(share_of(20), rel=0.15)
    assert hours.count(20) > 3 * hours.count(3)


def test_a_way_follows_roads_and_goes_round_one_that_is_closed() -> None:
    roads = Roads([(114.5, 37.0), (114.51, 37.0), (114.51, 37.01), (114.5, 37.01)], [(0, 1, 30.0), (1, 2, 30.0), (2, 3, 30.0), (3, 0, 30.0)])  # fmt: skip
    begin, end = (114.5001, 37.0), (114.5, 37.0101)
    assert roads.way(begin, end) == [begin, (114.5, 37.0), (114.5, 37.01), end]
    roads.closed = frozenset({0, 3})
    assert roads.way(begin, end) == [begin, (114.5, 37.0), (114.51, 37.0), (114.51, 37.01), (114.5, 37.01), end]
    assert roads.way((100.0, 20.0), end) == [(100.0, 20.0), end]  # no road near: a straight line


def test_most_units_on_scene_are_heard_of_in_time_and_some_late() -> None:
    heard, due = "2026-11-28T10:00:00+08:00", "2026-11-28T10:15:00+08:00"
    on_scene = [{"incident_id": n, "unit_code": "U0", "heard_at": heard, "due_at": due} for n in range(400)]
    minutes = [(check_in(one, 7).at - datetime.fromisoformat(heard).timestamp()) / 60 for one in on_scene]
    assert minutes == [(check_in(one, 7).at - datetime.fromisoformat(heard).timestamp()) / 60 for one in on_scene]
    assert 9 <= min(minutes) < max(minutes) <= 19.5
    assert sum(late > 15 for late in minutes) / 400 == pytest.approx(1 / 8, abs=0.05)


@pytest.fixture
def living(small_demo: str) -> Iterator[tuple[str, str, Living, float]]:
    """A server of the small demo, and the demo at six hundred times its speed."""
    plan = json.loads(json.dumps(as_owner(small_demo, make_plan).as_json()))
    begins = time.time()
    with live_server(small_demo) as url:
        yield (
            small_demo,
            url,
            Living({**plan, "calls_a_day": 200.0}, url, Pace(600.0, 7, "Asia/Shanghai"), begins),
            begins,
        )


def _live(living: Living, begins: float, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        living.step(begins + (time.time() - begins) * 600)
        time.sleep(0.2)


def _rows(conninfo: str, query: str) -> list[dict]:
    with connect(conninfo) as connection:
        return connection.execute(query).fetchall()


def test_matters_go_through_their_steps_by_people_of_the_demo(living: tuple[str, str, Living, float]) -> None:
    conninfo, _, demo, begins = living
    deadline = time.monotonic() + 90
    while not _rows(conninfo, "select from incidents where step = 'evaluated'"):
        assert time.monotonic() < deadline, _rows(conninfo, "select incident_id, step, unit_codes from incident_cards")
        _live(demo, begins, 1)

    stored = _rows(
        conninfo,
        "select ST_X(geom) as lon, description, caller_number, is_demo from incidents"
        " where incident_number is null order by incident_id",
    )
    places = as_owner(conninfo, make_plan).places
    wanted = calls_of(begins, begins + 3 * 24 * HOUR_S, 7, places, 200, ZONE)[: len(stored)]
    assert [(one["lon"], one["description"]) for one in stored] == [(one.lon, one.description) for one in wanted]
    assert all(one["is_demo"] for one in stored)

    steps = _rows(conninfo, "select incident_id, action, actor_name from incident_steps order by incident_id, number")
    assert {one["actor_name"] for one in steps} <= set(PEOPLE)
    whole = next(one["incident_id"] for one in steps if one["action"] == "evaluate")
    by = {one["action"]: one["actor_name"] for one in steps if one["incident_id"] == whole}
    assert [action for action in by if action not in ("depart", "arrive")] == [
        "accept", "assign", "handle", "verify", "evaluate"
    ]  # fmt: skip
    assert by["verify"] == "demo-live-supervisor" != by["handle"]

    units = _rows(
        conninfo, "select unit_status, now() - reported_at < interval '1 minute' as is_heard, ST_X(geom) as lon, ST_Y(geom) as lat from patrol_units"
    )  # fmt: skip
    assert any(unit["is_heard"] for unit in units)
    ring = shapely.Polygon([MIDDLES[n] for n in (0, 1, 3, 2)]).exterior
    on_roads = [shapely.distance(ring, shapely.Point(unit["lon"], unit["lat"])) < 1e-6 for unit in units]
    assert any(on_roads)

    audit = _rows(conninfo, "select actor_name from access.audit_log where action like 'feature.%'")
    assert audit
    assert {row["actor_name"] for row in audit} <= set(PEOPLE)


def test_a_unit_that_a_person_sends_drives_there_and_arrives(living: tuple[str, str, Living, float]) -> None:
    conninfo, url, demo, begins = living
    with logged_in(url, user(conninfo, "dispatcher")) as person:
        place = {"lon": MIDDLES[3].x, "lat": MIDDLES[3].y, "category": "traffic"}
        number = person.post("/incidents", json=place).json()["incident_id"]
        for action in ({"action": "accept"}, {"action": "assign", "unit_codes": ["U0"]}):
            assert person.post(f"/incidents/{number}/steps", json=action).status_code == 201
        deadline = time.monotonic() + 90
        while person.get(f"/incidents/{number}").json()["arrived_at"] is None:
            assert time.monotonic() < deadline
            _live(demo, begins, 1)
        matter = person.get(f"/incidents/{number}").json()
        assert matter["step"] == "assigned"  # the person's own: they close it
        assert not matter["is_demo"]
        unit = person.get("/collections/patrol_units/items", params={"unit_code": "U0", "f": "json"}).json()
        assert apart_m(unit["features"][0]["geometry"]["coordinates"], (MIDDLES[3].x, MIDDLES[3].y)) < 1
    with connect(conninfo) as connection:
        connection.execute("update incident_categories set check_in_minutes = 15 where category_code = 'traffic'")
        connection.execute(
            "update incident_units set arrived_at = now() - interval '20 minutes' where incident_id = %s", (number,)
        )
    _live(demo, begins, 1)
    heard = _rows(
        conninfo, f"select actor_name from incident_steps where action = 'check_in' and incident_id = {number}"
    )
    assert len(heard) == 1  # heard of now, and not due again for minutes
    assert heard[0]["actor_name"] in DISPATCHERS


def test_what_people_of_the_demo_bring_is_marked_and_what_others_bring_is_not(small_demo: str) -> None:
    key = as_owner(small_demo, make_plan).keys["demo-live-supervisor"]
    closure = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[114.501, 37.001], [114.502, 37.002]]},
        "properties": {"closure_code": "X", "name": "施工"},
    }
    with live_server(small_demo) as url, bearing(url, key) as demo:
        made = demo.post("/collections/road_closures/items", json=closure).json()
        assert made["properties"]["is_demo"]
        with logged_in(url, user(small_demo, "planner")) as person:
            closure["properties"]["closure_code"] = "Y"
            assert not person.post("/collections/road_closures/items", json=closure).json()["properties"]["is_demo"]


def test_it_waits_for_a_server_that_is_away_and_asks_for_new_keys(small_demo: str) -> None:
    plan = as_owner(small_demo, make_plan).as_json()
    pace = Pace(1.0, 7, "Asia/Shanghai")
    away = Living(plan, "http://127.0.0.1:9", pace, time.time())
    with pytest.raises(Away):
        away.step(time.time() + 8)
    as_owner(small_demo, make_plan)  # another start: the former keys are worth nothing
    with live_server(small_demo) as url, pytest.raises(NoKey):
        Living(plan, url, pace, time.time()).step(time.time() + 8)


def test_units_that_stand_are_heard_of_although_the_server_closes_idle_connections(small_demo: str) -> None:
    plan, begins = as_owner(small_demo, make_plan).as_json(), time.time()
    with live_server(small_demo) as url:
        demo = Living(plan, url, Pace(1.0, 7, "Asia/Shanghai"), begins)
        demo.step(begins + 1)
        with connect(small_demo) as connection:
            connection.execute("update patrol_units set reported_at = now() - interval '3 hours'")
        for unit in demo.fleet.units.values():
            unit.told, unit.is_patrol, unit.line = 0.0, False, []
        time.sleep(7)  # longer than the server keeps an idle connection
        demo.step(begins + 8)
    heard = _rows(small_demo, "select unit_code from patrol_units where reported_at > now() - interval '1 minute'")
    assert len(heard) == 4


def _environment(conninfo: str, folder: object) -> dict[str, str]:
    return {
        **os.environ, "GEO_GRID_STATE_DIR": str(folder), "GEO_GRID_DATABASE_URL": conninfo,
        "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
    }  # fmt: skip


def test_it_never_lives_in_a_city_of_ones_own(small_city: str, state_dir: object) -> None:
    with pytest.raises(Conflict, match="not the demo"):
        as_owner(small_city, make_plan)
    command = [sys.executable, "-m", "geo_grid", "demo", "live"]
    environment = _environment(small_city, state_dir)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "this city is not the demo" in " ".join(done.stderr.split())
    assert _rows(small_city, "select from access.principals where login_name like 'demo%'") == []


def test_a_post_of_ones_own_makes_it_a_city_of_ones_own(small_demo: str) -> None:
    with connect(small_demo) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom) values ('P1', '所', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
    with pytest.raises(Conflict):
        as_owner(small_demo, make_plan)


@pytest.mark.timeout(600)
def test_it_begins_after_the_server_comes_again_and_ends_with_it(
    small_demo: str, state_dir: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _environment(small_demo, state_dir).items():
        monkeypatch.setenv(name, value)
    server = City(state_dir)

    def lives() -> int | None:
        for child in children(server.supervisor):
            if b"geo_grid.live_demo" in open(f"/proc/{child}/cmdline", "rb").read():  # noqa: PTH123, SIM115
                return child
        return None

    server.run("up", "--detach", "--port", str(server.port))
    try:
        until(lives, "the demo does not live")
        first = lives()
        assert first is not None
        assert os.getpriority(os.PRIO_PROCESS, first) > 0
        assert httpx.get(f"http://127.0.0.1:{server.port}/readyz").status_code == 200
        os.kill(first, 9)
        until(lambda: not alive(first) and lives(), "it was not started again")
        second = lives()
        assert second is not None
        with logged_in(f"http://127.0.0.1:{server.port}", user(small_demo, "dispatcher")) as client:
            opened = client.post("/cameras/13050201001315000001/openings", json={"reason": "a look"})
            assert opened.status_code == 201, opened.text
            until(
                lambda: ".m4s" in client.get(opened.json()["feed"]["playlist"]).text, "the demo's camera sends nothing"
            )
        assert [b"ffmpeg" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children(second)] == [True]
    finally:
        server.run("down")
    until(lambda: not alive(second), "it stayed behind")
