"""The map kit: elements of Folium for maps of the city, on our own pages and in notebooks.

`folium.Map().add_child(GridCells(...))` draws a layer from a GeoDataFrame, or from a server by its address and key; on a
`CityMap`, which is a page of a server, a layer without a source is live: the page's script loads it from that server and
keeps it true. How shapes are drawn is defined once (static/js/shapes.js), and colours are those of `looks`.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import folium
from branca.element import Element, Figure, MacroElement
from folium.elements import JSCSSMixin
from folium.map import Layer
from jinja2 import Template

from geo_grid.client import Client
from geo_grid.errors import UserError
from geo_grid.layers import REGISTRY
from geo_grid.maps.city import NOWHERE, ExternalBase
from geo_grid.maps.looks import LOOKS, Theme
from geo_grid.maps.page import as_json, head_of
from geo_grid.settings import asset_dir

if TYPE_CHECKING:
    import geopandas as gpd

type Lang = Literal["zh", "en"]
type Source = "gpd.GeoDataFrame | Client | str | None"
"""Where a layer comes from: a GeoDataFrame, a server or its address; None: the server whose page it is on."""

_DEGREES = (4326, 4490)
"""Reference systems in degrees that a map draws as they are: WGS 84 and CGCS2000 differ by less than a map shows."""


class Text(Element):
    """A text of a page as it is: Folium would read it as a template once more, and names may have `{{` in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._name, self.text = "Text", text

    def render(self, **_: Any) -> str:
        """Return the text."""
        return self.text


class Verbatim(MacroElement):
    """An element whose macros header, html and script are rendered once, so that their values are text."""

    def render(self, **kwargs: Any) -> None:
        """Put what its macros make into the page."""
        page = self.get_root()
        for part in ("header", "html", "script"):
            macro = self._template.module.__dict__.get(part)
            if macro is not None:
                getattr(page, part).add_child(Text(macro(self, kwargs)), name=self.get_name())
        for child in self._children.values():
            child.render(**kwargs)


@cache
def _shapes() -> str:
    """Return the script by which a map in a notebook draws layers as our pages do."""
    shapes = (asset_dir("static") / "js/shapes.js").read_text(encoding="utf-8").replace("export const", "const")
    return f"<script>\nconst geoGridShapes = (() => {{\n{shapes}\nreturn SHAPES; }})();\n{_DRAW}</script>"


_DRAW = """
function geoGridLayer(name, data, colours) {
  return L.geoJSON(data, {
    style: feature => geoGridShapes[name]?.(feature.properties, colours) ?? { color: colours.outline, weight: 1 },
    pointToLayer: (feature, at) => L.circleMarker(at, {
      radius: 5, weight: 1.5, color: colours.halo, fillOpacity: 0.95, fillColor: colours[name] ?? colours.label }),
    onEachFeature: (feature, shape) => {
      const told = document.createElement("span");
      told.textContent = [feature.properties.name, feature.id].filter(Boolean).join(" · ");
      if (told.textContent) shape.bindTooltip(told, { sticky: true });
    },
  });
}
"""
"""A layer of Leaflet from GeoJSON; names become text nodes, never HTML."""


class CityLayer(Layer, Verbatim):
    """A layer of the city.

    Parameters
    ----------
    source
        See `Source`; an address needs `key`.
    key
        API key, by which Python reads the layer: it is not written into the map.
    theme
        Whose colours are used.
    lang
        Language of its name among the layers.
    parameters
        Of the question to the server, as `Client.read` takes them: bbox=(west, south, east, north), grid_level=4, ...

    Raises
    ------
    UserError
        The source is an address without a key, or has no reference system; or the server refuses, and says why.
    GeoGridError
        The server cannot be reached.
    """

    layer: ClassVar[str]
    id_column: ClassVar[str] = ""
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = geoGridLayer("{{ this.layer }}", {{ this.data_json }}, {{ this.colours_json }});
        {% endmacro %}
        """
    )

    def __init__(
        self,
        source: Source = None,
        key: str | None = None,
        *,
        theme: Theme = "light",
        lang: Lang = "zh",
        show: bool = True,
        **parameters: Any,
    ) -> None:
        named = REGISTRY[self.layer]
        super().__init__(name=named.title_zh if lang == "zh" else named.title_en, overlay=True, show=show)
        self._name = type(self).__name__
        self.is_live = source is None
        self.theme, self.colours_json = theme, as_json(LOOKS[theme])
        if isinstance(source, str):
            if key is None:
                message = f"{source} is asked with an API key: key=..., made by `geo-grid key add`"
                raise UserError(message)
            source = Client(source, key)
        frame = source.read(self.layer, **parameters) if isinstance(source, Client) else source
        self._bounds, self.data_json = (None, "null") if frame is None else _drawn(frame, self.id_column)

    def render(self, **kwargs: Any) -> None:
        """Render it; a live one is left to the script of its page."""
        if self.is_live:
            if not isinstance(self._parent, CityMap):
                message = f"{self._name} needs a GeoDataFrame or a server: {self._name}(frame), {self._name}(url, key)"
                raise UserError(message)
            return
        root = self.get_root()
        if isinstance(root, Figure):
            root.header.add_child(Text(_shapes()), name="geo_grid_shapes")
        super().render(**kwargs)

    def _get_self_bounds(self) -> list[list[float | None]]:
        """Return south-west and north-east as lat, lon in degrees, as Folium's `fit_bounds` wants them."""
        if self._bounds is None:
            return [[None, None], [None, None]]
        west, south, east, north = self._bounds
        return [[south, west], [north, east]]


def _drawn(frame: "gpd.GeoDataFrame", id_column: str) -> tuple[tuple[float, ...] | None, str]:
    """Return the bounds of rows in degrees, and their GeoJSON."""
    import json

    if frame.crs is None:
        message = "the GeoDataFrame has no reference system: frame.set_crs(...) says which one it is in"
        raise UserError(message)
    shown = frame if frame.crs.to_epsg() in _DEGREES else frame.to_crs(4326)
    if id_column in shown.columns:
        shown = shown.set_index(id_column, drop=False)
    data = json.loads(shown.to_json(default=str))  # what JSON has no form for, such as times
    return (tuple(shown.total_bounds.tolist()) if len(shown) else None), as_json(data)


class GridCells(CityLayer):
    """Grid cells 网格."""

    layer, id_column = "grid_cells", "grid_code"


class PatrolZones(CityLayer):
    """Patrol zones and segments 治安巡控责任区."""

    layer, id_column = "patrol_zones", "zone_code"


class ResponseCircles(CityLayer):
    """Response circles 响应圈."""

    layer = "response_circles"


class PolicePosts(CityLayer):
    """Police posts 警务站."""

    layer, id_column = "police_posts", "post_code"


class PatrolUnits(CityLayer):
    """Patrol units 巡逻力量."""

    layer, id_column = "patrol_units", "unit_code"


class Cameras(CityLayer):
    """Cameras 摄像机."""

    layer, id_column = "cameras", "gb28181_id"


class Facilities(CityLayer):
    """Facilities 设施."""

    layer, id_column = "facilities", "facility_code"


class Incidents(CityLayer):
    """Incidents 警情."""

    layer, id_column = "incidents", "incident_id"


class RoadClosures(CityLayer):
    """Road closures 道路封闭."""

    layer = "road_closures"


class LiveCoverage(MacroElement):
    """What units reach now, and holes; only live."""

    layer: ClassVar[str] = "live_coverage"
    is_live = True

    def __init__(self) -> None:
        super().__init__()
        self._name = "LiveCoverage"

    def render(self, **_: Any) -> None:
        """Leave it to the script of its page."""


class Legend(Verbatim):
    """What the colours of layers on a map in a notebook mean.

    Parameters
    ----------
    layers
        The layers, from the top; titles are theirs.
    """

    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <div style="position: absolute; right: 10px; bottom: 24px; z-index: 1000; padding: 8px 12px; border-radius: 4px;
                    background: rgba(255, 255, 255, 0.92); color: #1b2733; font: 13px/1.5 sans-serif">
        {% for colour, title in this.rows %}
        <div><i style="display: inline-block; width: 12px; height: 12px; margin-right: 8px; background: {{ colour }}">
        </i>{{ title|e }}</div>
        {% endfor %}
        </div>
        {% endmacro %}
        """
    )

    def __init__(self, *layers: CityLayer) -> None:
        super().__init__()
        self._name = "Legend"
        self.rows = [row for one in layers for row in _rows(one)]


def _rows(layer: CityLayer) -> list[tuple[str, str]]:
    look = LOOKS[layer.theme]
    colour = look.get(layer.layer, look["label"])
    title = layer.layer_name
    if isinstance(colour, dict):  # of circles, by minutes
        return [(one, f"{title} {tier} min") for tier, one in colour.items()]
    return [(colour if isinstance(colour, str) else colour[0], title)]


class Panel(Verbatim):
    """A box of lines of text over a map: what it shows, when and from where."""

    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <div style="position: absolute; left: 60px; top: 10px; z-index: 1000; padding: 8px 14px; border-radius: 4px;
                    background: rgba(255, 255, 255, 0.92); color: #1b2733; font: 13px/1.5 sans-serif">
        <b>{{ this.title|e }}</b>
        {% for line in this.lines %}<div>{{ line|e }}</div>{% endfor %}
        </div>
        {% endmacro %}
        """
    )

    def __init__(self, title: str, *lines: str) -> None:
        super().__init__()
        self._name = "Panel"
        self.title, self.lines = title, lines


class BaseTiles(JSCSSMixin, MacroElement):
    """The base map of a `CityMap`: our own vector tiles, and one from elsewhere where there is one."""

    _template = Template("")
    default_js: ClassVar = [("protomaps_leaflet", "/static/vendor/protomaps-leaflet/protomaps-leaflet.js")]

    def __init__(self, has_own: bool, external: ExternalBase | None = None) -> None:
        super().__init__()
        self._name = "BaseTiles"
        self.options = {"hasBaseMap": has_own, "externalBase": vars(external) if external else None}


class Drawing(JSCSSMixin, MacroElement):
    """Lines and areas can be drawn on a `CityMap`."""

    _template = Template("")
    default_js: ClassVar = [("geoman", "/static/vendor/leaflet-geoman/leaflet-geoman.js")]
    default_css: ClassVar = [("geoman_css", "/static/vendor/leaflet-geoman/leaflet-geoman.css")]


class PageHead(Verbatim):
    """The head of a `CityMap`'s page, after all that its elements load."""

    _template = Template(
        """
        {% macro header(this, kwargs) %}{{ this.head }}{% endmacro %}
        {% macro html(this, kwargs) %}<script>document.documentElement.lang = "{{ this.lang }}"</script>{% endmacro %}
        """
    )

    def __init__(self, head: str, lang: Lang) -> None:
        super().__init__()
        self._name = "PageHead"
        self.head, self.lang = head, lang


class _Fit(MacroElement):
    """Shows a box of the map: between panels, but for a narrow window, where they lie above and below it (planner.css)."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {{ this._parent.get_name() }}.fitBounds({{ this.box }}, innerWidth > 1100 ?
          { paddingTopLeft: [{{ this.margins[0] }}, 24], paddingBottomRight: [{{ this.margins[1] }}, 24] } : { padding: [8, 8] });
        {% endmacro %}
        """
    )

    def __init__(self, box: list[list[float]], margins: tuple[int, int]) -> None:
        super().__init__()
        self._name = "Fit"
        self.box, self.margins = box, margins


class CityMap(folium.Map):
    """An empty map of the city for a page of a server: it loads nothing from elsewhere.

    Parameters
    ----------
    bounds
        West, south, east, north in degrees; None: of a city without cells.
    margins
        Pixels at its left and right that panels cover.
    """

    default_js: ClassVar = [("leaflet", "/static/vendor/leaflet/leaflet.js")]
    default_css: ClassVar = [("leaflet_css", "/static/vendor/leaflet/leaflet.css")]

    def __init__(self, bounds: tuple[float, float, float, float] | None, margins: tuple[int, int] = (24, 24)) -> None:
        west, south, east, north = bounds or NOWHERE
        super().__init__(
            location=[(south + north) / 2, (west + east) / 2],
            tiles=None,
            zoom_start=9,
            prefer_canvas=True,
            zoom_snap=0.5,
            zoom_control="bottomright",
            zoom_animation=False,  # Leaflet ignores moves during an animation, and scripts move the map at the start
            attributionControl=False,
        )
        self.add_child(_Fit([[south, west], [north, east]], margins))

    def with_parts(self, *parts: MacroElement | None) -> Self:
        """Add elements, the layers from the lowest; None is left out."""
        for part in parts:
            if part is not None:
                self.add_child(part)
        return self

    def as_page(self, name: str, title: str, lang: Lang, options: dict[str, Any]) -> str:
        """Render the page as HTML.

        Parameters
        ----------
        name
            Name of its script in static/js and of its stylesheet in static/css.
        title
            Of the window; the script takes its own from `options`.
        options
            Data for the script, with what the elements add: the layers that are live, and the base maps.
        """
        parts = list(self._children.values())
        shown = [one.layer for one in parts if isinstance(one, CityLayer | LiveCoverage) and one.is_live]
        grounds = {key: value for one in parts if isinstance(one, BaseTiles) for key, value in one.options.items()}
        data = {**options, **grounds, "lang": lang, "shown": shown, "map": self.get_name()}
        self.add_child(PageHead(head_of(name, name, f"{title} · geo_grid", data), lang))
        page: str = self.get_root().render()
        return page
