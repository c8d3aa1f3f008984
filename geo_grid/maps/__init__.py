"""Map pages and the kit of Folium elements they are made of, and the map's styles for other programs.

Folium is loaded with what needs it: a server answers before it is there (see `api.lifetime`).
"""

import importlib
from typing import TYPE_CHECKING, Any, Literal

from geo_grid.maps.city import CityView, ExternalBase, city_view
from geo_grid.maps.looks import LOOKS, SHEET_LAYERS
from geo_grid.maps.page import plain_page
from geo_grid.maps.styles import maplibre_style, sld

if TYPE_CHECKING:
    from geo_grid.maps.elements import (
        Cameras,
        Facilities,
        GridCells,
        Incidents,
        Legend,
        Panel,
        PatrolUnits,
        PatrolZones,
        PolicePosts,
        ResponseCircles,
        RoadClosures,
    )

__all__ = [
    "LOOKS",
    "SHEET_LAYERS",
    "Cameras",
    "CityView",
    "ExternalBase",
    "Facilities",
    "GridCells",
    "Incidents",
    "Legend",
    "MapPage",
    "Panel",
    "PatrolUnits",
    "PatrolZones",
    "PolicePosts",
    "ResponseCircles",
    "RoadClosures",
    "city_view",
    "draw_page",
    "features_map",
    "maplibre_style",
    "plain_page",
    "sheet_map",
    "sld",
]

type MapPage = Literal["wall", "desk", "planner", "response", "indicators"]


def draw_page(
    name: MapPage, view: CityView, lang: Literal["zh", "en"], person: dict[str, Any], external: ExternalBase | None
) -> str:
    """Return a page with a map of the city as HTML; see `pages`."""
    from geo_grid.maps.pages import PAGES

    return PAGES[name](view, lang, person, external)


def features_map(view: CityView, title: str, lang: Literal["zh", "en"], options: dict[str, Any]) -> str:
    """Return the page of the features of one layer as HTML; see `pages`."""
    from geo_grid.maps.pages import features

    return features(view, title, lang, options)


def sheet_map(
    view: CityView, names: list[str], lang: Literal["zh", "en"], person: dict[str, Any], options: dict[str, Any]
) -> str:
    """Return the page of a sheet of paper as HTML; see `pages`."""
    from geo_grid.maps.pages import sheet

    return sheet(view, names, lang, person, options)


def __getattr__(name: str) -> Any:
    """Load the elements of the kit, and Folium with them, when the first of them is asked for (PEP 562)."""
    if name in __all__:
        return getattr(importlib.import_module("geo_grid.maps.elements"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
