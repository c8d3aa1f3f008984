"""One view of the map as vector tiles and as GeoJSON, in the same browser without a GPU; the last line is JSON.

For each zoom a screen of 1920 by 1080 about the middle of Xingtai, and each layer of shapes of the full-size demo city, and its cameras
(which are counts of many below zoom 16):

- kB: bytes over the wire, compressed; ms: from asking until it is drawn, as the median of several; for GeoJSON as our pages ask
  for it (`items` of the box, generalised for the zoom) and draw it (Leaflet on a canvas), for tiles by protomaps-leaflet;
- tiles_vs_geojson_ms, tiles_vs_geojson_kb: the median over all views of tiles by GeoJSON; more than 1: tiles lose.
- moved_ms: what a screen's move by a third costs, where tiles of the old view stay and GeoJSON is asked for anew.
"""

import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.city import CACHE, demo_city, say
from bench.pages import _FLAGS
from bench.serving import new_key, our_server

_LAYERS = ("grid_cells", "patrol_zones", "response_circles", "cameras")
_ZOOMS = (9, 11, 13, 15, 17)
_TIMES = 5
_PLACE = (37.07, 114.50)
_VENDOR = Path(__file__).parents[1] / "static/vendor"
_PAGE = """async ([lat, lon, zoom]) => {
  window.map?.remove();
  document.body.innerHTML = '<div id="view" style="position:fixed;inset:0"></div>';
  window.map = L.map("view", { preferCanvas: true, zoomAnimation: false, fadeAnimation: false }).setView([lat, lon], zoom);
  window.painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  await window.painted();
}"""
_GEOJSON = """async layer => {
  const begun = performance.now();
  const draw = async () => {
    const answer = await fetch(`/collections/${layer}/items?bbox=${map.getBounds().toBBoxString()}&zoom=${map.getZoom()}`);
    if (!answer.ok) throw Error(await answer.text());
    const found = (await answer.json()).features;
    window.drawn?.remove();
    window.drawn = L.geoJSON(found, {
      style: { weight: 1, fillOpacity: 0.2 },
      pointToLayer: (_, at) => L.circleMarker(at, { radius: 6 }),
    }).addTo(map);
    await painted();
    return found.length;
  };
  const count = await draw();
  const first = performance.now() - begun;
  map.panBy([640, 0], { animate: false });
  const moved = performance.now();
  await draw();
  return { count, ms: first, moved_ms: performance.now() - moved };
}"""
_TILES = """async layer => {
  const begun = performance.now();
  const drawn = protomapsL.leafletLayer({
    url: `/collections/${layer}/tiles/WebMercatorQuad/{z}/{y}/{x}`,
    paintRules: layer === "cameras" ? [
      { dataLayer: layer, symbolizer: new protomapsL.CircleSymbolizer({ fill: "rgba(60, 120, 220, 0.2)", radius: 6, stroke: "#36c", width: 1 }) },
    ] : [
      { dataLayer: layer, symbolizer: new protomapsL.PolygonSymbolizer({ fill: "rgba(60, 120, 220, 0.2)" }) },
      { dataLayer: layer, symbolizer: new protomapsL.LineSymbolizer({ color: "#36c", width: 1 }) },
    ],
    labelRules: [],
    maxDataZoom: 17,
  });
  const loaded = () => new Promise(done => drawn.once("load", done));
  window.drawn?.remove();
  window.drawn = drawn.addTo(map);
  await loaded();
  await painted();
  const first = performance.now() - begun;
  const again = loaded();
  map.panBy([640, 0], { animate: false });
  const moved = performance.now();
  await again;
  await painted();
  return { ms: first, moved_ms: performance.now() - moved };
}"""


def seen(page: Page, script: str, layer: str, zoom: int, got: list[int]) -> dict[str, float]:
    """Draw a view several times, each in a new map; return the medians."""
    found: list[dict[str, Any]] = []
    for _ in range(_TIMES):
        page.evaluate(_PAGE, [*_PLACE, zoom])
        got[0] = 0
        found.append({**page.evaluate(script, layer), "kb": got[0] / 1000})
    return {name: round(statistics.median(one[name] for one in found), 1) for name in found[0]}


def views(url: str, key: str) -> dict[str, float]:
    ratios: dict[str, list[float]] = {"ms": [], "kb": [], "moved_ms": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS)
        context = browser.new_context(
            viewport={"width": 1920, "height": 1080},
            bypass_csp=True,
            extra_http_headers={"Authorization": f"Bearer {key}"},
        )
        page = context.new_page()
        page.goto(f"{url}/healthz")
        page.add_script_tag(path=_VENDOR / "leaflet/leaflet.js")
        page.add_style_tag(path=_VENDOR / "leaflet/leaflet.css")
        page.add_script_tag(path=_VENDOR / "protomaps-leaflet/protomaps-leaflet.js")
        got = [0]
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.on("Network.loadingFinished", lambda told: got.__setitem__(0, got[0] + int(told["encodedDataLength"])))
        say("                          GeoJSON                          tiles")
        say("layer             zoom    shapes    kB     ms   moved       kB     ms   moved")
        for layer in _LAYERS:
            for zoom in _ZOOMS:
                theirs, ours = (seen(page, script, layer, zoom, got) for script in (_GEOJSON, _TILES))
                say(f"{layer:18}{zoom:4}{theirs['count']:10.0f}{theirs['kb']:7.0f}{theirs['ms']:7.0f}{theirs['moved_ms']:8.0f}"
                    f"{ours['kb']:9.0f}{ours['ms']:7.0f}{ours['moved_ms']:8.0f}")  # fmt: skip
                for name, all_of in ratios.items():
                    all_of.append(ours[name] / theirs[name])
        browser.close()
    return {f"tiles_vs_geojson_{name}": round(statistics.median(all_of), 2) for name, all_of in ratios.items()}


def main() -> None:
    os.environ["GEO_GRID_RATE_LIMIT"] = "1000000/second"
    with demo_city() as conninfo, our_server(conninfo, CACHE / "served") as url:
        print(json.dumps(views(url, new_key(conninfo))))


if __name__ == "__main__":
    sys.exit(main())
