"""Common parts of the Folium pages: the base map, local copies of the libraries, and the page's own script."""

import json
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Template

if TYPE_CHECKING:
    import folium

LEAFLET_JS: list[tuple[str, str]] = [("leaflet", "/static/vendor/leaflet/leaflet.js")]
PROTOMAPS_JS = [("protomaps_leaflet", "/static/vendor/protomaps-leaflet/protomaps-leaflet.js")]
DRAWING_JS = [("geoman", "/static/vendor/leaflet-geoman/leaflet-geoman.js")]
DRAWING_CSS = [("geoman_css", "/static/vendor/leaflet-geoman/leaflet-geoman.css")]
LEAFLET_CSS: list[tuple[str, str]] = [("leaflet_css", "/static/vendor/leaflet/leaflet.css")]


_HEAD = Template(
    """<title>{{ title|e }}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/vendor/noto-sans-sc/400.css">
<link rel="stylesheet" href="/static/css/{{ style|e }}.css">
<script type="application/json" id="geo-grid-page">{{ page_json }}</script>
<script type="module" src="/static/js/{{ name|e }}.js"></script>
"""
)
_PLAIN = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}</head>
<body></body>
</html>
"""


def _head(name: str, style: str, title: str, options: dict[str, Any]) -> str:
    # data as JSON in which no `<` can end the block, never as source text of a script
    page_json = json.dumps(options, ensure_ascii=False).replace("<", "\\u003c")
    head: str = _HEAD.render(name=name, style=style, title=title, page_json=page_json)
    return head


def plain_page(name: str, title: str, lang: Literal["zh", "en"], options: dict[str, Any], style: str = "office") -> str:
    """Render a page without a map; its script builds the content.

    Parameters
    ----------
    name
        Name of the script in static/js.
    options
        Data for the script, embedded as JSON.
    style
        Name of the stylesheet in static/css.
    """
    return _PLAIN.format(lang=lang, head=_head(name, style, title, {**options, "lang": lang}))


def map_page(page: "folium.Map", name: str, title: str, options: dict[str, Any]) -> str:
    """Render a Folium map with our script and stylesheet; `options` as in `plain_page`.

    These are inserted after Folium has rendered, since Folium evaluates the text of its elements as a Jinja template.
    """
    rendered: str = page.get_root().render()
    head = _head(name, name, title, {**options, "map": page.get_name()})
    return rendered.replace("</head>", f"{head}</head>", 1)


def base_map(
    bounds: tuple[float, float, float, float],
    lang: Literal["zh", "en"],
    animated: bool = True,
    has_ground: bool = False,
    has_drawing: bool = False,
    margins: tuple[int, int] = (320, 400),
) -> "folium.Map":
    """Make an empty Folium map of the city, west, south, east, north in degrees, with no outside loads.

    Parameters
    ----------
    animated
        Whether zooming is animated. Not for a script that moves the map at the start: Leaflet ignores such calls during
        an animation.
    has_ground
        Whether the script draws roads, water and names under the layers.
    has_drawing
        Whether lines and areas can be drawn on it.
    margins
        Pixels at its left and right that panels cover.
    """
    import folium  # imported here, so that a server can answer before it is loaded (see `api.app`)

    west, south, east, north = bounds
    made = folium.Map(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        zoom_start=9,
        prefer_canvas=True,
        zoom_snap=0.5,
        zoom_control="bottomright",
        zoom_animation=animated,
        attributionControl=False,
    )
    made.default_js = LEAFLET_JS + (PROTOMAPS_JS if has_ground else []) + (DRAWING_JS if has_drawing else [])
    made.default_css = LEAFLET_CSS + (DRAWING_CSS if has_drawing else [])
    made.fit_bounds(
        [[south, west], [north, east]], padding_top_left=[margins[0], 24], padding_bottom_right=[margins[1], 24]
    )
    made.get_root().html.add_child(
        folium.Element(f"<script>document.documentElement.lang = {json.dumps(lang)}</script>")
    )
    return made
