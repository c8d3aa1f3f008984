"""What our Folium pages have in common: one base, our own copies of the libraries, our own script."""

import json
from pathlib import PurePosixPath
from typing import Any, ClassVar

import folium
from branca.element import MacroElement
from jinja2 import Template

LEAFLET_JS: list[tuple[str, str]] = [("leaflet", "/static/vendor/leaflet/leaflet.js")]
LEAFLET_CSS: list[tuple[str, str]] = [("leaflet_css", "/static/vendor/leaflet/leaflet.css")]


class PageScript(MacroElement):  # type: ignore[misc]  # folium is untyped
    """Adds a stylesheet, a module script and its configuration to a Folium page.

    The configuration travels as JSON in a data block, never as program text.
    """

    _template: ClassVar[Template] = Template(
        """
        {% macro header(this, kwargs) %}
        <title>{{ this.title|e }}</title>
        <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="{{ this.css|e }}">
        <script type="application/json" id="geo-grid-page">{{ this.page_json }}</script>
        <script type="module" src="{{ this.js|e }}"></script>
        {% endmacro %}
        """
    )

    def __init__(self, name: str, title: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._name = "PageScript"
        self.title = title
        self.css = str(PurePosixPath("/static/css") / f"{name}.css")
        self.js = str(PurePosixPath("/static/js") / f"{name}.js")
        self._options = options

    @property
    def page_json(self) -> str:
        """The configuration as JSON that cannot end its data block."""
        return _data_block({**self._options, "map": self._parent.get_name()})


def _data_block(options: dict[str, Any]) -> str:
    return json.dumps(options, ensure_ascii=False).replace("<", "\\u003c")


def plain_page(name: str, title: str, lang: str, options: dict[str, Any]) -> str:
    """Make a page without a map: its script builds everything on it.

    Parameters
    ----------
    name
        Of the script in static/js.
    options
        What the script reads; travels as JSON in a data block, as on the maps.
    """
    html: str = _PLAIN.render(name=name, title=title, lang=lang, page_json=_data_block({**options, "lang": lang}))
    return html


_PLAIN = Template(
    """<!doctype html>
<html lang="{{ lang|e }}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title|e }}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/css/office.css">
<script type="application/json" id="geo-grid-page">{{ page_json }}</script>
<script type="module" src="/static/js/{{ name|e }}.js"></script>
<body></body>
</html>
"""
)


def base_map(bounds: tuple[float, float, float, float], lang: str) -> folium.Map:
    """Make an empty Folium map of the city, west, south, east, north in degrees, with no outside loads."""
    west, south, east, north = bounds
    made = folium.Map(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        zoom_start=9,
        prefer_canvas=True,
        zoom_snap=0.5,
        zoom_control="bottomright",
        attributionControl=False,
    )
    made.default_js, made.default_css = LEAFLET_JS, LEAFLET_CSS
    made.fit_bounds([[south, west], [north, east]], padding_top_left=[320, 24], padding_bottom_right=[400, 24])
    made.get_root().html.add_child(
        folium.Element(f"<script>document.documentElement.lang = {json.dumps(lang)}</script>")
    )
    return made
