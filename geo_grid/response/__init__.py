"""Response circles: what a post reaches within 1, 3 and 5 minutes, on roads where they are known."""

from geo_grid.response.build import build_circles, build_circles_of, read_conditions
from geo_grid.response.graph import build_graph, find_graph, imported_extract
from geo_grid.response.router import Arrival, Router
from geo_grid.response.travel import Travel
from geo_grid.response.upkeep import Upkeep

__all__ = [
    "Arrival",
    "Router",
    "Travel",
    "Upkeep",
    "build_circles",
    "build_circles_of",
    "build_graph",
    "find_graph",
    "imported_extract",
    "read_conditions",
]
