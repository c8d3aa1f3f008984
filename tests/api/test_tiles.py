"""Tiles hold what PostGIS holds, are kept while they hold, and never for eyes they are not for."""

import time
from pathlib import Path
from typing import Any

import httpx
import mapbox_vector_tile
import pytest

from bench.access import tile_of
from geo_grid.api.server import asking
from geo_grid.api.server.tile_cache import Tile, TileCache
from geo_grid.boundaries import publish_cells
from geo_grid.db import Cluster, ask_once, connect
from geo_grid.layers import find_layer
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, cells, local_levels, square

ZOOM = 12
X, Y = tile_of(WEST + SIDE, SOUTH + SIDE, ZOOM)
TILE = f"/collections/grid_cells/tiles/WebMercatorQuad/{ZOOM}/{Y}/{X}"


@pytest.fixture
def database(small_city: str) -> str:
    """libpq connection string of a city of four cells, also for `client`."""
    return small_city


def codes(answer: httpx.Response) -> set[str]:
    drawn = mapbox_vector_tile.decode(answer.content)
    return {feature["properties"]["grid_code"] for feature in drawn["grid_cells"]["features"]}


def test_a_tile_is_described_drawn_and_told_unchanged(client: httpx.Client, database: str) -> None:
    described = client.get("/collections/grid_cells/tiles/WebMercatorQuad/tilejson.json").json()
    assert described["vector_layers"][0]["id"] == "grid_cells"
    address = described["tiles"][0].format(z=ZOOM, y=Y, x=X)
    first = client.get(TILE)
    assert client.get(address).content == first.content
    assert codes(first) == set("ABCD")
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(TILE, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(TILE, headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content
    assert client.get(TILE.replace(str(Y), "0")).status_code == 204


def test_tile_sets_of_a_layer_are_listed_described_and_lead_to_tiles(client: httpx.Client, database: str) -> None:
    described = next(
        link
        for link in client.get("/collections/grid_cells").json()["links"]
        if link["rel"].endswith("/tilesets-vector")
    )
    (listed,) = client.get(described["href"]).json()["tilesets"]
    links = {link["rel"].rpartition("/")[2]: link for link in listed["links"]}
    assert client.get(links["self"]["href"]).json() == listed
    assert (listed["dataType"], listed["crs"]) == ("vector", "http://www.opengis.net/def/crs/EPSG/0/3857")
    matrices = client.get(links["tiling-scheme"]["href"]).json()
    assert matrices["uri"] == listed["tileMatrixSetURI"]
    item = links["item"]
    assert (item["templated"], item["type"]) == (True, "application/vnd.mapbox-vector-tile")
    address = item["href"].format(tileMatrix=ZOOM, tileRow=Y, tileCol=X)
    drawn = client.get(address)
    assert (drawn.status_code, drawn.headers["content-type"], codes(drawn)) == (200, item["type"], set("ABCD"))
    beyond = item["href"].format(tileMatrix=ZOOM, tileRow=2**ZOOM, tileCol=X)
    assert client.get(beyond).status_code == 404


def test_a_publish_is_seen_in_tiles_that_were_kept(client: httpx.Client, database: str) -> None:
    before = client.get(TILE).headers["etag"]
    with connect(database) as connection:
        publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")
    deadline = time.monotonic() + 90
    while client.get(TILE).headers["etag"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "E" in codes(client.get(TILE))


def test_what_was_drawn_for_one_is_not_shown_to_another(database: str) -> None:
    with live_server(database) as url:
        for _ in range(2):  # the second time from memory
            for cell in "AB":
                with bearing(url, api_key(database, "planner", [cell])) as scoped:
                    assert codes(scoped.get(TILE)) == {cell}
            with bearing(url, api_key(database, "planner")) as planner:
                assert codes(planner.get(TILE)) == set("ABCD")


def test_several_layers_are_one_tile(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
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


def test_a_tile_of_an_edition_may_be_kept_for_ever(client: httpx.Client, database: str) -> None:
    deadline = time.monotonic() + 90
    while "edition=" not in (
        address := client.get("/collections/grid_cells/tiles/WebMercatorQuad/tilejson.json").json()["tiles"][0]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    address = address.format(z=ZOOM, y=Y, x=X)
    assert client.get(address).headers["cache-control"] == "private, max-age=31536000, immutable"
    with connect(database) as connection:
        publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")
    while client.get(address).status_code == 200:
        assert time.monotonic() < deadline + 10
        time.sleep(0.1)
    gone = client.get(address)
    assert (gone.status_code, "not in force" in gone.json()["detail"]) == (404, True)
    live = client.get(TILE.replace("grid_cells", "patrol_units"))
    assert live.headers["cache-control"] == "private, max-age=2"
    other = TILE.replace("grid_cells", "cameras") + "?edition=2"
    while (answer := client.get(other)).status_code == 404:  # the new edition is not known yet
        assert time.monotonic() < deadline + 20
        time.sleep(0.1)
    assert answer.status_code == 400


def test_tiles_on_disk_outlive_a_server_and_no_change(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = api_key(database, "planner")
    asked: list[str] = []

    async def noted(pool: Any, asker: Any, statement: str, *more: Any) -> list[dict[str, Any]]:
        asked.append(statement)
        return await ask_once(pool, asker, statement, *more)

    monkeypatch.setattr(asking, "ask_once", noted)

    def drawn() -> tuple[set[str], int]:
        """What a new server shows, and how often it asked the database for it."""
        asked.clear()
        with live_server(database, state_dir=tmp_path) as url, bearing(url, key) as client:
            return codes(client.get(TILE)), len(asked)

    assert drawn() == (set("ABCD"), 1)
    assert drawn() == (set("ABCD"), 0)  # from the disk
    with connect(database) as connection:
        publish_cells(connection, cells(("Q", 1, None, square(2, 0)), ("E", 2, "Q", square(2, 0))), "another")
    assert drawn() == (set("ABCDE"), 1)
    for file in (tmp_path / "tiles").glob("*.mdb"):
        file.write_bytes(b"damaged" * 1000)
    assert drawn() == (set("ABCDE"), 1)


def test_databases_that_share_a_folder_do_not_share_tiles(cluster: Cluster, database: str, tmp_path: Path) -> None:
    with live_server(database, state_dir=tmp_path) as url, bearing(url, api_key(database, "planner")) as client:
        assert codes(client.get(TILE)) == set("ABCD")
    with new_database(cluster, "same_folder") as other:
        with connect(other) as connection:
            local_levels(connection)
            publish_cells(connection, cells(("Q", 1, None, square(0, 0)), ("E", 2, "Q", square(0, 0))), "another city")
        with live_server(other, state_dir=tmp_path) as url, bearing(url, api_key(other, "planner")) as client:
            assert codes(client.get(TILE)) == {"E"}


def test_a_full_disk_cache_begins_anew(tmp_path: Path) -> None:
    class Still:
        def age_s(self) -> float:
            return 0.0

        def versions(self, tables: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
            return ((1, 0),)

    layer = find_layer("grid_cells")
    cache = TileCache(Still(), 1, tmp_path / "tiles", 2 << 20)  # type: ignore[arg-type]
    missed = 0
    for number in range(400):
        cache.keep(("tile", number), layer, Tile(bytes([number % 256]) * 10_000))
        found = cache.find(("tile", number), layer)
        assert found is None or found.plain == bytes([number % 256]) * 10_000
        missed += found is None
    assert missed < 10  # those it had no room for when it began anew
    assert cache.find(("tile", 1), layer) is None
    assert sum(file.stat().st_size for file in (tmp_path / "tiles").iterdir()) <= 3 << 20
    cache.close()


def test_the_tile_matrix_set_is_the_registers(client: httpx.Client) -> None:
    found = client.get("/tileMatrixSets/WebMercatorQuad").json()
    first, last = found["tileMatrices"][0], found["tileMatrices"][18]
    assert first["scaleDenominator"] == pytest.approx(559082264.028717, rel=1e-9)  # OGC 17-083r4, annex D.1
    assert first["pointOfOrigin"] == pytest.approx([-20037508.3427892, 20037508.3427892])
    assert last["cellSize"] == pytest.approx(0.597164283559817, rel=1e-9)
    assert (last["id"], last["matrixWidth"]) == ("18", 262144)
    assert client.get("/tileMatrixSets").json()["tileMatrixSets"][0]["uri"] == found["uri"]


def test_a_layer_is_drawn_from_the_zoom_on_where_it_can_be_told_apart(client: httpx.Client, database: str) -> None:
    with connect(database) as connection:
        spot = "ST_SetSRID(ST_MakePoint(114.5, 37), 4490)"
        connection.execute(
            f"insert into patrol_units (unit_code, name, unit_kind, geom) values ('u', 'x', 'car', {spot})"
        )
    described = client.get("/collections/patrol_units/tiles/WebMercatorQuad/tilejson.json").json()
    for zoom, status in ((described["minzoom"], 200), (described["minzoom"] - 1, 204)):
        column, row = tile_of(114.5, 37, zoom)
        assert client.get(described["tiles"][0].format(z=zoom, y=row, x=column)).status_code == status
