"""Map pages, built with Folium."""

from geo_grid.maps.wall import CityView, city_view, wall_page

__all__ = ["CityView", "city_view", "wall_page"]
