"""The wall in a real browser, with every other host blocked."""

import re

import pytest
from playwright.sync_api import Page, expect

from geo_grid.db import Cluster, connect
from tests.browser.conftest import served
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, api_key, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser


@pytest.fixture
def demo_page(page: Page, demo_server: str, demo_key: str) -> str:
    """The address of the demo city, for a page that sees all of it."""
    show(page, demo_key)
    return demo_server


def show(page: Page, key: str) -> None:
    page.set_extra_http_headers({"Authorization": f"Bearer {key}"})


def open_wall(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("body[data-ready]", timeout=90_000)


def move(page: Page, lon: float, lat: float, zoom: int) -> None:
    page.evaluate(
        "([lat, lon, zoom]) => window[JSON.parse(document.getElementById('geo-grid-page').textContent).map].setView([lat, lon], zoom, { animate: false }) && null",
        [lat, lon, zoom],
    )


PAINTED = """name => {
  const canvas = document.querySelector(`.leaflet-${name}-pane canvas`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value).length;
}"""
"""How many pixels of one of the map's canvases are painted."""


def state(page: Page, layer: str):
    return page.locator(f"label[data-layer={layer}] .state")


def test_the_whole_city_opens_with_counties_and_open_incidents(page: Page, demo_page: str) -> None:
    open_wall(page, f"{demo_page}/maps/wall")
    expect(page).to_have_title("邢台市 网格地图 · geo_grid")
    expect(page.locator(".demo")).to_have_text("演示数据")
    expect(page.locator(".names")).to_contain_text("宁晋县")  # what the canvas says, for who cannot see it
    expect(page.locator(".names")).to_contain_text("威县")
    expect(state(page, "grid_cells")).to_have_text("18")
    expect(state(page, "patrol_zones")).to_have_text("放大后显示")
    assert page.locator(".stream [data-incident]").count() > 0
    assert page.evaluate(PAINTED, "points") > 500
    assert page.locator(".leaflet-marker-icon").count() == 0  # not an element for each point
    assert page.evaluate("document.fonts.check('16px \"Noto Sans SC\"', '网格')")


def test_layers_follow_the_zoom_and_the_switches(page: Page, demo_page: str) -> None:
    open_wall(page, f"{demo_page}/maps/wall")
    move(page, 114.5043, 37.0682, 14)
    for layer in ("grid_cells", "patrol_zones", "response_circles", "police_posts", "cameras"):
        expect(state(page, layer)).to_have_text(re.compile(r"^[\d,]+$"))
    page.keyboard.press("?")
    posts = page.locator(".layer", has=page.locator("label[data-layer=police_posts]"))
    posts.locator("summary").click()
    expect(posts.locator("li").nth(3)).to_be_attached()  # the same by keys as by the mouse
    page.keyboard.press("6")
    expect(posts.locator("li")).to_have_count(0)
    page.keyboard.press("6")
    posts.locator("li button").first.click()
    expect(page.locator(".card .chain li").first).to_be_visible()


def test_a_click_tells_who_is_responsible(page: Page, demo_page: str) -> None:
    open_wall(page, f"{demo_page}/maps/wall")
    page.keyboard.press("/")
    page.keyboard.type("114.5043, 37.0682")
    page.keyboard.press("Enter")
    card = page.locator(".card")
    expect(card.locator(".chain li")).to_have_count(5)
    expect(card).to_contain_text("襄都区")
    expect(card).to_contain_text("网格管理员")
    expect(card).to_contain_text("派出所")
    expect(card).to_contain_text("估算：没有路网")
    expect(card.locator(".tier").first).to_contain_text("估算：没有路网")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.mouse.click(700, 640)
    expect(card.locator(".chain li").first).to_be_visible()


def test_nonsense_in_the_search_box_is_answered(page: Page, demo_page: str) -> None:
    open_wall(page, f"{demo_page}/maps/wall?lang=en")
    page.keyboard.press("/")
    page.keyboard.type("somewhere")
    page.keyboard.press("Enter")
    expect(page.locator(".help .bad").first).to_have_text("Enter two numbers: lon, lat")


def test_english_and_chinese(page: Page, demo_page: str) -> None:
    open_wall(page, f"{demo_page}/maps/wall?lang=en")
    expect(page.locator(".legend h2")).to_have_text("Legend and layers")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("?")
    page.get_by_role("button", name="中文").click()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator(".legend h2")).to_have_text("图例与图层")


def test_an_incident_is_filed_and_seen_assigned_and_its_text_stays_text(cluster: Cluster, page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)>`${alert(2)}`"
    with new_database(cluster, "browser_filing") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        show(page, api_key(conninfo, "supervisor"))
        with served(page, conninfo) as url:
            open_wall(page, f"{url}/maps/wall")
            page.keyboard.press("/")
            page.keyboard.type(f"{WEST + SIDE / 2}, {SOUTH + SIDE / 2}")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="在此上报警情").click()
            page.locator("textarea").fill(hostile)
            page.locator("input[name=address]").fill(hostile)
            page.get_by_role("button", name="上报", exact=True).click()
            expect(page.locator(".card .good")).to_contain_text("已上报")
            expect(page.locator(".card .chain")).to_contain_text("A")
            expect(page.locator(".stream [data-incident]")).to_have_count(1)
            with connect(conninfo) as connection:
                row = connection.execute("select grid_code, description from incidents").fetchone()
        assert row == {"grid_code": "A", "description": hostile}


def test_a_category_is_one_in_both_languages(cluster: Cluster, page: Page) -> None:
    with new_database(cluster, "browser_categories") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        show(page, api_key(conninfo, "supervisor"))
        with served(page, conninfo) as url:
            for lang, name, file, send in (
                ("zh", "交通", "在此上报警情", "上报"),
                ("en", "Traffic", "File an incident here", "File"),
            ):
                open_wall(page, f"{url}/maps/wall?lang={lang}")
                page.keyboard.press("/")
                page.keyboard.type(f"{WEST + SIDE / 2}, {SOUTH + SIDE / 2}")
                page.keyboard.press("Enter")
                page.get_by_role("button", name=file).click()
                page.locator("select[name=category]").select_option(label=name)
                page.get_by_role("button", name=send, exact=True).click()
                expect(page.locator(".card .good")).to_be_visible()
                expect(page.locator(".card .incident")).to_contain_text(name)
                for board in page.locator(".stream .what b").all():  # whichever language it was filed in
                    expect(board).to_have_text(re.compile(name))
        with connect(conninfo) as connection:
            found = connection.execute("select category from incidents").fetchall()
        assert [row["category"] for row in found] == ["traffic", "traffic"]


def test_an_empty_city_says_what_to_do(cluster: Cluster, page: Page) -> None:
    with new_database(cluster, "browser_empty") as conninfo, served(page, conninfo) as url:
        show(page, api_key(conninfo, "supervisor"))
        open_wall(page, f"{url}/maps/wall?lang=en")
        expect(page.locator(".empty")).to_contain_text("geo-grid import")
        expect(page.locator(".stream")).to_contain_text("No open incidents")


def test_names_from_files_never_become_programs(cluster: Cluster, page: Page) -> None:
    """A county, a post and a city with hostile names, through every place a name is shown."""
    hostile = "</script><svg onload=alert(1)>`${alert(2)}`\u202e"
    with new_database(cluster, "browser_names") as conninfo:
        with connect(conninfo) as connection:
            from geo_grid.boundaries import publish_cells
            from tests.squares import cells, local_levels, square

            local_levels(connection, 1)
            publish_cells(connection, cells(("A", 1, None, square(0, 0))).assign(name=hostile), "hostile")
            connection.execute(
                "insert into police_posts (post_code, name, responsible_unit, geom)"
                " values ('P', %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                (hostile, hostile, WEST + SIDE / 2, SOUTH + SIDE / 2),
            )
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        show(page, api_key(conninfo, "supervisor"))
        with served(page, conninfo, city_name_zh=hostile, city_name_en=hostile) as url:
            open_wall(page, f"{url}/maps/wall")
            move(page, WEST + SIDE / 2, SOUTH + SIDE / 2, 14)
            expect(state(page, "police_posts")).to_have_text("1")
            box = page.locator(".folium-map").bounding_box()
            middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.move(*middle)
            expect(page.locator(".leaflet-tooltip")).to_contain_text("onload")
            page.mouse.click(*middle)
            expect(page.locator(".card .chain")).to_contain_text("onload")
            assert page.locator("svg[onload]").count() == 0


def test_a_lost_server_is_announced(page: Page, small_city: str) -> None:
    show(page, api_key(small_city, "supervisor"))
    page.clock.install()
    with live_server(small_city) as url:
        open_wall(page, f"{url}/maps/wall?lang=en")
    expect(page.locator(".stale")).to_be_hidden()
    page.clock.fast_forward(31_000)  # half a minute without an answer
    expect(page.locator(".stale")).to_be_visible(timeout=90_000)
    expect(page.locator(".stale")).to_contain_text("does not answer")


def test_the_api_page_opens(page: Page, demo: str, demo_server: str) -> None:
    told = {"name": user(demo, "dispatcher"), "password": PASSWORD}  # machines read /openapi.json
    assert page.request.post(f"{demo_server}/session", data=told).ok
    page.goto(f"{demo_server}/docs")
    expect(page.locator("#operations-locate-get_locate_locate_get")).to_be_visible(timeout=90_000)


def test_a_script_smuggled_into_a_page_does_not_run(page: Page, demo_page: str) -> None:
    """Whatever a name may become in some page: the browser runs only our files and this answer's own scripts."""
    open_wall(page, f"{demo_page}/maps/wall")
    ran = page.evaluate(
        """() => {
            window.ran = [];
            const script = document.createElement("script");
            script.textContent = "window.ran.push('script')";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='data:,' onerror='window.ran.push(1)'>");
            return new Promise(done => setTimeout(() => done(window.ran), 500));
        }"""
    )
    assert ran == []
    assert page.faults  # the browser told of what it refused
    page.faults.clear()
