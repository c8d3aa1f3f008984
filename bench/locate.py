"""Point location beside its peers in one run: `make bench-locate`. The last line is one JSON object.

Everything in process runs on one core. PostGIS joins run in one backend without parallel workers.
Peers do what their documents advise; the clock covers the join alone, not the loading of its inputs.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from bench.city import CACHE, Points, border_points, demo_city, leaf_cells, say, usual_points
from bench.serving import compare_http
from geo_grid.db import connect, copy_rows, ewkb
from geo_grid.locate import CityIndex, Locator

COPY_OFFSET = 4.0
"""Degrees; on the lattice, and wider than the city: copies of it side by side are a bigger coverage."""


def best_of(rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest of some rounds, and the last result."""
    took, result = [], None
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - began)
    return min(took), result


def smallest(point: Any, cell: Any, count: int) -> NDArray[np.int64]:
    """From pairs of point and cell number to the owner of each point: the smallest, -1 for none."""
    owner = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(owner, np.asarray(point), np.asarray(cell))
    return np.where(owner == np.iinfo(np.int64).max, -1, owner)


def by_geopandas(cells: gpd.GeoDataFrame, points: Points) -> tuple[float, NDArray[np.int64]]:
    frame = gpd.GeoDataFrame(geometry=shapely.points(points.xy), crs=4326)
    cells = cells.reset_index(drop=True)
    cells.sindex  # noqa: B018 (built before the clock starts)
    seconds, joined = best_of(2, lambda: gpd.sjoin(frame, cells[["geometry"]], predicate="intersects"))
    return seconds, smallest(joined.index, joined["index_right"], len(frame))


def by_strtree(cells: gpd.GeoDataFrame, points: Points) -> tuple[float, NDArray[np.int64]]:
    geometry = shapely.points(points.xy)
    polygons = cells.geometry.to_numpy()
    shapely.prepare(polygons)
    tree = shapely.STRtree(polygons)
    seconds, (point, cell) = best_of(2, lambda: tree.query(geometry, predicate="intersects"))
    return seconds, smallest(point, cell, len(geometry))


def by_sedona(
    cells: gpd.GeoDataFrame, points: Points, cores: int = 1
) -> tuple[float, NDArray[np.int64], dict[str, float]]:
    folder = CACHE / "join"
    folder.mkdir(parents=True, exist_ok=True)
    cells.to_parquet(folder / "cells.parquet")
    gpd.GeoDataFrame({"id": np.arange(len(points.lon))}, geometry=shapely.points(points.xy), crs=4326).to_parquet(
        folder / "points.parquet"
    )
    script = Path(__file__).with_name("sedona_join.py")
    run = subprocess.run(
        [CACHE / "sedona/bin/python", script, folder, str(cores)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DO_NOT_TRACK": "true"},
    )
    seconds = json.loads(run.stdout.splitlines()[-1])
    pairs = pd.read_parquet(folder / "pairs.parquet")
    number = pd.Series(np.arange(len(cells)), index=cells["code"])
    return min(seconds.values()), smallest(pairs["id"], number[pairs["code"]], len(points.lon)), seconds


def by_postgis(conninfo: str, cells: gpd.GeoDataFrame, points: Points) -> dict[str, tuple[float, NDArray[np.int64]]]:
    """A join on GiST indexes, and the same with cells cut small by ST_Subdivide."""
    found = {}
    with connect(conninfo) as connection:
        for statement in (
            "set local max_parallel_workers_per_gather = 0",
            "set local work_mem = '512MB'",
            "create temp table b_cells (number int, geom geometry(Polygon, 4490))",
            "create temp table b_points (id int, geom geometry(Point, 4490))",
        ):
            connection.execute(statement)
        parts, number = shapely.get_parts(cells.geometry.to_numpy(), return_index=True)
        copy_rows(connection, "b_cells", ["number", "geom"], zip(number.tolist(), ewkb(parts), strict=True))
        copy_rows(connection, "b_points", ["id", "geom"], enumerate(ewkb(shapely.points(points.xy)).tolist()))
        for statement in (
            "create temp table b_parts as select number, ST_Subdivide(geom, 16) as geom from b_cells",
            "create index on b_cells using gist (geom)",
            "create index on b_parts using gist (geom)",
            "create index on b_points using gist (geom)",
            "analyze b_cells, b_parts, b_points",
        ):
            connection.execute(statement)
        for name in ("b_cells", "b_parts"):
            began = time.perf_counter()
            connection.execute(
                f"create temp table b_{name}_owners as select p.id, min(c.number) as number"
                f" from b_points p join {name} c on ST_Intersects(c.geom, p.geom) group by p.id"
            )
            seconds = time.perf_counter() - began
            rows = connection.execute(f"select id, number from b_{name}_owners").fetchall()
            owner = smallest([row["id"] for row in rows], [row["number"] for row in rows], len(points.lon))
            found[name] = (seconds, owner)
        connection.rollback()
    return found


def growth(cells: gpd.GeoDataFrame) -> list[dict[str, float]]:
    """Build and speed for 2,000, 20,000 and 200,000 cells: a part of the city, all of it, ten copies of it."""
    polygons = cells.geometry.to_numpy()
    rows = []
    for count in (2_000, 20_000, 200_000):
        copies = -(-count // len(polygons))
        many = np.concatenate(
            [shapely.transform(polygons, lambda xy, k=k: xy - (k * COPY_OFFSET, 0)) for k in range(copies)]
        )[:count]
        codes = [f"{n:06d}" for n in range(count)]
        rounds = 1 if count > 50_000 else 3
        seconds, locator = best_of(rounds, lambda codes=codes, many=many: Locator.from_polygons(codes, many))
        points = usual_points(gpd.GeoDataFrame(geometry=many), 1_000_000)
        took, _ = best_of(3, lambda locator=locator, points=points: locator.owners(points.lon, points.lat))
        rows.append({"cells": count, "build_s": round(seconds, 2), "index_mb": round(locator.nbytes / 1e6, 1),
                     "points_per_s": round(1e6 / took)})  # fmt: skip
    return rows


def singles(locator: Locator, points: Points) -> float:
    pairs = points.xy[:300_000].tolist()
    owner = locator.owner

    def all_of_them() -> None:
        for lon, lat in pairs:
            owner(lon, lat)

    seconds, _ = best_of(3, all_of_them)
    return len(pairs) / seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, default=1_000_000)
    count = arguments.parse_args().points
    with demo_city() as conninfo:
        cells = leaf_cells(conninfo)
        vertices = statistics.fmean(shapely.get_num_coordinates(cells.geometry.to_numpy()))
        print(f"{len(cells):,} cells of {vertices:.0f} vertices, {count:,} points; one core")
        usual, border = usual_points(cells, count), border_points(cells, count)
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})
        Locator.from_geodataframe(cells, "code").owners(usual.lon[:10], usual.lat[:10])  # numba compiles or loads
        build_s, locator = best_of(3, lambda: Locator.from_geodataframe(cells, "code"))
        began = time.perf_counter()
        with connect(conninfo) as connection:
            CityIndex.compile(connection, 1)
        compile_s = time.perf_counter() - began
        results: dict[str, Any] = {}
        differences = 0
        for name, points in (("usual", usual), ("border", border)):
            ours, owner = best_of(5, lambda points=points: locator.owners(points.lon, points.lat))
            table = [("geo_grid Locator.owners", ours, owner)]
            say(f"{name} points: shapely and geopandas ...")
            table.append(("shapely STRtree.query", *by_strtree(cells, points)))
            table.append(("geopandas.sjoin", *by_geopandas(cells, points)))
            say(f"{name} points: SedonaDB ...")
            seconds, found, settings = by_sedona(cells, points)
            table.append((f"SedonaDB ({min(settings, key=settings.__getitem__)})", seconds, found))
            say(f"{name} points: PostGIS ...")
            joined = by_postgis(conninfo, cells, points)
            table.append(("PostGIS join", *joined["b_cells"]))
            table.append(("PostGIS join, ST_Subdivide", *joined["b_parts"]))
            print(f"\n{name} points{'':24}points/s  ours is x times  differences")
            for title, seconds, found in table:
                wrong = int((found != owner).sum())
                print(f"{title:34}{count / seconds:>12,.0f}{seconds / ours:>17.1f}{wrong:>13,}")
                if "Subdivide" not in title:  # cutting moves borders off the lattice: its answers may differ
                    differences += wrong
            results[name] = {title: seconds / ours for title, seconds, _ in table} | {"ours": ours}
        single, single_border = singles(locator, usual), singles(locator, border)
        print(f"\none at a time: {single:,.0f}/s, {single_border:,.0f}/s within 10 m of a border")
        print(
            f"built in {build_s:.2f} s from a GeoDataFrame, checks included; {compile_s:.2f} s from PostGIS, all levels"
        )
        for row in growth(cells):
            print(row)
        os.sched_setaffinity(0, allowed)
        http = compare_http(conninfo, usual)
    ratio = results["usual"]
    sedona = next(value for title, value in ratio.items() if title.startswith("SedonaDB"))
    print(json.dumps({
        "points_per_s": round(count / results["usual"]["ours"]),
        "points_per_s_border": round(count / results["border"]["ours"]),
        "vs_geopandas": round(ratio["geopandas.sjoin"], 1),
        "vs_sedonadb": round(sedona, 1),
        "vs_postgis": round(ratio["PostGIS join"], 1),
        "vs_postgis_subdivide": round(ratio["PostGIS join, ST_Subdivide"], 1),
        "differences": differences,
        "build_s": round(build_s, 2),
        "index_mb": round(locator.nbytes / 1e6, 1),
        "single_per_s": round(single),
        "single_border_per_s": round(single_border),
        **http,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
