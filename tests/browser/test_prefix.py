"""Behind a proxy with a path prefix: pages find their scripts, their data and the way to each other."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser


def test_everything_a_page_asks_for_has_the_prefix(cluster: Cluster, browser: Browser) -> None:
    with new_database(cluster, "browser_prefix") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        with live_server(conninfo, public_url="http://127.0.0.1/city") as url:
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            asked: list[tuple[str, int]] = []
            page.on("response", lambda answer: asked.append((urlsplit(answer.url).path, answer.status)))
            page.goto(f"{url}/city/maps/wall?lang=en")  # led to the log-in, and back
            assert urlsplit(page.url).path == "/city/login"
            page.fill("input[name=name]", user(conninfo, "supervisor"))
            page.fill("input[name=password]", PASSWORD)
            with page.expect_response("**/city/events"):  # before the page is left
                page.click("button[type=submit]")
            expect(page.locator("label[data-layer=grid_cells] .state")).to_have_text("4", timeout=90_000)
            assert urlsplit(page.url).path == "/city/maps/wall"
            page.goto(f"{url}/city/collections")
            page.click("header a[href*='/city/imports']")
            expect(page).to_have_url(re.compile(r"/city/imports(\?|$)"))
            page.select_option("select[name=layer]", "police_posts")
            posts = f"post_code,name,lon,lat\nP1,one,{WEST + SIDE / 2},{SOUTH + SIDE / 2}\n"
            page.set_input_files(
                "input[type=file]", {"name": "posts.csv", "mimeType": "text/csv", "buffer": posts.encode()}
            )
            page.select_option("select[name=source_crs]", "EPSG:4490")
            page.click("form button[type=submit]")
            expect(page.locator("main")).to_contain_text("posts.csv")
            page.goto(f"{url}/city/maps/field")
            page.wait_for_selector("body[data-kept]")  # its service worker is there
            scope = page.evaluate("navigator.serviceWorker.ready.then(found => found.scope)")
            assert scope == f"{url}/city/maps/field"
            page.close()
    assert {path for path, _ in asked if not path.startswith("/city/")} == set()
    assert {path for path, status in asked if status >= 400} <= {
        "/city/session",
        "/city/field/rounds",
    }  # no page of a supervisor
    assert {"/city/events", "/city/collections/grid_cells/items", "/city/static/js/wall.js"} <= {
        path for path, _ in asked
    }
