"""Colours, widths and sizes of everything on the map in a dark and a light theme, for our pages and for other programs."""

from typing import Any, Literal

type Theme = Literal["dark", "light"]

# sections of a theme: the base map, and the layers on it; colours are CSS
LOOKS: dict[Theme, dict[str, Any]] = {
    "dark": {
        "background": "#07111c", "water": "#10304d", "waterway": "#1b4a72", "green": "#0f2a20", "farmland": "#0f211c",
        "built_up": "#10202f", "building": "#1c3044", "railway": "#4a5a6c", "motorway": "#8a6a3c", "major": "#54708c",
        "middle": "#3a5470", "minor": "#24384d", "path": "#1e3042", "label": "#a9bdd0", "halo": "#07111c",
        "grid_cells": ["#5fb4ff", "#4aa3f0", "#3f8fd6", "#3a7fbf", "#346fa8"], "grid_cell_fill": "#2b6cb0",
        "dedicated": "#e8c14a", "outline": "#9ad1ff", "patrol_zones": "#b78cff", "segment": "#e58cff",
        "response_circles": {"1": "#ff5d5d", "3": "#ffb347", "5": "#3fd0c9"},
        "police_posts": "#4d9fff", "patrol_units": "#6fe3a1", "incidents": "#ff5d5d", "cameras": "#a9c4de",
        "facilities": "#d9a7ff", "road_closures": "#ff7a1a", "registered_places": "#ffd54a",
    },
    "light": {
        "background": "#f3f1ea", "water": "#a8d1e7", "waterway": "#8fc1dc", "green": "#cbe3bf", "farmland": "#ecefd6",
        "built_up": "#e6e2da", "building": "#d3ccc2", "railway": "#9a9a9a", "motorway": "#e8963c", "major": "#f4bf6a",
        "middle": "#ffffff", "minor": "#ffffff", "path": "#d9c9a8", "label": "#333d47", "halo": "#ffffff",
        "grid_cells": ["#0b4f8a", "#14609f", "#1f6fb0", "#2b7cbd", "#3a89c9"], "grid_cell_fill": "#2b6cb0",
        "dedicated": "#b8860b", "outline": "#0b4f8a", "patrol_zones": "#6a3fc0", "segment": "#a12bc4",
        "response_circles": {"1": "#c62828", "3": "#b35c00", "5": "#00796b"},
        "police_posts": "#0b63b0", "patrol_units": "#1b7f4b", "incidents": "#c62828", "cameras": "#3b5b7a",
        "facilities": "#7b3fa8", "road_closures": "#d9480f", "registered_places": "#8a6500",
    },
}  # fmt: skip

ROAD_CLASSES = {
    "motorway": ["motorway", "motorway_link", "trunk", "trunk_link"],
    "major": ["primary", "primary_link", "secondary", "secondary_link"],
    "middle": ["tertiary", "tertiary_link", "unclassified", "residential", "living_street", "road", "busway"],
    "minor": ["service", "pedestrian"],
    "path": ["track", "path", "footway", "cycleway", "bridleway", "steps"],
}
"""Classes of OpenStreetMap by how they are drawn."""

ROAD_WIDTHS = {
    "motorway": [5, 0.8, 12, 3, 18, 22],
    "major": [7, 0.6, 12, 2, 18, 18],
    "middle": [11, 0.5, 14, 2, 18, 14],
    "minor": [13, 0.5, 18, 7],
    "path": [14, 0.5, 18, 2.5],
}
"""Width of roads: zoom, pixels, zoom, pixels, ...; exponential interpolation with base 1.4 between them."""

SHEET_LAYERS = (
    "grid_cells", "patrol_zones", "response_circles", "cameras", "facilities", "police_posts", "patrol_units", "incidents",
    "road_closures", "live_coverage",
)  # fmt: skip
"""Layers that a sheet may show, from the lowest."""
