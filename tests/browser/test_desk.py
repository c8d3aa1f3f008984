"""A dispatcher's call by keyboard alone: from the place to the unit that was sent, and to the end of the matter."""

import re
from contextlib import suppress

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect

from geo_grid.china_datums import shifted
from geo_grid.db import Cluster, connect
from tests.browser.test_planner import person
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, api_key, bearing, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser
IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)


@pytest.fixture(scope="module")
def city(cluster: Cluster):
    """(address, owner's way in) of four cells with three cars and a manager."""
    with new_database(cluster, "desk_page") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(
                "insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_manager', '王某')"
            )
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) select 'car-' || n, '巡逻' || n || '组', 'car', now(),"
                " ST_SetSRID(ST_MakePoint(%s + n / 1024.0, %s), 4490) from generate_series(1, 3) n",
                IN_A,
            )
        with live_server(conninfo) as url:
            yield url, conninfo


def type_keys(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_from_a_place_to_a_unit_sent_and_to_the_end_by_keys_alone(city, browser: Browser) -> None:
    url, database = city
    lin, chief = user(database, "dispatcher"), user(database, "supervisor")
    with person(browser, url, lin, "/maps/desk", may_be_refused="/steps") as page:
        right, told = page.locator(".right"), page.locator(".told")
        type_keys(page, "/")
        page.keyboard.type(f"{IN_A[0]} {IN_A[1]}")
        type_keys(page, "Enter")
        expect(right).to_contain_text("王某")
        type_keys(page, "n")
        expect(page.locator("form.call select[name=category]")).to_be_focused()
        expect(page.locator("form.call fieldset input").first).to_be_checked()
        type_keys(page, "p", "Tab")  # Public order
        page.keyboard.type("门口有人打架 🚨")
        type_keys(page, "Control+Enter")
        expect(told).to_contain_text("car-1 sent")  # the code; names stand beside the matter
        expect(right.locator(".stages .here")).to_have_text("Assigned")
        expect(right.locator(".said")).to_have_text("门口有人打架 🚨")
        expect(right.locator(".who")).to_contain_text("巡逻1组")
        expect(page.locator(".queue li").first).to_contain_text("巡逻1组")
        for key, action in (("d", "Departs"), ("s", "Arrives"), ("h", "Handled")):
            type_keys(page, key)
            expect(right.locator(".log li").first).to_contain_text(action)
        type_keys(page, "v")  # by whoever handled it
        expect(told).to_contain_text("somebody else")
        with person(browser, url, chief, "/maps/desk") as other:
            type_keys(other, "j")
            expect(other.locator(".right .said")).to_have_text("门口有人打架 🚨")
            type_keys(other, "v")
            expect(other.locator(".right .good")).to_have_text("solved")
            type_keys(other, "q")
            other.keyboard.type("5")
            type_keys(other, "Enter")
            expect(other.locator(".right .stages .here")).to_have_text("Evaluated")
        expect(right.locator(".good")).to_have_text("solved")  # the first sees it without asking
    with connect(database) as connection:
        row = connection.execute("select step, evaluation from incidents order by incident_id desc limit 1").fetchone()
    assert row == {"step": "evaluated", "evaluation": 5}


def test_a_second_report_is_merged_and_taken_back_and_a_reason_is_asked_for(city, browser: Browser) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        for text in ("路口两车相撞", "路口两车相撞，有人受伤"):
            made = client.post(
                "/incidents", json={"lon": IN_A[0], "lat": IN_A[1], "category": "traffic", "description": text}
            )
            assert made.status_code == 201, made.text
    with person(
        browser, url, user(database, "dispatcher"), "/maps/desk", f"%26incident%3D{made.json()['incident_id']}"
    ) as page:
        right, told = page.locator(".right"), page.locator(".told")
        expect(right).to_contain_text("May be the same")
        type_keys(page, "y", "Enter")
        expect(right.locator(".good")).to_contain_text("merged")
        type_keys(page, "Control+z")
        expect(right.locator(".good")).to_have_count(0)
        expect(right.locator(".stages .here")).to_have_text("Reported")
        type_keys(page, "a")
        expect(right.locator(".stages .here")).to_have_text("Accepted")
        type_keys(page, "p")
        page.keyboard.type("等待家属")
        type_keys(page, "Enter")
        expect(right.locator(".then")).to_have_text("suspended")
        expect(right.locator(".log li").first).to_contain_text("等待家属")
        type_keys(page, "Control+z")
        expect(right.locator(".then")).to_have_count(0)
        expect(told).to_be_hidden(timeout=90_000)


def test_what_was_typed_outlives_a_reload_and_the_session(city, browser: Browser) -> None:
    url, database = city
    name = user(database, "dispatcher")
    with person(browser, url, name, "/maps/desk", may_be_refused="/incidents") as page:
        type_keys(page, "/")
        page.keyboard.type(f"北纬{IN_A[1]} 东经{IN_A[0]}")
        type_keys(page, "Enter")
        expect(page.locator(".right")).to_contain_text("王某")
        type_keys(page, "n")
        page.fill("form.call textarea", "三楼有烟")
        page.reload()
        expect(page.locator("form.call textarea")).to_have_value("三楼有烟")
        page.select_option("form.call select[name=category]", "fire")
        with connect(database) as connection:
            connection.execute("update access.credentials set revoked_at = now() where credential_kind = 'session'")
        page.wait_for_timeout(1500)
        type_keys(page, "Control+Shift+Enter")
        dialog = page.locator("dialog[open]")
        expect(dialog).to_contain_text("Your session has ended")
        dialog.locator("input[name=name]").fill(name)
        dialog.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        page.locator("form.call textarea").focus()
        type_keys(page, "Control+Shift+Enter")
        expect(page.locator(".told")).to_contain_text("filed")
        expect(page.locator(".right .said")).to_have_text("三楼有烟")
        page.reload()
        expect(page.locator("form.call")).to_have_count(0)


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (3840, 1080), (768, 1024)])
def test_nothing_overlaps(city, browser: Browser, size: tuple[int, int]) -> None:
    url, database = city
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        left, right = page.locator(".left").bounding_box(), page.locator(".right").bounding_box()
        assert left
        assert right
        apart = left["x"] + left["width"] <= right["x"] or left["y"] + left["height"] <= right["y"]
        assert apart, (left, right)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_place_is_found_by_its_name_and_a_datum_is_questioned(city, browser: Browser) -> None:
    url, database = city
    with connect(database) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom) values ('school-1', 'school', '桥东区实验小学',"
            " ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            IN_A,
        )
        connection.execute(
            "insert into roads (name, road_class, geom) values ('钢铁北路', 'primary', ST_MakeLine(ST_SetSRID(ST_MakePoint(%s, %s), 4490),"
            " ST_SetSRID(ST_MakePoint(%s, %s), 4490)))",
            (IN_A[0], SOUTH, IN_A[0], SOUTH + SIDE),
        )
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        right, offers = page.locator(".right"), page.locator(".offers li")
        type_keys(page, "/")
        page.keyboard.type("实验")
        expect(offers).to_have_count(1)
        type_keys(page, "ArrowDown", "Enter")
        expect(page.locator(".left .box input")).to_have_value("桥东区实验小学")
        expect(right).to_contain_text("王某")
        type_keys(page, "/")
        page.fill(".left .box input", "qdqsyxx")  # first letters, and Enter without looking
        type_keys(page, "Enter")
        expect(right).to_contain_text("王某")
        type_keys(page, "/")
        page.fill(".left .box input", "没有这里")
        type_keys(page, "Enter")
        expect(page.locator(".left > .bad")).to_contain_text("Nothing is called that")
        lon, lat = (float(value[0]) for value in shifted(np.array([IN_A[0]]), np.array([IN_A[1]]), "GCJ-02"))
        page.fill(".left .box input", f"{lon:.6f}, {lat:.6f}")
        type_keys(page, "Enter")
        expect(page.locator(".left .then")).to_contain_text("GCJ-02")
        page.locator(".left .then button").click()
        expect(page.locator(".chip")).to_have_text("GCJ-02")
        expect(right).to_contain_text("王某")


def test_volunteer_teams_near_a_place_are_listed_with_what_they_can_do(city, browser: Browser) -> None:
    url, database = city
    with connect(database) as connection:
        for code, name, skill in (("team-1", "义务消防队", "fire"), ("team-2", "平安义警", "patrol")):
            connection.execute(
                "with made as (insert into facilities (facility_code, facility_kind, name, phone, member_count, geom)"
                " values (%s, 'volunteer_team', %s, '12000000009', 12, ST_SetSRID(ST_MakePoint(%s, %s), 4490)) returning facility_id)"
                " insert into volunteer_teams (facility_id, skills) select facility_id, array[%s] from made",
                (code, name, *IN_A, skill),
            )
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        page.fill(".left .box input", f"{IN_A[0]}, {IN_A[1]}")
        type_keys(page, "Enter")
        page.locator(".right .volunteers summary").click()
        teams = page.locator(".right .volunteers li")
        expect(teams).to_have_count(2)
        expect(teams.first).to_contain_text("12000000009")
        page.locator(".right .volunteers select").select_option("fire")
        expect(teams).to_have_count(1)
        expect(teams.first).to_contain_text("义务消防队")
        page.locator(".right .volunteers select").select_option("flood")
        expect(teams.first).to_contain_text("No such team")


def test_whoever_types_on_while_an_answer_is_waited_for_keeps_the_box(city, browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        waiting: list[Route] = []
        page.route("**/search?**", lambda route: waiting.append(route))  # noqa: PLW0108  Playwright marks the function
        type_keys(page, "/")
        page.fill(".left .box input", "巡逻1组")
        with page.expect_request("**/search?**"):
            type_keys(page, "Enter")
        page.fill(".left .box input", "没有这里")
        page.unroute("**/search?**")
        with page.expect_response("**/desk?**"):
            for route in waiting:
                with suppress(Error):  # what was asked while typing is no longer waited for by the page
                    route.continue_()
        page.wait_for_timeout(300)
        assert page.evaluate("document.activeElement.matches('.left .box input')")
        type_keys(page, "Enter")
        expect(page.locator(".left > .bad")).to_contain_text("Nothing is called that")


def on_scene(url: str, database: str) -> int:
    """A fire at which car-3 has been for 20 minutes, and which should be heard of every 10; its run card wants two cars."""
    with bearing(url, api_key(database, "supervisor")) as chief:
        rules = {"name_zh": "消防", "name_en": "Fire", "urgency": "red", "check_in_minutes": 10}
        assert chief.put("/incidents/categories/fire", json=rules).status_code == 200
        assert chief.post("/run-cards", json={"category_code": "fire", "needs": {"car": 2}}).status_code == 201
        number = chief.post("/incidents", json={"lon": IN_A[0], "lat": IN_A[1], "category": "fire"}).json()[
            "incident_id"
        ]
        for step in (
            {"action": "accept"},
            {"action": "assign", "unit_codes": ["car-3"]},
            {"action": "depart", "unit_code": "car-3"},
            {"action": "arrive", "unit_code": "car-3"},
        ):
            done = chief.post(f"/incidents/{number}/steps", json=step)
            assert done.is_success, done.text
    with connect(database) as connection:
        connection.execute(
            "update incident_units set departed_at = now() - interval '30 minutes', arrived_at = now() - interval '20 minutes'"
            " where incident_id = %s",
            (number,),
        )
    return number


def test_a_unit_that_should_have_been_heard_of_is_seen_and_heard_of(city, browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        shift = page.locator(".shift")
        number = on_scene(url, database)  # while nobody touches the page
        expect(shift.locator(".badge")).to_have_text("1 overdue")
        expect(shift.locator("[aria-live=polite]")).to_have_text("units on scene not heard of in time: 1")
        expect(shift.locator("details")).not_to_have_attribute("open", "")
        type_keys(page, ".")
        row = shift.locator(".rows li", has_text="巡逻3组")
        expect(row).to_have_class("late")
        expect(row.locator("time")).to_have_text(re.compile(r"overdue by 10 min \d+ s"))
        before = row.locator("time").inner_text()
        expect(row.locator("time")).not_to_have_text(before)  # it counts by itself
        type_keys(page, "Tab", "Enter")
        expect(page.locator(".right h2").first).to_contain_text(f"Fire #{number}")
        expect(page.locator(".right .near .then").first).to_have_text("Still missing: 1 car")
        type_keys(page, "Tab", "Enter")
        expect(row.locator("time")).to_have_text(re.compile(r"to be heard of within (10|9) min"))
        expect(shift.locator(".badge")).to_be_hidden()
        expect(page.locator(".right .log li").first).to_contain_text("Checks in")
        assert page.evaluate("document.activeElement.textContent") == "Checks in"
        type_keys(page, ".")
        expect(row).to_be_hidden()
    with connect(database) as connection:
        seen = connection.execute("select checked_in_at > arrived_at as heard from incident_units").fetchall()
    assert {"heard": True} in seen


def test_what_a_shift_leaves_to_the_next_is_acknowledged_by_it(city, browser: Browser) -> None:
    url, database = city
    note = "3号路口信号灯故障 🚦\n<b>两处</b>"
    with person(browser, url, user(database, "dispatcher", ["A"]), "/maps/desk") as page:
        shift = page.locator(".shift")
        type_keys(page, ".")
        expect(shift.locator(".notes")).to_have_text("No note waits to be acknowledged")
        shift.locator("textarea").fill(note)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        type_keys(page, ".")
        expect(shift.locator("textarea")).to_have_value(note)
        shift.locator("textarea").focus()
        type_keys(page, "Control+Enter")
        expect(page.locator(".told")).to_contain_text("Left for the next shift")
        expect(shift.locator(".notes li")).to_contain_text("by you")
        expect(shift.locator(".notes button")).to_have_count(0)
        expect(shift.locator("textarea")).to_have_value("")
    with person(browser, url, user(database, "dispatcher", ["A", "B"]), "/maps/desk") as other:
        shift = other.locator(".shift")
        expect(shift.locator("summary")).to_contain_text("notes: 1")
        type_keys(other, ".")
        expect(shift.locator(".left_note")).to_have_text(note, use_inner_text=True)
        expect(shift.locator("form select option")).to_have_text(["A A", "B B"])
        shift.get_by_role("button", name="Acknowledge 3号路口").click()
        expect(shift.locator(".notes")).to_have_text("No note waits to be acknowledged")
        expect(shift.locator("summary")).not_to_contain_text("notes")
    with connect(database) as connection:
        row = connection.execute("select note, grid_code, acknowledged_by from shift_notes").fetchone()
    assert row
    assert (row["note"], row["grid_code"]) == (note, "A")
    assert row["acknowledged_by"]
