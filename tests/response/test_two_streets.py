"""A network so small that every search explores all of it, over HTTP (../shared/cases/README.md)."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from geo_grid.db import connect
from geo_grid.exchange import import_file, import_osm
from geo_grid.exchange.importing import Mapping
from geo_grid.layers import find_layer
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.progress import silent
from geo_grid.response import Router, Travel, build_circles, find_graph, imported_graph, read_conditions
from geo_grid.settings import Settings
from tests.conftest import live_server, state_folder
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
