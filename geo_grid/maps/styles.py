"""Styles for other programs: MapLibre styles of the whole map, and Styled Layer Descriptors of single layers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

from geo_grid.layers import REGISTRY, Layer
from geo_grid.maps.looks import LOOKS, ROAD_CLASSES, ROAD_WIDTHS, Theme

BASE = ("base_features", "roads")
"""Layers of the base map, which lies under the others."""
_OWED = "© OpenStreetMap contributors"
_AREAS = ("farmland", "built_up", "green", "water", "building")
_SLD, _OGC, _XLINK = "http://www.opengis.net/sld", "http://www.opengis.net/ogc", "http://www.w3.org/1999/xlink"


def maplibre_style(theme: Theme, address: str) -> dict[str, Any]:
    """Return the map as a MapLibre style (version 8).

    Parameters
    ----------
    address
        URL of this server, without a slash at its end, for the URLs of tiles.
    """
    over = [name for name in REGISTRY if name not in BASE]
    tiles = f"{address}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?collections="
    return {
        "version": 8,
        "name": f"geo_grid {theme}",
        "sources": {
            "base": {"type": "vector", "tiles": [tiles + ",".join(BASE)], "maxzoom": 16, "attribution": _OWED},
            "city": {"type": "vector", "tiles": [tiles + ",".join(over)], "maxzoom": 18},
        },
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": LOOKS[theme]["background"]}},
            *_base_layers(theme),
            *(layer for name in over for layer in _city_layers(theme, name)),
        ],
    }


def _base_layers(theme: Theme) -> Iterator[dict[str, Any]]:
    look = LOOKS[theme]

    def of_kind(kind: str, form: str, paint: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": kind, "type": form, "source": "base", "source-layer": "base_features",
            "filter": ["==", ["get", "feature_kind"], kind], "paint": paint,
        }  # fmt: skip

    for kind in _AREAS:
        yield of_kind(kind, "fill", {"fill-color": look[kind]})
    yield of_kind("waterway", "line", {"line-color": look["waterway"], "line-width": _by_zoom([8, 0.6, 18, 8])})
    yield of_kind("railway", "line", {"line-color": look["railway"], "line-width": _by_zoom([9, 0.6, 18, 4])})
    for kind, classes in reversed(ROAD_CLASSES.items()):
        yield {
            "id": f"roads-{kind}", "type": "line", "source": "base", "source-layer": "roads",
            "filter": ["in", ["get", "road_class"], ["literal", classes]],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {"line-color": look[kind], "line-width": _by_zoom(ROAD_WIDTHS[kind])},
        }  # fmt: skip


def _by_zoom(stops: list[float]) -> list[Any]:
    return ["interpolate", ["exponential", 1.4], ["zoom"], *stops]


def _city_layers(theme: Theme, name: str) -> Iterator[dict[str, Any]]:
    look = LOOKS[theme]
    source = {"source": "city", "source-layer": name, "minzoom": REGISTRY[name].min_zoom}
    if name == "grid_cells":
        colour = ["match", ["get", "cell_kind"], "dedicated", look["dedicated"], look["grid_cell_fill"]]
        yield {"id": "grid_cells-fill", "type": "fill", **source, "paint": {"fill-color": colour, "fill-opacity": 0.12}}
        lines = [part for level, colour in enumerate(look["grid_cells"], 1) for part in (level, colour)]
        paint = {"line-color": ["match", ["get", "grid_level"], *lines, look["grid_cells"][-1]], "line-width": 1.2}
        yield {"id": "grid_cells", "type": "line", **source, "paint": paint}
    elif name == "patrol_zones":
        is_segment = ["==", ["get", "zone_kind"], "segment"]
        area = {"line-color": look["patrol_zones"], "line-width": 2, "line-dasharray": [3.5, 2.5]}
        yield {
            "id": "patrol_zones",
            "type": "line",
            **source,
            "filter": ["!", is_segment],
            "minzoom": 11,
            "paint": area,
        }
        line = {"line-color": look["segment"], "line-width": 3}
        yield {
            "id": "patrol_zones-segment",
            "type": "line",
            **source,
            "filter": is_segment,
            "minzoom": 11,
            "paint": line,
        }
    elif name == "response_circles":
        lines = [part for tier, colour in look[name].items() for part in (int(tier), colour)]
        paint = {"line-color": ["match", ["get", "tier_minutes"], *lines, look[name]["5"]], "line-width": 1.4}
        yield {"id": name, "type": "line", **source, "paint": paint}
    else:
        paint = {
            "circle-color": look.get(name, look["label"]), "circle-stroke-color": look["halo"], "circle-stroke-width": 1,
            # the radius of a cluster grows with the logarithm of its number of points
            "circle-radius": ["+", 4, ["*", 3, ["log10", ["coalesce", ["get", "point_count"], 1]]]],
        }  # fmt: skip
        yield {"id": name, "type": "circle", **source, "paint": paint}


def sld(layers: Iterable[Layer], theme: Theme) -> str:
    """Return the style of layers as a Styled Layer Descriptor (OGC 02-070, version 1.0.0), which QGIS and GeoServer read."""
    for prefix, uri in (("sld", _SLD), ("ogc", _OGC), ("xlink", _XLINK)):
        ET.register_namespace(prefix, uri)
    root = ET.Element(f"{{{_SLD}}}StyledLayerDescriptor", {"version": "1.0.0"})
    for layer in layers:
        named = _put(root, "NamedLayer")
        _put(named, "Name", layer.name)
        style = _put(named, "UserStyle")
        _put(style, "Title", f"{layer.title_zh} {layer.title_en} ({theme})")
        kind = _put(style, "FeatureTypeStyle")
        for column, value, draw in _rules(layer.name, LOOKS[theme]):
            rule = _put(kind, "Rule")
            _put(rule, "Name", layer.title_en if value is None else f"{column} {value}")
            if value is not None:
                equal = ET.SubElement(ET.SubElement(rule, f"{{{_OGC}}}Filter"), f"{{{_OGC}}}PropertyIsEqualTo")
                ET.SubElement(equal, f"{{{_OGC}}}PropertyName").text = column
                ET.SubElement(equal, f"{{{_OGC}}}Literal").text = str(value)
            draw(rule)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


type _Draw = Callable[[ET.Element], None]


def _rules(name: str, look: dict[str, Any]) -> Iterator[tuple[str, Any, _Draw]]:
    """Yield the column, its value (None: all) and the symbol of each rule."""
    if name == "grid_cells":
        for level, colour in enumerate(look[name], 1):
            yield "grid_level", level, _polygon(look["grid_cell_fill"], 0.1, colour, 1.2)
    elif name == "patrol_zones":
        yield "zone_kind", "area", _line(look[name], 2, "7 5")
        yield "zone_kind", "segment", _line(look["segment"], 3)
    elif name == "response_circles":
        for tier, colour in look[name].items():
            yield "tier_minutes", int(tier), _polygon(colour, 0.03, colour, 1.4)
    elif name == "roads":
        for kind, classes in ROAD_CLASSES.items():
            for one in classes:
                yield "road_class", one, _line(look[kind], ROAD_WIDTHS[kind][3])
    elif name == "base_features":
        for kind in _AREAS:
            yield "feature_kind", kind, _polygon(look[kind], 1, look[kind], 0.2)
        for kind in ("waterway", "railway"):
            yield "feature_kind", kind, _line(look[kind], 1)
        yield "feature_kind", "place", _point(look["label"], 5)
    else:
        yield "", None, _point(look.get(name, look["label"]), 8)


def _put(parent: ET.Element, tag: str, /, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, f"{{{_SLD}}}{tag}", attributes)
    made.text = text
    return made


def _css(parent: ET.Element, group: str, **values: Any) -> None:
    made = _put(parent, group)
    for name, value in values.items():
        _put(made, "CssParameter", str(value), name=name.replace("_", "-"))


def _polygon(fill: str, opacity: float, stroke: str, width: float) -> _Draw:
    def draw(rule: ET.Element) -> None:
        symbol = _put(rule, "PolygonSymbolizer")
        _css(symbol, "Fill", fill=fill, fill_opacity=opacity)
        _css(symbol, "Stroke", stroke=stroke, stroke_width=width)

    return draw


def _line(stroke: str, width: float, dashes: str | None = None) -> _Draw:
    def draw(rule: ET.Element) -> None:
        more = {"stroke_dasharray": dashes} if dashes else {}
        _css(_put(rule, "LineSymbolizer"), "Stroke", stroke=stroke, stroke_width=width, **more)

    return draw


def _point(fill: str, size: float) -> _Draw:
    def draw(rule: ET.Element) -> None:
        graphic = _put(_put(rule, "PointSymbolizer"), "Graphic")
        mark = _put(graphic, "Mark")
        _put(mark, "WellKnownName", "circle")
        _css(mark, "Fill", fill=fill)
        _put(graphic, "Size", str(size))

    return draw
