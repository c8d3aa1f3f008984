"""A wall hangs for a week of the living demo, in an hour: the page and the server grow no larger, and it goes on telling.

The demo city lives 168 times as fast as time for WEEK_MINUTES (60; 2 as one of all). Figures: MB of the page's heap and of the
server's own memory (RssAnon) after a sixth of the time and in the end, each as the median of three. The verdict: neither grew
by more than its bound, the wall names the newest incident, and nothing went wrong on its page.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from drills.kit import City, folder, say, until
from drills.verdict import CannotBeDoneError, Verdict
from geo_grid.pictures.browser import find_browser
from tests.browser.watched import watched

_SPEED = 168  # a week in an hour
_SECONDS = 60 * float(os.environ.get("WEEK_MINUTES", "2"))
LONGEST_S = 240 + round(_SECONDS)
_PAGE_MB, _SERVER_MB = 10, 40
_SAMPLES = 18


def page_mb(session: CDPSession) -> float:
    """What the page holds when its garbage is collected."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def server_mb(city: City) -> tuple[float, int]:
    """What the process holds by itself that serves, the largest of ours; and its number."""
    return max((_own_mb(pid), pid) for pid in city.of(b"serve-supervised"))


def _own_mb(pid: int) -> float:
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1000  # type: ignore[index]


@contextlib.contextmanager
def living(city: City) -> Iterator[None]:
    """The demo lives while the context lasts."""
    command = [sys.executable, "-m", "geo_grid", "demo", "live", "--speed", str(_SPEED)]
    environment = {**city.environment, "GEO_GRID_PORT": str(city.port)}
    lives = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
        assert lives.poll() is None, "the demo lives no more"
    finally:
        lives.terminate()
        lives.wait(30)


def newest(city: City, key: str) -> int:
    with city.client(key) as client:
        return int(client.get("/incidents?limit=1").json()["incidents"][0]["incident_id"])


def is_told(page: Page, incident: int) -> bool:
    """Say whether the wall names an incident, or one after it."""
    told = page.evaluate("[...document.querySelectorAll('[data-incident]')].map(one => Number(one.dataset.incident))")
    return max(told, default=0) >= incident


def drill() -> Verdict:
    verdict, browser = Verdict(), find_browser()
    if browser is None:
        message = "there is no browser"
        raise CannotBeDoneError(message)
    with folder() as place, contextlib.ExitStack() as stack:
        city = City(place)
        stack.callback(city.done, "down")
        city.run("up", "--detach", "--still", "--port", str(city.port))
        key = city.new_key()
        stack.enter_context(living(city))
        playwright = stack.enter_context(sync_playwright())
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        stack.callback(launched.close)
        page = launched.new_page(
            viewport={"width": 1920, "height": 1080}, extra_http_headers={"Authorization": f"Bearer {key}"}
        )
        faults = watched(page)
        page.goto(f"{city.url}/maps/wall", timeout=90_000)
        page.wait_for_selector("body[data-ready]", timeout=90_000)
        session, first, began = page.context.new_cdp_session(page), newest(city, key), time.monotonic()
        pages, servers = [], []
        for number in range(1, _SAMPLES + 1):
            page.wait_for_timeout(1000 * max(0.0, began + _SECONDS * number / _SAMPLES - time.monotonic()))
            pages.append(page_mb(session))
            servers.append(server_mb(city))
            say(f"{number} of {_SAMPLES}: page {pages[-1]:.1f} MB, server {servers[-1][0]:.0f} MB")
        last = newest(city, key)
        told_s = until(lambda: is_told(page, last), f"the wall does not name incident {last}", 30)
        verdict.expect(len({pid for _, pid in servers}) == 1, "the server was started again")
    # the least of a third: between two collections of garbage a server holds up to a hundred megabytes more
    third = _SAMPLES // 3
    grown = {
        name: round(min(held[-third:]) - min(held[third:-third]), 1)
        for name, held in (("page_grew_mb", pages), ("server_grew_mb", [own_mb for own_mb, _ in servers]))
    }
    verdict.figures |= {
        "days": round(_SPEED * _SECONDS / 86_400, 2), "incidents": last - first, "page_mb": round(pages[-1], 1),
        "server_mb": round(servers[-1][0]), **grown, "told_after_s": told_s,
    }  # fmt: skip
    verdict.expect(last - first > _SECONDS / 60, "nothing happened in the city")
    verdict.expect(grown["page_grew_mb"] <= _PAGE_MB, f"the page grew by {grown['page_grew_mb']} MB")
    verdict.expect(grown["server_grew_mb"] <= _SERVER_MB, f"the server grew by {grown['server_grew_mb']} MB")
    for fault in faults[:5]:
        verdict.expect(False, f"on the page: {fault}")
    return verdict
