"""A camera's live picture in a panel of the desk: ffmpeg's test source, played by a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from geo_grid.db import Cluster, connect
from tests.browser.test_planner import person
from tests.conftest import live_server
from tests.databases import new_database
from tests.feeds import cameras
from tests.identities import api_key, bearing, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

pytestmark = pytest.mark.browser
IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
PARTS = (".m3u8", ".mp4", ".m4s")
IDS = {"Gate": "13050200001320000001", "Yard": "13050200001320000002"}


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[tuple[str, str, int]]:
    """(address, owner's way in, incident) of four cells with a camera in H.264 and one in H.265."""
    with (
        new_database(cluster, "desk_feeds") as conninfo,
        cameras.source() as h264,
        cameras.source("H265") as h265,
        cameras.camera(h264) as gate,
        cameras.camera(h265) as yard,
    ):
        with connect(conninfo) as connection:
            two_by_two(connection)
            for at, (name, number) in enumerate(IDS.items()):
                connection.execute(
                    "insert into cameras (gb28181_id, name, geom, grid_code)"
                    " values (%s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490), 'A')",
                    (number, name, IN_A[0] + at / 4096, IN_A[1]),
                )
        with live_server(conninfo) as url:
            with logged_in(url, user(conninfo, "administrator")) as client:
                for (name, number), made in zip(IDS.items(), (gate, yard), strict=True):
                    host = f"/streams/hosts/{name.lower()}"
                    assert client.put(host, json={"host": "127.0.0.1", "port": made.port}).status_code == 204
                    address = {"cameras": [{"gb28181_id": number, "path": made.PATH}]}
                    assert client.put(f"{host}/cameras", json=address).status_code == 200
            with bearing(url, api_key(conninfo, "dispatcher")) as client:
                place = {"lon": IN_A[0], "lat": IN_A[1], "category": "public_order", "description": "a quarrel"}
                incident = client.post("/incidents", json=place).json()["incident_id"]
            yield url, conninfo, incident


def plays(page: Page) -> None:
    """Wait until the picture moves, and see that it is one."""
    page.wait_for_function("() => document.querySelector('.feeds video')?.currentTime > 0", timeout=90_000)
    began = page.evaluate("document.querySelector('.feeds video').currentTime")
    page.wait_for_function("began => document.querySelector('.feeds video').currentTime > began + 1", arg=began)
    colours = page.evaluate("""() => {
        const video = document.querySelector('.feeds video');
        const sheet = new OffscreenCanvas(video.videoWidth, video.videoHeight).getContext('2d');
        sheet.drawImage(video, 0, 0);
        const { data } = sheet.getImageData(0, 0, video.videoWidth, video.videoHeight);
        return new Set(Array.from({ length: 2000 }, (_, at) => data.slice(at * 80, at * 80 + 3).join())).size;
    }""")
    assert colours > 8  # ffmpeg's test card


def test_a_camera_is_seen_for_a_reason_until_it_may_not_be(city: tuple[str, str, int], browser: Browser) -> None:
    url, database, incident = city
    name = user(database, "dispatcher")
    with person(browser, url, name, "/maps/desk", f"%26incident%3D{incident}", PARTS) as page:
        assert page.evaluate("MediaSource.isTypeSupported('video/mp4; codecs=\"avc1.42C00C\"')")
        expect(page.locator(".right")).to_contain_text("Gate")
        page.keyboard.press("Shift+V")
        page.keyboard.type("who began it")
        page.keyboard.press("Enter")
        plays(page)
        figure = page.locator(".feeds figure")
        expect(figure).to_contain_text("Gate")
        expect(figure).to_contain_text("ends in")
        expect(figure.locator("p")).to_be_hidden()
        with connect(database) as connection:
            (opened,) = connection.execute(
                "select detail from access.audit_log where action = 'camera.open' and actor_name = %s", (name,)
            ).fetchall()
            assert opened["detail"] == {"reason": "who began it", "incident_id": incident}
            connection.execute("update cameras set is_secret = true where name = 'Gate'")
        expect(figure.locator("p")).to_have_text("you may not see this camera any more")
        expect(figure.locator("video")).to_have_count(0)
        figure.get_by_role("button").click()
        expect(page.locator(".feeds")).to_be_hidden()
        with connect(database) as connection:
            connection.execute("update cameras set is_secret = false where name = 'Gate'")


def test_a_camera_that_sees_a_place_is_opened_for_an_incident_that_is_named(
    city: tuple[str, str, int], browser: Browser
) -> None:
    url, database, incident = city
    name = user(database, "dispatcher")
    with person(browser, url, name, "/maps/desk", "", PARTS) as page:
        page.fill(".left .box input", f"{IN_A[0]}, {IN_A[1]}")
        page.keyboard.press("Enter")
        expect(page.locator(".right")).to_contain_text("Gate")
        page.locator(".right").get_by_role("button", name="Gate").click()
        page.keyboard.type("a noise")
        page.get_by_label("For incident no.").fill(str(incident))
        page.keyboard.press("Enter")
        plays(page)
        with connect(database) as connection:
            (opened,) = connection.execute(
                "select detail from access.audit_log where action = 'camera.open' and actor_name = %s", (name,)
            ).fetchall()
        assert opened["detail"] == {"reason": "a noise", "incident_id": incident}


def test_what_a_browser_cannot_play_is_said_and_another_goes_on(city: tuple[str, str, int], browser: Browser) -> None:
    url, database, incident = city
    with person(browser, url, user(database, "dispatcher"), "/maps/desk", f"%26incident%3D{incident}", PARTS) as page:
        if page.evaluate("MediaSource.isTypeSupported('video/mp4; codecs=\"hev1.1.6.L60.90\"')"):
            pytest.skip("this browser plays H.265")
        for camera in ("Gate", "Yard"):
            page.locator(".right").get_by_role("button", name=camera).click()
            page.keyboard.type("a look")
            page.keyboard.press("Enter")
            expect(page.locator(".feeds figure", has_text=camera)).to_be_visible()
        expect(page.locator(".feeds figure", has_text="Yard").locator("p")).to_contain_text("hev1")
        expect(page.locator(".feeds figure", has_text="Yard").locator("p")).to_contain_text("H.264")
        plays(page)


def test_an_auditor_sees_who_saw_a_camera(city: tuple[str, str, int], browser: Browser) -> None:
    url, database, incident = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        why = {"reason": "to be looked at", "incident_id": incident}
        made = client.post(f"/cameras/{IDS['Gate']}/openings", json=why).json()
        client.delete(f"/feeds/{made['feed']['feed_id']}")
        client.post(f"/cameras/{IDS['Gate']}/openings", json={"reason": "out of curiosity"})
    with person(browser, url, user(database, "auditor"), "/auditor") as page:
        panel = page.locator("section", has_text="Openings of cameras").last
        panel.locator("input[name=camera]").fill(IDS["Gate"])
        page.keyboard.press("Enter")
        row = panel.locator("tr", has_text="to be looked at")
        expect(row).to_contain_text(f"#{incident}")
        expect(row).to_contain_text("closed")
        expect(panel).to_contain_text("Who may see it")
        panel.get_by_role("button", name="Unusual openings").click()
        expect(panel.locator("tr", has_text="out of curiosity")).to_contain_text("no incident")
    with connect(database) as connection:
        asked = connection.execute("select detail->>'question' as q from access.audit_log where action = 'audit.look'")
        assert {"viewers", "openings", "unusual"} <= {row["q"] for row in asked}


def test_the_wall_shows_pictures_beside_the_incident_that_asked_for_them(
    city: tuple[str, str, int], browser: Browser
) -> None:
    url, database, incident = city
    name = user(database, "dispatcher")
    with person(browser, url, name, "/maps/wall", may_be_refused=PARTS) as page:
        page.keyboard.press("t")  # the map goes round, until somebody looks
        page.locator(f".stream [data-incident='{incident}']").click()
        page.locator(".card").get_by_role("button", name="Pictures of it").click()
        page.keyboard.type("who began it")
        page.keyboard.press("Enter")
        figures = page.locator(".feeds figure")
        expect(figures).to_have_count(2)
        expect(page.locator(".feeds .why")).to_contain_text(f"#{incident}")
        expect(page.locator(".feeds .why")).to_contain_text("who began it")
        expect(page.locator(".feeds figure.large")).to_have_count(1)
        plays(page)
        first = page.locator(".feeds figure.large b").inner_text()
        expect(page.locator(".feeds figure.large b")).not_to_have_text(first)  # each in its turn
        expect(page.locator(".feeds figure.large b")).to_have_text(first)
        assert page.locator(".tour").inner_text()  # it is on, and stays here
        for _ in range(2):
            figures.first.get_by_role("button", name="Close").click()
        expect(page.locator(".feeds")).to_be_hidden()
    with connect(database) as connection:
        rows = connection.execute(
            "select object_id, detail from access.audit_log where action = 'camera.open' and actor_name = %s", (name,)
        ).fetchall()
    assert {row["object_id"] for row in rows} == set(IDS.values())
    assert all(row["detail"] == {"reason": "who began it", "incident_id": incident} for row in rows)
    with person(browser, url, user(database, "planner"), "/maps/wall") as page:  # who may not open cameras
        page.locator(f".stream [data-incident='{incident}']").click()
        expect(page.locator(".card")).to_contain_text("Gate")
        expect(page.locator(".card").get_by_role("button", name="Pictures of it")).to_have_count(0)
