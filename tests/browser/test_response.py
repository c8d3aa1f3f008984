"""A closure is drawn across the bridges of Heidelberg, and circles, coverage and ranking change before one's eyes."""

import re
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, Page, expect

from geo_grid.boundaries import publish_cells
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from geo_grid.layers.grid_levels import GridLevel, set_levels
from tests.api.test_live import NORTH_POST, report, two_cells
from tests.api.test_response import RIVER, zoned
from tests.browser.test_planner import SPOT, VIEW, person
from tests.heidelberg import SOUTH, wait_for_circles
from tests.identities import user

__all__ = ["two_cells", "zoned"]
pytestmark = pytest.mark.browser


def point_at(page: Page, lon: float, lat: float) -> tuple[float, float]:
    x, y = page.evaluate(SPOT, [lon, lat])
    return x, y


def test_a_closure_across_the_bridges_changes_circles_coverage_and_ranking(heidelberg, browser: Browser) -> None:
    client, database = heidelberg
    with connect(database) as connection:
        set_levels(
            connection, [GridLevel(grid_level=1, name_zh="区", name_en="district", code_scheme="local", min_zoom=0)]
        )
        halves = [shapely.box(8.64, 49.4125, 8.75, 49.44), shapely.box(8.64, 49.38, 8.75, 49.4125)]
        cells = {
            "grid_code": ["NORTH", "SOUTH"], "code_scheme": "local", "grid_level": 1, "parent_code": None,
            "name": ["北岸", "南岸"], "cell_kind": "division", "household_count": 1000,
            "geometry": list(snap_geometry(halves)),
        }  # fmt: skip
        publish_cells(connection, pd.DataFrame(cells), "two banks")
    planner = user(database, "planner")
    with person(browser, str(client.base_url), planner, "/maps/response") as page:
        page.evaluate(VIEW, [8.6900, 49.4130, 14])
        page.wait_for_timeout(800)
        page.mouse.click(*point_at(page, *SOUTH))
        first = page.locator(".card li", has_text="北岸警务站")
        expect(first).to_be_visible()
        assert "cut off" not in first.inner_text()
        page.keyboard.press("Escape")
        page.select_option("select[aria-label=By]", "county")
        south = page.locator(".coverage tr[data-code=SOUTH] td.of5")
        before = south.inner_text()
        circle = wait_for_circles(client)

        page.fill("input[name=name]", "bridges")
        page.click("[data-tool=closed]")
        line = [place for place in RIVER if 8.66 < place[0] < 8.73]
        for lon, lat in line[:-1]:
            page.mouse.click(*point_at(page, lon, lat))
            page.wait_for_timeout(150)
        page.mouse.dblclick(*point_at(page, *line[-1]))
        expect(page.locator(".closures li", has_text="bridges")).to_be_visible()
        wait_for_circles(client, circle)
        expect(south).not_to_have_text(before, timeout=90_000)
        assert float(south.inner_text().split()[0]) < float(before.split()[0])
        page.mouse.click(*point_at(page, *SOUTH))
        expect(page.locator(".card li", has_text="北岸警务站")).to_contain_text("cut off")

        page.keyboard.press("Escape")
        page.click(".closures li button")
        expect(south).to_have_text(before, timeout=90_000)


def test_a_dispatcher_sees_it_and_closes_nothing(heidelberg, browser: Browser) -> None:
    client, database = heidelberg
    with person(browser, str(client.base_url), user(database, "dispatcher"), "/maps/response") as page:
        expect(page.locator(".coverage")).to_be_visible()
        expect(page.locator("[data-tool=closed]")).to_have_count(0)


def test_where_posts_should_be_is_drawn_beside_today(zoned, browser: Browser) -> None:
    client, database = zoned
    with person(
        browser, str(client.base_url), user(database, "planner"), "/maps/response", may_be_refused="/siting"
    ) as page:
        page.click("[role=tab]:has-text('Siting')")
        page.select_option("select[name=within]", "SOUTH")
        page.fill("input[name=count]", "2")
        page.click("form .action")
        expect(page.locator(".sites li")).to_have_count(2, timeout=90_000)
        expect(page.locator(".leaflet-marker-icon .site")).to_have_count(2)
        today, then = page.locator(".answer tbody tr").first.locator("td").all_inner_texts()[1:]
        assert float(then.split()[0]) >= float(today.split()[0])
        assert "null" not in page.inner_text(".left")
        page.fill("input[name=count]", "100")
        page.click("form .action")
        expect(page.locator("form [role=alert]")).to_contain_text("so many candidates", timeout=90_000)
        page.click("[role=tab]:has-text('Coverage')")
        expect(page.locator(".leaflet-marker-icon .site")).to_have_count(0)  # the map is as it was


def test_a_patrol_is_planned_and_circles_are_joined(zoned, browser: Browser) -> None:
    client, database = zoned
    with connect(database) as connection:
        connection.execute(
            "insert into mandatory_stops (zone_code, name, geom) select 'ZN', '必到点' || n,"
            " ST_SnapToGrid(ST_SetSRID(ST_MakePoint(8.685 + n * 0.006, 49.4170), 4490), 2 ^ -26) from generate_series(1, 3) n"
        )
        connection.execute(
            "insert into incidents (category, geom, received_at) select 'x', geom, now() - interval '1 hour' from police_posts"
        )
        connection.execute(
            "update incidents set dispatched_at = received_at + interval '30 s', departed_at = received_at + interval '90 s',"
            " arrived_at = received_at + interval '200 s' where incident_id = (select min(incident_id) from incidents)"
        )
    supervisor = user(database, "supervisor")
    with person(browser, str(client.base_url), supervisor, "/maps/response") as page:
        with page.expect_response(lambda answer: "/response/unions?by=zone" in answer.url) as joined:
            page.select_option("select[aria-label=Circles]", "zone")
        assert {one["properties"]["code"] for one in joined.value.json()["features"]} == {"ZN", "ZS"}
        page.select_option("select[aria-label=Measure]", "times")
        expect(page.locator(".told")).to_contain_text("1 counted; left out: 1 without a clock")
        expect(page.locator(".told")).to_contain_text("call to arrival P50 3 min 20 s")
        assert page.locator(".coverage tbody td").all_inner_texts()[1:] == ["0.0 %", "100.0 %", "100.0 %"]
        page.click("[role=tab]:has-text('Patrol')")
        expect(page.locator(".whole")).to_contain_text("0 of 3 stops made")
        page.click("tr[data-zone=ZN]")
        expect(page.locator(".stops li")).to_have_count(3)
        page.click("text=Plan routes")
        expect(page.locator(".routes li")).to_have_count(3)
        expect(page.locator(".leaflet-marker-icon .site")).to_have_count(3)


def test_a_track_is_played_back(heidelberg, browser: Browser) -> None:
    client, database = heidelberg
    begun = datetime.now(UTC) - timedelta(minutes=18)  # the last of them is the newest, and where it is
    track = [
        {"unit_code": "CAR", "lon": 8.68 + 0.001 * n, "lat": 49.4166, "reported_at": (begun + timedelta(minutes=n)).isoformat()}
        for n in range(20)
    ]  # fmt: skip
    assert client.post("/units/positions", json={"positions": track}).status_code == 200
    with person(browser, str(client.base_url), user(database, "supervisor"), "/maps/response") as page:
        page.evaluate(VIEW, [8.6990, 49.4166, 15])
        page.wait_for_timeout(800)
        bar = page.locator(".track")
        x, y = point_at(page, 8.6990, 49.4166)
        tip = page.locator(".leaflet-tooltip", has_text="巡逻车")
        until = time.monotonic() + 30
        while not tip.count():  # until it is drawn there: a canvas does not say so to a mouse that rests
            assert time.monotonic() < until
            for at in (x - 60, x):
                page.mouse.move(at, y)
                page.wait_for_timeout(100)
        page.mouse.click(*point_at(page, 8.6990, 49.4166))
        expect(bar).to_contain_text("巡逻车")
        expect(bar.locator("span.quiet")).not_to_have_text("")  # the track has come
        last = bar.locator("span.quiet").inner_text()
        bar.locator("input").fill("0")
        expect(bar.locator("span.quiet")).not_to_have_text(last)
        bar.locator("input").fill("750")  # the last of its twenty seconds
        expect(bar.locator("span.quiet")).not_to_have_text(last)
        bar.locator("[aria-label=Play]").click()
        expect(bar.locator("span.quiet")).to_have_text(last, timeout=90_000)  # to the end
        page.keyboard.press("Escape")
        expect(bar).to_be_hidden()


def test_the_wall_names_holes_as_cars_become_busy(two_cells, browser: Browser) -> None:
    client, database = two_cells
    wide = "%26cols%3D3"  # holes are named where a wall has room for them
    with person(browser, str(client.base_url), user(database, "dispatcher"), "/maps/wall", wide) as page:
        holes = page.locator(".holes li[data-code]")
        expect(holes).to_have_text([re.compile("南岸")], timeout=90_000)
        report(client, "dispatched", NORTH_POST)
        expect(holes).to_have_text([re.compile("北岸"), re.compile("南岸")], timeout=90_000)
        assert not page.locator("[data-layer=live_coverage] input").is_checked()
        with page.expect_response(lambda answer: "/response/live/areas" in answer.url) as drawn:
            holes.first.click()
        assert "NORTH" in {one["properties"]["code"] for one in drawn.value.json()["features"]}
        page.keyboard.press("0")
        expect(page.locator("[data-layer=live_coverage] input")).not_to_be_checked()
