"""What is drawn as reached, against what Valhalla itself says it reaches, on the real roads of two places."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo_grid.coordinates import LATTICE_STEP
from geo_grid.response import worker
from geo_grid.response.expansion import Stretches, read_expansion
from geo_grid.response.reach import AROUND_ROAD_M, reached_areas
from geo_grid.response.worker import Ride
from tests.response.roads import graph_of, places_on_roads

LIMITS_S = (60, 180, 300)
POSTS, SAMPLES = int(os.environ.get("REACH_POSTS", "40")), 80
"""Posts in each place; 200 once took a minute of a core, and found what 40 find."""
DEGREE_M = 111_195.0


@pytest.fixture(scope="module", params=["liechtenstein", "heidelberg"])
def extract(request: pytest.FixtureRequest, shared: Path) -> Iterator[Path]:
    found = shared / f"{request.param}.osm.pbf"
    worker.open_graph(str(graph_of(found)))
    yield found
    worker._actor = None


def test_circles_of_many_posts_nest_and_hold_what_valhalla_reaches(extract: Path) -> None:
    """Tolerance by tier: a road nearer than 20, 24, 28 m to a reached one shares its place, such as the other
    carriageway of a divided road, and counts neither way."""
    rng = np.random.default_rng(7)
    all_places = places_on_roads(extract, 60_000, rng)
    ride, on_road = Ride(), Ride(road_reach_m=10)  # a sample is on its own road, and on no other
    reached, held, others, wrong = (np.zeros(3) for _ in range(4))
    for post in places_on_roads(extract, POSTS, rng):
        place = (float(post[0]), float(post[1]))
        made = worker.areas(place, LIMITS_S, ride, False)
        assert made is not None, place
        areas = shapely.get_parts(shapely.from_wkb(made.wkb))
        assert shapely.is_valid(areas).all()
        assert (shapely.get_type_id(areas) == shapely.GeometryType.MULTIPOLYGON).all()
        assert shapely.covers(areas[1:], areas[:-1]).all()
        assert ((shapely.get_coordinates(areas) / LATTICE_STEP) % 1 == 0).all()
        west, south, east, north = shapely.bounds(areas[2])
        wide, high = (east - west) / 5, (north - south) / 5
        here = all_places[
            (all_places[:, 0] > west - wide) & (all_places[:, 0] < east + wide)
            & (all_places[:, 1] > south - high) & (all_places[:, 1] < north + high)
        ][:SAMPLES]  # fmt: skip
        if not len(here):
            continue
        times = worker.seconds([place], [tuple(spot) for spot in here], on_road)[0]
        seconds = np.array([np.inf if time is None else time for time in times], float)
        flat = np.array([np.cos(np.radians(place[1])), 1.0])
        points = shapely.points(here * flat)
        told = _told(_expanded(place, ride), flat)
        for tier, limit in enumerate(LIMITS_S):
            inside = shapely.covers(areas[tier], shapely.points(here))
            is_reached = seconds <= limit
            reached[tier] += is_reached.sum()
            held[tier] += (is_reached & inside).sum()
            near = np.zeros(len(here), bool)
            stretches = _reached(*told, limit)
            near[stretches.query(points, "dwithin", distance=AROUND_ROAD_M[tier] / DEGREE_M)[0]] = True
            others[tier] += (~is_reached & ~near).sum()
            wrong[tier] += (~is_reached & ~near & inside).sum()
    print(extract.name, "held", held / reached, "wrong", wrong / others)
    assert (reached > 1.5 * POSTS).all()
    assert (held / reached >= 0.98).all(), held / reached
    assert (wrong / others <= 0.02).all(), wrong / others


def _expanded(place: tuple[float, float], ride: Ride) -> dict:
    question = {
        "locations": worker._at(worker._spots([place], ride.road_reach_m)), "action": "isochrone", "dedupe": True,
        "contours": [{"time": LIMITS_S[-1] / 60}], "expansion_properties": ["duration", "edge_id", "pred_edge_id"],
    }  # fmt: skip
    return json.loads(worker._ask("expansion", question | worker._how(ride)))


def _told(answer: dict, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines of an expansion as Valhalla tells them, and the seconds at which each begins and ends."""
    told = answer["features"]
    ends = {one["properties"]["edge_id"]: one["properties"]["duration"] for one in told}
    begin = np.array([ends.get(one["properties"]["pred_edge_id"], 0) for one in told], float)
    end = np.array([one["properties"]["duration"] for one in told], float)
    lines = [np.array(one["geometry"]["coordinates"]) for one in told]
    number = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    return shapely.linestrings(np.vstack(lines) * flat, indices=number), begin, np.maximum(end, begin + 1e-9)


def _reached(lines: np.ndarray, begin: np.ndarray, end: np.ndarray, limit: float) -> shapely.STRtree:
    """The stretches that are reached, those in part cut by length."""
    part = (begin <= limit) & (limit < end)
    share = (limit - begin[part]) / (end[part] - begin[part])
    cut = shapely.line_interpolate_point(lines[part][:, None], np.linspace(0, share, 40, axis=1), normalized=True)
    points = shapely.get_coordinates(cut).reshape(-1, 40, 2)
    return shapely.STRtree(np.concatenate([lines[end <= limit], shapely.linestrings(points)]))


def test_inbound_is_not_outbound_where_streets_are_one_way(extract: Path) -> None:
    place = tuple(places_on_roads(extract, 1, np.random.default_rng(3))[0])
    outbound, inbound = (worker.areas(place, LIMITS_S, Ride(), is_inbound) for is_inbound in (False, True))
    assert outbound is not None
    assert inbound is not None
    targets = [tuple(spot) for spot in places_on_roads(extract, 4000, np.random.default_rng(4))]
    inside = shapely.covers(shapely.get_parts(shapely.from_wkb(inbound.wkb))[2], shapely.points(targets))
    here = [target for target, is_in in zip(targets, inside, strict=True) if is_in]
    times = [row[0] for row in worker.seconds(here, [place], Ride())]
    assert len(here) > 10
    assert np.mean([time is not None and time <= 330 for time in times]) > 0.9


@pytest.mark.parametrize("costing", ["auto", "motorcycle", "pedestrian"])
def test_a_search_for_many_targets_says_what_one_for_each_says_and_keeps_little(extract: Path, costing: str) -> None:
    """It kept 1.5 GB, and on foot asked for more than there was."""
    source, *targets = [tuple(spot) for spot in places_on_roads(extract, 241, np.random.default_rng(6))]
    ride = Ride(costing, walk_reach_m=500)
    before = _resident_mb()
    found = worker.seconds([source], targets, ride)[0]
    assert _resident_mb() - before < 200
    alone = [
        time for begin in range(0, 240, 40) for time in worker.seconds([source], targets[begin : begin + 40], ride)[0]
    ]
    told = np.array([found, alone], float)
    assert np.isfinite(told[0]).sum() > 200
    assert (np.isfinite(told[0]) == np.isfinite(told[1])).mean() > 0.98
    apart = np.abs(np.diff(np.log(told[:, np.isfinite(told).all(axis=0)]), axis=0))
    print(extract.name, costing, np.quantile(apart, [0.5, 0.95, 1]))
    assert np.quantile(apart, 0.95) < 0.05


def _resident_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) >> 10


def test_an_expansion_is_read_as_valhalla_s_own_json_says_it(extract: Path) -> None:
    place = tuple(places_on_roads(extract, 1, np.random.default_rng(5))[0])
    read = worker.expansion(worker.Spot(*place, Ride().road_reach_m), LIMITS_S[-1], Ride(), is_inbound=False)
    told = _expanded(place, Ride())["features"]
    assert len(told) == len(read.end_s) > 100
    ends = {one["properties"]["edge_id"]: one["properties"]["duration"] for one in told}
    for number, one in enumerate(told):
        points = read.points[read.first[number] : read.first[number + 1]]
        assert points == pytest.approx(np.array(one["geometry"]["coordinates"]), abs=1.1e-6)  # JSON cuts digits off
        before = one["properties"]["pred_edge_id"]
        assert (read.begin_s[number], read.is_first[number]) == (ends.get(before, 0), before not in ends)
        assert read.end_s[number] == max(one["properties"]["duration"], read.begin_s[number])


def test_what_is_no_expansion_is_refused() -> None:
    expansion = b"\x12\x01\x05\x2a\x01\x09\x32\x01\x08\x3a\x06\x0a\x04\x02\x04\x06\x08"  # one stretch
    whole = b"\x3a" + bytes([len(expansion)]) + expansion
    assert read_expansion(whole).end_s.tolist() == [5]
    cut = [whole[:end] for end in range(len(whole))]
    of_one_point = whole[:2] + whole[2:-6] + b"\x04\x0a\x02\x02\x04"
    for answer in (
        *cut,
        b"{}",
        b"\x3a\x00",
        b"\xff" * 40,
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        of_one_point,
    ):
        with pytest.raises(ValueError, match="no expansion"):
            read_expansion(answer)


def test_a_post_beside_its_road_and_a_dead_end_are_drawn() -> None:
    dead_end = Stretches(
        np.array([[114.5, 37.0], [114.51, 37.0]]),
        np.array([0, 2]),
        np.array([0.0]),
        np.array([100.0]),
        np.array([True]),
    )
    one, three, five = reached_areas((114.5, 37.0005), dead_end, LIMITS_S)
    assert shapely.covers(one, shapely.Point(114.5, 37.0005))
    assert shapely.covers(one, shapely.Point(114.505, 37.0))
    assert not shapely.covers(one, shapely.Point(114.507, 37.0))
    assert shapely.covers(three, shapely.Point(114.51, 37.0))
    assert shapely.covers(five, three)
