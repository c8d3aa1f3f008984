"""A closure in the middle of a stretch: nobody drives through it, though Valhalla lets a ride leave the stretch it begins on."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
import shapely

from geo_grid.response import build_graph
from geo_grid.response.router import ROUTED, Router
from geo_grid.response.travel import Travel
from geo_grid.settings import Settings

WEST, MIDDLE, EAST = (114.5002, 37.0), (114.5010, 37.0), (114.5020, 37.0)
"""On one stretch, from 114.500 to the junction at 114.503; from there another leads to NORTH."""
NORTH = (114.503, 37.002)
PLACES = (WEST, MIDDLE, EAST, NORTH)
CROSSED, MOUTH = 114.5015, 114.50295


@pytest.fixture(scope="module")
def router(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    roads = tmp_path_factory.mktemp("roads")
    graph = build_graph(shared.parent / "cases" / "two_streets.osm", roads, "e" * 64)
    with Router.opened(graph, Travel.of(Settings()).estimate, workers=1, timeout_s=60) as router:
        yield router


def across(lon: float) -> shapely.Geometry:
    return shapely.LineString([(lon, 36.9995), (lon, 37.0005)])


def around(west: float, east: float) -> shapely.Geometry:
    return shapely.box(west, 36.9995, east, 37.0005)


@pytest.mark.parametrize(
    ("closed", "leads"),
    [
        ([across(CROSSED)], {(EAST, NORTH), (NORTH, EAST)}),
        ([around(114.5005, 114.5015)], {(EAST, NORTH), (NORTH, EAST)}),
        ([across(MOUTH)], set()),
        ([around(114.5029, 114.5031)], set()),
        ([across(CROSSED), around(114.5025, 114.5026)], set()),
        ([across(114.6)], {(one, other) for one in PLACES for other in PLACES if one != other}),
    ],
    ids=["line", "area", "at the mouth", "junction", "on both sides", "elsewhere"],
)
def test_nobody_drives_through_a_closure_on_their_own_stretch(
    router: Router, closed: list[shapely.Geometry], leads: set[tuple[object, object]]
) -> None:
    ride = Travel.of(Settings()).ride(closed=closed)
    rows = router.matrix(PLACES, PLACES, ride)
    on_one_stretch = {(one, other) for one in PLACES[:3] for other in PLACES[:3]} if len(leads) < 3 else set()
    for one, row in zip(PLACES, rows, strict=True):
        for other, arrival in zip(PLACES, row, strict=True):
            if one != other and (one, other) not in on_one_stretch:
                assert arrival.method == ROUTED
                assert (arrival.travel_s < inf) == ((one, other) in leads), (one, other)


@pytest.mark.parametrize("is_inbound", [False, True])
def test_what_is_reached_ends_at_a_closure_on_the_own_stretch(router: Router, is_inbound: bool) -> None:
    """Circles and areas on demand were drawn through it, to the end of the stretch and beyond."""
    ride = Travel.of(Settings()).ride(closed=[across(CROSSED)])
    for place, west, east in ((MIDDLE, 114.4995, CROSSED), (EAST, CROSSED, 114.5035)):
        areas = router.areas(place, (60, 180, 300), ride, is_inbound)
        assert areas.method == ROUTED
        low, _, high, _ = shapely.total_bounds(areas.shapes)
        assert west < low < place[0] < high < east
    far = router.areas(EAST, (60, 180, 300), ride, is_inbound).shapes[-1]
    assert shapely.covers(far, shapely.Point(NORTH))  # the other way is open


def test_a_way_leads_past_no_closure(router: Router) -> None:
    ride = Travel.of(Settings()).ride(closed=[across(CROSSED)])
    assert router.way([MIDDLE, NORTH], ride) is None
    way = router.way([EAST, NORTH], ride)
    assert way is not None
    assert way.line[-1] == pytest.approx(NORTH, abs=1e-6)
