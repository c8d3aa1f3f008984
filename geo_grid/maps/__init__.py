"""Map pages, built with Folium, and our look for other programs."""

from geo_grid.maps.looks import LOOKS
from geo_grid.maps.page import plain_page
from geo_grid.maps.planner import planner_page
from geo_grid.maps.response import response_page
from geo_grid.maps.styles import maplibre_style, sld
from geo_grid.maps.wall import CityView, ExternalBase, city_view, features_map, wall_page

__all__ = [
    "LOOKS",
    "CityView",
    "ExternalBase",
    "city_view",
    "features_map",
    "maplibre_style",
    "plain_page",
    "planner_page",
    "response_page",
    "sld",
    "wall_page",
]
