"""Patrols: stops that are due, check-ins, how many were made, and routes on the roads of Heidelberg."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import shapely

from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.errors import NotFound, UserError
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.response.circles import METHOD
from geo_grid.response.patrol import PatrolPlan, PatrolQuestion, plan, read_task
from geo_grid.response.router import ROUTED, Estimate, Router
from geo_grid.response.stops import completion, read_shifts
from geo_grid.response.travel import Travel
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.response.roads import graph_of

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 25)
NOON = datetime(2026, 11, 25, 12, tzinfo=ZONE)
SHIFTS = read_shifts("day=08:00-20:00|night=20:00-08:00")
STOPS = {
    "bridge": ("08:00", "10:00", 8.6925, 49.4137), "market": ("11:00", "13:00", 8.7095, 49.4122),
    "school": ("16:00", "17:00", 8.6860, 49.4170), "station": ("23:00", "01:00", 8.6756, 49.4036), "park": (None, None, 8.6990, 49.4170),
}  # fmt: skip


@pytest.fixture
def city(database: str) -> str:
    """Two patrol zones, one with five stops, a car and a patrol on foot."""
    with connect(database) as connection:
        set_levels(connection, [GridLevel(grid_level=1, name_zh="区", name_en="district", code_scheme="local", min_zoom=0)])  # fmt: skip
        halves = list(snap_geometry([shapely.box(8.64, 49.39, 8.75, 49.44), shapely.box(8.64, 49.35, 8.75, 49.39)]))
        cells = {
            "grid_code": ["C1", "C2"], "code_scheme": "local", "grid_level": 1, "parent_code": None, "name": "x",
            "cell_kind": "division", "household_count": 1, "geometry": halves,
        }  # fmt: skip
        publish_cells(connection, pd.DataFrame(cells), "cells")
        zones = {
            "zone_code": ["Z1", "Z2"], "name": ["老城", "南城"], "zone_kind": "area", "zone_type": "regular",
            "responsible_unit": "x", "geometry": halves,
        }  # fmt: skip
        publish_zones(connection, pd.DataFrame(zones), "zones")
        for name, (begins, ends, lon, lat) in STOPS.items():
            connection.execute(
                "insert into mandatory_stops (zone_code, name, window_from, window_to, geom) values"
                " ('Z1', %s, %s, %s, ST_SnapToGrid(ST_SetSRID(ST_MakePoint(%s, %s), 4490), 2 ^ -26))",
                (name, begins, ends, lon, lat),
            )
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, unit_status, zone_code, geom) values"
            " ('CAR', '巡逻车', 'car', 'on_patrol', 'Z1', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6920, 49.4166), 4490), 2 ^ -26)),"
            " ('FOOT', '步巡组', 'foot', 'on_patrol', 'Z1', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.7100, 49.4120), 4490), 2 ^ -26)),"
            " ('AWAY', '出警车', 'car', 'dispatched', 'Z2', ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.6800, 49.3800), 4490), 2 ^ -26))"
        )
    return database


def made(database: str, stop: str, moment: datetime) -> None:
    with connect(database) as connection:
        connection.execute(
            "insert into stop_check_ins (zone_code, stop_name, unit_code, checked_at, distance_m) values ('Z1', %s, 'CAR', %s, 5)",
            (stop, moment),
        )


def test_completion_counts_what_was_due_in_each_shift_and_made_in_its_window(city: str) -> None:
    at = lambda hour, day=25: datetime(2026, 11, day, hour, 30, tzinfo=ZONE)  # noqa: E731
    made(city, "bridge", at(9))
    made(city, "market", at(9))  # too early: does not count
    made(city, "station", at(0, 26))  # after midnight, in the night shift of the day before
    with connect(city) as connection:
        day, night = completion(connection, DAY, SHIFTS, NOON + timedelta(hours=6), ZONE)
        assert (day.shift, day.zone_code, day.name) == ("day", "Z1", "老城")
        assert (day.due, day.done, day.rate) == (4, 1, 0.25)
        assert (day.missed, day.open) == (["market", "school"], ["park"])
        assert (night.shift, night.due, night.done, night.open) == ("night", 2, 1, ["park"])
        assert completion(connection, DAY, SHIFTS, NOON, ZONE, "Z2") == []


@pytest.mark.parametrize("text", ["", "day", "day=8-20", "day=08:00-25:00", "a=08:00-20:00|a=20:00-08:00"])
def test_shifts_that_cannot_be_read_are_refused_in_words(text: str) -> None:
    with pytest.raises(UserError, match="GEO_GRID_PATROL_SHIFTS"):
        read_shifts(text)


@pytest.fixture(scope="module")
def router(shared: Path) -> Iterator[Router]:
    with Router.opened(graph_of(shared / "heidelberg.osm.pbf"), Estimate(), timeout_s=30) as router:
        yield router


def test_a_route_makes_every_stop_in_its_window_and_leaves_out_what_is_made_or_not_due(
    city: str, router: Router
) -> None:
    travel, question = Travel.of(Settings()), PatrolQuestion(zone_code="Z1", begins_at=NOON, hours=5.5, stop_minutes=10)
    with connect(city) as connection:
        found = plan(read_task(connection, question, NOON, ZONE), router, travel)
    assert {left.name: left.reason for left in found.left_out} == {"bridge": "not_due", "station": "not_due"}
    stops = {stop.name: stop for route in found.routes for stop in route.stops}
    assert set(stops) == {"market", "school", "park"}
    assert NOON <= stops["market"].arrives_at <= NOON + timedelta(hours=1)
    begun = stops["school"].arrives_at + timedelta(seconds=stops["school"].waits_s)
    assert NOON + timedelta(hours=4) <= begun <= NOON + timedelta(hours=5)
    for route in found.routes:
        assert (route.method, route.estimated_because) == (ROUTED, None)
        assert route.length_m is not None
        assert len(route.line) > len(route.stops) + 1  # along the road
        moment = route.begins_at
        for stop in route.stops:
            assert moment < stop.arrives_at + timedelta(seconds=1)
            assert stop.leaves_at == stop.arrives_at + timedelta(seconds=stop.waits_s + 600)
            moment = stop.leaves_at
        assert (
            shapely.distance(shapely.LineString(route.line), shapely.Point(route.stops[-1].lon, route.stops[-1].lat))
            < 0.001
        )

    made(city, "market", NOON - timedelta(minutes=30))
    made(city, "park", NOON - timedelta(hours=2))
    with connect(city) as connection:
        found = plan(read_task(connection, question, NOON, ZONE), router, travel)
    assert {left.name for left in found.left_out if left.reason == "made"} == {"market", "park"}
    assert [stop.name for route in found.routes for stop in route.stops] == ["school"]


@pytest.mark.parametrize(
    "night", [datetime(2026, 10, 25, 1, 20), datetime(2026, 3, 29, 1, 20)], ids=["autumn", "spring"]
)
def test_half_an_hour_is_half_an_hour_on_nights_when_clocks_change(city: str, router: Router, night: datetime) -> None:
    """Between moments of one time zone, Python counts by the clock on the wall: a stop took 90 minutes, or ended before it began."""
    zone, travel = ZoneInfo("Europe/Berlin"), Travel.of(Settings())
    begins = night.replace(tzinfo=zone)
    question = PatrolQuestion(zone_code="Z1", begins_at=begins, hours=4, stop_minutes=30, unit_codes=["CAR"])
    with connect(city) as connection:
        connection.execute("update mandatory_stops set window_from = null, window_to = null")
        found = plan(read_task(connection, question, begins, zone), router, travel)
    (route,) = PatrolPlan.model_validate_json(found.model_dump_json()).routes  # as others read it
    assert len(route.stops) == 5
    assert {stop.arrives_at.utcoffset() for stop in route.stops} == {timedelta(hours=1), timedelta(hours=2)}
    for stop in route.stops:
        assert stop.leaves_at - stop.arrives_at == timedelta(minutes=30)
    assert all(one.leaves_at < other.arrives_at for one, other in pairwise(route.stops))
    assert route.stops[-1].leaves_at - begins.astimezone(UTC) <= timedelta(hours=4)


def test_a_window_holds_what_was_made_in_the_hour_that_comes_twice(city: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    with connect(city) as connection:
        connection.execute(
            "update mandatory_stops set window_from = '02:15', window_to = '03:15' where name = 'station'"
        )
        connection.execute("delete from mandatory_stops where name <> 'station'")
    made(city, "station", datetime(2026, 10, 25, 2, 5, tzinfo=zone, fold=1))
    with connect(city) as connection:
        (night,) = completion(connection, date(2026, 10, 24), SHIFTS, datetime(2026, 10, 25, 8, tzinfo=zone), zone)
        assert (night.shift, night.due, night.done) == ("night", 1, 1)
        connection.execute("delete from stop_check_ins")
        for minute, state in ((14, "open"), (16, "missed")):
            now = datetime(2026, 10, 25, 3, minute, tzinfo=zone)
            (night,) = completion(connection, date(2026, 10, 24), SHIFTS, now, zone)
            assert getattr(night, state) == ["station"]


def test_a_route_of_estimated_times_says_so_and_why(city: str, router: Router) -> None:
    travel, question = (
        Travel.of(Settings()),
        PatrolQuestion(zone_code="Z1", begins_at=NOON, hours=5.5, unit_codes=["CAR"]),
    )
    with connect(city) as connection:
        with Router.opened(None, Estimate()) as without:
            (route,) = plan(read_task(connection, question, NOON, ZONE), without, travel).routes
        assert (route.method, route.estimated_because, route.length_m) == (METHOD, "no_roads", None)
        connection.execute("update patrol_units set geom = ST_Translate(geom, 0.5, 0) where unit_code = 'CAR'")
        (route,) = plan(read_task(connection, question, NOON, ZONE), router, travel).routes
        assert (route.method, route.estimated_because) == (METHOD, "no_road_near")


def test_what_nobody_can_reach_in_time_is_left_out_and_who_is_missing_is_named(city: str, router: Router) -> None:
    travel = Travel.of(Settings())
    short = PatrolQuestion(zone_code="Z1", begins_at=NOON, hours=0.25, stop_minutes=14, unit_codes=["AWAY"])
    with connect(city) as connection:
        found = plan(read_task(connection, short, NOON, ZONE), router, travel)
        assert {"market", "park"} <= {left.name for left in found.left_out if left.reason == "no_time"} | {
            stop.name for route in found.routes for stop in route.stops
        }
        assert sum(len(route.stops) for route in found.routes) <= 1
        with pytest.raises(NotFound, match="no mandatory stops"):
            plan(read_task(connection, PatrolQuestion(zone_code="Z2"), NOON, ZONE), router, travel)
        with pytest.raises(NotFound, match="'GHOST'"):
            plan(
                read_task(connection, short.model_copy(update={"unit_codes": ["CAR", "GHOST"]}), NOON, ZONE),
                router,
                travel,
            )
        connection.execute("update patrol_units set unit_status = 'off_duty'")
        with pytest.raises(UserError, match="is free then"):
            plan(read_task(connection, PatrolQuestion(zone_code="Z1"), NOON, ZONE), router, travel)


def test_check_ins_over_http_must_be_near_and_now(city: str) -> None:
    with live_server(city) as url, bearing(url, api_key(city, "dispatcher")) as client:
        stop = next(one for one in client.get("/patrol/stops").json() if one["name"] == "park")
        here = {"stop_id": stop["stop_id"], "unit_code": "CAR", "lon": stop["lon"], "lat": stop["lat"] + 0.0005}
        answer = client.post("/patrol/check-ins", json=here)
        assert answer.status_code == 201
        told = answer.json()
        assert (told["zone_code"], told["stop"], told["is_in_window"], told["repeated"]) == ("Z1", "park", True, False)
        assert told["distance_m"] == pytest.approx(55.6, abs=1)
        again = client.post("/patrol/check-ins", json={**here, "checked_at": told["checked_at"]}).json()
        assert again["repeated"]
        for wrong, status, words in (
            ({"lat": stop["lat"] + 0.01}, 422, "m from the stop"),
            ({"unit_code": "GHOST"}, 404, "GHOST"),
            ({"stop_id": 0}, 404, "no mandatory stop 0"),
            ({"checked_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, 422, "future"),
            ({"checked_at": (datetime.now(UTC) - timedelta(days=2)).isoformat()}, 422, "too late"),
        ):
            refused = client.post("/patrol/check-ins", json={**here, **wrong})
            assert (refused.status_code, words in refused.json()["detail"]) == (status, True), refused.text
        today = datetime.now(ZONE)
        day = today.date() if today.hour >= 8 else today.date() - timedelta(days=1)
        rows = client.get("/patrol/completion", params={"day": day.isoformat()}).json()
        assert any("park" not in [*row["missed"], *row["open"]] and row["done"] >= 1 for row in rows)
        with bearing(url, api_key(city, "dispatcher", ["C2"])) as other:
            assert other.get("/patrol/stops").json() == []
            assert other.get("/patrol/completion").json() == []
            assert other.post("/patrol/check-ins", json=here).status_code == 404
            assert other.post("/patrol/routes", json={"zone_code": "Z1"}).status_code == 404
