"""GeoJSON as RFC 7946 has it, wherever it is given out: rings by the right-hand rule, and no member `crs`."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import shapely

from geo_grid.db import connect
from geo_grid.exchange import export_file
from geo_grid.layers import find_layer
from tests.squares import SIDE, SOUTH, WEST

CELLS = "/collections/grid_cells/items"
AROUND = f"{WEST - 1},{SOUTH - 1},{WEST + 1},{SOUTH + 1}"


@pytest.fixture
def database(small_city: str) -> str:
    """libpq connection string of a city of four cells, also for `client`."""
    return small_city


def rings(node: Any) -> list[tuple[bool, list[Any]]]:
    """All rings in a JSON document, each with whether it is an exterior one; no part of it has a member `crs`."""
    if isinstance(node, list):
        return [ring for part in node for ring in rings(part)]
    if not isinstance(node, dict):
        return []
    assert "crs" not in node or node["crs"] is None or isinstance(node["crs"], list)
    if node.get("type") in ("Polygon", "MultiPolygon") and "coordinates" in node:
        polygons = [node["coordinates"]] if node["type"] == "Polygon" else node["coordinates"]
        return [(number == 0, ring) for polygon in polygons for number, ring in enumerate(polygon)]
    return [ring for part in node.values() for ring in rings(part)]


def check(document: Any, least: int) -> None:
    found = rings(document)
    assert len(found) >= least
    for is_exterior, ring in found:
        assert shapely.is_ccw(shapely.linearrings([place[:2] for place in ring])) == is_exterior


@pytest.fixture
def squares(client: httpx.Client, database: str) -> httpx.Client:
    """A client of a city of four cells, with a post and its circles, and a closed area with a hole."""
    post = {"type": "Feature", "properties": {"post_code": "P1", "name": "x"},
            "geometry": {"type": "Point", "coordinates": [WEST + SIDE, SOUTH + SIDE]}}  # fmt: skip
    assert client.post("/collections/police_posts/items", json=post).status_code == 201
    area = shapely.box(WEST, SOUTH, WEST + SIDE, SOUTH + SIDE).difference(shapely.Point(WEST + SIDE / 2, SOUTH + SIDE / 2).buffer(0.001))  # fmt: skip
    clockwise = json.loads(shapely.to_geojson(shapely.orient_polygons(area, exterior_cw=True)))
    closure = {"type": "Feature", "properties": {"closure_code": "C", "name": "x"}, "geometry": clockwise}
    assert client.post("/collections/road_closures/items", json=closure).status_code == 201
    return client


def test_rings_run_counter_clockwise_in_every_answer(squares: httpx.Client) -> None:
    where = {"lon": WEST + SIDE, "lat": SOUTH + SIDE}
    for path, question, least in (
        (CELLS, {}, 5),
        (f"{CELLS}/A", {}, 1),
        (CELLS, {"crs": "http://www.opengis.net/def/crs/EPSG/0/3857"}, 5),
        (CELLS, {"bbox": AROUND, "zoom": 12}, 4),
        ("/collections/road_closures/items", {}, 2),
        ("/collections/response_circles/items", {}, 3),
        ("/collections/response_circles/items", {"bbox": AROUND, "zoom": 14}, 3),
        ("/response/areas", where, 3),
        ("/response/unions", {"bbox": AROUND, "by": "city"}, 3),
    ):
        answer = squares.get(path, params=question)
        assert answer.status_code == 200, (path, question, answer.text)
        check(answer.json(), least)
    sequence = squares.get(CELLS, params={"f": "geojsonseq"})
    check([json.loads(text) for text in sequence.text.split("\x1e")[1:]], 5)


def test_rings_run_counter_clockwise_in_a_draft_and_its_comparison(
    city: tuple[str, str], planner: httpx.Client
) -> None:
    made = planner.post("/boundaries/drafts", json={"title": "x"})
    draft = f"/boundaries/drafts/{made.json()['draft_id']}"
    line = [[WEST + SIDE / 2, SOUTH - SIDE], [WEST + SIDE / 2, SOUTH + 2 * SIDE]]
    step = {"operation": "split", "codes": ["A"], "line": {"type": "LineString", "coordinates": line}}
    assert planner.post(f"{draft}/steps", json=step).status_code in (200, 201)
    check(planner.get(f"{draft}/cells", params={"bbox": AROUND, "level": 2}).json(), 5)


def test_rings_run_counter_clockwise_in_an_export(squares: httpx.Client, database: str, tmp_path: Path) -> None:
    assert squares
    for layer, least in (("grid_cells", 5), ("road_closures", 2)):
        with connect(database) as connection:
            export_file(connection, find_layer(layer), tmp_path / f"{layer}.geojson")
        check(json.loads((tmp_path / f"{layer}.geojson").read_text()), least)
