"""Map pages, built with Folium."""

from geo_grid.maps.page import plain_page
from geo_grid.maps.wall import CityView, city_view, features_map, wall_page

__all__ = ["CityView", "city_view", "features_map", "plain_page", "wall_page"]
