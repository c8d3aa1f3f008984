"""Real roads for tests: the extracts of Liechtenstein and Heidelberg as road graphs, and places on their roads."""

import fcntl
import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import osmium
import shapely
import valhalla
from osmium.filter import KeyFilter
from osmium.geom import WKBFactory

from geo_grid.response import graph

_DRIVEN = {
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link",
    "tertiary", "tertiary_link", "unclassified", "residential", "living_street",
}  # fmt: skip


_KEPT = Path(__file__).parents[2] / ".cache/tests/graphs"
"""Graphs that tests only read, built once for all processes; for each version of what builds them."""


@cache
def graph_of(extract: Path) -> Path:
    builder = hashlib.sha256(valhalla.__version__.encode() + Path(graph.__file__).read_bytes()).hexdigest()[:16]
    folder = _KEPT / builder / extract.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return graph.build_graph(extract, folder, hashlib.sha256(extract.read_bytes()).hexdigest())


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
