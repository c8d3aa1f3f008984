"""Response circles: what a post reaches within 1, 3 and 5 minutes, on roads where they are known."""

from geo_grid.response.build import (
    Batch,
    build_circles,
    build_circles_of,
    draw_circles,
    isolated_posts,
    read_conditions,
    read_posts,
    store_circles,
)
from geo_grid.response.graph import build_graph, digest_of, find_graph, imported_graph
from geo_grid.response.positions import Position, Taken, TrackPoint, take_positions, track
from geo_grid.response.ranking import Responder, closures_around, rank, reason_of
from geo_grid.response.router import Router
from geo_grid.response.service_area import ServiceArea
from geo_grid.response.travel import Travel
from geo_grid.response.upkeep import Upkeep

__all__ = [
    "Batch",
    "Position",
    "Responder",
    "Router",
    "ServiceArea",
    "Taken",
    "TrackPoint",
    "Travel",
    "Upkeep",
    "build_circles",
    "build_circles_of",
    "build_graph",
    "closures_around",
    "digest_of",
    "draw_circles",
    "find_graph",
    "imported_graph",
    "isolated_posts",
    "rank",
    "read_conditions",
    "read_posts",
    "reason_of",
    "store_circles",
    "take_positions",
    "track",
]
