"""The life of a dispute and of a burglary, each across the screens of five people."""

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.db import Cluster, connect
from tests.browser.test_planner import person
from tests.browser.test_wall import move
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import user
from tests.mediation.city import organisation
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser
IN_A = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
IN_B = {"lon": WEST + 1.5 * SIDE, "lat": SOUTH + SIDE / 2}


@pytest.fixture(scope="module")
def city(cluster: Cluster):
    """(address, owner's way in) of cells A to D of P with a manager, two cars and two mediation organisations."""
    with new_database(cluster, "lives") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(
                "insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_manager', '王某'),"
                " ('P', 'grid_lead', '赵某')"
            )
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) select 'car-' || n, '巡逻' || n || '组', 'car', now(),"
                " ST_SetSRID(ST_MakePoint(%(lon)s + n / 1024.0, %(lat)s), 4490) from generate_series(1, 2) n",
                IN_A,
            )
            organisation(connection, "A-people", "people", "village", "A", IN_A)
            organisation(connection, "B-people", "people", "village", "B", IN_B)
            organisation(connection, "P-judicial", "judicial", "county", "P", IN_A)
        with live_server(conninfo) as url:
            yield url, conninfo


def keys(page: Page, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def answer(page: Page, key: str, text: str) -> None:
    """Press the key of an action, and type what it asks for."""
    keys(page, key)
    expect(page.locator(".right .asking form")).to_have_count(1)
    page.keyboard.type(text)
    keys(page, "Enter")


def file_call(page: Page, category: str, text: str, sent: str) -> str:
    """File a call at the middle of A by keys; return the number of the incident."""
    keys(page, "/")
    page.keyboard.type(f"{IN_A['lon']} {IN_A['lat']}")
    keys(page, "Enter")
    expect(page.locator(".right")).to_contain_text("王某")
    keys(page, "n")
    page.select_option("form.call select[name=category]", category)
    page.fill("form.call textarea", text)
    keys(page, sent)
    expect(page.locator(".right .said")).to_have_text(text)
    return page.locator(".right h2 .quiet").inner_text().removeprefix("#")


def test_a_dispute_is_sent_back_decided_mediated_settled_and_verified(city, browser: Browser) -> None:
    url, database = city
    names = [user(database, "dispatcher") for _ in range(4)] + [user(database, "supervisor")]
    with person(browser, url, names[0], "/maps/desk") as lin:
        number = file_call(lin, "dispute", "楼上装修漏水，两家争吵", "Control+Shift+Enter")
        keys(lin, "a")
        expect(lin.locator(".right .stages .here")).to_have_text("Accepted")
        keys(lin, "t")
        expect(lin.locator(".right .who")).to_contain_text("王某")
    at = f"%26incident%3D{number}"
    with person(browser, url, names[1], "/maps/desk", at) as wang:  # who has it first does not own it
        expect(wang.locator(".right .who")).to_contain_text("its own cell")
        answer(wang, "b", "漏水的是街道的公房")
        expect(wang.locator(".right .stages .here")).to_have_text("Accepted")
        expect(wang.locator(".right .log li").first).to_contain_text("from its border")
    with person(
        browser, url, names[4], "/maps/desk", at
    ) as chief:  # the level above puts the pin where it is, and decides
        expect(chief.locator(".right [data-action=move]")).to_have_count(1)
        keys(chief, "z")
        expect(chief.locator(".right .asking form")).to_have_count(1)
        move(chief, IN_B["lon"], IN_B["lat"], 16)
        keys(chief, "Enter")
        expect(chief.locator(".right .log li").first).to_contain_text("Move ")
        answer(chief, "u", "归网格B调处")
        expect(chief.locator(".right .stages .here")).to_have_text("Assigned")
    with person(browser, url, names[2], "/maps/desk", at) as second:
        expect(second.locator(".right .who")).to_contain_text("赵某")  # the second owner, of the cell around B
        expect(second.locator(".right .who")).not_to_contain_text("王某")
        expect(second.locator(".right [data-action=handle]")).to_have_count(1)
        expect(second.locator(".right [data-action=return]")).to_have_count(0)  # that word is final
        keys(second, "Shift+T")
        second.select_option(".case select[name=kind]", "judicial")
        keys(second, "Enter")
        second.locator(".case form button[type=submit]").click()
        expect(second.locator(".case .who")).to_contain_text("P-judicial")
    with person(browser, url, names[3], "/maps/desk", at) as mediator:
        expect(mediator.locator(".case .who")).to_contain_text("judicial mediation")
        keys(mediator, "Shift+R")
        mediator.select_option(".case select[name=kind]", "people")
        mediator.fill(".case input[name=reason]", "先由社区调解")
        keys(mediator, "Enter")
        expect(mediator.locator(".case .who")).to_contain_text("B-people")
        keys(mediator, "Shift+S")
        expect(mediator.locator(".case .good")).to_have_text("settled")
        expect(mediator.locator(".right .stages .here")).to_have_text("Handled")
        with person(browser, url, names[4], "/maps/desk", at) as chief:
            keys(chief, "v")
            expect(chief.locator(".right .good").first).to_have_text("solved")
        expect(mediator.locator(".right .good").first).to_have_text("solved")  # without asking
    with connect(database) as connection:
        row = connection.execute(
            "select i.outcome, m.outcome as mediated, (select array_agg(action order by number) from incident_steps s"
            " where s.incident_id = i.incident_id) as actions, (select array_agg(action order by number) from mediation_steps s"
            " where s.case_id = m.case_id) as in_case from incidents i join mediation_cases m using (incident_id)"
            " where i.incident_id = %s",
            (number,),
        ).fetchone()
    assert row == {
        "outcome": "solved",
        "mediated": "settled",
        "actions": ["accept", "assign", "return", "move", "decide", "handle", "verify"],
        "in_case": ["take", "hand_on", "settle"],
    }


def test_a_burglary_goes_from_the_call_over_the_wall_and_the_car_to_the_audit(city, browser: Browser) -> None:
    url, database = city
    dispatcher, officer, chief = (user(database, role) for role in ("dispatcher", "dispatcher", "supervisor"))
    wall, auditor = user(database, "wall"), user(database, "supervisor")
    with person(browser, url, wall, "/maps/wall") as screen, person(browser, url, dispatcher, "/maps/desk") as lin:
        number = file_call(lin, "public_order", "一楼窗户被撬，家里被翻", "Control+Enter")
        expect(lin.locator(".right .who")).to_contain_text("巡逻1组")
        expect(screen.locator(".incidents li").first).to_contain_text(
            "巡逻1组"
        )  # who has it; an event alone says the step
        at = f"%26incident%3D{number}"
        with person(browser, url, officer, "/maps/desk", at) as car:
            for key, action in (("d", "Departs"), ("s", "Arrives"), ("h", "Handled")):
                keys(car, key)
                expect(car.locator(".right .log li").first).to_contain_text(action)
        with person(browser, url, chief, "/maps/desk", at) as other:
            keys(other, "x")
            other.keyboard.type("请补现场笔录")
            keys(other, "Enter")
            expect(other.locator(".right .stages .here")).to_have_text("Assigned")
            keys(other, "h")
            expect(other.locator(".right .stages .here")).to_have_text("Handled")
        with person(browser, url, auditor, "/maps/desk", at) as second:
            keys(second, "v")
            expect(second.locator(".right .good")).to_have_text("solved")
            answer(second, "q", "4")
            expect(second.locator(".right .stages .here")).to_have_text("Evaluated")
        expect(lin.locator(".right .stages .here")).to_have_text("Evaluated")
        expect(screen.locator(".incidents li", has_text="Public order")).to_have_count(0)
    with connect(database) as connection:
        row = connection.execute(
            "select outcome, evaluation, array(select action from incident_steps s where s.incident_id = i.incident_id"
            " order by number) as actions from incidents i where incident_id = %s",
            (number,),
        ).fetchone()
    assert row == {
        "outcome": "solved",
        "evaluation": 4,
        "actions": ["accept", "assign", "depart", "arrive", "handle", "reject", "handle", "verify", "evaluate"],
    }
