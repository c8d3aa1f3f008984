"""The way in: the home page by rights, its doors, and the users of the demo with one click."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from geo_grid.db import Cluster, connect
from geo_grid.live_demo.users import demo_users
from tests.browser.conftest import served
from tests.browser.test_office import log_in
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import kiosk_token, user
from tests.live_demo.city import make_small_demo
from tests.owners import owner
from tests.squares import two_by_two

pytestmark = pytest.mark.browser
SIZES = [(1920, 1080), (1366, 768), (768, 1024), (360, 740)]


@pytest.fixture
def demo(cluster: Cluster) -> Iterator[tuple[str, str]]:
    with new_database(cluster, "browser_home") as conninfo:
        make_small_demo(conninfo)
        owner(conninfo, lambda connection: demo_users(connection, 5))
        with live_server(conninfo) as url:
            yield url, conninfo


def test_somebody_new_gets_in_with_one_click_and_finds_every_door(demo: tuple[str, str], page: Page) -> None:
    url, _ = demo
    page.goto(f"{url}/")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.goto(f"{url}/login?lang=en&next=/?lang=en")
    page.wait_for_selector("body[data-ready]")
    page.get_by_role("button", name="supervisor").click()
    expect(page.get_by_role("heading", name="The city now")).to_be_visible()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator(".figure", has_text="Open incidents").locator("b")).to_have_text("0")
    expect(page.locator(".figure", has_text="Free units")).to_contain_text("3 silent")
    expect(page.locator("header.bar")).to_contain_text("Demo data")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".door").count() == 11
    page.set_viewport_size({"width": 1366, "height": 768})
    page.keyboard.press("3")  # the third door
    expect(page).to_have_url(re.compile("/maps/planner"))
    page.wait_for_selector("body[data-ready]")
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="What waits for you")).to_be_visible()


def test_the_role_s_page_comes_after_the_log_in_and_every_page_has_the_same_head(
    demo: tuple[str, str], page: Page
) -> None:
    url, conninfo = demo
    log_in(page, url, user(conninfo, "supervisor"))
    expect(page).to_have_url(re.compile("/maps/wall"))
    seen = []
    for path in ("/", "/maps/wall", "/maps/desk", "/maps/planner", "/maps/response", "/imports", "/account"):
        page.goto(f"{url}{path}?lang=en")
        page.wait_for_selector("body[data-ready]")
        doors = page.locator("nav.doors a")
        expect(doors.first).to_be_attached()
        seen.append(doors.all_text_contents())
        way_home = page.locator(".help .own a" if path == "/maps/wall" else "header.bar a.mark")  # a wall has a drawer
        expect(way_home).to_have_attribute("href", re.compile(r"^[^?]*/(\?lang=en)?$"))
    assert seen[0]
    assert all(links == seen[0] for links in seen)


def test_a_narrow_screen_opens_the_doors_by_a_button(demo: tuple[str, str], page: Page) -> None:
    url, conninfo = demo
    page.set_viewport_size({"width": 360, "height": 740})
    log_in(page, url, user(conninfo, "auditor"))
    expect(page).to_have_url(re.compile("/auditor"))
    page.goto(f"{url}/?lang=en")
    page.wait_for_selector("body[data-ready]")
    opener = page.get_by_role("button", name="Where to go")
    expect(page.locator("nav.doors")).to_be_hidden()
    opener.click()
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.locator("nav.doors").get_by_role("link", name="Audit").click()
    expect(page).to_have_url(re.compile("/auditor"))


def test_a_screen_is_led_to_its_page_and_has_no_doors(demo: tuple[str, str], page: Page) -> None:
    url, conninfo = demo
    page.goto(f"{url}/login?lang=en")
    page.get_by_text("screen without a person").click()
    page.get_by_label("Token of a screen").fill(kiosk_token(conninfo))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/maps/wall"))
    page.wait_for_selector("body[data-ready]")
    page.goto(f"{url}/")
    expect(page).to_have_url(re.compile("/maps/wall"))
    page.wait_for_selector("body[data-ready]")
    assert page.locator("header.bar a").count() <= 1  # the other language


def test_an_empty_city_says_what_comes_first(cluster: Cluster, page: Page) -> None:
    with new_database(cluster, "browser_home_empty") as conninfo, served(page, conninfo) as url:
        log_in(page, url, user(conninfo, "administrator"))
        expect(page).to_have_url(re.compile("/admin"))
        page.goto(f"{url}/?lang=en")
        page.wait_for_selector("body[data-ready]")
        expect(page.get_by_text("The city is empty")).to_be_visible()
        expect(page.get_by_text("Demo data")).to_have_count(0)
        with connect(conninfo) as connection:
            two_by_two(connection)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.get_by_text("The city is empty")).to_have_count(0)
