"""Looking for cameras on the map, what they do not see of roads, and steering one beside its picture, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.cameras.sight import Usual
from geo_grid.cameras.views import update_views
from geo_grid.coordinates import snap
from geo_grid.db import Cluster, connect
from geo_grid.gb28181.steering import STOP, Movement, ptz_command
from tests.browser.test_planner import SPOT, VIEW, person
from tests.cameras.test_roads import CROSSING, LAT, LON, ROADS, SCALE, camera, line
from tests.cameras.test_steering import DOME, City, city
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing, user
from tests.squares import two_by_two

__all__ = ["city"]
pytestmark = pytest.mark.browser


def at(page: Page, east: float, north: float) -> tuple[float, float]:
    lon, lat = (east, north) / SCALE + (LON, LAT)
    x, y = page.evaluate(SPOT, [lon, lat])
    return x, y


@pytest.fixture(scope="module")
def roads(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """A served city of four cells with roads and cameras of two owners, one of them off."""
    with new_database(cluster, "camera_search") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            for (name, road_class), corners in ROADS.items():
                connection.execute(
                    "insert into roads (name, road_class, geom) values (%s, %s, ST_SetSRID(ST_GeomFromWKB(%s), 4490))",
                    (name, road_class, line(corners).wkb),
                )
            for number, (place, state) in enumerate(
                (((0, 0), None), ((200, 250), "offline"), ((-200, 230), "online")), 1
            ):
                camera(connection, number, place, 60, state)
            connection.execute(
                "update cameras set name = 'camera ' || right(gb28181_id, 1),"
                " owner_name = case when gb28181_id like '%1' then '社区' else '公安局' end"
            )
            update_views(connection, Usual(60.0, 50.0))
        with live_server(conninfo) as url:
            yield url, conninfo


def test_a_dispatcher_narrows_the_map_and_searches_a_sector(roads: tuple[str, str], browser: Browser) -> None:
    url, database = roads
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        page.evaluate(VIEW, [LON, LAT + 0.001, 17])
        page.locator(".lister").click()
        listed = page.locator(".listed[data-layer=cameras] summary")
        expect(listed).to_contain_text("3")
        page.locator(".narrowing summary").click()
        with page.expect_response(
            lambda answer: "/collections/cameras/items" in answer.url and "owner_name" in answer.url
        ):
            page.locator(".narrowing label", has_text="社区").locator("input").check()
        expect(listed).to_contain_text("1")
        expect(page.locator(".lister")).to_contain_text("not all cameras")
        assert "owner_name" in page.evaluate("location.search")
        page.reload()  # the address has it
        page.wait_for_selector("body[data-ready]")
        expect(page.locator(".lister")).to_contain_text("not all cameras")
        page.locator(".lister").click()
        expect(listed).to_contain_text("1")
        page.locator(".narrowing summary").click()
        page.get_by_role("button", name="Show all cameras").click()
        expect(listed).to_contain_text("3")
        page.locator(".narrowing summary").click()
        # a sector from the crossing to the north: the camera there stands in it, and sees into it
        page.locator(".sector summary").click()
        page.get_by_role("button", name="Draw it on the map").click()
        page.mouse.click(*at(page, *CROSSING))
        page.mouse.move(*at(page, 200, 150))
        page.mouse.click(*at(page, 200, 200))
        told = page.locator(".sector [role=status]")
        expect(told).to_have_text("Cameras: 1, of which 1 see into it")
        assert page.locator("input[name=azimuth_deg]").input_value() == "0"
        assert abs(int(page.locator("input[name=range_m]").input_value()) - 200) < 4
        found = page.locator(".sector .rows li")
        expect(found).to_contain_text("camera 2")
        expect(found).to_contain_text("sees into it")
        expect(found).to_contain_text("offline")
        expect(page.locator(".right")).not_to_contain_text("camera 2")  # the clicks were none on a place
        page.fill("input[name=range_m]", "400")  # by keys: as it is said
        page.keyboard.press("Enter")
        expect(told).to_have_text("Cameras: 1, of which 1 see into it")
        found.get_by_role("button").click()
        expect(page.locator(".right")).to_contain_text("camera 2")  # its place, with it among its cameras


def test_a_camera_that_moves_is_drawn_where_it_is(roads: tuple[str, str], browser: Browser) -> None:
    url, database = roads
    east, north = (300, -200) / SCALE + (LON, LAT)
    with connect(database) as connection:
        connection.execute(
            "insert into camera_positions (camera_id, geom, positioned_at) select camera_id, ST_SetSRID(ST_MakePoint(%s, %s), 4490),"
            " now() - interval '2 minutes' from cameras where gb28181_id like '%%1'",
            snap([east, north]).tolist(),
        )
        connection.execute("update cameras set name = '单兵 <b>1</b>' where gb28181_id like '%1'")
    with person(browser, url, user(database, "dispatcher"), "/maps/desk") as page:
        page.evaluate(VIEW, [east, north, 17])
        page.locator(".lister").click()
        listed = page.locator(".listed[data-layer=camera_positions]")
        expect(listed.locator("summary")).to_have_text("Cameras on the move · 1")
        listed.locator("summary").click()
        expect(listed.get_by_role("button")).to_have_text("单兵 <b>1</b> · here 2 min ago")
        page.locator(".lister").click()
        page.mouse.move(*at(page, 300, -200))
        tip = page.locator(".leaflet-tooltip", has_text="单兵")
        expect(tip).to_contain_text("单兵 <b>1</b>")
        expect(tip).to_contain_text("here 2 min ago")
        page.mouse.click(*at(page, 300, -200))
        expect(page.locator(".right")).to_contain_text("here 2 min ago")
        with connect(database) as connection:
            connection.execute("delete from camera_positions")
            connection.execute("update cameras set name = 'camera 1' where gb28181_id like '%1'")
        page.locator(".lister").click()
        expect(listed.locator("summary")).to_have_text(
            "Cameras on the move · 0", timeout=60_000
        )  # asked again every 30 s


def test_a_planner_sees_what_of_roads_nobody_sees_and_where_more_would(
    roads: tuple[str, str], browser: Browser
) -> None:
    url, database = roads
    with person(browser, url, user(database, "planner"), "/maps/response") as page:
        page.get_by_role("tab", name="Cameras").click()
        panel = page.locator(".left")
        expect(panel).to_contain_text("Roads with most that is not seen")
        page.select_option("select[aria-label=Township]", "A")
        first = panel.locator(".coverage tr").first
        expect(first).to_contain_text("新华街")
        expect(first).to_contain_text("440 m")
        first.get_by_role("button").click()
        page.fill("input[name=count]", "1")
        page.fill("input[name=range_m]", "100")
        page.get_by_role("button", name="Solve").click()
        site = panel.locator("ol.sites li")
        expect(site).to_have_count(1)
        expect(site).to_contain_text("crossing")
        expect(site).to_contain_text("人民路")
        expect(page.locator(".site", has_text="1")).to_have_count(1)
    with person(browser, url, user(database, "dispatcher"), "/maps/response") as page:
        page.get_by_role("tab", name="Cameras").click()
        expect(page.locator(".left")).to_contain_text("Roads with most that is not seen")
        expect(page.locator("input[name=count]")).to_have_count(0)


def test_who_holds_an_arrow_moves_the_camera_and_stops_it_by_letting_go(city: City, browser: Browser) -> None:
    with connect(city.database) as connection:
        connection.execute("update cameras set name = 'Dome' where gb28181_id = %s", (DOME,))
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        place = {"lon": 114.50390625, "lat": 37.00390625, "category": "public_order", "description": "a quarrel"}
        incident = client.post("/incidents", json=place).json()["incident_id"]
    name = user(city.database, "dispatcher")
    parts = (".m3u8", ".mp4", ".m4s")
    with person(browser, city.url, name, "/maps/desk", f"%26incident%3D{incident}", parts) as page:
        page.locator(".right").get_by_role("button", name="Dome").click()
        page.keyboard.type("who began it")
        page.keyboard.press("Enter")
        left = page.get_by_role("button", name="To the left (hold)")
        left.hover()
        page.mouse.down()
        assert city.told()[1] == ptz_command(Movement(pan=-1))
        assert city.told()[1] == ptz_command(Movement(pan=-1))  # it is held
        page.mouse.up()
        while (command := city.told()[1]) != ptz_command(STOP):
            assert command == ptz_command(Movement(pan=-1))
        left.focus()
        page.keyboard.down("ArrowUp")
        assert city.told()[1] == ptz_command(Movement(tilt=1))
        page.keyboard.up("ArrowUp")
        while (command := city.told()[1]) != ptz_command(STOP):
            assert command == ptz_command(Movement(tilt=1))


def test_a_supervisor_keeps_platforms_and_decides_what_imports_propose(
    roads: tuple[str, str], browser: Browser
) -> None:
    url, database = roads
    with connect(database) as connection:
        for kind, number, more in (("moved", 1, "geom"), ("duplicate", 3, "other_id")):
            connection.execute(
                f"insert into camera_proposals (proposal_kind, camera_id, {more}, distance_m, source) select %s, a.camera_id,"
                f" {'ST_Translate(a.geom, 0.0009765625, 0)' if more == 'geom' else 'b.camera_id'}, 87, 'catalogue.xml'"
                " from cameras a, cameras b where a.gb28181_id like %s and b.gb28181_id like '%%2'",
                (kind, f"%{number}"),
            )
    with person(
        browser, url, user(database, "supervisor", sees_secret=True), "/rules", "%23platforms", ("/HK-1", "/queries")
    ) as page:
        page.get_by_role("button", name="New platform").click()
        page.fill("dialog input[name=code]", "HK-1")
        page.fill("dialog input[name=name]", "某区视频平台")
        page.select_option("dialog select[name=source_crs]", "GCJ-02")
        page.check("dialog input[name=is_enabled]")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("dialog .bad")).to_contain_text("gb28181_id")  # who may register has an ID
        page.fill("dialog input[name=gb28181_id]", "13050200002000000001")
        page.get_by_role("button", name="Save").click()
        row = page.locator("tr", has_text="HK-1")
        expect(row).to_contain_text("GCJ-02")
        expect(row).to_contain_text("never came")
        row.get_by_role("button", name="Ask for its catalogue").click()
        expect(page.locator(".bad:visible")).to_contain_text("nobody listens to platforms now")
        with connect(database) as connection:
            connection.execute("insert into platform_door values (true, 'x', 5060, now(), now(), 0)")
        row.get_by_role("button", name="Ask for its catalogue").click()
        expect(page.locator(".news")).to_contain_text("is asked")
        row.get_by_role("button", name="Edit").click()
        page.uncheck("dialog input[name=is_enabled]")
        page.get_by_role("button", name="Save").click()
        expect(row).to_contain_text("may not register")
        page.get_by_role("button", name="Undo").click()
        expect(row).to_contain_text("never came")
        page.get_by_role("tab", name="Decisions about cameras").click()
        moved = page.locator("tr", has_text="camera 1")
        expect(moved).to_contain_text("87 m")
        moved.get_by_role("button", name="Accept").click()
        page.locator("dialog").get_by_role("button", name="Accept").click()
        expect(page.locator(".news")).to_contain_text("Accepted: camera 1")
        page.locator("tr", has_text="camera 3").get_by_role("button", name="Refuse").click()
        expect(page.locator(".news")).to_contain_text("Refused: camera 3")
        expect(page.locator("#section")).to_contain_text("None")
    with connect(database) as connection:
        rows = connection.execute("select gb28181_id, ST_X(geom) as lon from cameras order by 1").fetchall()
        assert len(rows) == 3
        assert rows[0]["lon"] > LON + 0.0009
        connection.execute("delete from camera_platforms")
        connection.execute("delete from platform_door")


def test_an_administrator_registers_where_pictures_come_from(roads: tuple[str, str], browser: Browser) -> None:
    url, database = roads
    known = "13050200001320000002"
    with person(browser, url, user(database, "administrator"), "/rules", "%23hosts", ("/cameras", "/recorder")) as page:
        page.get_by_role("button", name="New host").click()
        page.fill("dialog input[name=name]", "recorder")
        page.fill("dialog input[name=host]", "rtsp://10.20.0.5")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("dialog .fault")).to_be_visible()  # a name or an address, nothing else
        page.fill("dialog input[name=host]", "10.20.0.5")
        page.get_by_role("button", name="Save").click()
        row = page.locator("tr", has_text="recorder")
        expect(row).to_contain_text("10.20.0.5:554")
        row.get_by_role("button", name="Addresses").click()
        page.fill("dialog textarea", f"{known} live")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("dialog .bad")).to_contain_text("path")
        page.fill("dialog textarea", f"{known} /live/2?token=x\n")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".news")).to_contain_text("“recorder”: 1")
        assert "token" not in page.content()  # what was registered is not told again
        row.get_by_role("button", name="Remove").click()
        page.locator("dialog").get_by_role("button", name="Remove").click()
        expect(page.locator("#section")).to_contain_text("None")
