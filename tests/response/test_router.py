"""The router answers always: from roads where it can, else by estimate, and says which."""

import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import shapely

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.response import ServiceArea, build_graph, worker
from geo_grid.response.circles import METHOD, distances_m
from geo_grid.response.graph import find_graph, read_manifest
from geo_grid.response.router import ROUTED, Estimate, Router
from geo_grid.response.travel import Travel, closures_near
from geo_grid.response.worker import Ride
from geo_grid.settings import Settings
from tests.response.roads import graph_of, places_on_roads

LIMITS_S = (60, 180, 300)
ROADS = ("trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street", "service")
VADUZ = (9.5209, 47.1410)


@pytest.fixture(scope="module")
def liechtenstein(shared: Path) -> Path:
    return shared / "liechtenstein.osm.pbf"


@pytest.fixture(scope="module")
def graph(liechtenstein: Path) -> Path:
    return graph_of(liechtenstein)


@pytest.fixture(scope="module")
def router(graph: Path) -> Iterator[Router]:
    with Router.opened(graph, Estimate()) as router:
        yield router


def test_a_graph_is_built_whole_or_not_at_all(liechtenstein: Path, tmp_path: Path) -> None:
    roads, digest = tmp_path / "roads", hashlib.sha256(liechtenstein.read_bytes()).hexdigest()
    built = build_graph(liechtenstein, roads, digest)
    manifest = read_manifest(built)
    assert (manifest.extract, manifest.bytes > 1_000_000) == ("liechtenstein.osm.pbf", True)
    assert find_graph(roads, manifest.sha256) == built
    cut = tmp_path / "cut.osm.pbf"
    cut.write_bytes(liechtenstein.read_bytes()[:400_000])
    with pytest.raises(UnreadableFile, match=r"cut\.osm\.pbf"):
        build_graph(cut, roads, "f" * 64)
    assert find_graph(roads, "f" * 64) is None
    assert [path.name for path in roads.iterdir()] == [built.name]


def test_a_graph_is_of_its_service_area_and_of_the_speeds_on_duty(liechtenstein: Path, tmp_path: Path) -> None:
    slow, quick = (
        ServiceArea.of((9.48, 47.12, 9.56, 47.17), "|".join(f"{road}={kmh}" for road in ROADS)) for kmh in (20, 60)
    )
    digest = "d" * 64
    graphs = [build_graph(liechtenstein, tmp_path, digest, area) for area in (slow, quick)]
    assert find_graph(tmp_path, digest) is None  # the whole extract's
    assert [find_graph(tmp_path, area.key(digest)) for area in (slow, quick)] == graphs
    manifest = read_manifest(graphs[0])
    assert (manifest.box, manifest.speeds_kmh["primary"]) == ([9.48, 47.12, 9.56, 47.17], 20)
    schaan, balzers = (9.5070, 47.1650), (9.5020, 47.0670)
    times = []
    for graph in graphs:
        with Router.opened(graph, Estimate()) as router:
            inside, outside = router.matrix([VADUZ], [schaan, balzers])[0]
            assert (inside.method, outside.method) == (ROUTED, METHOD)  # no road is known there
            times.append(inside.travel_s)
    assert 2 < times[0] / times[1] < 3.2


@pytest.mark.parametrize("text", ["primary", "primary=fast", "=50", "primary=900", "primary=0"])
def test_speeds_that_cannot_be_read_are_refused_in_words(text: str) -> None:
    with pytest.raises(UserError, match="GEO_GRID_RESPONSE_ROAD_SPEEDS"):
        ServiceArea.of(None, text)


def test_without_a_graph_everything_is_estimated_and_says_so() -> None:
    with Router.opened(None, Estimate(30, 5, 1.3)) as router:
        areas = router.areas(VADUZ, LIMITS_S)
        assert areas.method == METHOD
        assert shapely.covers(areas.shapes[1:], areas.shapes[:-1]).all()
        there = (9.53, 47.15)
        (driven,), (walked,) = router.matrix([VADUZ], [there])[0:1], router.matrix([VADUZ], [there], Ride("pedestrian"))
        metres = distances_m([VADUZ], [there])[0, 0]
        assert driven[0].travel_s == pytest.approx(metres * 1.3 / (30 / 3.6))
        assert walked[0].travel_s == pytest.approx(metres * 1.3 / (5 / 3.6))
        assert {driven[0].method, walked[0].method} == {METHOD}
        assert router.way([VADUZ, there]) is None


@pytest.mark.parametrize(
    ("what", "place"),
    [("in the sea", (0.0, 30.0)), ("outside the extract", (8.5, 47.4)), ("on a mountain", (9.61, 47.06))],
)
def test_a_post_that_no_road_is_near_gets_estimates_and_says_so(
    router: Router, what: str, place: tuple[float, float]
) -> None:
    areas = router.areas(place, LIMITS_S)
    assert areas.method == METHOD, what
    assert shapely.is_valid(areas.shapes).all()
    assert shapely.covers(areas.shapes[0], shapely.Point(place))


def test_one_minute_never_fails_anywhere_in_the_box_of_the_extract(router: Router) -> None:
    """Tile edges, dead ends, car parks, rivers, the border: 1,000 places, all asked for at once."""
    rng = np.random.default_rng(11)
    places = [(float(lon), float(lat)) for lon, lat in rng.uniform((9.47, 47.04), (9.64, 47.28), (500, 2))]
    places += [
        (9.5, 47.25),
        (9.5, 47.0),
        *[(9.5, lat) for lat in np.linspace(47.05, 47.27, 249)],
    ]  # along a tile's edge
    places += [(lon, 47.25) for lon in np.linspace(9.48, 9.62, 249)]
    ride = Ride()
    asked = [router.ask_areas(place, (60,), ride) for place in places]
    methods = []
    for place, answer in zip(places, asked, strict=True):
        found = router.areas_of(answer, place, (60,), ride)
        assert shapely.is_valid(found.shapes).all()
        assert not shapely.is_empty(found.shapes).any()
        methods.append(found.method)
    assert {ROUTED, METHOD} == set(methods)


def test_one_place_without_a_road_does_not_spoil_the_others(router: Router) -> None:
    targets = [(9.5215, 47.139), (0.0, 30.0), (9.52, 47.15)]
    one, none, other = router.matrix([VADUZ], targets)[0]
    assert (one.method, none.method, other.method) == (ROUTED, METHOD, ROUTED)
    assert one.travel_s < other.travel_s < none.travel_s


def test_killing_the_worker_amid_300_questions_every_answer_arrives_labelled(graph: Path) -> None:
    places = [tuple(spot) for spot in np.random.default_rng(2).uniform((9.50, 47.10), (9.54, 47.20), (300, 2))]
    ride = Ride()
    with Router.opened(graph, Estimate(), timeout_s=60) as router:  # so that only a kill loses an answer
        assert router.areas(VADUZ, LIMITS_S).method == ROUTED
        workers = {answer.result() for answer in [router._ask(_slow_getpid) for _ in range(20)]}
        assert os.getpid() not in workers
        asked = [router.ask_areas(place, LIMITS_S, ride) for place in places]
        time.sleep(1)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        found = [router.areas_of(answer, place, LIMITS_S, ride) for answer, place in zip(asked, places, strict=True)]
        assert len(found) == 300
        assert all(shapely.is_valid(areas.shapes).all() for areas in found)
        lost = [areas for areas in found if not areas.was_answered]
        assert lost == []  # what was being asked was asked again, and the others were answered by the new workers
        assert router.areas(VADUZ, LIMITS_S).method == ROUTED  # there are new workers


def test_a_router_that_is_closed_meanwhile_gave_no_answer(graph: Path) -> None:
    with Router.opened(graph, Estimate()) as router:
        pass
    areas = router.areas(VADUZ, LIMITS_S)
    assert (areas.method, areas.was_answered) == (METHOD, False)


def test_a_fault_of_our_own_is_an_estimate_and_is_logged(router: Router, caplog: pytest.LogCaptureFixture) -> None:
    asked = router.ask_areas((9.5, 47.1), "none", Ride())  # type: ignore[arg-type]
    found = router.areas_of(asked, (9.5, 47.1), (60.0,), Ride())
    assert found.why == "no_answer"
    assert "a question about roads failed" in caplog.text
    assert "Traceback" in caplog.text


def test_a_worker_that_hangs_is_replaced(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Router.opened(graph, Estimate(), workers=1, timeout_s=4) as router:
        assert router.areas(VADUZ, LIMITS_S).method in {ROUTED, METHOD}  # the first question also starts the worker
        hung = router._ask(time.sleep, 60)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            hung.result()
        assert time.monotonic() - begun < 20
        deadline = time.monotonic() + 90
        while router.areas(VADUZ, LIMITS_S).method != ROUTED:
            assert time.monotonic() < deadline


def test_a_closure_keeps_everybody_out(router: Router) -> None:
    travel = Travel.of(Settings())
    before = router.areas(VADUZ, LIMITS_S, travel.ride())
    lon, lat = VADUZ
    ring = shapely.difference(shapely.Point(VADUZ).buffer(0.006), shapely.Point(VADUZ).buffer(0.005))
    closed = shapely.multipolygons([ring])
    after = router.areas(VADUZ, LIMITS_S, travel.ride(closed=[closed]))
    assert (before.method, after.method) == (ROUTED, ROUTED)
    assert shapely.area(after.shapes[2]) < shapely.area(before.shapes[2]) / 4
    wall = shapely.multilinestrings([shapely.linestrings([(lon - 0.1, lat + 0.002), (lon + 0.1, lat + 0.002)])])
    (arrival,) = router.matrix([VADUZ], [(lon, lat + 0.012)], travel.ride(closed=[wall]))[0]
    (free,) = router.matrix([VADUZ], [(lon, lat + 0.012)], travel.ride())[0]
    assert free.method == ROUTED
    assert arrival.method == ROUTED  # never a straight line over a closed road
    assert arrival.travel_s > free.travel_s


def zigzag(west: float, south: float, teeth: int, width: float) -> shapely.Geometry:
    """A closed area whose outline is long: so many teeth, each a degree high."""
    top = [(west + width * (n / 2) / teeth, south + n % 2) for n in range(2 * teeth + 1)]
    return shapely.multipolygons([shapely.Polygon([*top, (west + width, south - 0.01), (west, south - 0.01)])])


def test_closures_however_large_are_asked_and_far_ones_change_nothing(router: Router) -> None:
    """A million metres of outlines were the most: then nobody could be reached, and circles were round."""
    travel, there = Travel.of(Settings()), (9.507, 47.165)
    far, many = zigzag(12.0, 48.0, 40, 2.0), [shapely.Point(13 + n / 500, 46).buffer(0.0005) for n in range(500)]
    near = zigzag(9.60, 46.6, 40, 2.0)  # its western teeth stand in the east of the country
    free = travel.ride()
    for closures in ([far], [*many, far], [near]):
        ride = travel.ride(closed=closures)
        assert (
            sum(shapely.length(shapely.linearrings(ring)) for ring in ride.closed) * 100_000 > 1_000_000
            or len(closures) > 1
        )
        (arrival,), (plain,) = (router.matrix([VADUZ], [there], how)[0] for how in (ride, free))
        assert (arrival.method, arrival.travel_s) == (ROUTED, plain.travel_s)
        areas, open_areas = (router.areas(VADUZ, LIMITS_S, how) for how in (ride, free))
        assert areas.method == ROUTED
        if closures[-1] is far:
            assert shapely.equals(areas.shapes, open_areas.shapes).all()
    assert closures_near([far, *many], VADUZ) == []
    assert 0 < shapely.length(closures_near([near], VADUZ)).sum() < shapely.length(near) / 3


def test_a_closure_with_many_corners_is_simplified_by_a_few_metres(router: Router) -> None:
    ring = shapely.Point(VADUZ).buffer(0.01, quad_segs=5000)
    travel = Travel.of(Settings())
    ((simple,), closed) = (travel.ride(closed=[ring]).closed, shapely.linearrings(shapely.get_coordinates(ring)))
    assert len(simple) < 500
    assert shapely.hausdorff_distance(shapely.linearrings(simple), closed) * 111_195 < 5.1


def star(lon: float, lat: float, spikes: int, reach: float) -> shapely.Geometry:
    """A closed area of thin spikes around a place, `reach` degrees long: drawn over each other, all cross all."""
    turn = np.linspace(0, 2 * np.pi, 2 * spikes, endpoint=False)
    far = np.where(np.arange(2 * spikes) % 2, reach, reach / 50)
    return shapely.Polygon(np.column_stack([lon + far * np.cos(turn), lat + far * np.sin(turn)]))


def test_closures_drawn_over_each_other_keep_nobody_from_roads(graph: Path) -> None:
    """Seventeen of them, which one planner may draw, made every answer near them an estimate for want of an answer."""
    travel, (lon, lat), there = Travel.of(Settings()), VADUZ, (9.507, 47.165)
    stars = [star(lon + 0.03 + n * 0.0007, lat + n * 0.0005, 120, 0.02) for n in range(17)]
    beside = shapely.Point(lon - 0.005, lat - 0.02).buffer(0.0005)  # lies over none of them
    ride = travel.ride(closed=[beside, *stars])
    assert ride.closed[0] == travel.ride(closed=[beside]).closed[0]
    told = shapely.polygons([shapely.linearrings(ring) for ring in ride.closed[1:]])
    assert (shapely.area(shapely.difference(stars, told)) < 0.05 * shapely.area(stars)).all()
    with Router.opened(graph, travel.estimate, workers=1) as router:
        (arrival,) = router.matrix([VADUZ], [there], ride)[0]
        areas = router.areas(VADUZ, LIMITS_S, ride)
    assert (arrival.method, arrival.why) == (ROUTED, None)
    assert (areas.method, areas.why) == (ROUTED, None)


def test_what_could_not_be_asked_is_an_estimate_that_says_why(router: Router) -> None:
    areas = router.areas(VADUZ, (60, 180, 500 * 60))  # more minutes than Valhalla explores
    assert (areas.method, areas.why, areas.was_answered) == (METHOD, "too_large", True)
    assert router.areas((0.0, 30.0), LIMITS_S).why == "no_road_near"
    assert router.areas(VADUZ, LIMITS_S).why is None
    none, one = router.matrix([VADUZ], [(0.0, 30.0), (9.507, 47.165)])[0]
    assert (none.method, none.why, one.method, one.why) == (METHOD, "no_road_near", ROUTED, None)
    with Router.opened(None, Estimate()) as blind:
        assert blind.areas(VADUZ, LIMITS_S).why == blind.matrix([VADUZ], [VADUZ])[0][0].why == "no_roads"


def test_traffic_slows_everybody_down(router: Router, liechtenstein: Path) -> None:
    travel = Travel.of(Settings(response_traffic="Mo-Su 07:00-09:00=2"))
    from datetime import datetime

    rush, quiet = datetime(2026, 11, 25, 8, 0), datetime(2026, 11, 25, 12, 0)
    there = tuple(places_on_roads(liechtenstein, 1, np.random.default_rng(1))[0])
    (slow,), (quick,) = (router.matrix([VADUZ], [there], travel.ride(moment=when))[0] for when in (rush, quiet))
    assert slow.travel_s == pytest.approx(2 * quick.travel_s)
    assert shapely.area(router.areas(VADUZ, LIMITS_S, travel.ride(moment=rush)).shapes[2]) < shapely.area(
        router.areas(VADUZ, LIMITS_S, travel.ride(moment=quiet)).shapes[2]
    )


@pytest.mark.parametrize("text", ["7-9", "Mo-Fr 07:00-09:00=fast", "Mo-Fr 07:00-09:00=0", "=1.2", "24/7 off=2"])
def test_traffic_that_cannot_be_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(UserError, match="GEO_GRID_RESPONSE_TRAFFIC"):
        Travel.of(Settings(response_traffic=text))


def test_periods_are_checked_by_the_database_client_too(client, database: str) -> None:
    answer = client.post("/collections/police_posts/items", json=_post(key_periods="Mo-Fr 7-9!"))
    assert answer.status_code == 422
    assert "opening hours" in answer.text
    answer = client.post("/collections/police_posts/items", json=_post(key_periods="24/7 off"))
    assert answer.status_code == 422
    assert "never" in answer.text
    assert (
        client.post("/collections/police_posts/items", json=_post(key_periods="Mo-Fr 22:00-02:00")).status_code == 201
    )
    with psycopg.connect(database) as connection:
        found = connection.execute("select tier_minutes, method, direction, travel_s from response_circles").fetchall()
    assert sorted(found) == [(1, METHOD, "outbound", 60), (3, METHOD, "outbound", 180), (5, METHOD, "outbound", 300)]


def _slow_getpid() -> int:
    time.sleep(0.05)
    return os.getpid()


def _post(**properties: str) -> dict:
    given = {"post_code": "P1", "name": "one", **properties}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [114.5, 37.0]}, "properties": given}


def test_workers_leave_no_files_behind(graph: Path) -> None:
    """pyvalhalla writes a configuration that it is given into the temporary folder, twice for each start of a worker."""
    before = set(Path(tempfile.gettempdir()).glob("valhalla_config_*"))
    with Router.opened(graph, Estimate(), workers=1, timeout_s=60) as router:
        assert router.areas(VADUZ, LIMITS_S).method == ROUTED
    assert set(Path(tempfile.gettempdir()).glob("valhalla_config_*")) <= before


def test_the_first_question_of_a_worker_is_answered_within_its_limit(graph: Path) -> None:
    """Compiling, and even loading what was compiled, took seconds of the first question's limit, which killed the worker."""
    with Router.opened(graph, Estimate(), workers=1, timeout_s=60) as router:
        router.areas(VADUZ, LIMITS_S)
        os.kill(router._workers.ask(os.getpid, timeout_s=60).result(), signal.SIGKILL)
        spent = router._workers.ask(_processor_s_of, VADUZ, timeout_s=60)
        while isinstance(spent.exception(), (EOFError, OSError)):
            spent = router._workers.ask(_processor_s_of, VADUZ, timeout_s=60)
    assert spent.result() < 1


def _processor_s_of(place: tuple[float, float]) -> float:
    begun = time.process_time()
    assert worker.areas(place, LIMITS_S, Ride(), False) is not None
    return time.process_time() - begun
