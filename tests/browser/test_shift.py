"""A shift on the living demo: calls come, a dispatcher works by keys, units drive and arrive, a planner publishes, the wall tells."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster, connect
from geo_grid.live_demo.living import Living, Pace
from geo_grid.live_demo.plan import make_plan
from geo_grid.live_demo.speaking import Away
from tests.browser.test_lives import keys
from tests.browser.test_planner import SPOT, person
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import user
from tests.live_demo.city import MIDDLES, make_small_demo

pytestmark = pytest.mark.browser
_SPEED = 120.0
_CALLS_A_DAY = 400.0
_MORE_CARS = (
    "insert into patrol_units (unit_code, name, unit_kind, unit_status, is_demo, geom, reported_at)"
    " select 'V' || n, '机动车' || n, 'car', 'on_patrol', true, ST_SetSRID(ST_MakePoint(%s, %s), 4490), now()"
    " from generate_series(1, 30) n"
)


def _in_the_evening() -> str:
    """A time zone where it is seven in the evening: at night so few calls come that matters end before ten are on the wall."""
    ahead = (19 - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}"  # whose signs are those of POSIX, the other way round


@contextmanager
def lives(conninfo: str, url: str) -> Iterator[None]:
    """Let the demo live beside the test, much faster than a city does; what fails in it fails the test."""
    ended = threading.Event()

    def live() -> None:
        plan = json.loads(json.dumps(as_owner(conninfo, make_plan).as_json()))
        begins = time.time()
        living = Living({**plan, "calls_a_day": _CALLS_A_DAY}, url, Pace(_SPEED, 7, _in_the_evening()), begins)
        while not ended.wait(0.5):
            try:
                living.step(begins + (time.time() - begins) * _SPEED)
            except Away:
                continue

    with ThreadPoolExecutor(1) as beside:
        living = beside.submit(live)
        try:
            yield
        finally:
            ended.set()
        living.result()


def click_on(page: Page, number: int, more: bool = False) -> None:
    page.mouse.move(*page.evaluate(SPOT, [MIDDLES[number].x, MIDDLES[number].y]))
    if more:
        page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.up()
    if more:
        page.keyboard.up("Shift")


def test_a_shift_from_the_wall_to_the_edition(cluster: Cluster, browser: Browser) -> None:
    with new_database(cluster, "shift") as conninfo:
        make_small_demo(conninfo)
        with connect(conninfo) as connection:  # that one is free whenever ours comes
            connection.execute(_MORE_CARS, (MIDDLES[2].x, MIDDLES[2].y))
        screen, lin, chief, planner = (user(conninfo, role) for role in ("wall", "dispatcher", "supervisor", "planner"))
        with (
            live_server(conninfo) as url,
            lives(conninfo, url),
            person(browser, url, screen, "/maps/wall") as wall,
            person(browser, url, lin, "/maps/desk") as desk,
        ):
            # ten calls of the demo, on the wall without anybody touching it
            expect(wall.locator(".stream [data-incident]").nth(9)).to_be_attached()

            # one of ours: from the place to the unit that is sent, by keys alone
            keys(desk, "/")
            desk.keyboard.type(f"{MIDDLES[3].x} {MIDDLES[3].y}")
            keys(desk, "Enter")
            expect(desk.locator(".right .chain li").first).to_be_visible()
            keys(desk, "n")
            expect(desk.locator("form.call fieldset input").first).to_be_checked()
            keys(desk, "f", "Tab")
            desk.keyboard.type("商铺冒烟")
            keys(desk, "Control+Enter")
            expect(desk.locator(".right .stages .here")).to_have_text("Assigned")
            number = desk.locator(".right h2 .quiet").inner_text().removeprefix("#")

            # a unit of the demo drives there by the roads, and the desk sees it arrive without asking
            expect(desk.locator(".right .log")).to_contain_text("Departs")
            expect(desk.locator(".right .log")).to_contain_text("Arrives")
            expect(wall.locator(f".stream [data-incident='{number}']")).to_be_attached()

            # the border between two cells goes: planned, approved, and drawn on the wall
            with person(browser, url, planner, "/maps/planner", may_be_refused="/impact") as office:
                office.fill("input[name=title]", "one cell of two")
                keys(office, "Enter")
                expect(office.locator(".left header h2")).to_have_text("one cell of two")
                click_on(office, 0)
                expect(office.locator("p.chosen")).to_contain_text("A")
                click_on(office, 1, more=True)
                keys(office, "m")
                expect(office.locator("ol.steps li:not(.undone)")).to_have_count(1)
                office.get_by_role("tab", name="Impact").click()
                office.click("text=Send for approval")
                expect(office.locator(".left")).to_contain_text("waiting for approval")
                with person(browser, url, chief, "/maps/planner") as other:
                    other.locator(".draft", has_text="one cell of two").click()
                    other.fill(".approval input[name=note]", "agreed")
                    with wall.expect_response(lambda answer: "grid_cells/items" in answer.url, timeout=90_000) as drawn:
                        other.click("text=Approve and publish")
                        expect(other.locator(".left")).to_contain_text("published as edition 2")
                    assert drawn.value.ok
                expect(office.locator(".left")).not_to_contain_text("waiting for approval")

            # ours to its end, by keys; somebody else verifies it
            keys(desk, "h")
            expect(desk.locator(".right .stages .here")).to_have_text("Handled")
            with person(browser, url, chief, "/maps/desk", f"%26incident%3D{number}") as other:
                keys(other, "v")
                expect(other.locator(".right .good").first).to_have_text("solved")
            expect(wall.locator(f".stream [data-incident='{number}']")).to_have_count(0)
        with connect(conninfo) as connection:
            cells = connection.execute("select count(*) as n from grid_cells where valid_to is null and grid_level = 2")
            assert cells.fetchone() == {"n": 3}
            demo = connection.execute("select count(*) as n from incidents where is_demo and incident_number is null")
            assert (demo.fetchone() or {})["n"] >= 10
