"""Any view on paper: PNG and PDF by the server's own Chromium, with the rights of whoever asks."""

import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from geo_grid.boundaries import as_step, edit_draft, make_draft
from geo_grid.db import connect
from geo_grid.settings import asset_dir
from tests.boundaries.test_drafts import city
from tests.boundaries.test_operations import at
from tests.browser.test_planner import person
from tests.conftest import live_server
from tests.identities import api_key, bearing, logged_in, user

__all__ = ["city"]
pytestmark = pytest.mark.browser
LON, LAT = at(2.5, 2.5)
PATIENCE_S = 90
ASKED = {"view": f"14,{LAT},{LON}", "layers": "grid_cells,cameras,incidents", "lang": "en"}


@pytest.fixture
def server(city: str) -> Iterator[str]:
    with live_server(city) as url:
        yield url


def browsers() -> set[str]:
    """Folders of the browsers that a server of ours has started: each has many processes."""
    found: set[str] = set()
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found |= set(re.findall(r"geo-grid-picture-\w+", one.read_bytes().decode()))
        except OSError:
            continue
    return found


def taken(client: httpx.Client, **asked: object) -> httpx.Response:
    answer = client.get("/maps/picture", params={**ASKED, **asked}, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_view_is_a_picture_and_a_print_at_its_scale(city: str, server: str) -> None:
    with connect(city) as connection:
        draft = make_draft(connection, "two yards", "planner")
        cut = {"codes": ["c22"], "line": {"type": "LineString", "coordinates": [at(1.7, 2.6), at(3.4, 2.3)]}}
        edit_draft(connection, draft, as_step("split", cut), "planner")
    with logged_in(server, user(city, "planner")) as planner:
        png = taken(planner, f="png", draft=draft, title="两个<b>小区</b>", lang="zh")
        assert png.headers["content-type"] == "image/png"
        shown = Image.open(io.BytesIO(png.content))
        assert shown.size == (2246, 1588)  # A4 at 192 dots per inch
        assert len(shown.convert("RGB").getcolors(1 << 24)) > 100
        pdf = taken(planner, f="pdf", scale=10_000, paper="a3-portrait")
        assert pdf.content.startswith(b"%PDF")
        (box,) = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", pdf.content)
        assert [float(side) / 72 * 25.4 for side in box] == pytest.approx([297, 420], abs=0.5)
    assert browsers() == set()


def test_a_scale_is_true_on_paper(browser: Browser, city: str, server: str) -> None:
    with person(
        browser, server, user(city, "planner"), "/maps/sheet", f"%26scale%3D10000%26view%3D14%2C{LAT}%2C{LON}"
    ) as paper:
        assert paper.evaluate("document.body.dataset.scale") == "10000"
        expect(paper.locator(".imprint")).to_contain_text("Scale 1 : 10,000")
        expect(paper.locator(".imprint")).to_contain_text("Edition 1")
        expect(paper.locator(".north")).to_be_visible()
        expect(paper.locator(".legend")).to_contain_text("Police posts")
        # a centimetre of paper is a hundred metres of ground: the map's own ruler against the geometry of EPSG:3857
        metres = paper.evaluate("""() => {
            const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
            const { x, y } = map.getSize().divideBy(2);
            const ends = [-1, 1].map(side => map.containerPointToLatLng([x + side * 96 / 2.54 / 2, y]));
            return map.distance(...ends);
        }""")
        assert metres == pytest.approx(100, rel=0.005)  # the sphere that Leaflet measures on, against the ellipsoid


def test_a_picture_shows_what_whoever_asks_may_see(city: str, server: str) -> None:
    spot = {"view": f"15,{LAT},{LON}", "layers": "grid_cells"}
    with bearing(server, api_key(city, "planner", ["c00"])) as bound, bearing(server, api_key(city, "planner")) as free:
        mine, every = (len(taken(one, f="png", **spot).content) for one in (bound, free))
        assert mine < every * 0.8  # the cells of others are not there
    with httpx.Client(base_url=server) as nobody:
        assert nobody.get("/maps/picture", params={"f": "png"}).status_code == 401
    with bearing(server, api_key(city, "dispatcher")) as dispatcher:
        refused = dispatcher.get("/maps/picture", params={**ASKED, "f": "png", "draft": 1}, timeout=PATIENCE_S)
        assert refused.status_code == 422
        assert "boundaries.draft" in refused.json()["detail"]
        unknown = dispatcher.get("/maps/picture", params={"f": "png", "layers": "persons"})
        assert unknown.status_code == 422
        assert "'persons' is no layer of a sheet" in unknown.json()["detail"]
        assert dispatcher.get("/maps/picture", params={"f": "png", "url": "http://x"}).status_code in (400, 422)


def test_a_browser_ends_with_whoever_waits_for_it(city: str, server: str) -> None:
    with bearing(server, api_key(city, "planner")) as planner:
        with pytest.raises(httpx.ReadTimeout):
            planner.get("/maps/picture", params={**ASKED, "f": "pdf"}, timeout=1.5)
        deadline = time.monotonic() + 90
        while browsers():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(len(taken(planner, f="png").content))) for _ in range(3)
        ]
        for one in threads:
            one.start()
        most = 0
        while any(one.is_alive() for one in threads):
            most = max(most, len(browsers()))
            time.sleep(0.2)
        assert len(found) == 3
        assert 1 <= most <= 2  # one account has one at a time, and never more than two are made


def test_a_server_without_a_browser_says_what_to_install(city: str) -> None:
    with live_server(city, chromium="/nowhere/chromium") as url, bearing(url, api_key(city, "planner")) as planner:
        missing = planner.get("/maps/picture", params={**ASKED, "f": "png"})
        assert missing.status_code == 404
        assert "GEO_GRID_CHROMIUM names /nowhere/chromium" in missing.json()["detail"]


def test_a_planner_prints_what_the_page_shows(browser: Browser, city: str, server: str, tmp_path: Path) -> None:
    view = f"%26view%3D14%2C{LAT}%2C{LON}"
    with person(browser, server, user(city, "planner"), "/maps/planner", view) as desk:
        desk.get_by_role("button", name="Print, picture").click()
        desk.fill("dialog input[name=title]", "Spring")
        with desk.expect_download(timeout=PATIENCE_S * 1000) as kept:
            desk.get_by_role("button", name="Make it").click()
        kept.value.save_as(tmp_path / "map.pdf")
        assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")
        expect(desk.locator("dialog")).to_have_count(0)


def test_a_table_is_drawn_on_a_map_of_a_notebook(browser: Browser, city: str, server: str) -> None:
    import folium

    from geo_grid.maps import Cameras, GridCells, Legend, Panel

    key = api_key(city, "planner")
    world = folium.Map(tiles=None)
    cells, cameras = GridCells(server, key, grid_level=2), Cameras(server, key, lang="en")
    for part in (cells, cameras, Legend(cameras, cells), Panel("Cells", "and cameras")):
        world.add_child(part)
    world.fit_bounds(world.get_bounds())
    world.default_js = [("leaflet", "/leaflet.js")]
    world.default_css = [("leaflet_css", "/leaflet.css")]
    shown = world.get_root().render()
    assert key not in shown
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    vendor = asset_dir("static") / "vendor/leaflet"
    page.route("http://notebook.test/", lambda route: route.fulfill(body=shown, content_type="text/html"))
    page.route(
        "http://notebook.test/leaflet.*", lambda route: route.fulfill(path=vendor / route.request.url.split("/")[-1])
    )
    page.goto("http://notebook.test/")
    expect(page.locator("path.leaflet-interactive")).to_have_count(36 + 200)
    assert (
        page.locator("path.leaflet-interactive").first.get_attribute("stroke") == "#14609f"
    )  # as our pages draw level 2
    expect(page.locator("body")).to_contain_text("and cameras")
    page.close()
    assert faults == []
