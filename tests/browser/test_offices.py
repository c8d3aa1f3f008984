"""The pages of the office: rules and rosters, what a supervisor follows, and indicators; by clicks and by keys."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from geo_grid.db import Cluster, connect
from tests.browser.offices import make_offices
from tests.browser.test_planner import person
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import user

pytestmark = pytest.mark.browser
SIZES = [(1366, 768), (768, 1024)]


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """(address, owner's way in) of a small city with something for every page."""
    with new_database(cluster, "offices") as conninfo:
        make_offices(conninfo)
        with live_server(conninfo) as url:
            yield url, conninfo


def fits(page: Page) -> None:
    """At every size the page is as wide as the window, and no part of it sticks out."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    page.set_viewport_size({"width": 1366, "height": 768})


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    expect(page.locator("#section:not([aria-busy])")).to_be_visible()


def row(page: Page, text: str) -> Locator:
    return page.locator("tr", has_text=text)


def stored(database: str, query: str) -> list[dict[str, Any]]:
    with connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def test_categories_are_edited_undone_and_unknown_names_decided(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "supervisor"), "/rules", may_be_refused="/broken") as page:
        fits(page)
        expect(row(page, "流浪犬")).to_contain_text("7")
        row(page, "Traffic").get_by_role("button", name="Edit").click()
        page.get_by_label("Urgency").select_option("red")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "traffic").locator(".urgency")).to_have_text("red")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("Undone")
        expect(row(page, "traffic").locator(".urgency")).to_have_text("normal")
        page.get_by_role("button", name="New category").click()
        page.get_by_label("Code").fill("broken")
        page.get_by_label("Name in Chinese").fill("交通")  # which another category has
        page.get_by_label("Name in English").fill("Broken")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("another category is called")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        row(page, "流浪犬").get_by_role("combobox").select_option("help")
        row(page, "流浪犬").get_by_role("button").click()
        expect(page.get_by_role("dialog")).to_contain_text("7 incidents")
        page.get_by_role("dialog").get_by_role("button", name="It means this").click()
        expect(page.get_by_role("status")).to_contain_text("7 incidents called")
    assert stored(database, "select 1 from incidents where category = '流浪犬'") == []


def test_a_loop_is_made_and_what_would_strand_open_matters_is_said(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "administrator"), "/rules", "%23loops", "/six_steps") as page:
        tab(page, "Loops")
        fits(page)
        page.get_by_role("button", name="New loop").click()
        page.get_by_label("Code").fill("short")
        page.get_by_label("Name in Chinese", exact=True).fill("简易闭环")
        page.get_by_label("Name in English", exact=True).fill("Short loop")
        page.get_by_role("checkbox", name="fed back").uncheck()
        page.get_by_role("textbox", name="handled Name in Chinese").fill("办理")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".panel", has_text="Short loop").locator(".chain li")).to_have_count(6)
        assert {
            one["name_zh"] for one in stored(database, "select name_zh from loop_stages where loop_code = 'short'")
        } >= {"办理"}
        page.get_by_role("button", name="Take out of use Short loop").click()
        page.get_by_role("dialog").get_by_role("button", name="Take out of use").click()
        expect(page.get_by_role("button", name="Bring back Short loop")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Take out of use Short loop")).to_be_visible()
        with connect(database) as connection:
            for step in ("accepted", "assigned", "handled", "verified"):
                connection.execute(
                    "update incidents set step = %s where incident_id = (select min(incident_id) from incidents where closed_at is null)",
                    (step,),
                )
        page.get_by_role("button", name="Edit Six steps").click()
        page.get_by_role("checkbox", name="fed back").check()
        page.get_by_role("checkbox", name="verified").uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("1 open matters are at the stage verified")
        page.keyboard.press("Escape")
        with connect(database) as connection:
            connection.execute("update incidents set step = 'reported' where step = 'verified' and closed_at is null")


def test_limits_working_time_and_levels_are_edited(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "supervisor"), "/rules") as page:
        tab(page, "Time limits")
        fits(page)
        row(page, "Red").get_by_role("button", name="Edit").click()
        page.get_by_label("To arrive").first.fill("12")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "Red")).to_contain_text("12 min")
        row(page, "Blue").get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row(page, "72 h")).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(row(page, "Blue")).to_be_visible()
        assert stored(database, "select arrive_s from sla_policies where policy_code = 'red'") == [{"arrive_s": 720}]
        tab(page, "Working time")
        fits(page)
        page.locator("select[name=year]").select_option("2027")
        expect(page.locator(".note", has_text="provisionally")).to_be_visible()
        page.get_by_role("button", name="2027-01-01 worked").click()
        page.get_by_label("That day").select_option("no")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="2027-01-01 off")).to_be_visible()
        row(page, "Office hours").get_by_role("button").click()
        page.get_by_label("Monday").fill("from nine")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".fault")).to_contain_text("Write 08:30-12:00")
        expect(page.get_by_label("Monday")).to_be_focused()
        page.get_by_label("Monday").fill("09:00-12:00 13:00-18:00")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "Office hours")).to_contain_text("13:00-18:00")
        page.get_by_role("tab", name="Working time").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Levels")).to_be_focused()
        row(page, "level 2").get_by_role("button", name="Edit").click()
        page.get_by_label("Name in English").fill("Community")
        page.keyboard.press("Enter")
        expect(row(page, "Community")).to_be_visible()


def test_rosters_and_posts_are_kept(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "supervisor"), "/rules") as page:
        tab(page, "Rosters")
        fits(page)
        page.get_by_label("Community or cell").fill("A")
        page.get_by_role("button", name="Look").click()
        for name in ("李强", "张敏"):
            page.get_by_label(name).check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("The desk of A")
        expect(page.get_by_label("李强")).to_be_checked()
        page.get_by_role("button", name="Somebody is away").click()
        page.get_by_label("Who is away").select_option(label="李强 · Grid manager · A")
        page.get_by_label("Who stands in").select_option(label="王芳 · Grid lead · A")
        page.get_by_role("button", name="Save").last.click()
        expect(row(page, "李强").last).to_contain_text("王芳")
        tab(page, "Police posts")
        fits(page)
        page.get_by_role("button", name="New post").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Code").fill("PP9")
        form.get_by_label("Name", exact=True).fill("新站")
        form.get_by_label("Place", exact=True).fill("114.504, 37.004")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "PP9")).to_be_visible()
        page.get_by_label("Find by name").fill("PP9")
        expect(page.locator("tbody tr")).to_have_count(1)
        row(page, "PP9").get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row(page, "PP9")).to_have_count(0)


def test_a_dispatcher_of_one_cell_sees_rosters_alone(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "dispatcher", ["A"]), "/rules") as page:
        expect(page.get_by_role("tab")).to_have_count(1)
        expect(page.get_by_role("link", name="Rules and rosters")).to_have_attribute("aria-current", "page")


def test_a_supervisor_lists_a_matter_holds_a_meeting_and_sends_a_dispute_to_mediation(
    city: tuple[str, str], browser: Browser
) -> None:
    url, database = city
    dispute = stored(
        database, "select min(incident_id) as n from incidents where category = 'dispute' and closed_at is null"
    )[0]["n"]
    with person(browser, url, user(database, "supervisor"), "/supervision", may_be_refused="/listings") as page:
        fits(page)
        page.get_by_role("button", name="Put on the list").click()
        form = page.get_by_role("dialog")
        form.get_by_label("or a place of the register").fill("RP3")
        form.get_by_label("Level").select_option("county")
        form.get_by_label("Responsible unit").fill("应急局")
        form.get_by_label("Measures").fill("清空库房")
        form.get_by_label("Due on").fill("2100-01-01")
        form.get_by_role("button", name="Put on the list").click()
        expect(row(page, "化工库房隐患")).to_contain_text("应急局")
        for action, said in (("Progress", "已清一半"), ("Delist", "已清空")):
            row(page, "化工库房隐患").get_by_role("button", name=action).click()
            page.get_by_role("dialog").locator("textarea").fill(said)
            page.get_by_role("dialog").get_by_role("button", name=action).click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        expect(row(page, "化工库房隐患")).to_have_count(0)  # of those on the list
        page.get_by_label("State").select_option(label="all")
        expect(row(page, "化工库房隐患")).to_contain_text("done")
        row(page, "化工库房隐患").get_by_role("button", name="Look").click()
        expect(page.get_by_role("dialog").locator(".log li")).to_have_count(3)
        page.keyboard.press("Escape")
        tab(page, "Major projects")
        fits(page)
        row(page, "城北快速路改造").get_by_role("button", name="Assess").click()
        page.get_by_label("Valid until").fill("2100-01-01")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "城北快速路改造")).to_have_count(0)  # of those that are to be assessed
        tab(page, "Joint meetings")
        page.get_by_role("button", name="Record a meeting").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Topic").fill("雨季排涝")
        form.get_by_label("Units present").fill("住建局、应急局")
        form.get_by_label("What was resolved").fill("疏通桥东排水沟")
        form.get_by_label("Category").select_option("help")
        form.get_by_label("Responsible unit").fill("住建局")
        form.get_by_label("Place", exact=True).fill("114.504, 37.004")
        form.get_by_role("button", name="Record", exact=True).click()
        expect(page.locator("article", has_text="雨季排涝")).to_contain_text("疏通桥东排水沟")
        fits(page)
        tab(page, "Mediation cases")
        fits(page)
        page.get_by_role("button", name="Take a dispute").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Number of an incident").fill(str(dispute))
        form.get_by_role("button", name="Add a party").click()
        form.get_by_label("Initials").fill("张某")
        form.get_by_role("button", name="Take a dispute").click()
        expect(row(page, f"#{dispute}")).to_contain_text("南园社区调委会")
        row(page, f"#{dispute}").get_by_role("button", name=f"Settled #{dispute}", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Settled", exact=True).click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_label("State").select_option(label="all")
        expect(row(page, f"#{dispute}")).to_contain_text("settled")
        tab(page, "Organisations")
        fits(page)
        page.get_by_label("Level").select_option("township")
        expect(page.locator("tbody tr")).to_have_count(1)
        row(page, "桥东街道调解中心").get_by_role("button", name="Edit").click()
        page.get_by_label("All mediators").fill("甲\n乙")
        page.get_by_role("button", name="Save").click()
        expect(row(page, "桥东街道调解中心")).to_contain_text("2")


def test_indicators_say_the_same_as_figures_chart_map_and_table(city: tuple[str, str], browser: Browser) -> None:
    url, database = city
    with person(browser, url, user(database, "supervisor"), "/maps/indicators", "%26level%3D2") as page:
        fits(page)
        card = page.locator(".figure", has=page.get_by_role("heading", name="Incidents", exact=True))
        count = stored(
            database,
            "select count(*) as n from incidents where received_at >= date_trunc('month', now() at time zone 'Asia/Shanghai') at time zone 'Asia/Shanghai' - interval '11 months'",
        )[0]["n"]
        expect(card.locator(".value")).to_have_text(f"{count:,}")
        assert page.locator(".figure .definition").count() == 10
        expect(page.locator(".chart canvas")).to_be_visible()
        expect(page.locator(".classes li").first).to_be_visible()
        page.get_by_text("As a table").click()
        told = page.locator(".same tbody tr td:last-child").all_inner_texts()
        assert sum(int(one.replace(",", "")) for one in told) == count
        assert len(told) == 12
        page.get_by_role("button", name="Show Settlement").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h2", has_text="Settlement · by cell")).to_be_visible()
        expect(page).to_have_url(re.compile("of=settlement"))
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("h2", has_text="Settlement · on the map")).to_be_visible()
        page.get_by_label("Category").select_option("fraud")
        expect(page.locator("tr", has_text="Traffic")).to_have_count(0)
        page.get_by_role("button", name="南园社区").click()
        expect(page).to_have_url(re.compile("within=A"))
        expect(page.get_by_role("button", name="Back to the whole city")).to_be_visible()
        with page.expect_download() as file:
            page.get_by_role("link", name="CSV by cell").click()
        assert "A,南园社区" in file.value.path().read_text(encoding="utf-8-sig")
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator(".ask")).to_be_visible()
        expect(page.get_by_role("button", name="Log out")).to_be_hidden()
        assert page.locator("details[open]").count() == page.locator("details").count()


def test_the_administrator_is_asked_first_and_offered_no_role_that_is_refused(
    city: tuple[str, str], browser: Browser
) -> None:
    url, database = city
    name = user(database, "planner")
    with person(browser, url, user(database, "administrator"), "/admin") as page:
        add = page.locator("form", has=page.get_by_role("button", name="Add account"))
        for kind in ("user", "machine", "kiosk"):
            add.get_by_label("Kind").select_option(kind)
            roles = add.get_by_label("Role").locator("option").evaluate_all("all => all.map(one => one.value)")
            for role in roles:
                add.get_by_label("Role").select_option(role)
                add.get_by_label("Name", exact=True).fill(f"{kind}-{role.replace('_', '-')}")
                add.get_by_label("Grid codes").fill("city")
                if role == "administrator":
                    add.get_by_label("Staff number").fill("S-77")
                add.get_by_role("button").click()
                expect(row(page, f"{kind}-{role.replace('_', '-')}").first).to_be_visible()
                add.get_by_label("Staff number").fill("")
        page.get_by_role("button", name=f"Disable {name}", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("Their sessions end at once")
        page.keyboard.press("Escape")
        assert stored(database, f"select disabled_at from access.principals where login_name = '{name}'") == [
            {"disabled_at": None}
        ]
        page.get_by_role("button", name=f"Disable {name}", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Disable").click()
        expect(page.get_by_role("button", name=f"Enable {name}", exact=True)).to_be_visible()
    with person(browser, url, user(database, "auditor"), "/auditor") as page:
        changed = page.locator("tr", has_text="account.change").first
        expect(changed).to_contain_text("disabled_at")
        expect(changed).to_contain_text("– → ")
        expect(page.locator("td", has_text=re.compile(r"[{}\[\]]"))).to_have_count(0)  # no JSON
