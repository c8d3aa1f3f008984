"""A page that the server had no time for asks again; a page that is told of much redraws nevertheless."""

import threading
import time

import pytest
from playwright.sync_api import Browser, Route, expect

from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser
FILE = (
    "insert into incidents (category, geom, grid_code)"
    f" values ('a', ST_SetSRID(ST_MakePoint({WEST + SIDE / 2}, {SOUTH + SIDE / 2}), 4490), 'A')"
)


def test_a_page_that_was_told_to_wait_asks_again(cluster: Cluster, browser: Browser) -> None:
    """429 and 503 for its layers and its list, and 502 of a proxy for its events: all of them are there a moment later."""
    refused: dict[str, int] = {}

    def refuse_once(route: Route) -> None:
        path = route.request.url.partition("?")[0]
        refused[path] = refused.get(path, 0) + 1
        if refused[path] == 1:
            status = 503 if "incidents" in path else 502 if path.endswith("/events") else 429
            route.fulfill(status=status, headers={"Retry-After": "1"}, json={"detail": "wait", "status": status})
        else:
            route.continue_()

    with new_database(cluster, "browser_patience") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(FILE)
        with live_server(conninfo) as url:
            headers = {"Authorization": f"Bearer {api_key(conninfo, 'supervisor')}"}
            page = browser.new_page(viewport={"width": 1600, "height": 900}, extra_http_headers=headers)
            page.route("**/collections/*/items*", refuse_once)
            page.route("**/events", refuse_once)
            page.goto(f"{url}/maps/wall?lang=en")
            expect(page.locator("label[data-layer=incidents] .state")).to_have_text("1", timeout=90_000)
            expect(page.locator("label[data-layer=grid_cells] .state")).to_have_text("4", timeout=90_000)
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            deadline = time.monotonic() + 90
            while refused.get(f"{url}/events", 0) < 2:
                assert time.monotonic() < deadline
                page.wait_for_timeout(200)
            page.wait_for_timeout(1500)
            with connect(conninfo) as connection:
                connection.execute(FILE)
            expect(page.locator(".stream [data-incident]")).to_have_count(
                2, timeout=90_000
            )  # told, not found by the interval
            page.close()


def test_a_wall_redraws_while_much_happens(cluster: Cluster, browser: Browser) -> None:
    """Ten events a second for eight seconds: the list grows meanwhile, not only when it is quiet again."""
    with new_database(cluster, "browser_much") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        with live_server(conninfo) as url:
            headers = {"Authorization": f"Bearer {api_key(conninfo, 'supervisor')}"}
            page = browser.new_page(viewport={"width": 1600, "height": 900}, extra_http_headers=headers)
            page.goto(f"{url}/maps/wall?lang=en")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            asked: list[float] = []
            page.on("request", lambda request: "/incidents?open" in request.url and asked.append(time.monotonic()))
            over = threading.Event()

            def much() -> None:
                with connect(conninfo) as connection:
                    while not over.wait(0.1):
                        connection.execute(FILE)
                        connection.commit()

            filing = threading.Thread(target=much)
            filing.start()
            try:
                page.wait_for_timeout(8_000)
                seen = page.locator(".stream [data-incident]").count()
            finally:
                over.set()
                filing.join()
            assert len(asked) >= 2
            assert seen > 1
            page.close()
