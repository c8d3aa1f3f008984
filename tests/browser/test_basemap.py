"""The base map in a real browser: our own tiles in two styles, and one from elsewhere; nothing else from outside."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from playwright.sync_api import Page, expect

from geo_grid.boundaries import publish_cells
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.exchange import import_osm, stored_extent
from geo_grid.layers.grid_levels import GridLevel, set_levels
from geo_grid.progress import silent
from tests.browser.conftest import served
from tests.identities import api_key
from tests.squares import cells

pytestmark = pytest.mark.browser

EXTRACT = Path(__file__).parents[2] / "../shared/data/liechtenstein.osm.pbf"
VADUZ = snap_geometry(shapely.box(9.49, 47.11, 9.56, 47.17))
# brightness, 0 to 255, and how many different colours the canvases of the base map show
PAINTED = """() => {
    const colours = new Set(); let sum = 0, count = 0;
    for (const canvas of document.querySelectorAll('.leaflet-base-pane canvas')) {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let at = 0; at < data.length; at += 404) {
            colours.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
            sum += data[at] + data[at + 1] + data[at + 2]; count += 3;
        }
    }
    return [sum / Math.max(count, 1), colours.size];
}"""
# one grey pixel
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da63a8aeae060002f2017f"
    "bd2b2d420000000049454e44ae426082"
)


@pytest.fixture
def city(database: str) -> str:
    with connect(database) as connection:
        set_levels(
            connection, [GridLevel(grid_level=1, name_zh="县", name_en="county", code_scheme="local", min_zoom=0)]
        )
        publish_cells(connection, cells(("V", 1, None, VADUZ)), "Vaduz")
        report = import_osm(connection, EXTRACT, silent, stored_extent(connection))
    assert report.roads > 3000
    return database


def open_wall(page: Page, url: str, key: str) -> None:
    page.set_extra_http_headers({"Authorization": f"Bearer {key}"})
    page.goto(f"{url}/maps/wall?lang=en")
    page.wait_for_selector("body[data-ready]", timeout=90_000)


def painted(page: Page, seen) -> tuple[float, int]:
    """Wait until the base map looks as it should."""
    for _ in range(100):
        brightness, colours = page.evaluate(PAINTED)
        if seen(brightness, colours):
            break
        page.wait_for_timeout(100)
    return brightness, colours


def test_roads_water_and_names_lie_under_the_cells_in_two_styles(page: Page, city: str) -> None:
    with served(page, city) as url:
        open_wall(page, url, api_key(city, "supervisor"))
        dark, colours = painted(page, lambda brightness, colours: colours > 20)
        assert colours > 20
        assert dark < 60
        expect(page.locator(".ground select")).to_have_value("dark")
        page.keyboard.press("b")
        expect(page.locator(".ground select")).to_have_value("light")
        light, _ = painted(page, lambda brightness, colours: brightness > 200)
        assert light > 200
        assert page.locator("[data-owed]").get_attribute("data-owed") == "© OpenStreetMap"
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator(".ground select")).to_have_value("light")  # as it was left
        page.keyboard.press("?")
        page.locator(".ground select").select_option("none")
        expect(page.locator(".leaflet-base-pane canvas")).to_have_count(0)


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """Another host with tiles, and the paths it was asked for."""
    asked: list[str] = []

    class Tiles(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.end_headers()
            self.wfile.write(PNG)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_base_map_from_elsewhere_is_shown_where_it_is_configured(
    page: Page, city: str, elsewhere: tuple[str, list[str]]
) -> None:
    host, asked = elsewhere
    template = f"{host}/wmts?LAYER=vec&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}"
    with served(page, city, base_map_url=template, base_map_attribution="© Somebody <b>") as url:
        open_wall(page, url, api_key(city, "supervisor"))
        assert asked == []
        page.keyboard.press("?")
        page.locator(".ground select").select_option("external")
        expect(page.locator("[data-owed]")).to_have_attribute("data-owed", "© Somebody <b>")
        for _ in range(50):
            if len(asked) > 4:
                break
            page.wait_for_timeout(100)
    assert len(asked) > 4
    assert all(path.startswith("/wmts?LAYER=vec&TILEMATRIX=1") for path in asked)
