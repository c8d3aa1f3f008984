"""A second opinion: pgRouting's driving distance over the same extract, with speeds that Valhalla has no part in.

The bounds: the two need not agree on seconds, since pgRouting counts no turns and knows no density. Its times are
scaled by one number for each extract, the median of Valhalla's over its own. Then
- half of all ways agree within 10 %, nine of ten within 30 %;
- of crossings that pgRouting reaches in three quarters of a tier's time, at least 95 % are inside the circle (gates, turns and alleys cost nothing there);
- of those that it does not reach in one and a half times it, at least 98 % are outside.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import osmium
import psycopg
import pytest
import shapely
from osmium.filter import KeyFilter

from geo_grid.db import Cluster
from geo_grid.response.circles import distances_m
from geo_grid.response.router import ROUTED, Estimate, Router
from geo_grid.response.worker import Ride
from tests.databases import new_database
from tests.response.roads import graph_of

LIMITS_S = (60, 180, 300)
POSTS = 30
KMH = {
    "motorway": 110, "trunk": 90, "primary": 65, "secondary": 55, "tertiary": 45, "unclassified": 40, "residential": 30,
    "living_street": 10, "service": 15, "track": 8,
}  # fmt: skip
CLOSED = {"no", "private", "forestry", "agricultural", "delivery", "customers"}


@pytest.fixture(scope="module", params=["liechtenstein", "heidelberg"])
def extract(request: pytest.FixtureRequest, shared: Path) -> Path:
    return shared / f"{request.param}.osm.pbf"


@pytest.fixture(scope="module")
def pgrouting(cluster: Cluster, extract: Path) -> Iterator[psycopg.Connection]:
    """The extract's roads between crossings as pgRouting likes them, costs in seconds, -1 against a one-way street."""
    name = f"pgrouting_{extract.name.partition('.')[0]}"
    with new_database(cluster, name) as conninfo, psycopg.connect(conninfo) as connection:
        connection.execute("create extension pgrouting cascade")
        connection.execute(
            "create table edges (id bigint generated always as identity, source bigint, target bigint,"
            " cost float8, reverse_cost float8)"
        )
        connection.execute("create table crossings (id bigint primary key, lon float8, lat float8)")
        edges, crossings = _edges(extract)
        with connection.cursor() as cursor:
            with cursor.copy("copy edges (source, target, cost, reverse_cost) from stdin") as copy:
                for edge in edges:
                    copy.write_row(edge)
            with cursor.copy("copy crossings from stdin") as copy:
                for node, place in crossings.items():
                    copy.write_row((node, *place))
        yield connection


def _edges(
    extract: Path,
) -> tuple[list[tuple[int, int, float, float]], dict[int, tuple[float, float]]]:
    ways = []
    for found in osmium.FileProcessor(str(extract)).with_locations().with_filter(KeyFilter("highway")):
        road = found.tags["highway"].removesuffix("_link")
        access = found.tags.get("motor_vehicle") or found.tags.get("vehicle") or found.tags.get("access")
        if not found.is_way() or road not in KMH or access in CLOSED:
            continue
        nodes = [(node.ref, (node.lon, node.lat)) for node in found.nodes if node.location.valid()]
        told = found.tags.get("maxspeed", "")
        kmh = min(KMH[road], int(told)) if told.isdecimal() and int(told) else KMH[road]
        is_one_way = found.tags.get("oneway") in {"yes", "-1"} or found.tags.get("junction") == "roundabout"
        if found.tags.get("oneway") == "-1":
            nodes.reverse()
        ways.append((nodes, kmh / 3.6, is_one_way))
    times = Counter(ref for nodes, _, _ in ways for ref, _ in nodes)
    edges, crossings = [], {}
    for nodes, speed, is_one_way in ways:
        cuts = [at for at, (ref, _) in enumerate(nodes) if at in (0, len(nodes) - 1) or times[ref] > 1]
        for begin, end in pairwise(cuts):
            line = [place for _, place in nodes[begin : end + 1]]
            metres = sum(float(distances_m([a], [b])[0, 0]) for a, b in pairwise(line))
            edges.append((nodes[begin][0], nodes[end][0], metres / speed, -1 if is_one_way else metres / speed))
            crossings[nodes[begin][0]], crossings[nodes[end][0]] = line[0], line[-1]
    return edges, crossings


def test_circles_and_ways_agree_with_pgrouting(extract: Path, pgrouting: psycopg.Connection) -> None:
    rng = np.random.default_rng(5)
    posts = pgrouting.execute("select id, lon, lat from crossings order by id").fetchall()
    on_crossing = Ride(road_reach_m=5)
    with Router.opened(graph_of(extract), Estimate(), timeout_s=30) as router:
        circles, seconds = [], []
        for number in rng.choice(len(posts), POSTS, replace=False):
            post, lon, lat = posts[number]
            reached = pgrouting.execute(
                "select lon, lat, agg_cost from pgr_drivingDistance('select * from edges', %s::bigint, 900.0::float8)"
                " join crossings on id = node where agg_cost > 10",
                (post,),
            ).fetchall()
            if len(reached) < 200:
                continue  # a car park, or a stretch that leads out of the extract
            near = [one for one in reached if one[2] < 90]  # few of all, and the shortest tier is about them
            some = np.array(near + [reached[at] for at in rng.choice(len(reached), 200, replace=False)])
            areas = router.areas((lon, lat), LIMITS_S, on_crossing)
            assert areas.method == ROUTED
            ways = router.matrix([(lon, lat)], [(x, y) for x, y in some[:, :2].tolist()], on_crossing)[0]
            seconds.append(
                [[way.travel_s, way.method == ROUTED, cost] for way, cost in zip(ways, some[:, 2], strict=True)]
            )
            circles.append([shapely.contains_xy(shape, some[:, :2]) for shape in areas.shapes])
    assert len(circles) > POSTS / 2
    ours, is_routed, theirs = np.concatenate(seconds).T
    known = (is_routed == 1) & np.isfinite(ours)
    assert known.mean() > 0.97
    scale = float(np.median(ours[known] / theirs[known]))
    apart = np.abs(ours[known] / (theirs[known] * scale) - 1)
    print(extract.name, "scale", scale, "apart", np.percentile(apart, [50, 90]))
    assert 0.8 < scale < 1.8
    assert np.percentile(apart, 50) <= 0.10
    assert np.percentile(apart, 90) <= 0.30
    inside = np.concatenate(circles, axis=1)
    for tier, limit in enumerate(LIMITS_S):
        near, far = theirs * scale <= 0.75 * limit, theirs * scale > 1.5 * limit
        print(limit, near.sum(), inside[tier][near].mean(), far.sum(), (~inside[tier][far]).mean())
        assert near.sum() > 20
        assert inside[tier][near].mean() >= 0.95
        assert (~inside[tier][far]).mean() >= 0.98
