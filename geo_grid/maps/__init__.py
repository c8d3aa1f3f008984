"""Map pages, built with Folium, and the map's styles for other programs."""

from geo_grid.maps.looks import LOOKS
from geo_grid.maps.page import plain_page
from geo_grid.maps.styles import maplibre_style, sld
from geo_grid.maps.wall import CityView, ExternalBase, city_view, features_map, wall_page
from geo_grid.maps.workbench import DESK, INDICATORS, PLANNER, RESPONSE, workbench_page

__all__ = [
    "DESK",
    "INDICATORS",
    "LOOKS",
    "PLANNER",
    "RESPONSE",
    "CityView",
    "ExternalBase",
    "city_view",
    "features_map",
    "maplibre_style",
    "plain_page",
    "sld",
    "wall_page",
    "workbench_page",
]
