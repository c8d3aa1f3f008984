"""The demo city in a private PostGIS of its own, and the points that benchmarks ask about."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.coordinates import snap
from geo_grid.db import Cluster, connect, migrate
from geo_grid.demo import load_demo
from geo_grid.layers.emptiness import is_empty
from geo_grid.progress import silent

CACHE = Path(__file__).parents[1] / ".cache/bench"
LEAVES = (
    "select grid_code, ST_AsBinary(geom) as geom from grid_cells c where valid_to is null and not exists"
    " (select from grid_cells k where k.parent_code = c.grid_code and k.valid_to is null) order by grid_code"
)
_METRES_PER_DEGREE = 111_000.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def demo_city() -> Iterator[str]:
    """Connection string of the full-size demo city with 100,000 incidents; loaded once, then kept."""
    with Cluster(CACHE / "state") as cluster:
        migrate(cluster.conninfo)
        with connect(cluster.conninfo) as connection:
            if is_empty(connection):
                say("loading the demo city ...")
                load_demo(connection, silent, datetime.now(UTC), incidents=100_000, roads_dir=CACHE / "state/roads")
                connection.execute("analyze")
        yield cluster.conninfo


@dataclass(frozen=True)
class Points:
    """m points: lon, lat in degrees on the lattice."""

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]

    @property
    def xy(self) -> NDArray[np.float64]:
        return np.column_stack([self.lon, self.lat])


def leaf_cells(conninfo: str) -> gpd.GeoDataFrame:
    with connect(conninfo) as connection:
        rows = connection.execute(LEAVES).fetchall()
    geometry = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    return gpd.GeoDataFrame({"code": [row["grid_code"] for row in rows]}, geometry=geometry, crs=4326)


def usual_points(cells: gpd.GeoDataFrame, count: int, seed: int = 1) -> Points:
    """70 % within some 300 m of the middle of a random cell, so mostly in towns; 30 % anywhere in the box."""
    rng = np.random.default_rng(seed)
    clustered = count * 7 // 10
    middles = shapely.get_coordinates(shapely.centroid(cells.geometry.to_numpy()))
    near = rng.choice(middles, clustered) + rng.normal(0, 300 / _METRES_PER_DEGREE, (clustered, 2))
    west, south, east, north = cells.total_bounds
    anywhere = rng.uniform((west, south), (east, north), (count - clustered, 2))
    return Points(*snap(rng.permutation(np.vstack([near, anywhere]))).T)


def border_points(cells: gpd.GeoDataFrame, count: int, seed: int = 2) -> Points:
    """Every point within 10 m of a border: along a random edge, and up to 10 m aside."""
    rng = np.random.default_rng(seed)
    rings = shapely.get_rings(shapely.get_parts(cells.geometry.to_numpy()))
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    edge = rng.choice(np.flatnonzero(ring[1:] == ring[:-1]), count)
    along = rng.uniform(0, 1, (count, 1))
    here = vertices[edge] * (1 - along) + vertices[edge + 1] * along
    angle, metres = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, 10, count)
    east = metres * np.cos(angle) / (_METRES_PER_DEGREE * np.cos(np.radians(here[:, 1])))
    return Points(*snap(here + np.column_stack([east, metres * np.sin(angle) / _METRES_PER_DEGREE])).T)
