"""The demo city's roads: a planar network that joins every finest cell, written as a genuine OpenStreetMap extract.

The cells' middles are joined as a Gabriel graph (Gabriel and Sokal, 1969: two places are neighbours when no other lies
in the circle over their line), which is planar and connected. Shortest ways between the seats of counties become
primary roads, those between the seats of townships secondary ones; the rest are streets in towns and country roads.
"""

from pathlib import Path
from typing import Any

import numpy as np
import osmium
from numpy.typing import NDArray
from osmium.osm.mutable import Node, Way
from pandas import DataFrame
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import Delaunay, cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_KM_PER_DEGREE = 111.2
_LOCAL, _BETWEEN_TOWNSHIPS, _BETWEEN_COUNTIES = 0, 1, 2
_SPEED_KMH = {"primary": 70, "secondary": 60, "unclassified": 40, "residential": 30}
_SOURCE = "geo_grid demo"


def write_roads(leaves: DataFrame, path: Path) -> int:
    """Write the roads of the demo city (`City.leaves`) as .osm.pbf; return how many. The same city gives the same roads."""
    places = leaves[["lon", "lat"]].to_numpy()
    flat = places * [np.cos(np.radians(places[:, 1].mean())), 1.0] * _KM_PER_DEGREE
    edges = gabriel(flat)
    seats = leaves.loc[leaves.groupby("township")["households"].idxmax()]
    of_county = seats.loc[seats.groupby(seats["township"].str[:6])["households"].idxmax()]
    rank = np.zeros(len(edges), dtype=int)
    for level, chosen in ((_BETWEEN_TOWNSHIPS, seats), (_BETWEEN_COUNTIES, of_county)):
        rank[_between(flat, edges, chosen.index.to_numpy())] = level
    is_street = leaves["is_urban"].to_numpy()[edges].all(axis=1)
    classes = np.where(is_street, "residential", "unclassified").astype(object)
    classes[rank == _BETWEEN_TOWNSHIPS], classes[rank == _BETWEEN_COUNTIES] = "secondary", "primary"
    path.unlink(missing_ok=True)
    header = osmium.io.Header()
    header.set("generator", _SOURCE)
    with osmium.SimpleWriter(str(path), header=header) as writer:
        for number, (lon, lat) in enumerate(places, 1):
            writer.add_node(Node(id=number, location=(float(lon), float(lat)), version=1))
        for number, ((begin, end), road_class) in enumerate(zip(edges, classes, strict=True), 1):
            tags = {"highway": road_class, "maxspeed": str(_SPEED_KMH[road_class]), "source": _SOURCE}
            writer.add_way(Way(id=number, nodes=[int(begin) + 1, int(end) + 1], tags=tags, version=1))
    return len(edges)


def gabriel(points: Floats) -> Ints:
    """Return the n pairs of a Gabriel graph of points on a plane, each pair and all of them in order."""
    triangles = Delaunay(points).simplices
    pairs = np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), axis=1)
    pairs = np.unique(pairs, axis=0)
    middle = points[pairs].mean(axis=1)
    half = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T) / 2
    nearest, _ = cKDTree(points).query(middle)
    found: Ints = pairs[nearest >= half * (1 - 1e-9)]
    return found


def _between(points: Floats, edges: Ints, seats: Ints) -> NDArray[Any]:
    """Return the numbers of the edges on the shortest ways between neighbouring seats."""
    length = np.hypot(*(points[edges[:, 0]] - points[edges[:, 1]]).T)
    size = len(points)
    graph = csr_matrix(
        (np.tile(length, 2), (np.r_[edges[:, 0], edges[:, 1]], np.r_[edges[:, 1], edges[:, 0]])), (size,) * 2
    )
    _, before = dijkstra(graph, indices=seats, return_predecessors=True)
    number = {(int(a), int(b)): index for index, (a, b) in enumerate(edges)}
    chosen: set[int] = set()
    for a, b in gabriel(points[seats]):
        at = int(seats[b])
        while at != seats[a]:
            previous = int(before[a, at])
            chosen.add(number[min(at, previous), max(at, previous)])
            at = previous
    return np.array(sorted(chosen))
