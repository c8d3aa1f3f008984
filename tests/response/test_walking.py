"""Places far from a road: from the nearest one on people go on foot, told apart from the drive; estimates only beyond."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely

from geo_grid.errors import GivenUp
from geo_grid.response.circles import METHOD, distances_m
from geo_grid.response.ranking import rank
from geo_grid.response.router import ROUTED, Router
from geo_grid.response.travel import Travel
from geo_grid.settings import Settings
from tests.response.roads import driven_roads, graph_of
from tests.response.test_router import LIMITS_S, VADUZ

FIELD = (9.5614, 47.2306)
"""347 m from the nearest road."""
SEA = (0.0, 30.0)


@pytest.fixture(scope="module")
def extract(shared: Path) -> Path:
    return shared / "liechtenstein.osm.pbf"


@pytest.fixture(scope="module")
def router(extract: Path) -> Iterator[Router]:
    travel = Travel.of(Settings())
    with Router.opened(graph_of(extract), travel.estimate, timeout_s=30) as router:
        yield router


def from_road_m(extract: Path, place: tuple[float, float]) -> float:
    """Metres to the nearest road that vehicles use, by the extract itself."""
    flat = np.array([np.cos(np.radians(place[1])), 1.0])
    lines = shapely.transform(driven_roads(extract), lambda xy: xy * flat)
    return float(shapely.distance(lines, shapely.Point(np.array(place) * flat)).min() * 111_195)


def test_a_place_far_from_a_road_is_reached_by_road_and_on_foot(router: Router, extract: Path) -> None:
    ride, travel = Travel.of(Settings()).ride(), Travel.of(Settings())
    far, near, none = router.matrix([VADUZ], [FIELD, (9.5215, 47.139), SEA], ride)[0]
    assert (far.method, near.method, none.method) == (ROUTED, ROUTED, METHOD)
    assert (near.on_foot_s, near.on_foot_m, none.on_foot_s) == (0, 0, 0)
    straight_m = far.on_foot_m / travel.estimate.detour_factor
    assert straight_m == pytest.approx(from_road_m(extract, FIELD), abs=2)
    assert far.on_foot_s == pytest.approx(far.on_foot_m / (travel.estimate.on_foot_kmh / 3.6))
    assert far.travel_s > far.on_foot_s + 60  # and a drive
    back = router.matrix([FIELD], [VADUZ], ride)[0][0]
    assert (back.method, back.on_foot_m) == (ROUTED, far.on_foot_m)
    found = router.times([VADUZ], [FIELD, SEA], ride)
    assert found.seconds[0, 0] == pytest.approx(far.travel_s)
    assert found.is_estimated.tolist() == [[False, True]]
    assert found.estimated == {none.why: 1} == {"no_road_near": 1}


def test_up_to_two_kilometres_are_walked_and_no_more(router: Router) -> None:
    """Westward, up a mountain on whose other side the extract has no roads, 70 m at a time."""
    travel = Travel.of(Settings())
    way = [tuple(place) for place in np.linspace((9.4640, 47.0420), (9.4480, 47.0340), 22).tolist()]
    (arrivals,) = router.matrix([VADUZ], way, travel.ride())
    routed = [arrival.method == ROUTED for arrival in arrivals]
    last = routed.index(False) - 1
    assert routed == [True] * (last + 1) + [False] * (len(way) - last - 1)
    assert 1900 < arrivals[last].on_foot_m / travel.estimate.detour_factor <= 2001
    assert {arrival.why for arrival in arrivals[last + 1 :]} == {"no_road_near"}
    methods = [router.areas(way[number], LIMITS_S, travel.ride()).method for number in (last, last + 1)]
    assert methods == [ROUTED, METHOD]


def test_how_far_is_walked_is_a_setting(router: Router) -> None:
    near_roads = Travel.of(Settings(response_walk_reach_m=0)).ride()
    assert router.matrix([VADUZ], [FIELD], near_roads)[0][0].method == METHOD
    assert router.areas(FIELD, LIMITS_S, near_roads).method == METHOD


def test_nobody_walks_out_of_a_closed_area_to_another_road(router: Router) -> None:
    closed = shapely.Point(VADUZ).buffer(0.008)
    ride = Travel.of(Settings()).ride(closed=[closed])
    (arrival,) = router.matrix([(9.5020, 47.0670)], [VADUZ], ride)[0]
    assert arrival.travel_s == np.inf
    assert arrival.on_foot_s == 0


def test_circles_of_a_post_far_from_a_road_begin_on_foot_and_nest(router: Router) -> None:
    ride = Travel.of(Settings()).ride()
    areas = router.areas(FIELD, (60, 180, 900), ride)
    assert areas.method == ROUTED
    assert areas.on_foot_m > 200
    assert shapely.is_valid(areas.shapes).all()
    assert (shapely.get_type_id(areas.shapes) == shapely.GeometryType.MULTIPOLYGON).all()
    assert shapely.covers(areas.shapes[1:], areas.shapes[:-1]).all()
    assert shapely.covers(areas.shapes[0], shapely.Point(FIELD))
    first, last = (shapely.get_coordinates(shape).tolist() for shape in (areas.shapes[0], areas.shapes[2]))
    assert distances_m([FIELD], first).max() < 70  # a minute on foot, not 385 m by car
    assert distances_m([FIELD], last).max() > 2000  # and once at the road, by car
    assert router.areas(VADUZ, LIMITS_S, ride).on_foot_m == 0


def test_a_dispatcher_is_told_the_walk_beside_the_drive(router: Router) -> None:
    import asyncio

    travel, now = Travel.of(Settings()), datetime(2026, 11, 25, 12, 0, tzinfo=ZoneInfo("Europe/Vaduz"))
    post = {"code": "P1", "name": "x", "kind": "police_post", "lon": VADUZ[0], "lat": VADUZ[1], "distance_m": 9000.0}
    (one,) = asyncio.run(rank(router, travel, FIELD, [post], [], now))
    assert one.method == ROUTED
    assert one.arrival_s is not None
    assert 0 < one.on_foot_s < one.arrival_s
    assert one.on_foot_m == pytest.approx(one.on_foot_s * travel.estimate.on_foot_kmh / 3.6, rel=0.01)


def test_times_that_nobody_waits_for_are_asked_no_further(router: Router) -> None:
    given_up = Event()
    given_up.set()
    with pytest.raises(GivenUp):
        router.times([VADUZ] * 500, [FIELD] * 500, Travel.of(Settings()).ride(), given_up)
    seconds, *_ = router.times([VADUZ], [FIELD], Travel.of(Settings()).ride(), Event())  # and the workers are free
    assert seconds[0, 0] > 0
