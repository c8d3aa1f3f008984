"""A planner's morning in a real browser, with a mouse: from a new draft to the changed wall, and back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.boundaries import as_step, draft_steps, edit_draft, make_draft, publish_draft
from geo_grid.db import connect
from tests.boundaries.test_drafts import city
from tests.boundaries.test_operations import at
from tests.browser.watched import watched
from tests.conftest import live_server
from tests.identities import PASSWORD, user

__all__ = ["city"]
pytestmark = pytest.mark.browser

SPOT = """([lon, lat]) => {
    const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
    const { x, y } = map.latLngToContainerPoint([lat, lon]);
    const { left, top } = map.getContainer().getBoundingClientRect();
    return [x + left, y + top];
}"""
VIEW = """([lon, lat, zoom]) => {
    const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
    map.setView([lat, lon], zoom, { animate: false });
}"""


@contextmanager
def person(
    browser: Browser,
    url: str,
    name: str,
    path: str,
    query: str = "",
    may_be_refused: str | tuple[str, ...] = (),
) -> Iterator[Page]:
    """A person who logs in with a browser of their own; what is wrong with the page (see `watched`) fails the test."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    faults = watched(page, may_be_refused)
    page.goto(f"{url}/login?lang=en&next={path}%3Flang%3Den{query}")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(url + path)))
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
    assert faults == []


def click(page: Page, x: float, y: float, double: bool = False, more: bool = False) -> None:
    spot = page.evaluate(SPOT, list(at(x, y)))
    page.mouse.move(*spot)
    if more:
        page.keyboard.down("Shift")
    (page.mouse.dblclick if double else page.mouse.click)(*spot)
    if more:
        page.keyboard.up("Shift")


def draw(page: Page, *places: tuple[float, float]) -> None:
    expect(page.locator(".hint")).to_be_visible()
    for place in places[:-1]:
        click(page, *place)
        page.wait_for_timeout(120)
    click(page, *places[-1], double=True)


def look_at(page: Page, x: float, y: float, zoom: float) -> None:
    """Move the map, and wait until the cells of the new view are there."""
    with page.expect_response(lambda answer: "/cells?" in answer.url or "/items?" in answer.url):
        page.evaluate(VIEW, [*at(x, y), zoom])
    page.wait_for_timeout(400)


def choose(page: Page, *cells: tuple[float, float, str]) -> None:
    for number, (x, y, code) in enumerate(cells):
        click(page, x, y, more=number > 0)
        expect(page.locator("p.chosen")).to_contain_text(code)


def steps(page: Page, count: int) -> None:
    expect(page.locator("ol.steps li:not(.undone)")).to_have_count(count)
    expect(page.locator("progress.busy")).to_be_hidden()


def test_a_planners_morning(browser: Browser, city: str) -> None:
    planner, supervisor = user(city, "planner"), user(city, "supervisor")
    with (
        live_server(city) as url,
        # a draft that is published by itself may be asked about in that moment
        person(browser, url, planner, "/maps/planner", may_be_refused="/impact") as desk,
    ):
        desk.fill("input[name=title]", "spring revision")
        desk.keyboard.press("Enter")
        expect(desk.locator(".left header h2")).to_have_text("spring revision")
        desk.get_by_role("tab", name="Check").click()
        look_at(desk, 2.0, 2.0, 13)

        choose(desk, (2.5, 2.5, "c22"))
        desk.fill(".reason", "too large")
        desk.keyboard.press("Tab")
        desk.click("[data-tool=split]")
        expect(desk.locator(".hint")).to_be_visible()
        draw(desk, (1.7, 2.6), (2.5, 2.42), (3.4, 2.3))
        steps(desk, 1)
        expect(desk.locator("ol.steps")).to_contain_text("too large")

        choose(desk, (1.5, 1.5, "c11"), (2.5, 1.5, "c21"))  # by its key
        desk.keyboard.press("b")
        draw(desk, (2.12, 0.6), (2.18, 1.5), (2.1, 2.4))
        steps(desk, 2)

        choose(desk, (3.5, 1.5, "c31"))
        desk.keyboard.press("s")
        draw(desk, (3.22, 0.7), (3.14, 1.2), (3.1, 1.6), (3.16, 2.3))
        steps(desk, 3)
        # what is too small is found wanting, and mended on request
        choose(desk, (1.5, 3.5, "c13"))
        desk.keyboard.press("d")
        desk.fill("dialog input[name=household_count]", "120")
        desk.click("dialog button[type=submit]")
        steps(desk, 4)
        choose(desk, (2.5, 3.5, "c23"))
        desk.keyboard.press("d")
        desk.fill("dialog input[name=household_count]", "200")
        desk.click("dialog button[type=submit]")
        steps(desk, 5)
        expect(desk.locator(".findings")).to_contain_text("120 households")
        desk.locator("li", has_text="120 households").locator(".repair").click()
        steps(desk, 6)
        expect(desk.locator("ol.steps li").last).to_contain_text("Merge")
        expect(desk.locator(".findings")).not_to_contain_text("120 households")
        desk.keyboard.press("Control+z")
        steps(desk, 5)
        desk.keyboard.press("Control+Shift+Z")
        steps(desk, 6)

        desk.get_by_role("tab", name="Impact").click()
        expect(desk.locator(".content")).to_contain_text("cameras")
        expect(desk.locator(".swipe")).to_be_visible()
        desk.locator(".swipe input").fill("300")
        desk.click("text=Send for approval")
        expect(desk.locator(".left")).to_contain_text("waiting for approval")
        assert desk.locator("[data-tool=split]").is_disabled()

        with person(browser, url, supervisor, "/maps/wall") as wall:
            look_at(wall, 2.0, 2.0, 13)
            with person(browser, url, supervisor, "/maps/planner") as office:
                office.locator(".draft", has_text="spring revision").click()
                office.fill(".approval input[name=note]", "approved in spring")
                with wall.expect_response(
                    lambda answer: "grid_cells/items" in answer.url and "&zoom=" in answer.url, timeout=90_000
                ) as changed:
                    office.click("text=Approve and publish")
                    expect(office.locator(".left")).to_contain_text("published as edition 2", timeout=90_000)
                assert "c22.2" in {f["properties"]["grid_code"] for f in changed.value.json()["features"]}
                expect(desk.locator(".left")).not_to_contain_text("waiting for approval", timeout=90_000)

                # back again
                office.get_by_role("tab", name="History").click()
                expect(office.locator(".editions li")).to_have_count(2)
                office.locator(".editions li").first.get_by_text("What it changed").click()
                expect(office.locator(".swipe")).to_be_visible()
                office.on("dialog", lambda dialog: dialog.accept("taken back"))
                with wall.expect_response(
                    lambda answer: "grid_cells/items" in answer.url and "&zoom=" in answer.url, timeout=90_000
                ) as changed:
                    office.get_by_text("Take back to this").click()
                    expect(office.locator(".editions li")).to_have_count(3, timeout=90_000)
                assert "c22.2" not in {f["properties"]["grid_code"] for f in changed.value.json()["features"]}
                office.wait_for_timeout(1500)  # the list is read again when the edition is told of
                office.locator(".content input[type=range]").fill("1")  # as it was in between
                expect(office.locator(".content")).to_contain_text("Edition 2, from")


DRAWN = """() => {
    const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
    const codes = new Set();
    map.eachLayer(one => {
        if (one.options.rank === 2 && one.feature?.properties.grid_code) codes.add(one.feature.properties.grid_code);
    });
    return [...codes];
}"""


def test_the_slider_of_history_shows_the_cells_of_each_edition(browser: Browser, city: str) -> None:
    with connect(city) as connection:
        draft = make_draft(connection, "x", "planner")
        cut = {"type": "LineString", "coordinates": [at(1.7, 2.6), at(3.4, 2.3)]}
        edit_draft(connection, draft, as_step("split", {"codes": ["c22"], "line": cut}), "planner")
        publish_draft(connection, draft, "split")
    with connect(city) as connection:
        draft = make_draft(connection, "y", "planner")
        edit_draft(connection, draft, as_step("merge", {"codes": ["c00", "c01"], "keep": "c01"}), "planner")
        publish_draft(connection, draft, "merged")
    with connect(city) as connection:
        rows = connection.execute("select edition_id, valid_from from editions").fetchall()
    began_at = {row["edition_id"]: row["valid_from"].astimezone(ZoneInfo("Asia/Shanghai")) for row in rows}
    with live_server(city) as url, person(browser, url, user(city, "planner"), "/maps/planner") as desk:
        look_at(desk, 2.0, 2.0, 13)
        desk.get_by_role("tab", name="History").click()
        expect(desk.locator(".editions li")).to_have_count(3)
        slider = desk.locator(".content input[type=range]")
        for edition, has_split, has_merged in ((1, False, False), (2, True, False), (3, True, True), (1, False, False)):
            with desk.expect_response(
                lambda answer: "grid_cells/items" in answer.url and "grid_level=1" not in answer.url
            ) as told:
                slider.fill(str(edition - 1))
            assert told.value.status == 200, told.value.text()
            began = began_at[edition].strftime("%d/%m/%Y, %H:%M")
            expect(desk.locator(".content p.quiet").first).to_contain_text(
                "in force" if edition == 3 else f"Edition {edition}, from {began}"
            )
            assert ("datetime=" in told.value.url) == (edition != 3)
            desk.wait_for_timeout(500)
            drawn = set(desk.evaluate(DRAWN))
            assert ("c22.2" in drawn, "c00" not in drawn) == (has_split, has_merged), edition
            assert {"c22", "c01", "c55"} <= drawn


def test_what_is_refused_is_said_and_the_draft_stays(browser: Browser, city: str) -> None:
    with (
        live_server(city) as url,
        person(browser, url, user(city, "planner"), "/maps/planner", may_be_refused="/steps") as desk,
    ):
        desk.fill("input[name=title]", "wrong")
        desk.keyboard.press("Enter")
        expect(desk.locator(".left header h2")).to_have_text("wrong")
        look_at(desk, 2.4, 2.9, 15)  # near enough that nothing snaps
        choose(desk, (2.5, 2.5, "c22"))
        desk.keyboard.press("m")
        expect(desk.get_by_role("alert")).to_contain_text("Choose 2 cells first")
        desk.keyboard.press("s")
        draw(desk, (2.2, 2.3), (2.8, 2.6))  # from inside to inside
        expect(desk.get_by_role("alert")).to_contain_text("does not divide")
        expect(desk.locator("ol.steps li")).to_have_count(0)
        desk.keyboard.press("s")
        desk.keyboard.press("Escape")
        expect(desk.locator(".hint")).to_be_hidden()
        choose(desk, (2.5, 2.5, "c22"), (2.5, 3.5, "c23"))
        desk.keyboard.press("m")
        steps(desk, 1)


def test_patrol_zones_are_drawn_with_their_stops_and_cells_get_people(browser: Browser, city: str) -> None:
    with (
        live_server(city) as url,
        person(browser, url, user(city, "planner"), "/maps/planner", may_be_refused="/steps") as desk,
    ):
        desk.fill("input[name=title]", "zones")
        desk.keyboard.press("Enter")
        expect(desk.locator(".left header h2")).to_have_text("zones")
        look_at(desk, 2.0, 2.0, 13)
        choose(desk, (2.5, 2.5, "c22"))
        desk.keyboard.press("u")
        desk.fill("dialog input[name=lead]", "赵网格")
        desk.fill("dialog input[name=managers]", "钱一, 孙二")
        desk.click("dialog button[type=submit]")
        steps(desk, 1)

        with desk.expect_response(lambda answer: "/zones?" in answer.url):
            desk.select_option(".tools select >> nth=0", "patrol_zones")
        desk.keyboard.press("z")
        draw(desk, (0.5, 0.5), (4.5, 0.5), (4.5, 4.5), (0.5, 4.5))
        desk.fill("dialog input[name=name]", "south")
        desk.fill("dialog input[name=responsible_unit]", "unit one")
        desk.click("dialog button[type=submit]")
        steps(desk, 2)
        desk.wait_for_timeout(500)
        click(desk, 2.5, 2.5)
        expect(desk.locator("p.chosen")).to_contain_text("south")
        desk.keyboard.press("o")
        expect(desk.locator(".hint")).to_be_visible()
        click(desk, 1.5, 1.5)
        desk.fill("dialog input[name=name]", "school gate")
        desk.fill("dialog input[name=from]", "07:00")
        desk.click("dialog button[type=submit]")
        steps(desk, 3)
        expect(desk.locator("p.chosen")).to_contain_text("Click a cell")  # a step leaves nothing chosen
        click(desk, 2.5, 2.5)
        expect(desk.locator("p.chosen")).to_contain_text("south")
        desk.keyboard.press("x")
        expect(desk.get_by_role("alert")).to_contain_text("regular zone")
    with connect(city) as connection:
        done = {row["operation"]: row["arguments"] for row in draft_steps(connection, 1)}
    assert [duty["person_name"] for duty in done["set_duties"]["duties"]] == ["赵网格", "钱一", "孙二"]
    assert done["create"]["responsible_unit"] == "unit one"
    assert [stop["name"] for stop in done["set_stops"]["stops"]] == ["school gate"]


def test_the_name_of_a_stop_stays_text(browser: Browser, city: str) -> None:
    hostile = "<img src=x onerror=hacked=1><b>gate</b>"
    square = [list(at(*place)) for place in ((0.5, 0.5), (4.5, 0.5), (4.5, 4.5), (0.5, 4.5), (0.5, 0.5))]
    with connect(city) as connection:
        draft, zones = make_draft(connection, "stops", "planner"), {"layer": "patrol_zones"}
        drawn = {"name": "south", "area": {"type": "Polygon", "coordinates": [square]}}
        (code,) = edit_draft(connection, draft, as_step("create", {**zones, **drawn}), "planner")
        stop = {"name": hostile, "point": list(at(1.5, 1.5))}
        edit_draft(connection, draft, as_step("set_stops", {**zones, "codes": [code], "stops": [stop]}), "planner")
    with (
        live_server(city) as url,
        person(browser, url, user(city, "planner"), "/maps/planner", f"%26draft%3D{draft}") as desk,
    ):
        look_at(desk, 2.0, 2.0, 13)
        with desk.expect_response(lambda answer: "/zones?" in answer.url):
            desk.select_option(".tools select >> nth=0", "patrol_zones")
        dot = desk.locator(".leaflet-marker-pane path.leaflet-interactive").first
        dot.dispatch_event("mouseover")
        expect(desk.locator(".leaflet-tooltip")).to_contain_text(hostile)
        assert desk.locator(".leaflet-tooltip img, .leaflet-tooltip b").count() == 0
        assert desk.evaluate("window.hacked") is None


def test_an_incident_shows_its_owner_then_and_now(browser: Browser, city: str) -> None:
    with connect(city) as connection:
        closed = connection.execute(
            "select incident_id from incidents where grid_code = 'c00' and closed_at is not null limit 1"
        ).fetchone()
        assert closed is not None
        draft = make_draft(connection, "x", "planner")
        edit_draft(connection, draft, as_step("merge", {"codes": ["c00", "c01"], "keep": "c01"}), "planner")
        publish_draft(connection, draft, "x")
    with (
        live_server(city) as url,
        person(browser, url, user(city, "dispatcher"), "/maps/wall", f"%26incident%3D{closed['incident_id']}") as wall,
    ):
        expect(wall.locator(".card .then")).to_contain_text("Its owner then: c00 (edition 1)")
        expect(wall.locator(".card .chain")).to_contain_text("c01")
