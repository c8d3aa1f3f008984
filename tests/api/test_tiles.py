"""Tiles hold what PostGIS holds, are kept while they hold, and never for eyes they are not for."""

import time

import httpx
import mapbox_vector_tile

from bench.access import tile_of
from geo_grid.boundaries import publish_cells
from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, cells, square, two_by_two

ZOOM = 12
X, Y = tile_of(WEST + SIDE, SOUTH + SIDE, ZOOM)
TILE = f"/collections/grid_cells/tiles/WebMercatorQuad/{ZOOM}/{Y}/{X}"


def codes(answer: httpx.Response) -> set[str]:
    drawn = mapbox_vector_tile.decode(answer.content)
    return {feature["properties"]["grid_code"] for feature in drawn["grid_cells"]["features"]}


def test_a_tile_is_described_drawn_and_told_unchanged(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
    described = client.get("/collections/grid_cells/tiles/WebMercatorQuad/tilejson.json").json()
    assert described["vector_layers"][0]["id"] == "grid_cells"
    address = described["tiles"][0].format(z=ZOOM, y=Y, x=X)
    first = client.get(address)
    assert codes(first) == set("ABCD")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content
    assert client.get(TILE.replace(str(Y), "0")).status_code == 204


def test_a_publish_is_seen_in_tiles_that_were_kept(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
    before = client.get(TILE).headers["etag"]
    with connect(database) as connection:
        publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")
    deadline = time.monotonic() + 10
    while client.get(TILE).headers["etag"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "E" in codes(client.get(TILE))


def test_what_was_drawn_for_one_is_not_shown_to_another(database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
    with live_server(database) as url:
        for _ in range(2):  # the second time from memory
            for cell in "AB":
                with bearing(url, api_key(database, "planner", [cell])) as scoped:
                    assert codes(scoped.get(TILE)) == {cell}
            with bearing(url, api_key(database, "planner")) as planner:
                assert codes(planner.get(TILE)) == set("ABCD")


def test_several_layers_are_one_tile(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
        connection.execute(
            "insert into police_posts (post_code, name, geom) values ('P', 'x', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            (WEST + SIDE / 2, SOUTH + SIDE / 2),
        )
    path = f"/tiles/WebMercatorQuad/{ZOOM}/{Y}/{X}"
    answer = client.get(path, params={"collections": "police_posts,grid_cells,cameras"})
    drawn = mapbox_vector_tile.decode(answer.content)
    assert set(drawn) == {"police_posts", "grid_cells"}  # there are no cameras
    assert codes(answer) == set("ABCD")
    again = client.get(path, params={"collections": "police_posts,grid_cells,cameras"})
    assert again.headers["etag"] == answer.headers["etag"]
    assert client.get(path, params={"collections": "grid_cells,persons"}).status_code == 404
    assert client.get(path).status_code == 400
