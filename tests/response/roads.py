"""Real roads for tests: the extracts of Liechtenstein and Heidelberg as road graphs, and places on their roads."""

import hashlib
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import osmium
import shapely
from osmium.filter import KeyFilter
from osmium.geom import WKBFactory

from geo_grid.response import build_graph

_DRIVEN = {
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link",
    "tertiary", "tertiary_link", "unclassified", "residential", "living_street",
}  # fmt: skip


_KEPT = tempfile.TemporaryDirectory(prefix="geo_grid_graphs_")
"""Graphs that tests only read, built once in a process."""


@cache
def graph_of(extract: Path, folder: Path = Path(_KEPT.name)) -> Path:
    return build_graph(extract, folder / extract.name, hashlib.sha256(extract.read_bytes()).hexdigest())


@cache
def driven_roads(extract: Path) -> np.ndarray:
    """Centre lines of roads that vehicles use, lon, lat."""
    factory, lines = WKBFactory(), []
    ways = osmium.FileProcessor(str(extract)).with_locations().with_filter(KeyFilter("highway"))
    for found in ways:
        if found.is_way() and found.tags["highway"] in _DRIVEN and found.tags.get("access") not in {"no", "private"}:
            try:
                lines.append(shapely.from_wkb(factory.create_linestring(found)))
            except (RuntimeError, osmium.InvalidLocationError):
                continue
    return np.array(lines)


def places_on_roads(extract: Path, count: int, rng: np.random.Generator) -> np.ndarray:
    """Places spread evenly over the length of all roads, n by lon, lat."""
    lines = driven_roads(extract)
    length = shapely.length(lines)
    chosen = lines[rng.choice(len(lines), count, p=length / length.sum())]
    return shapely.get_coordinates(shapely.line_interpolate_point(chosen, rng.random(count), normalized=True))
