"""Minutes on roads: circles beside the bare Valhalla call, and the demo city's posts, desk, positions and coverage.

The desk is asked alone and again while four sitings of a county and four exports of a layer run, each as often as it ends.
The last line is JSON. `circles_vs_valhalla` compares three circles as we draw them with Valhalla's own three
isochrones, asked and read, in one process on the real roads of Liechtenstein and Heidelberg, turn about.
"""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bench.city import CACHE, demo_city, leaf_cells, say, usual_points
from bench.serving import new_key, our_server
from geo_grid.db import connect
from geo_grid.response import Router, Travel, build_circles, find_graph, imported_graph, read_conditions, worker
from geo_grid.response.coverage import Coverage
from geo_grid.response.worker import Ride
from geo_grid.settings import Settings
from tests.response.roads import graph_of, places_on_roads

SHARED = Path(__file__).parents[2] / "shared/data"
_POSTS, _ASKED, _UNITS, _ROUNDS = 200, 400, 1000, 20
_BESIDE = 4  # sitings, and as many exports
_LIMITS_S = (60, 180, 300)


def circles_vs_valhalla() -> float:
    """How many times as long as the bare call our three circles take; the median over posts of both places."""
    ratios = []
    for name in ("liechtenstein", "heidelberg"):
        extract = SHARED / f"{name}.osm.pbf"
        worker.open_graph(str(graph_of(extract)))
        ours, bare = [], []
        for post in places_on_roads(extract, _POSTS, np.random.default_rng(3)):
            place = (float(post[0]), float(post[1]))
            question = {
                "locations": worker._at(worker._spots([place], Ride().road_reach_m)), "contours": [{"time": limit / 60} for limit in _LIMITS_S],
                "polygons": True,
            } | worker._how(Ride())  # fmt: skip
            worker.areas(place, _LIMITS_S, Ride(), False)  # both find the tiles read
            begun = time.perf_counter()
            worker.areas(place, _LIMITS_S, Ride(), False)
            middle = time.perf_counter()
            json.loads(worker._ask("isochrone", question))
            ours.append(middle - begun)
            bare.append(time.perf_counter() - middle)
        say(f"{name}: ours {np.median(ours) * 1e3:.1f} ms, bare {np.median(bare) * 1e3:.1f} ms")
        ratios.append(sum(ours) / sum(bare))
    return float(np.mean(ratios))


def posts_s(conninfo: str, travel: Travel) -> float:
    """Seconds to draw and store the circles of all posts, with two workers."""
    with connect(conninfo) as connection:
        graph = find_graph(CACHE / "state/roads", imported_graph(connection))
        with Router.opened(graph, travel.estimate) as router:
            router.areas((114.5, 37.07), _LIMITS_S)  # workers have started
            begun = time.perf_counter()
            made = build_circles(connection, router, read_conditions(connection, travel, graph)).made
            seconds = time.perf_counter() - begun
        say(f"circles: {made}")
        connection.rollback()
    return seconds


def coverage_s(conninfo: str) -> float:
    """Seconds from nothing to the shares of every county."""
    with connect(conninfo) as connection:
        begun = time.perf_counter()
        Coverage.read(connection).groups("county")
        return time.perf_counter() - begun


def _fetch(url: str, key: str, body: Any = None, timeout_s: float = 30) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        return bytes(answer.read())


def _ask(url: str, key: str, body: Any = None) -> Any:
    return json.loads(_fetch(url, key, body))


@dataclass(frozen=True)
class Desk:
    """Seconds that each question to the desk took, one after another, and how each travel time was found."""

    seconds: list[float]
    methods: list[str]

    @classmethod
    def asked(cls, url: str, key: str, points: NDArray[np.float64]) -> Self:
        seconds, methods = [], []
        for lon, lat in points.tolist():
            begun = time.perf_counter()
            card = _ask(f"{url}/desk?lon={lon:.8f}&lat={lat:.8f}", key)
            seconds.append(time.perf_counter() - begun)
            methods += [one["method"] for one in card["responders"]]
        return cls(seconds, methods)

    @property
    def p99_ms(self) -> float:
        return float(np.percentile(self.seconds, 99)) * 1e3

    def told(self) -> str:
        roads = f"{self.methods.count('valhalla')} of {len(self.methods)} on roads"
        return f"median {np.median(self.seconds) * 1e3:.1f} ms, p99 {self.p99_ms:.1f} ms; {roads}"


@contextlib.contextmanager
def heavy_work(url: str, keys: list[str], county: str) -> Iterator[Counter[str]]:
    """Keep `_BESIDE` sitings and as many exports going, a key each, and count those that ended with an answer or a "later"."""
    ended: Counter[str] = Counter()
    is_over = threading.Event()

    def keep_going(key: str, name: str, path: str, body: Any) -> None:
        while not is_over.is_set():
            try:
                _fetch(f"{url}{path}", key, body, timeout_s=300)
                ended[name] += 1
            except urllib.error.HTTPError as refused:
                ended[f"{name} {refused.code}"] += 1
                is_over.wait(1)

    question = {"within": county, "count": 5}
    chores = [("siting", "/response/siting", question), ("export", "/collections/grid_cells/export?f=gpkg", None)]
    threads = [
        threading.Thread(target=keep_going, args=(key, *chores[number % 2]), daemon=True)
        for number, key in enumerate(keys)
    ]
    for thread in threads:
        thread.start()
    time.sleep(3)  # all of them are at work
    yield ended
    is_over.set()
    for thread in threads:
        thread.join(300)


def serving(conninfo: str) -> dict[str, float]:
    """The desk's 99th percentile in milliseconds, alone and beside heavy work; positions a second, in batches of 1,000."""
    key = new_key(conninfo)
    with connect(conninfo) as connection:
        county = connection.execute(
            "select grid_code from grid_cells where valid_to is null and grid_level = 1 order by household_count desc nulls last, grid_code limit 1"
        ).fetchall()[0]["grid_code"]
    points = usual_points(leaf_cells(conninfo), _ASKED).xy
    with our_server(conninfo, CACHE / "state") as url:
        while _ask(f"{url}/response/drawing", key)["roads"] is None:
            time.sleep(0.5)
        Desk.asked(url, key, points[:50])
        alone = Desk.asked(url, key, points)
        say(f"desk alone: {alone.told()}")
        with heavy_work(url, [new_key(conninfo, role="planner") for _ in range(2 * _BESIDE)], county) as ended:
            beside = Desk.asked(url, key, points)
            say(f"desk beside {_BESIDE} sitings and {_BESIDE} exports: {beside.told()}")
        say(f"meanwhile: {dict(ended)}")
        units = [f["id"] for f in _ask(f"{url}/collections/patrol_units/items?limit=1000", key)["features"]]
        begun = time.perf_counter()
        for number in range(_ROUNDS):
            now = datetime.now(UTC).isoformat()
            chosen = points[np.random.default_rng(number).integers(len(points), size=_UNITS)]
            batch = [
                {"unit_code": units[index % len(units)], "lon": lon, "lat": lat, "reported_at": now}
                for index, (lon, lat) in enumerate(chosen.tolist())
            ]
            _ask(f"{url}/units/positions", key, {"positions": batch})
        positions = _UNITS * _ROUNDS / (time.perf_counter() - begun)
    return {
        "desk_p99_ms": alone.p99_ms,
        "desk_beside_p99_ms": beside.p99_ms,
        "desk_busy_ratio": beside.p99_ms / alone.p99_ms,
        "positions_per_s": positions,
    }


def main() -> None:
    result = {"circles_vs_valhalla": circles_vs_valhalla()}
    travel = Travel.of(Settings())
    with demo_city() as conninfo:
        result["posts_465_s"] = posts_s(conninfo, travel)
        result["coverage_s"] = coverage_s(conninfo)
        result |= serving(conninfo)
    print(json.dumps({name: round(value, 2) for name, value in result.items()}))


if __name__ == "__main__":
    main()
