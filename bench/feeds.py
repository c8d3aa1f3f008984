"""How long a dispatcher waits for the picture of a camera, in a real browser; the last line is JSON.

ffmpeg's test source (H.264, 25 frames a second, a key frame each second) is served over RTSP on this machine, and played through
the desk's panel. Waiting for the next key frame, half a second on average, is part of it.

- first_picture_s, first_picture_p90_s: from Enter in the form to the first frame that moves, one picture at a time.
- four_pictures_s: until the last of four that are opened one after another moves.
- server_cores_of_four: cores that the server takes while four play (with the camera, which is a part of this process).
- sixteen_first_s, sixteen_cores: sixteen pictures of four accounts, asked for as the player asks, without a browser: until each of
  them has a picture, and the cores of this machine that are busy while they go on, with ffmpeg's and the camera's.
"""

import contextlib
import json
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.city import say
from geo_grid.db import Cluster, connect, migrate
from tests.conftest import live_server
from tests.feeds import cameras
from tests.identities import PASSWORD, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

_RUNS, _WATCHED_S = 10, 10
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
_IDS = [f"1305020000132000000{number}" for number in range(1, 5)]
_MOVES = "count => document.querySelectorAll('.feeds video').length === count && [...document.querySelectorAll('.feeds video')].every(one => one.currentTime > 0)"


def desk(browser: Browser, url: str, name: str, incident: int) -> Page:
    page = browser.new_context(viewport={"width": 1920, "height": 1080}).new_page()
    page.goto(f"{url}/login?lang=en&next=/maps/desk%3Flang%3Den%26incident%3D{incident}")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(".right button:has-text('camera-1')")
    return page


def open_camera(page: Page, number: int) -> float:
    """Open a camera by its button; return the moment of Enter."""
    page.locator(f".right button:has-text('camera-{number}')").click()
    page.keyboard.type("a measurement")
    began = time.perf_counter()
    page.keyboard.press("Enter")
    return began


def close_all(page: Page) -> None:
    while page.locator(".feeds figure button").count():
        page.locator(".feeds figure button").first.click()


def measure(url: str, browser: Browser, name: str, incident: int) -> dict[str, float]:
    page = desk(browser, url, name, incident)
    waited = []
    for run in range(_RUNS + 1):
        began = open_camera(page, 1)
        page.wait_for_function(_MOVES, arg=1, polling=20)
        waited.append(time.perf_counter() - began)
        say(f"{waited[-1]:.2f} s" + ("" if run else " (not counted)"))
        close_all(page)
    began = time.perf_counter()
    for number in range(1, 5):
        open_camera(page, number)
    page.wait_for_function(_MOVES, arg=4, polling=20)
    four = time.perf_counter() - began
    used = processor_s()
    time.sleep(_WATCHED_S)
    used = processor_s() - used
    close_all(page)
    return {
        "first_picture_s": round(statistics.median(waited[1:]), 2),
        "first_picture_p90_s": round(statistics.quantiles(waited[1:], n=10)[8], 2),
        "four_pictures_s": round(four, 2),
        "server_cores_of_four": round(used / _WATCHED_S, 3),
    }


def sixteen(url: str, names: list[str]) -> dict[str, float]:
    """Have sixteen pictures at once, each asked for every second until all have gone on for a while."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(logged_in(url, name)) for name in names]
        began = time.perf_counter()
        feeds = []
        for client in clients:
            for number in _IDS:
                answer = client.post(f"/cameras/{number}/openings", json={"reason": "a measurement"})
                feeds.append((client, answer.raise_for_status().json()["feed"]["playlist"]))
        for client, playlist in feeds:
            client.get(playlist, timeout=60).raise_for_status()  # answered with the first picture
        first = time.perf_counter() - began
        parts, busy, began = 0, busy_s(), time.perf_counter()
        while time.perf_counter() - began < _WATCHED_S:
            for client, playlist in feeds:
                names_of_parts = re.findall(r"^\d+\.m4s$", client.get(playlist).raise_for_status().text, re.MULTILINE)
                client.get(playlist.replace("live.m3u8", names_of_parts[-1])).raise_for_status()
                parts += 1
            time.sleep(1)
        cores = (busy_s() - busy) / (time.perf_counter() - began)
    say(f"{len(feeds)} pictures, {parts} parts")
    return {"sixteen_first_s": round(first, 2), "sixteen_cores": round(cores, 2)}


def busy_s() -> float:
    """Seconds for which cores of this machine were busy since it started (proc(5))."""
    user_and_nice_and_system = Path("/proc/stat").read_text().split()[1:4]
    return sum(map(int, user_and_nice_and_system)) / os.sysconf("SC_CLK_TCK")


def processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def figures() -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="geo_grid_feeds_", dir="/tmp") as folder,
        cameras.source() as source,
        cameras.camera(source) as camera,
    ):
        Path(folder).chmod(0o755)
        with Cluster(Path(folder) / "state") as cluster:
            migrate(cluster.conninfo)
            with connect(cluster.conninfo) as connection:
                two_by_two(connection)
                for at, number in enumerate(_IDS):
                    connection.execute(
                        "insert into cameras (gb28181_id, name, geom, grid_code)"
                        " values (%s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490), 'A')",
                        (number, f"camera-{at + 1}", _IN_A[0] + at / 4096, _IN_A[1]),
                    )
            administrator, dispatcher = user(cluster.conninfo, "administrator"), user(cluster.conninfo, "dispatcher")
            with live_server(cluster.conninfo) as url:
                with logged_in(url, administrator) as client:
                    client.put("/streams/hosts/recorder", json={"host": "127.0.0.1", "port": camera.port})
                    addresses = [{"gb28181_id": number, "path": camera.PATH} for number in _IDS]
                    client.put("/streams/hosts/recorder/cameras", json={"cameras": addresses})
                with logged_in(url, dispatcher) as client:
                    place = {"lon": _IN_A[0], "lat": _IN_A[1], "category": "traffic"}
                    incident = client.post("/incidents", json=place).json()["incident_id"]
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS)
                    found = measure(url, browser, dispatcher, incident)
                    browser.close()
                found |= sixteen(url, [user(cluster.conninfo, "dispatcher") for _ in range(4)])
    return found


def main() -> None:
    print(json.dumps(figures()))


if __name__ == "__main__":
    sys.exit(main())
