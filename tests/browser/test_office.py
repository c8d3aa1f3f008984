"""Logging in, caring for accounts and reading the audit, in a real browser; names never become programs."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, kiosk_token, user
from tests.squares import two_by_two

pytestmark = pytest.mark.browser
HOSTILE = "`${window.hacked=1}`<img src=x onerror=window.hacked=1><svg onload=window.hacked=1>\u202e'\"</script>"


@pytest.fixture
def city(cluster: Cluster) -> Iterator[tuple[str, str]]:
    with new_database(cluster, "browser_office") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        with live_server(conninfo) as url:
            yield url, conninfo


def log_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/login?lang=en")
    page.wait_for_selector("body[data-ready]")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def test_a_dispatcher_logs_in_files_an_incident_and_logs_out(city: tuple[str, str], page: Page) -> None:
    url, conninfo = city
    page.goto(f"{url}/maps/wall?lang=en")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    log_in(page, url, user(conninfo, "dispatcher", ["A"]))
    expect(page).to_have_url(re.compile("/maps/desk"))
    page.wait_for_selector("body[data-ready]")
    page.goto(f"{url}/maps/wall?lang=en")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("/")
    page.get_by_placeholder("lon, lat").fill("114.503, 37.003")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="File an incident here").click()
    page.get_by_role("button", name="File", exact=True).click()
    expect(page.locator(".good")).to_contain_text("filed")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login"))


def test_an_administrator_makes_an_account_and_names_stay_text(city: tuple[str, str], page: Page) -> None:
    url, conninfo = city
    log_in(page, url, user(conninfo, "administrator"))
    expect(page).to_have_url(re.compile("/admin"))
    page.goto(f"{url}/admin?lang=en")
    page.wait_for_selector("body[data-ready]")
    account = page.locator("form", has=page.get_by_role("button", name="Add account"))
    account.get_by_label("Name", exact=True).fill("li.na")
    account.get_by_label("Display name").fill(HOSTILE)
    account.get_by_label("Grid codes").fill("A, B")
    account.get_by_role("button").click()
    expect(page.locator(".once code")).to_have_text(re.compile(r"^[\w-]{20,}$"))
    expect(page.locator("td", has_text="onerror")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_an_auditor_reads_and_checks_the_audit(city: tuple[str, str], page: Page) -> None:
    url, conninfo = city
    user(conninfo, "planner", display_name=HOSTILE)
    log_in(page, url, user(conninfo, "auditor"))
    expect(page).to_have_url(re.compile("/auditor"))
    page.goto(f"{url}/auditor?lang=en")
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("td", has_text="session.login").first).to_be_visible()
    page.get_by_role("button", name="Check the whole chain").click()
    expect(page.get_by_text("rows are what they were")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_a_screen_opens_with_its_token_and_shows_nobody_s_account(city: tuple[str, str], page: Page) -> None:
    url, conninfo = city
    page.goto(f"{url}/login?lang=en")
    page.get_by_text("screen without a person").click()
    page.get_by_label("Token of a screen").fill(kiosk_token(conninfo))
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    expect(page).to_have_url(re.compile("/maps/wall"))
    page.wait_for_selector(".stream")
    assert page.get_by_role("button", name="退出").count() == 0
