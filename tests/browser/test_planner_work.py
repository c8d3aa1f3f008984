"""The planner's page forgives and points: a work list, live measures, keys, what a reload keeps, notes, approval."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.boundaries import as_step, draft_steps, edit_draft, make_draft, publish_draft, submit
from geo_grid.db import connect
from tests.api.test_boundaries import draw_uneven_town
from tests.boundaries.test_drafts import city
from tests.boundaries.test_operations import at
from tests.browser.test_planner import choose, click, look_at, person, steps
from tests.conftest import live_server
from tests.identities import user

__all__ = ["city"]
pytestmark = pytest.mark.browser

CENTRE = """() => {
    const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
    const { lat, lng } = map.getCenter();
    return [map.getZoom(), lat, lng];
}"""


def begin(desk: Page, title: str) -> None:
    desk.fill("input[name=title]", title)
    desk.keyboard.press("Enter")
    expect(desk.locator(".left header h2")).to_have_text(title)


def test_work_is_listed_stepped_through_and_seen(browser: Browser, database: str) -> None:
    draw_uneven_town(database)
    with live_server(database) as url, person(browser, url, user(database, "planner"), "/maps/planner") as desk:
        rows = desk.locator(".worklist li")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("Understaffed")
        expect(rows.first).to_contain_text("1,600 households, 0 managers")
        expect(rows.last).to_contain_text("Overloaded")
        desk.keyboard.press("n")
        expect(desk.locator("p.chosen")).to_contain_text("B")
        expect(rows.first).to_have_attribute("aria-current", "true")
        desk.keyboard.press("n")
        expect(desk.locator("p.chosen")).to_contain_text("A")
        desk.keyboard.press("p")
        expect(rows.first).to_have_attribute("aria-current", "true")
        with desk.expect_response(lambda answer: "/boundaries/overloaded" in answer.url and "all=true" in answer.url):
            desk.keyboard.press("h")
        expect(desk.locator(".shades")).to_be_visible()
        begin(desk, "relief")

        # ways to balance stand beside the present; what is locked on the map is locked in the dialog
        desk.select_option("select[aria-label=Level]", "2")
        desk.keyboard.press("Escape")
        for key in ("A", "B"):
            desk.locator(".worklist .find", has_text=re.compile(rf" {key}$|{key} {key}")).first.wait_for()
        desk.locator(".worklist .find").first.click()
        desk.keyboard.press("k")
        codes = desk.evaluate("new URL(location.href).searchParams.get('cells')")
        assert codes == "B"
        desk.evaluate(
            "() => { const url = new URL(location.href); url.searchParams.set('cells', 'A,B'); history.replaceState(null, '', url) }"
        )
        desk.reload()
        desk.wait_for_selector("body[data-ready]")
        expect(desk.locator("p.chosen")).to_contain_text(re.compile("A.*B"))
        desk.keyboard.press("e")
        locks = desk.locator("dialog fieldset input")
        expect(locks).to_have_count(2)
        assert [locks.nth(at).is_checked() for at in (0, 1)] == [False, True]
        locks.nth(1).uncheck()
        desk.click("dialog button[type=submit]")
        ways = desk.locator("dialog .ways figure")
        expect(ways.first).to_be_visible()
        assert ways.count() >= 2
        assert ways.first.locator("svg path").count() == 24
        shown = desk.locator("dialog .ways svg")
        fills = shown.evaluate_all(
            "all => all.map(one => [...one.children].map(path => path.getAttribute('fill')).join())"
        )
        assert len(set(fills)) == len(fills)  # each is another way, and none is the present
        desk.get_by_role("button", name="Use: Most even").click()
        steps(desk, 1)


def test_a_line_tells_what_it_would_do_and_survives_a_reload(browser: Browser, city: str) -> None:
    with connect(city) as connection:
        draft = make_draft(connection, "counted", "planner")
        edit_draft(connection, draft, as_step("describe", {"codes": ["c22"], "household_count": 900}), "planner")
        publish_draft(connection, draft, "counted")
    with live_server(city) as url, person(browser, url, user(city, "planner"), "/maps/planner") as desk:
        begin(desk, "halves")
        look_at(desk, 2.0, 2.0, 13.5)
        choose(desk, (2.5, 2.5, "c22"))
        desk.keyboard.press("s")
        expect(desk.locator(".hint")).to_contain_text("Backspace takes back")
        expect(desk.locator(".leaflet-tooltip")).to_have_count(0)  # the tool says nothing else
        click(desk, 1.7, 2.55)
        desk.wait_for_timeout(150)
        click(desk, 2.5, 2.45)
        told = desk.locator(".measured")
        expect(told).to_contain_text("does not divide")
        spot = desk.evaluate(
            """([lon, lat]) => {
            const map = window[JSON.parse(document.getElementById('geo-grid-page').textContent).map];
            const { x, y } = map.latLngToContainerPoint([lat, lon]);
            const { left, top } = map.getContainer().getBoundingClientRect();
            return [x + left, y + top];
        }""",
            list(at(3.4, 2.4)),
        )
        desk.mouse.move(*spot)
        expect(told.locator("tbody tr")).to_have_count(2)
        numbers = [int(cell.replace(",", "")) for cell in told.locator("tbody td:nth-child(2)").all_inner_texts()]
        assert sum(numbers) == 900, numbers
        assert min(numbers) > 300
        expect(told).to_contain_text("ha")

        before = desk.evaluate(CENTRE)
        desk.reload()
        desk.wait_for_selector("body[data-ready]")
        assert desk.evaluate(CENTRE) == pytest.approx(before, abs=1e-6)
        expect(desk.locator(".left header h2")).to_have_text("halves")
        expect(desk.locator("p.chosen")).to_contain_text("c22")
        expect(desk.locator(".hint")).to_be_visible()  # the line is there again
        click(desk, 3.4, 2.4)
        desk.keyboard.press("Enter")
        steps(desk, 1)
        assert desk.evaluate("sessionStorage.getItem('geo-grid-planner-line')") is None
        desk.reload()
        desk.wait_for_selector("body[data-ready]")
        expect(desk.locator(".hint")).to_be_hidden()  # what is done is not begun again
        steps(desk, 1)


def test_a_line_that_cannot_be_sent_is_drawn_again(browser: Browser, city: str) -> None:
    with live_server(city) as url, person(browser, url, user(city, "planner"), "/maps/planner") as desk:
        begin(desk, "cable")
        look_at(desk, 2.0, 2.0, 13.5)
        choose(desk, (2.5, 2.5, "c22"))
        desk.keyboard.press("s")
        desk.context.route("**/steps", lambda route: route.abort())
        for place in ((1.7, 2.55), (2.5, 2.45), (3.4, 2.4)):
            click(desk, *place)
            desk.wait_for_timeout(150)
        desk.keyboard.press("Enter")
        expect(desk.get_by_role("alert").first).to_be_visible()
        expect(desk.locator(".hint")).to_be_visible()
        desk.context.unroute("**/steps")
        desk.keyboard.press("Enter")
        steps(desk, 1)


def test_cells_are_found_walked_and_chosen_by_keys(browser: Browser, city: str) -> None:
    with live_server(city) as url, person(browser, url, user(city, "planner"), "/maps/planner") as desk:
        begin(desk, "keys")
        desk.keyboard.press("Escape")
        desk.locator("body").evaluate("() => document.activeElement.blur()")
        desk.keyboard.press("/")
        desk.keyboard.type("c33")
        expect(desk.locator(".offers li").first).to_contain_text("c33")
        desk.keyboard.press("ArrowDown")
        desk.keyboard.press("Enter")
        expect(desk.locator("p.chosen")).to_contain_text("c33")
        desk.keyboard.press("ArrowLeft")
        expect(desk.locator("p.heard[role=status]")).to_contain_text("c23")
        desk.keyboard.press("ArrowDown")
        expect(desk.locator("p.heard[role=status]")).to_contain_text("c22")
        desk.keyboard.press("Space")
        expect(desk.locator("p.chosen")).to_contain_text("c22")
        expect(desk.locator("p.chosen")).not_to_contain_text("c33")
        desk.keyboard.press("ArrowUp")
        desk.keyboard.press("Shift+Space")
        expect(desk.locator("p.chosen")).to_contain_text(re.compile("c22.*c23"))
        desk.keyboard.press("m")
        steps(desk, 1)

        # a note is pinned to the draft: a step that changes nothing
        desk.keyboard.press("a")
        click(desk, 2.5, 2.5)
        desk.fill("dialog input[name=text]", "ask the village first")
        desk.click("dialog button[type=submit]")
        steps(desk, 2)
        expect(desk.locator("ol.steps")).to_contain_text("ask the village first")
        expect(desk.locator(".leaflet-marker-pane path.leaflet-interactive")).to_have_count(1)


def test_approval_opens_on_what_changes_and_is_told_of(browser: Browser, city: str) -> None:
    planner = user(city, "planner")
    with connect(city) as connection:
        draft = make_draft(connection, "two yards", planner)
        cut = {
            "codes": ["c22"],
            "line": {"type": "LineString", "coordinates": [list(at(1.7, 2.6)), list(at(3.4, 2.3))]},
        }
        edit_draft(connection, draft, as_step("split", cut, "too many for one"), planner)
        submit(connection, draft, planner)
    supervisor = user(city, "supervisor")
    with live_server(city) as url, person(browser, url, supervisor, "/account") as office:
        badge = office.locator(".doors .badge")
        expect(badge).to_have_text("1")
        expect(badge).to_have_attribute("title", "1 drafts wait for approval")
        office.goto(f"{url}/maps/planner?lang=en")
        office.wait_for_selector("body[data-ready]")
        whole = office.evaluate(CENTRE)[0]
        expect(office.locator(".worklist li").first).to_contain_text("two yards")
        office.keyboard.press("n")
        expect(office.locator(".tab[aria-selected=true]")).to_have_text("Impact")
        expect(office.locator(".swipe")).to_be_visible()
        expect(office.locator(".approval .reasons")).to_contain_text("too many for one")
        assert office.evaluate(CENTRE)[0] > whole + 1
        office.set_viewport_size({"width": 1366, "height": 768})
        office.fill(".approval input[name=reason]", "ask the village first")
        office.get_by_role("button", name="Return").click()
        expect(office.locator(".left")).to_contain_text("Returned: ask the village first")
    with connect(city) as connection:
        (step,) = draft_steps(connection, draft)
    assert step["arguments"] == cut  # it stands as it was drawn
