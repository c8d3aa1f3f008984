"""Minutes on the real roads of Heidelberg, over HTTP: circles, closures, ranking, positions."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import httpx
import numpy as np
import pandas as pd
import pytest
import shapely
from starlette.requests import Request

from geo_grid.api.response import areas
from geo_grid.boundaries import publish_cells, publish_zones
from geo_grid.budgets import Budget
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.response.moveup import bare_zones, read_zones
from geo_grid.response.router import Router
from geo_grid.response.siting import Question, read_places, solve, travel_times
from geo_grid.response.travel import Travel
from geo_grid.response.unions import join_apart
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.heidelberg import NORTH, SOUTH, circles, wait_for_circles
from tests.identities import api_key, bearing

TOMORROW = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
RIVER = [[8.640, 49.4285], [8.655, 49.4195], [8.670, 49.4140], [8.685, 49.4120], [8.700, 49.4131], [8.722, 49.4150], [8.760, 49.4110]]  # fmt: skip


def closure(code: str = "NECKAR", **properties: str) -> dict:
    return {
        "type": "Feature", "geometry": {"type": "LineString", "coordinates": RIVER},
        "properties": {"closure_code": code, "name": "桥梁封闭", **properties},
    }  # fmt: skip


def test_circles_are_drawn_on_roads_and_drawn_again_when_the_bridges_are_closed(
    heidelberg: tuple[httpx.Client, str],
) -> None:
    client, _ = heidelberg
    found = circles(client)
    assert {key for key in found if key[0] == "N"} == {("N", 1), ("N", 3), ("N", 5)}
    open_bridges = found["N", 5][0]
    assert found["N", 5][1]["speed_kmh"] is None
    across = shapely.box(8.66, 49.38, 8.75, 49.4095)  # the old town
    assert shapely.area(shapely.intersection(open_bridges, across)) > 0.3 * shapely.area(open_bridges)
    assert client.get("/response/drawing").json()["roads"]["extract"] == "heidelberg.osm.pbf"
    before = client.get("/desk", params=dict(zip(("lon", "lat"), SOUTH, strict=True))).json()["responders"]

    assert client.post("/collections/road_closures/items", json=closure()).status_code == 201
    closed_bridges = wait_for_circles(client, open_bridges)
    assert not shapely.intersects(closed_bridges, across)
    assert shapely.area(closed_bridges) < shapely.area(open_bridges)
    after = client.get("/desk", params=dict(zip(("lon", "lat"), SOUTH, strict=True))).json()["responders"]
    car = [{one["code"]: one for one in responders}["CAR"] for responders in (before, after)]
    assert (car[0]["is_free"], car[0]["reason"], car[0]["method"]) == (True, "free", "valhalla")
    assert (car[1]["is_free"], car[1]["reason"], car[1]["arrival_s"]) == (False, "cut_off", None)
    assert [one["code"] for one in after if one["code"] in "NS"] == ["S", "N"]
    assert [one["code"] for one in before if one["code"] in "NS"] == ["N", "S"]

    assert client.delete("/collections/road_closures/items/NECKAR").status_code == 204
    assert wait_for_circles(client, closed_bridges).equals(open_bridges)


def test_a_closure_of_another_time_changes_nothing_and_one_that_ends_before_it_begins_is_refused(
    heidelberg: tuple[httpx.Client, str],
) -> None:
    client, _ = heidelberg
    before = circles(client)["N", 5][0]
    later = closure(closed_from="2099-01-01T00:00:00Z", closed_to="2099-01-02T00:00:00Z")
    assert client.post("/collections/road_closures/items", json=later).status_code == 201
    answer = client.post(
        "/collections/road_closures/items",
        json=closure("WRONG", closed_from="2099-01-02T00:00:00Z", closed_to="2099-01-01T00:00:00Z"),
    )
    assert answer.status_code == 422, answer.text
    time.sleep(3)
    assert circles(client)["N", 5][0].equals(before)


def test_a_closure_that_isolates_a_post_leaves_it_its_own_street_and_is_told(
    heidelberg: tuple[httpx.Client, str],
) -> None:
    client, _ = heidelberg
    free = circles(client)["N", 5][0]
    assert client.get("/response/drawing").json()["isolated"] == []
    around = shapely.geometry.mapping(shapely.box(NORTH[0] - 0.02, NORTH[1] - 0.0025, NORTH[0] + 0.02, NORTH[1] + 0.02))
    made = {"type": "Feature", "geometry": around, "properties": {"closure_code": "ALL", "closure_kind": "avoided"}}
    assert client.post("/collections/road_closures/items", json=made).status_code == 201
    isolated = wait_for_circles(client, free)
    assert shapely.area(isolated) < shapely.area(free) / 100
    assert client.get("/response/drawing").json()["isolated"] == ["N"]
    responders = client.get("/desk", params=dict(zip(("lon", "lat"), SOUTH, strict=True))).json()["responders"]
    reasons = {one["code"]: one["reason"] for one in responders}
    assert (reasons["N"], reasons["S"]) == ("cut_off", "free")


def test_the_desk_ranks_by_arrival_and_says_why(heidelberg: tuple[httpx.Client, str]) -> None:
    client, _ = heidelberg
    card = client.get("/desk", params=dict(zip(("lon", "lat"), SOUTH, strict=True))).json()
    responders = {one["code"]: one for one in card["responders"]}
    assert responders.keys() == {"N", "S", "CAR", "BUSY", "NIGHT", "FOOT"}
    reasons = {code: (one["is_free"], one["reason"]) for code, one in responders.items()}
    assert reasons["BUSY"] == (False, "on_the_way")
    assert reasons["CAR"] == reasons["FOOT"] == (True, "free")
    if datetime.now(UTC).hour != 16:  # midnight in the city's own time, when that shift is on
        assert reasons["NIGHT"] == (False, "off_shift")
    assert responders["CAR"]["skills"] == "first_aid"
    free = [one["arrival_s"] for one in card["responders"] if one["is_free"]]
    assert free == sorted(free)
    assert {one["method"] for one in card["responders"]} == {"valhalla"}
    # the car across the river is farther in a straight line, and there sooner than who walks half as far
    assert responders["FOOT"]["arrival_s"] > 120


def test_inbound_areas_of_a_place_are_drawn_on_demand(heidelberg: tuple[httpx.Client, str]) -> None:
    client, _ = heidelberg
    answer = client.get("/response/areas", params={"lon": SOUTH[0], "lat": SOUTH[1], "direction": "inbound"}).json()
    assert [(one["properties"]["tier_minutes"], one["properties"]["method"]) for one in answer["features"]] == [
        (5, "valhalla"), (3, "valhalla"), (1, "valhalla"),
    ]  # fmt: skip
    five, three, one = (shapely.geometry.shape(feature["geometry"]) for feature in answer["features"])
    assert shapely.covers(five, three)
    assert shapely.covers(three, one)
    far = client.get("/response/areas", params={"lon": 114.5, "lat": 37.0}).json()
    assert {feature["properties"]["method"] for feature in far["features"]} == {"geodesic_estimate"}


@pytest.fixture
def units(small_city: str) -> Iterator[tuple[httpx.Client, str]]:
    with connect(small_city) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom)"
            " select 'U' || n, 'x', 'car', now() - interval '1 hour', ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490)"
            " from generate_series(1, 3) n"
        )
    with live_server(small_city) as url, bearing(url, api_key(small_city, "dispatcher")) as client:
        yield client, small_city


def test_batches_of_the_same_units_wait_for_each_other(units: tuple[httpx.Client, str]) -> None:
    client, database = units
    with connect(database) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom)"
            " select 'U' || n, 'x', 'car', now() - interval '1 hour', ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490)"
            " from generate_series(4, 400) n"
        )
    began = datetime.now(UTC) - timedelta(minutes=5)

    def report(number: int) -> int:
        codes = [f"U{n}" for n in range(1, 401)]
        random.Random(number).shuffle(codes)
        at = (began + timedelta(seconds=number)).isoformat()
        batch = [{"unit_code": code, "lon": 114.51, "lat": 37.01, "reported_at": at} for code in codes]
        return client.post("/units/positions", json={"positions": batch}).status_code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(report, range(40))) == {200}


def test_positions_move_units_and_leave_a_track(units: tuple[httpx.Client, str]) -> None:
    client, database = units
    now = datetime.now(UTC).replace(microsecond=0)

    def position(code: str, ago_s: float, lon: float = 114.51, lat: float = 37.01) -> dict:
        return {
            "unit_code": code, "lon": lon, "lat": lat, "reported_at": (now - timedelta(seconds=ago_s)).isoformat(),
            "unit_status": "dispatched",
        }  # fmt: skip

    batch = [
        position("U1", 10), position("U1", 5, 114.52), position("U2", 7200), position("NOBODY", 1),
        position("U3", -3600), position("U3", 3, 120.0, 31.0), position("U1", 5, 114.52),
        position("U1\0", 1),
    ]  # fmt: skip
    taken = client.post("/units/positions", json={"positions": batch}).json()
    assert (taken["accepted"], taken["late"], taken["repeated"]) == (2, 1, 1)
    assert [left["number"] for left in taken["refused"]] == [4, 5, 6, 8]
    assert taken["refused"][3]["reason"] == taken["refused"][0]["reason"]
    assert "no such unit" in taken["refused"][0]["reason"]
    assert "future" in taken["refused"][1]["reason"]
    assert "outside the city" in taken["refused"][2]["reason"]
    with connect(database) as connection:
        stored = {
            row["unit_code"]: row
            for row in connection.execute(
                "select unit_code, unit_status, reported_at, ST_X(geom) as lon from patrol_units"
            )
        }
        audit = connection.execute(
            "select count(*) as n from access.audit_log where object_type = 'patrol_units'"
        ).fetchone()
    assert stored["U1"]["reported_at"] == now - timedelta(seconds=5)
    assert stored["U1"]["lon"] == pytest.approx(114.52)
    assert stored["U1"]["unit_status"] == "dispatched"
    assert stored["U2"]["unit_status"] == stored["U3"]["unit_status"] == "on_patrol"
    assert audit == {"n": 0}
    track = client.get("/units/U1/track").json()["positions"]
    assert [point["lon"] for point in track] == pytest.approx([114.51, 114.52])
    assert client.get("/units/NOBODY/track").status_code == 404
    # heard again, later: an old report arrives out of order
    late = client.post("/units/positions", json={"positions": [position("U1", 8, 114.515)]}).json()
    assert (late["accepted"], late["late"]) == (0, 1)
    assert [round(point["lon"], 3) for point in client.get("/units/U1/track").json()["positions"]] == [
        114.51,
        114.515,
        114.52,
    ]


def test_positions_past_their_time_are_forgotten(units: tuple[httpx.Client, str]) -> None:
    client, database = units
    with connect(database) as connection:
        for hours in (48, 0):
            connection.execute(
                "select access.make_partition('unit_positions', 'day', now() - %s * interval '1 h')", (hours,)
            )
            connection.execute(
                "insert into unit_positions select unit_code, now() - %s * interval '1 h', geom from patrol_units"
                " where unit_code = 'U1'",
                (hours,),
            )
        connection.execute("select ask_for('tidy', '', now())")
    deadline = time.monotonic() + 90
    while True:
        with connect(database) as connection:
            kept = connection.execute("select count(*) as n from unit_positions").fetchone()
            due = connection.execute(
                "select due_at > now() + interval '59 minutes' as waits from due_work where kind = 'tidy'"
            )
            waits = due.fetchall()
        if kept == {"n": 1} and waits == [{"waits": True}]:  # in one transaction
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert client.get("/units/U1/track").status_code == 200


@pytest.fixture
def zoned(heidelberg: tuple[httpx.Client, str]) -> tuple[httpx.Client, str]:
    """Both banks of the Neckar as grid cells and as patrol zones, with a unit free, busy, or to spare in each."""
    client, database = heidelberg
    banks = snap_geometry(np.array([shapely.box(8.64, 49.4125, 8.75, 49.44), shapely.box(8.64, 49.38, 8.75, 49.4125)]))
    with connect(database) as connection:
        levels = [
            GridLevel(grid_level=1, name_zh="区", name_en="district", code_scheme="local", min_zoom=0),
            GridLevel(grid_level=2, name_zh="块", name_en="block", code_scheme="local", min_zoom=10),
        ]
        set_levels(connection, levels)
        blocks = [
            snap_geometry(shapely.box(west, south, west + 0.0275, south + high))
            for south, high in ((49.4125, 0.0275), (49.38, 0.0325))
            for west in np.arange(4) * 0.0275 + 8.64
        ]
        cells = pd.DataFrame({
            "grid_code": ["NORTH", "SOUTH", *(f"N{n}" for n in range(4)), *(f"S{n}" for n in range(4))],
            "code_scheme": "local", "grid_level": [1, 1, *[2] * 8], "parent_code": [None, None, *["NORTH"] * 4, *["SOUTH"] * 4],
            "name": "x", "cell_kind": ["division", "division", *["basic"] * 8], "household_count": [400, 400, *[100] * 8],
            "geometry": [*banks, *blocks],
        })  # fmt: skip
        publish_cells(connection, cells, "two banks")
        zones = pd.DataFrame({
            "zone_code": ["ZN", "ZS"], "name": ["北", "南"], "zone_kind": "area", "zone_type": "regular",
            "responsible_unit": "x", "geometry": list(banks),
        })  # fmt: skip
        publish_zones(connection, zones, "two banks")
        connection.execute("update patrol_units set zone_code = case when unit_code = 'CAR' then 'ZN' else 'ZS' end")
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, zone_code, geom)"
            " select 'CAR2', '二车', 'motorcycle', 'ZN', geom from patrol_units where unit_code = 'CAR'"
        )
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom) select 'GC' || n, 'governance_centre', 'x',"
            " ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.66 + n * 0.012, 49.405), 4490), 2 ^ -26) from generate_series(0, 4) n"
        )
    return client, database


def test_a_zone_left_bare_is_named_with_who_could_move_up(zoned: tuple[httpx.Client, str]) -> None:
    client, database = zoned
    (bare,) = client.get("/response/move-up").json()
    assert (bare["zone_code"], bare["suggestion"]["from_zone"]) == ("ZS", "ZN")
    assert bare["suggestion"]["unit_code"] in {"CAR", "CAR2"}
    assert (bare["suggestion"]["method"], bare["suggestion"]["estimated_because"]) == ("valhalla", None)
    now, travel = datetime.now(UTC), Travel.of(Settings())
    with connect(database) as connection, Router.opened(None, travel.estimate) as without:
        (told,) = bare_zones(read_zones(connection, now), without, travel, now)
    assert told.suggestion is not None
    assert (told.suggestion.method, told.suggestion.estimated_because) == ("geodesic_estimate", "no_roads")
    with connect(database) as connection:
        connection.execute("update patrol_units set unit_status = 'on_scene' where unit_code = 'CAR2'")
    (bare,) = client.get("/response/move-up").json()
    assert bare["suggestion"] is None  # no zone gives its last


def test_circles_of_several_posts_are_one_by_zone_unit_and_city(zoned: tuple[httpx.Client, str]) -> None:
    client, database = zoned
    with connect(database) as connection:
        connection.execute("update police_posts set responsible_unit = 'squad'")
    single = circles(client)
    everywhere = "8,49,9,50"
    for by, groups in (
        ("zone", {"ZN": ["N"], "ZS": ["S"]}),
        ("unit", {"squad": ["N", "S"]}),
        ("city", {"": ["N", "S"]}),
    ):
        features = client.get("/response/unions", params={"by": by, "bbox": everywhere}).json()["features"]
        assert [one["properties"]["tier_minutes"] for one in features] == [tier for tier in (5, 3, 1) for _ in groups]
        for one in features:
            told = one["properties"]
            parts = [single[post, told["tier_minutes"]][0] for post in groups[told["code"]]]
            shape = shapely.geometry.shape(one["geometry"])
            assert shapely.area(shape) == pytest.approx(shapely.area(shapely.union_all(parts)), rel=0.01)
            assert (told["posts"], told["method"], told["estimated_because"]) == (len(parts), "valhalla", None)
    with connect(database) as connection:
        connection.execute("update police_posts set key_periods = 'Mo-Su 08:00-20:00' where post_code = 'N'")
    night = {"by": "zone", "bbox": everywhere, "at": f"{TOMORROW}T23:00:00+08:00"}
    told = client.get("/response/unions", params=night).json()["features"]
    past = client.get("/response/unions", params={**night, "at": "2026-01-26T12:00:00+08:00"}).json()
    assert (past["features"], past["response_known"]) == ([], False)
    assert {one["properties"]["code"] for one in told} == {"ZS"}
    cut = client.get("/response/unions", params={"by": "city", "bbox": "8.6,49.41,8.8,49.5"}).json()["features"]
    assert all(shapely.geometry.shape(one["geometry"]).bounds[1] >= 49.41 for one in cut)


def test_circles_are_joined_once_for_all_who_ask_in_a_process(
    zoned: tuple[httpx.Client, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined in threads of the server, circles for several zooms held up everybody; and each who asked had them joined."""
    client, _ = zoned
    calls: list[object] = []

    async def counted(request: Request, budget: Budget, do: Callable[..., object], *more: object) -> object:
        calls.append(do)
        await asyncio.sleep(1)
        return await apart(request, budget, do, *more)

    apart = areas.apart
    monkeypatch.setattr(areas, "apart", counted)

    def ask(zoom: int) -> list[dict]:
        return client.get("/response/unions", params={"bbox": "8,49,9,50", "zoom": zoom}).json()["features"]

    joined = -1
    while len(calls) != joined:  # until the server has heard of all that was stored before
        joined = len(calls)
        ask(8)
    calls.clear()
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(ask, [9] * 4)
    assert {one["properties"]["code"] for one in first} == {"ZN", "ZS"}
    assert others == [first] * 3
    assert calls == [join_apart]


def test_the_progress_of_drawing_tells_a_township_of_its_own_posts_alone(zoned: tuple[httpx.Client, str]) -> None:
    client, database = zoned
    around = shapely.geometry.mapping(shapely.box(NORTH[0] - 0.02, NORTH[1] - 0.0025, NORTH[0] + 0.02, NORTH[1] + 0.02))
    made = {"type": "Feature", "geometry": around, "properties": {"closure_code": "ALL", "closure_kind": "avoided"}}
    free = circles(client)["N", 5][0]
    assert client.post("/collections/road_closures/items", json=made).status_code == 201
    wait_for_circles(client, free)
    everything = client.get("/response/drawing").json()
    assert (everything["isolated"], everything["total"]) == (["N"], 2)
    url = str(client.base_url)
    with (
        bearing(url, api_key(database, "dispatcher", ["SOUTH"])) as southern,
        bearing(url, api_key(database, "dispatcher", ["NORTH"])) as northern,
    ):
        south, north = (one.get("/response/drawing").json() for one in (southern, northern))
    assert (south["isolated"], south["total"]) == ([], 1)
    assert (north["isolated"], north["total"]) == (["N"], 1)


def test_where_a_post_should_be_is_answered_beside_today(zoned: tuple[httpx.Client, str]) -> None:
    client, database = zoned
    asked = {"within": "SOUTH", "model": "maximal_covering", "tier_minutes": 3, "count": 2, "keeps_posts": True}
    answer = client.post("/response/siting", json=asked).json()
    assert answer["demand"] == 400
    assert {site["code"] for site in answer["sites"] if site["is_post"]} == {"N", "S"}
    assert len(answer["sites"]) == 4
    assert answer["covered"] >= answer["covered_today"]
    assert (answer["estimated"], answer["estimated_because"]) == (0, {})
    travel = Travel.of(Settings())
    with connect(database) as connection, Router.opened(None, travel.estimate) as without:
        places = read_places(connection, Question("SOUTH", "maximal_covering", 3, 2))
        told = solve(places, *travel_times(places, without, travel, Event()))
    assert (told.estimated, told.estimated_because) == (1, {"no_roads": 1})
    refused = client.post("/response/siting", json={**asked, "count": 100})
    assert refused.status_code == 422
    assert "so many candidates" in refused.json()["detail"]
    assert client.post("/response/siting", json={**asked, "within": "NOWHERE"}).status_code == 422
