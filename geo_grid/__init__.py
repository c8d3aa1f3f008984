"""geo_grid: the map a city's command centre runs on."""

from importlib.metadata import version

__version__ = version("geo-grid")
