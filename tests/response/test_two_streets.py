"""A network so small that every search explores all of it, over HTTP (../shared/cases/README.md)."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import shapely

from geo_grid.db import connect
from geo_grid.exchange import import_file, import_osm
from geo_grid.exchange.importing import Mapping
from geo_grid.layers import find_layer
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.progress import silent
from geo_grid.response import Router, Travel, build_circles, build_graph, find_graph, imported_graph, read_conditions
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.databases import state_folder
from tests.identities import api_key, bearing


@pytest.fixture
def two_streets(database: str, shared: Path) -> Iterator[tuple[httpx.Client, str]]:
    """A supervisor's client of a city of one cell, two streets and four posts, and the database."""
    cases = shared.parent / "cases"
    with state_folder() as folder:
        roads_dir = folder / "roads"
        with connect(database) as connection:
            set_levels(
                connection,
                [GridLevel(grid_level=1, name_zh="片区", name_en="district", code_scheme="local", min_zoom=8)],
            )
            cell = Mapping(columns={"grid_code": "code"}, constants={"grid_level": "1"})
            import_file(connection, find_layer("grid_cells"), cases / "two_streets_cell.geojson", silent, mapping=cell)
            posts = cases / "two_streets_posts.csv"
            assert import_file(connection, find_layer("police_posts"), posts, silent, "EPSG:4326").imported == 4
            import_osm(connection, cases / "two_streets.osm", silent, None, roads_dir=roads_dir)
        with connect(database) as connection:
            travel, graph = Travel.of(Settings()), find_graph(roads_dir, imported_graph(connection))
            with Router.opened(graph, travel.estimate, timeout_s=60) as router:
                built = build_circles(connection, router, read_conditions(connection, travel, graph))
            assert built.made == {"valhalla": 12}
        with live_server(database, state_dir=folder) as url, bearing(url, api_key(database, "supervisor")) as client:
            yield client, database


def test_searches_that_explore_all_roads_crash_no_worker(
    two_streets: tuple[httpx.Client, str], caplog: pytest.LogCaptureFixture
) -> None:
    """`expansion` of pyvalhalla 3.9.1 crashed in the question after one that had explored the whole network."""
    client, _ = two_streets
    methods = []
    for number in range(24):
        place = {"lon": 114.5002 + number * 0.0001, "lat": 37.0, "direction": ("inbound", "outbound")[number % 2]}
        answer = client.get("/response/areas", params=place)
        methods += [one["properties"]["method"] for one in answer.json()["features"]]
    assert methods == ["valhalla"] * 72
    assert "lost" not in caplog.text
    assert "signal" not in caplog.text


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_a_post_in_a_closed_area_promises_nothing_and_is_named(two_streets: tuple[httpx.Client, str]) -> None:
    """Its street leads out of the area, and Valhalla lets it leave; with no open road at all it was given a round circle."""
    client, database = two_streets
    around_p1 = (114.5005, 36.9995, 114.5015, 37.0005)
    inside = {"lon": 114.5006, "lat": 37.0}
    assert client.get("/locate", params=inside).json()["response"] != []
    # its part of the street, which cuts the network in two, then the whole city
    for place, isolated in (
        (around_p1, {"P1", "P2", "P3", "P4"}),
        ((114.49, 36.99, 114.51, 37.01), {"P1", "P2", "P3", "P4"}),
    ):
        closure = {"type": "Feature", "properties": {"closure_code": "C", "name": "x"}, "geometry": box(*place)}
        assert client.post("/collections/road_closures/items", json=closure).status_code == 201
        wait_for_isolated(client, isolated)
        with connect(database) as connection:
            rows = connection.execute("select distinct method from response_circles").fetchall()
        assert rows == [{"method": "valhalla"}]
        wait_for_no_circle(client, inside)
        responders = client.get("/desk", params=inside).json()["responders"]
        assert {(one["arrival_s"], one["reason"]) for one in responders} == {(None, "cut_off")}
        areas = client.get("/response/areas", params=inside).json()["features"]
        assert {one["properties"]["method"] for one in areas} == {"valhalla"}
        assert shapely.area(shapely.geometry.shape(areas[0]["geometry"])) < 1e-6  # 0.01 km2
        assert client.delete("/collections/road_closures/items/C").status_code == 204
        wait_for_isolated(client, set())


def wait_for_isolated(client: httpx.Client, wanted: set[str]) -> None:
    deadline = time.monotonic() + 90
    while set(found := client.get("/response/drawing").json()["isolated"]) != wanted:
        assert time.monotonic() < deadline, (found, wanted)
        time.sleep(0.2)


def wait_for_no_circle(client: httpx.Client, place: dict[str, float]) -> None:
    """The point snapshot follows the circles that are stored, a moment later."""
    deadline = time.monotonic() + 90
    while told := client.get("/locate", params=place).json()["response"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


FERRY = """<osm version="0.6">
 <node id="1" version="1" lat="37.000" lon="114.500"/><node id="2" version="1" lat="37.000" lon="114.505"/>
 <node id="3" version="1" lat="37.000" lon="114.515"/><node id="4" version="1" lat="37.000" lon="114.520"/>
 <way id="10" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/></way>
 <way id="11" version="1"><nd ref="2"/><nd ref="3"/><tag k="route" v="ferry"/><tag k="motor_vehicle" v="yes"/><tag k="foot" v="yes"/></way>
 <way id="12" version="1"><nd ref="3"/><nd ref="4"/><tag k="highway" v="residential"/></way>
</osm>"""


def test_ferries_are_taken_only_where_they_are_switched_on(tmp_path: Path) -> None:
    (tmp_path / "ferry.osm").write_text(FERRY, encoding="utf-8")
    graph = build_graph(tmp_path / "ferry.osm", tmp_path / "roads", "f" * 64)
    here, there = (114.502, 37.0), (114.518, 37.0)
    for uses_ferries in (False, True):
        travel = Travel.of(Settings(response_uses_ferries=uses_ferries))
        with Router.opened(graph, travel.estimate, workers=1, timeout_s=60) as router:
            for kind in ("car", "foot"):
                (arrival,) = router.matrix([here], [there], travel.ride(kind))[0]
                assert (arrival.method, math.isfinite(arrival.travel_s)) == ("valhalla", uses_ferries), kind
