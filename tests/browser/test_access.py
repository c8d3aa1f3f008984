"""Every page by the rules of WCAG 2.2 AA, as axe-core looks at them: nothing serious, nothing critical."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.boundaries import as_step, edit_draft, make_draft
from geo_grid.db import Cluster, connect
from geo_grid.field import WorkerPerson, name_worker
from tests.browser.axe import serious
from tests.browser.offices import make_offices
from tests.browser.test_planner import SPOT
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, owner, user
from tests.squares import SIDE, SOUTH, WEST

pytestmark = pytest.mark.browser


class City(NamedTuple):
    """A served city, and its database."""

    url: str
    conninfo: str


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[City]:
    """A small city with something for every page, and a draft that cuts a cell."""
    with new_database(cluster, "access_for_all") as conninfo:
        make_offices(conninfo)
        with connect(conninfo) as connection:
            draft = make_draft(connection, "春季调整", "planner")
            middle = WEST + SIDE / 2
            line = {"type": "LineString", "coordinates": [[middle, SOUTH - 0.001], [middle, SOUTH + SIDE + 0.001]]}
            edit_draft(connection, draft, as_step("split", {"codes": ["A"], "line": line}), "planner")
        with live_server(conninfo) as url:
            yield City(url, conninfo)


@contextmanager
def opened(browser: Browser, city: City, path: str, role: str | None) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    if role:
        name = worker(city) if role == "grid_worker" else user(city.conninfo, role)
        answer = context.request.post(f"{city.url}/session", data={"name": name, "password": PASSWORD})
        assert answer.ok, answer.text()
    page = context.new_page()
    page.goto(f"{city.url}{path}")
    if path != "/docs":
        page.wait_for_selector("body[data-ready]")
    yield page
    context.close()


def worker(city: City) -> str:
    """The name of a user who is a grid manager of the roster."""
    name = user(city.conninfo, "grid_worker", ["A"])
    person = WorkerPerson(person_name="李强", phone="0319-1002")
    owner(city.conninfo, lambda connection: name_worker(connection, name, person))
    return name


def assert_open_to_all(page: Page) -> None:
    found = serious(page)
    assert not found, "\n".join(found)


def tabs(page: Page) -> None:
    """Open each section of a page of the office in turn, the last stays."""
    for one in page.get_by_role("tab").all():
        one.click()
        expect(page.locator("#section:not([aria-busy])")).to_be_visible()
        assert_open_to_all(page)


def card(page: Page) -> None:
    page.mouse.click(*page.evaluate(SPOT, [WEST + SIDE / 3, SOUTH + SIDE / 3]))
    expect(page.locator(".card .chain li").first).to_be_visible()


def legend(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("nav.help")).to_be_visible()


def matter(page: Page) -> None:
    page.keyboard.press("j")
    expect(page.locator(".right .stages").first).to_be_visible()
    expect(page.locator(".right .ranked li").first).to_be_visible()


def call(page: Page) -> None:
    page.mouse.click(*page.evaluate(SPOT, [WEST + SIDE / 3, SOUTH + SIDE / 3]))
    expect(page.locator(".right h2").first).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("form.call")).to_be_visible()


def draft(page: Page) -> None:
    page.get_by_role("button", name="春季调整").click()
    expect(page.locator("ol.steps li")).to_have_count(1)
    for one in page.locator(".right, body").first.get_by_role("tab").all():
        one.click()
        page.wait_for_timeout(300)
        assert_open_to_all(page)


def features(page: Page) -> None:
    expect(page.locator("tbody tr").first).to_be_visible()


def operations(page: Page) -> None:
    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock.is-open")).to_be_visible()


VISITS: list[tuple[str, str | None, Callable[[Page], None] | None]] = [
    ("/login", None, None),
    ("/login?lang=en", None, None),
    ("/", "supervisor", None),
    ("/account", "supervisor", None),
    ("/admin", "administrator", None),
    ("/auditor", "auditor", None),
    ("/imports", "planner", None),
    ("/rules", "administrator", tabs),
    ("/supervision", "supervisor", tabs),
    ("/maps/wall", "supervisor", None),
    ("/maps/wall", "supervisor", card),
    ("/maps/wall?lang=en", "supervisor", legend),
    ("/maps/desk", "dispatcher", None),
    ("/maps/desk", "dispatcher", matter),
    ("/maps/desk", "dispatcher", call),
    ("/maps/planner", "planner", draft),
    ("/maps/response", "supervisor", None),
    ("/maps/response", "supervisor", card),
    ("/maps/indicators", "supervisor", None),
    ("/maps/sheet?layers=grid_cells,incidents", "supervisor", None),
    ("/collections?f=html", "supervisor", None),
    ("/collections/incidents?f=html", "supervisor", None),
    ("/collections/incidents/items?f=html", "supervisor", features),
    ("/conformance?f=html", "supervisor", None),
    ("/maps/field", "grid_worker", None),
    ("/docs", "supervisor", operations),
]


@pytest.mark.parametrize(
    ("path", "role", "act"),
    VISITS,
    ids=[f"{path} {act.__name__ if act else ''}".strip() for path, _, act in VISITS],
)
def test_a_page_has_no_serious_or_critical_finding(
    browser: Browser, city: City, path: str, role: str | None, act: Callable[[Page], None] | None
) -> None:
    with opened(browser, city, path, role) as page:
        if act:
            act(page)
        assert_open_to_all(page)
