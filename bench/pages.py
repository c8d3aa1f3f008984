"""The wall beside plain Folium with the same data, in the same browser without a GPU. The last line is JSON:

- bytes_ratio: bytes of a page of `folium.GeoJson` and `FastMarkerCluster`, over those of the wall when it has loaded;
- first_paint_ratio: until something is painted (First Contentful Paint), likewise;
- pan_fps_ratio: frames a second while the map is dragged, of the wall over plain Folium, at 1920 by 1080;
- pan_fps_3840: of the wall at 3840 by 1080;
- event_to_pixel_p99_ms: from the commit of an incident until each of WALLS walls (20) has painted it.

It starts a city of its own; URL and KEY name a server that runs, and a key of a supervisor. ONLY=pan leaves the rest out.
A wall alone on two cores draws no faster than a GPU would: ratios count, not milliseconds.
"""

import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import folium
import httpx
from folium.plugins import FastMarkerCluster
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, sync_playwright

from bench.city import CACHE
from bench.restart import URL, City, say

_WALLS = int(os.environ.get("WALLS", "20"))
_ONLY = os.environ.get("ONLY", "")
_EVENTS = 10
_CITY = "113.7,36.7,115.9,37.9"
_PLACE = (37.07, 114.50)
"""Latitude and longitude of the middle of Xingtai, where both maps are dragged."""
_ZOOM = 13
_SHAPES = ("grid_cells", "patrol_zones", "response_circles")
_POINTS = ("police_posts", "patrol_units", "incidents", "cameras")
_READY = "body[data-ready]"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_VENDORED = {
    "leaflet.js": "static/vendor/leaflet/leaflet.js",
    "leaflet.css": "static/vendor/leaflet/leaflet.css",
}
"""What plain Folium loads from elsewhere and we have: the rest is answered empty, which spares it the wait."""
_COUNT = """() => { window.frames_ = 0; const next = () => { window.frames_ += 1; requestAnimationFrame(next); };
                    requestAnimationFrame(next); }"""


def features(client: httpx.Client, layer: str) -> Iterator[dict[str, Any]]:
    """Read all features of a layer, page by page."""
    address: str | None = f"/collections/{layer}/items?f=json&limit=1000"
    while address:
        answer = client.get(address).json()
        yield from answer["features"]
        address = next((link["href"] for link in answer.get("links", []) if link["rel"] == "next"), None)


def plain_folium(client: httpx.Client, clustering: str) -> str:
    """A page as somebody writes it who knows Folium and not us: every shape, and the points in clusters.

    Parameters
    ----------
    clustering
        Text of Leaflet.markercluster, put into the page: no other machine is asked for it.
    """
    made = folium.Map(location=_PLACE, zoom_start=_ZOOM, tiles=None)
    for layer in _SHAPES:
        found = {"type": "FeatureCollection", "features": list(features(client, layer))}
        folium.GeoJson(found, name=layer).add_to(made)
    places = [one["geometry"]["coordinates"][::-1] for layer in _POINTS for one in features(client, layer)]
    FastMarkerCluster(places).add_to(made)
    made.get_root().header.add_child(folium.Element(f"<script>{clustering}</script>"))
    rendered: str = made.get_root().render()
    return rendered


def opened(context: BrowserContext, address: str, is_ready: str = "body") -> tuple[Page, int, float]:
    """Open a page; return it, the bytes that came over the wire, and the ms until its first paint."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    got = [0]
    session.on("Network.loadingFinished", lambda told: got.__setitem__(0, got[0] + int(told["encodedDataLength"])))
    page.goto(address, timeout=300_000, wait_until="load")
    page.wait_for_selector(is_ready, timeout=300_000)
    page.wait_for_timeout(3_000)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    return page, got[0], float(paint)


def frames_per_s(page: Page) -> float:
    """Drag the map for some seconds, several times, and count the frames."""
    box = page.locator(".leaflet-container").bounding_box() or {"x": 0, "y": 0, "width": 1920, "height": 1080}
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(_COUNT)
    rates = []
    for turn in range(6):
        way = 1 if turn % 2 else -1
        page.mouse.move(*middle)
        page.mouse.down()
        before, begun = page.evaluate("window.frames_"), time.monotonic()
        for step in range(60):
            page.mouse.move(middle[0] + way * 4 * step, middle[1] + way * step)
        taken = time.monotonic() - begun
        rates.append((page.evaluate("window.frames_") - before) / taken)
        page.mouse.up()
        page.wait_for_timeout(1_500)
    return statistics.median(rates)


def move_there(page: Page) -> None:
    page.evaluate(
        "([lat, lon, zoom]) => window[JSON.parse(document.getElementById('geo-grid-page').textContent).map]"
        ".setView([lat, lon], zoom, {animate: false}) && null",
        [*_PLACE, _ZOOM],
    )
    page.wait_for_timeout(6_000)


def wall(browser: Browser, key: str, width: int, height: int = 1080) -> BrowserContext:
    headers = {"Authorization": f"Bearer {key}"}
    return browser.new_context(viewport={"width": width, "height": height}, extra_http_headers=headers)


def beside_folium(browser: Browser, url: str, key: str, clustering: str) -> dict[str, float]:
    """Bytes, first paint and panning of both."""
    context = wall(browser, key, 1920)
    page, our_bytes, our_paint = opened(context, f"{url}/maps/wall", _READY)
    move_there(page)
    ours = frames_per_s(page)
    context.close()
    context = wall(browser, key, 3840)
    page, *_ = opened(context, f"{url}/maps/wall?cols=2", _READY)
    move_there(page)
    wide = frames_per_s(page)
    context.close()
    say(f"the wall: {our_bytes:,} bytes, first paint {our_paint:.0f} ms, {ours:.1f} frames/s, {wide:.1f} at 3840")
    with (
        tempfile.TemporaryDirectory() as folder,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=300) as client,
    ):
        path = Path(folder) / "folium.html"
        path.write_text(plain_folium(client, clustering))
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        context.route(re.compile("^https?:"), _vendored)
        page, _, paint = opened(context, path.as_uri())
        size = path.stat().st_size + sum(Path(one).stat().st_size for one in _VENDORED.values())
        theirs = frames_per_s(page)
        context.close()
    say(f"plain Folium: {size:,} bytes, first paint {paint:.0f} ms, {theirs:.1f} frames/s")
    return {
        "bytes_ratio": round(size / our_bytes, 1),
        "first_paint_ratio": round(paint / our_paint, 1),
        "pan_fps_ratio": round(ours / theirs, 2),
        "pan_fps_1920": round(ours, 1),
        "pan_fps_3840": round(wide, 1),
    }


def _vendored(route: Route, request: Request) -> None:
    name = request.url.rpartition("/")[2]
    if name in _VENDORED:
        route.fulfill(path=_VENDORED[name])
    else:
        route.fulfill(body="", content_type="text/javascript" if name.endswith(".js") else "text/css")


_NOTES = """() => {
  window.painted = {};
  new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const row of document.querySelectorAll("[data-incident]"))
      if (!window.painted[row.dataset.incident])
        requestAnimationFrame(() => setTimeout(() => {
          window.painted[row.dataset.incident] ??= performance.timeOrigin + performance.now();
        }));
  }).observe(document.body, { subtree: true, childList: true });
}"""


def event_to_pixel_ms(browser: Browser, url: str, key: str) -> float:
    """99th percentile of how long after its answer an incident is painted on each of the walls."""
    pages = []
    for _ in range(_WALLS):
        page, *_ = opened(wall(browser, key, 1366, 768), f"{url}/maps/wall", _READY)
        page.evaluate(_NOTES)
        pages.append(page)
    filed: dict[str, float] = {}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        for number in range(_EVENTS):
            place = {"lon": _PLACE[1] + number / 1000, "lat": _PLACE[0], "category": "traffic"}
            answer = client.post("/incidents", json=place).json()
            filed[str(answer["incident_id"])] = time.time() * 1000
            time.sleep(4)
    late = [page.evaluate("id => window.painted[id]", one) - moment for page in pages for one, moment in filed.items()]
    return round(statistics.quantiles(late, n=100)[98], 1)


def measure(url: str, key: str) -> dict[str, float]:
    clustering = CACHE / "npm/node_modules/leaflet.markercluster/dist/leaflet.markercluster.js"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS)
        found = {} if _ONLY == "events" else beside_folium(browser, url, key, clustering.read_text())
        if not _ONLY or _ONLY == "events":
            found["event_to_pixel_p99_ms"] = event_to_pixel_ms(browser, url, key)
        browser.close()
    return found


def main() -> None:
    if "URL" in os.environ:
        print(json.dumps(measure(os.environ["URL"], os.environ["KEY"])), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="geo_grid_pages_", dir="/tmp") as name:
        Path(name).chmod(0o755)
        city = City(Path(name))
        say("loading the city ...")
        try:
            city.run("up", "--detach")
            _, key = city.run("key", "add", "bench", "--role", "supervisor", "--city", said=False)
            print(json.dumps(measure(URL, key.strip())), flush=True)
        finally:
            city.run("down")


if __name__ == "__main__":
    sys.exit(main())
