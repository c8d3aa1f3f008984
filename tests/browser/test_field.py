"""The phone page of a grid worker with the network cut: nothing is lost, nothing is recorded twice, nothing stays."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from geo_grid.db import Cluster, connect
from tests.cable import Cable, cable
from tests.databases import new_database
from tests.field.city import IN_A, IN_C, LI, Field, grid_worker, served
from tests.identities import PASSWORD, api_key

pytestmark = pytest.mark.browser


class Phone(NamedTuple):
    """A phone on which Li is logged in, its cable, and the city."""

    page: Page
    context: BrowserContext
    cable: Cable
    city: Field

    def tap(self, compound: str) -> None:
        self.page.locator(f".compound[data-code={compound}]").tap()

    def open_again(self) -> None:
        self.page.reload()
        self.page.wait_for_selector("body[data-ready]")


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[tuple[Field, str]]:
    """A served city, and the account of Li."""
    with new_database(cluster, "browser_field") as conninfo, served(conninfo) as made:
        yield made, grid_worker(conninfo, LI, ["A", "B"])


@pytest.fixture
def phone(city: tuple[Field, str], browser: Browser) -> Iterator[Phone]:
    made, name = city
    with connect(made.conninfo) as connection:
        connection.execute("truncate visits, visit_notes")
    with cable(made.url) as wire, on_a_phone(browser, (360, 740)) as context:
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{wire.url}/maps/field?lang=en")
        page.wait_for_url("**/login**")  # whoever was never here logs in first
        page.fill("input[name=name]", name)
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-kept] .compound")
        yield Phone(page, context, wire, made)
        assert faults == []


@contextlib.contextmanager
def on_a_phone(browser: Browser, size: tuple[int, int]) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True, permissions=["geolocation"],
        geolocation=position(IN_A),
    )  # fmt: skip
    yield context
    context.close()


def position(place: dict[str, float]) -> Any:
    return {"longitude": place["lon"], "latitude": place["lat"], "accuracy": 10}


def test_visits_without_network_outlive_the_page_and_are_sent_once_in_their_order(phone: Phone) -> None:
    page, state = phone.page, phone.page.locator(".state")
    phone.tap("A")
    expect(page.locator("li.sent")).to_have_count(1)
    assert [visit["place_from"] for visit in phone.city.visits()] == ["position"]
    phone.cable.cut()
    page.get_by_placeholder("Note").fill("楼道已清理")
    phone.tap("A")
    phone.tap("B")
    expect(state).to_contain_text("2 wait for the network")
    phone.open_again()  # from the phone alone
    expect(state).to_contain_text("2 wait for the network")
    phone.tap("A")
    expect(state).to_contain_text("3 wait for the network")
    lost: list[str] = []

    def lose_the_answer(route: Route) -> None:
        lost.append(route.request.headers["idempotency-key"])
        httpx.post(
            f"{phone.city.url}/field/visits", content=route.request.post_data, headers=route.request.all_headers()
        )
        route.abort()

    page.route("**/field/visits", lose_the_answer, times=1)  # the server has it, and the phone does not know
    phone.cable.mend()
    expect(state).to_have_text("Everything is sent")
    made = phone.city.visits()
    assert len(made) == 4
    assert made[1]["sent_key"] == lost[0]
    assert [visit["visited_at"] for visit in made] == sorted(visit["visited_at"] for visit in made)
    assert {visit["grid_code"] for visit in made} == {"A"}  # where the phone was, whatever was tapped
    with connect(phone.city.conninfo) as connection:
        notes = connection.execute("select visit_id, note from visit_notes").fetchall()
    assert notes == [{"visit_id": made[1]["visit_id"], "note": "楼道已清理"}]
    phone.open_again()
    expect(page.locator("li.sent")).to_have_count(4)
    assert len(phone.city.visits()) == 4


def test_a_session_that_ended_meanwhile_loses_nothing(phone: Phone) -> None:
    page, state = phone.page, phone.page.locator(".state")
    phone.context.clear_permissions()  # nobody says where the phone is: the compound that was tapped
    phone.cable.cut()
    phone.tap("B")
    expect(state).to_contain_text("1 wait for the network")
    with connect(phone.city.conninfo) as connection:
        connection.execute("update access.credentials set revoked_at = now() where credential_kind = 'session'")
    phone.open_again()
    phone.cable.mend()
    expect(state).to_contain_text("1 wait until you log in")
    phone.tap("A")
    expect(state).to_contain_text("2 wait until you log in")
    page.get_by_role("button", name="Log in").click()
    page.locator("dialog input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(state).to_have_text("Everything is sent")
    assert [(visit["grid_code"], visit["place_from"]) for visit in phone.city.visits()] == [
        ("B", "cell"),
        ("A", "cell"),
    ]


def test_what_is_refused_stays_with_its_reason_until_it_is_dismissed(phone: Phone) -> None:
    page = phone.page
    phone.context.set_geolocation(position(IN_C))
    phone.tap("A")
    phone.tap("B")
    refused = page.locator("li.refused")
    expect(refused).to_have_count(2)
    phone.open_again()
    expect(refused.first).to_contain_text("in none of your compounds")
    assert phone.city.visits() == []
    page.get_by_role("button", name="Record for 金华小区 without the position").click()
    expect(page.locator("li.sent")).to_have_count(1)
    assert [(visit["grid_code"], visit["place_from"]) for visit in phone.city.visits()] == [("A", "cell")]
    page.get_by_role("button", name="Dismiss").click()
    expect(refused).to_have_count(0)
    phone.open_again()
    expect(refused).to_have_count(0)
    expect(page.locator(".state")).to_have_text("Everything is sent")


def test_after_the_log_out_nothing_is_left_on_the_phone_and_unsent_visits_are_asked_about(phone: Phone) -> None:
    page = phone.page
    phone.context.set_geolocation(position(IN_C))
    phone.tap("A")
    expect(page.locator("li.refused")).to_have_count(1)
    with page.expect_event("dialog") as told:
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("button", name="Log out").click()
    assert "1 visits" in told.value.message
    phone.open_again()
    expect(page.locator("li.refused")).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login**")
    left = page.evaluate(
        "Promise.all([indexedDB.databases(), caches.keys(), navigator.serviceWorker.getRegistrations()])"
        ".then(all => all.map(one => one.length))"
    )
    assert left == [0, 0, 0]


def test_the_phone_keeps_no_answer_of_the_server_about_people(phone: Phone) -> None:
    incident = phone.city.chief.post(
        "/incidents",
        json={**IN_A, "category": "help", "description": "text-of-a-caller", "caller_number": "13912345678"},
    ).json()["incident_id"]
    for action in ("accept", "assign"):
        phone.city.chief.post(f"/incidents/{incident}/steps", json={"action": action})
    matter = phone.page.locator(".matters li", has_text=f"Help {incident}")
    expect(matter).to_contain_text("due")  # told by an event, without a reload
    matter.get_by_text("What happened").click()
    expect(matter).to_contain_text("text-of-a-caller")
    matter.get_by_role("button", name="Acknowledge").click()
    expect(matter.get_by_role("button")).to_have_count(0)
    kept = phone.page.evaluate(
        "(async () => {"
        " const cache = await caches.open('geo-grid-field');"
        " const pages = await Promise.all((await cache.keys()).map(async one => [one.url, await (await cache.match(one)).text()]));"
        " const database = await new Promise(done => { const asked = indexedDB.open('geo-grid-field');"
        "   asked.onsuccess = () => done(asked.result); });"
        " const all = name => new Promise(done => { const asked = database.transaction(name).objectStore(name).getAll();"
        "   asked.onsuccess = () => done(asked.result); });"
        " return [pages, await all('visits'), await all('kept')]; })()"
    )
    assert {page[0].removeprefix(phone.cable.url).partition("?")[0].split("/")[1] for page in kept[0]} == {
        "maps", "static",
    }  # fmt: skip
    told = json.dumps(kept, ensure_ascii=False)
    assert not any(word in told for word in ("text-of-a-caller", "13912345678", LI[1]))
    (text,) = (text for address, text in kept[0] if "/maps/field" in address)
    assert LI[0] not in text
    assert '"person": null' in text


@pytest.mark.parametrize(("size", "scheme"), [((360, 740), "dark"), ((412, 915), "light")])
def test_everything_on_the_page_can_be_hit_with_a_thumb(phone: Phone, size: tuple[int, int], scheme: Any) -> None:
    phone.page.set_viewport_size({"width": size[0], "height": size[1]})
    phone.page.emulate_media(color_scheme=scheme)
    phone.context.set_geolocation(position(IN_C))
    phone.tap("A")
    expect(phone.page.locator("li.refused")).to_have_count(1)
    sizes = phone.page.evaluate(  # in one go: the list is drawn anew while it is being looked at
        "[...document.querySelectorAll('button, a, summary')].filter(one => one.checkVisibility())"
        ".map(one => [one.textContent, one.getBoundingClientRect()]).map(([text, box]) => [text, box.width, box.height])"
    )
    assert len(sizes) >= 6
    assert [one for one in sizes if min(one[1:]) < 44] == []
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_an_account_of_another_role_is_told_so(phone: Phone, browser: Browser) -> None:
    with on_a_phone(browser, (360, 740)) as context:
        context.set_extra_http_headers({"Authorization": f"Bearer {api_key(phone.city.conninfo, 'planner')}"})
        page = context.new_page()
        page.goto(f"{phone.city.url}/maps/field?lang=en")
        expect(page.locator(".state")).to_have_text("This account cannot record visits")
