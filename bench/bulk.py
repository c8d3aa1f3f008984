"""Bulk location: both cores, sorted points, peers, engines, 100 million points from file to file: `make bench-bulk`.

Peers answer the same points and cells in the same run, with as many cores as they can use, and so do we beside each: DuckDB
and SedonaDB on two, geopandas on one. The clock covers the join alone. The last line is one JSON object.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyarrow import parquet

from bench.city import CACHE, Points, demo_city, leaf_cells, say, usual_points
from bench.locate import best_of, by_geopandas, by_sedona, smallest
from geo_grid.locate import Locator
from geo_grid.locate.engines import Owners

FOLDER = CACHE / "bulk"
MANY, AT_ONCE = 100_000_000, 10_000_000
ENGINE_POINTS = 1_000_000
WORKERS, _PARTS = 4, 32
"""Parts for each worker: what it holds of its answers is to weigh little beside the index."""


def by_duckdb(cells: gpd.GeoDataFrame, points: Points, cores: int) -> tuple[float, NDArray[np.int64]]:
    """Join in DuckDB; `by_sedona` has written the files."""
    folder = CACHE / "join"
    script = Path(__file__).with_name("duckdb_join.py")
    seconds = float(_output(CACHE / "duckdb/bin/python", script, folder, cores))
    pairs = pd.read_parquet(folder / "pairs.parquet")
    number = pd.Series(np.arange(len(cells)), index=cells["code"])
    return seconds, smallest(pairs["id"], number[pairs["code"]], len(points.lon))


def _output(*command: object) -> str:
    environment = {**os.environ, "DO_NOT_TRACK": "true", "PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return run.stdout.splitlines()[-1] if run.stdout else ""


def speeds(locator: Locator, points: Points) -> dict[str, float]:
    """Seconds of a core for points as they come, of one and of two for sorted ones; in turn, since others may be busy."""
    lon, lat = points.lon, points.lat
    pieces = len(lon) // 13_000  # so few points each that they are not sorted
    with_all = np.array_split(lon, pieces), np.array_split(lat, pieces)
    ways = {
        "unsorted": lambda: np.concatenate([*map(locator.owners, *with_all)]),
        "one": lambda: locator.owners(lon, lat),
        "two": lambda: locator.owners(lon, lat, cores=2),
    }
    took: dict[str, float] = {}
    answers = []
    for _ in range(7):
        for name, look in ways.items():
            seconds, found = best_of(1, look)
            took[name] = min(seconds, took.get(name, seconds))
            answers.append(found)
    assert all(np.array_equal(answers[0], other) for other in answers)
    return took


def engines_equal(locator: Locator, points: Points) -> dict[str, bool]:
    """Ask each engine; whether it says of each point what the Locator says."""
    folder = FOLDER / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    locator.save(folder / "cells")
    owner = locator.owners(points.lon, points.lat)
    expected = np.where(owner >= 0, locator.codes[owner], "")
    frame = pd.DataFrame({"id": np.arange(len(owner)), "lon": points.lon, "lat": points.lat})
    frame.to_parquet(folder / "points.parquet")
    owners = Owners(locator)

    def equal(owned: pd.DataFrame) -> bool:
        owned = owned.sort_values("id").reset_index(drop=True)
        said = owned["owner"].fillna("").to_numpy(str)
        return bool(np.array_equal(owned["id"].to_numpy(), frame["id"]) and np.array_equal(said, expected))

    found = {}
    for name, ask in (("dask", _by_dask), ("spark", _by_spark), ("duckdb", _in_duckdb)):
        say(f"{name} ...")
        found[name] = equal(ask(owners, frame))
    for name in ("ray", "sedona"):
        say(f"{name} ...")
        _output(CACHE / name / "bin/python", Path(__file__).with_name("engine_step.py"), name, folder)
        found[name] = equal(pd.read_parquet(folder / "owners.parquet"))
    return found


def _by_dask(owners: Owners, frame: pd.DataFrame) -> pd.DataFrame:
    owned = dd.from_pandas(frame, npartitions=4).map_partitions(owners.frame)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool, dask.config.set(pool=pool):
        return owned.compute(scheduler="processes")


def _by_spark(owners: Owners, frame: pd.DataFrame) -> pd.DataFrame:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable  # else its workers are whatever python3 comes first
    session = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "200000").getOrCreate()
    )  # fmt: skip
    given = session.createDataFrame(pa.Table.from_pandas(frame)).repartition(4)
    owned = given.mapInArrow(owners.batches, owners.spark_schema(given.schema)).toArrow().to_pandas()
    session.stop()
    return owned


def _in_duckdb(owners: Owners, frame: pd.DataFrame) -> pd.DataFrame:
    import duckdb

    connection = duckdb.connect()
    owned = owners.reader(connection.sql("from frame"), cores=2)  # noqa: F841 (DuckDB finds it by its name)
    return connection.cursor().sql("select id, owner from owned").df()


def pss_ratio(locator: Locator, points: Points) -> dict[str, float]:
    """What the index adds to the proportional memory of four workers of Dask together, over what it adds to one's.

    Workers give back first what they keep for their next answers, which is no part of the index and differs from run to run.
    """
    folder = FOLDER / "pss"
    locator.save(folder / "cells")
    Locator.from_polygons(["A"], [shapely.box(0, 0, 1, 1)]).save(folder / "small")
    small, whole = (Owners(Locator.load(folder / name)) for name in ("small", "cells"))
    frame = pd.DataFrame({"lon": points.lon, "lat": points.lat})
    grown = {}
    for workers in (1, WORKERS):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, dask.config.set(pool=pool):
            before = _pss_mb(pool, frame, small, folder / "small", workers)
            grown[workers] = _pss_mb(pool, frame, whole, folder / "cells", workers) - before
    return {
        "pss_one_worker_mb": round(grown[1], 1),
        "pss_4_workers_mb": round(grown[WORKERS], 1),
        "pss_ratio_4_workers": round(grown[WORKERS] / grown[1], 2),
    }


def _pss_mb(pool: ProcessPoolExecutor, frame: pd.DataFrame, owners: Owners, folder: Path, workers: int) -> float:
    """Proportional set size (proc_pid_smaps(5)) of all workers when each has answered with the index of a folder."""
    for begun in [pool.submit(time.sleep, 1.0) for _ in range(workers)]:  # a worker begins when no other is idle
        begun.result()
    parted = dd.from_pandas(frame, npartitions=_PARTS * workers)
    for _ in range(30):
        parted.map_partitions(owners.frame).compute(scheduler="processes", chunksize=1)
        pids = list(pool._processes)
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in pids]
        if len(pids) == workers and all(str(folder.resolve()) in mapped for mapped in maps):
            while {done.result() for done in [pool.submit(_give_back) for _ in pids]} != set(pids):
                pass
            return sum(map(_pss_of, pids)) / 1024
    message = f"not all of {workers} workers had a turn"
    raise AssertionError(message)


def _give_back() -> int:
    """Give memory back that a worker only keeps for its next answers; return who did."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    time.sleep(0.5)  # another worker takes the next
    return os.getpid()


def _pss_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def file_to_file(conninfo: str, cells: gpd.GeoDataFrame, count: int) -> dict[str, float]:
    """Locate many points by the command; seconds, and the largest memory of the process."""
    source, out = FOLDER / f"points-{count}.parquet", FOLDER / "owners.parquet"
    if not source.exists():
        say(f"writing {count:,} points ...")
        fresh = source.with_suffix(".new")
        _write_points(fresh, cells, count)
        fresh.rename(source)
    environment = {**os.environ, "GEO_GRID_DATABASE_URL": conninfo, "GEO_GRID_STATE_DIR": str(FOLDER / "state")}
    command = [sys.executable, "-m", "geo_grid", "locate", "--file", source, "--out", out]
    _timed(environment, *command[:3], "locate", "114.5", "37")  # the edition is compiled before the clock starts
    seconds, peak_mb = _timed(environment, *command)
    rows = parquet.ParquetFile(out).metadata.num_rows
    assert rows == count, rows
    size = out.stat().st_size
    out.unlink()
    return {
        "s": round(seconds, 1),
        "peak_mb": round(peak_mb),
        "in_gb": source.stat().st_size / 1e9,
        "out_gb": size / 1e9,
    }


def _write_points(path: Path, cells: gpd.GeoDataFrame, count: int) -> None:
    schema = pa.schema([("lon", pa.float64()), ("lat", pa.float64())])
    # row groups of 67 million, the largest that Arrow writes: whoever holds one in memory shows it
    whole = [usual_points(cells, min(AT_ONCE, count - start), seed=start) for start in range(0, count, AT_ONCE)]
    table = pa.concat_tables([pa.table({"lon": one.lon, "lat": one.lat}, schema) for one in whole])
    parquet.write_table(table.combine_chunks(), path, row_group_size=1 << 26, use_dictionary=False)


_MEASURED = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
"""Runs a command from a process that is small itself: what a process holds that forks counts as its child's largest memory, too."""


def _timed(environment: dict[str, str], *command: object) -> tuple[float, float]:
    """Run a command; return its seconds, and the largest memory of one of its processes in MB."""
    run = [sys.executable, "-c", _MEASURED, *map(str, command)]
    said = subprocess.run(run, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(said[0]), float(said[1])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--points", type=int, default=8_000_000)
    arguments.add_argument("--many", type=int, default=MANY)
    asked = arguments.parse_args()
    load = os.getloadavg()[0]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with demo_city() as conninfo:
        cells = leaf_cells(conninfo)
        print(f"{len(cells):,} cells; load {load:.1f} on {os.cpu_count()} cores")
        locator = Locator.from_geodataframe(cells, "code")
        points, fewer = usual_points(cells, asked.points), usual_points(cells, ENGINE_POINTS)
        locator.owners(fewer.lon, fewer.lat)  # numba compiles or loads
        took = speeds(locator, points)
        print({name: f"{asked.points / seconds:,.0f}/s" for name, seconds in took.items()})
        ours = {cores: best_of(5, lambda n=cores: locator.owners(fewer.lon, fewer.lat, cores=n)) for cores in (1, 2)}
        peers: dict[str, tuple[int, Callable[[], Any]]] = {
            "vs_sedonadb": (2, lambda: by_sedona(cells, fewer, cores=2)),
            "vs_duckdb": (2, lambda: by_duckdb(cells, fewer, cores=2)),
            "vs_geopandas": (1, lambda: by_geopandas(cells, fewer)),
        }
        ratios, differences = {}, 0
        for name, (cores, ask) in peers.items():
            say(f"{name} ...")
            seconds, found, *_ = ask()
            ratios[name] = round(seconds / ours[cores][0], 1)
            wrong = int((found != ours[cores][1]).sum())
            differences += wrong
            print(f"{name}: {ENGINE_POINTS / seconds:,.0f}/s on {cores} cores, {wrong} differences")
        equal = engines_equal(locator, fewer)
        shared = pss_ratio(locator, fewer)
        print(shared)
        say(f"{asked.many:,} points from file to file ...")
        filed = file_to_file(conninfo, cells, asked.many)
        print(filed)
    print(json.dumps({
        "points_per_s_2_cores": round(asked.points / took["two"]),
        "points_per_s": round(asked.points / took["one"]),
        "scaling": round(took["one"] / took["two"], 2),
        "sorted_vs_random": round(took["unsorted"] / took["one"], 2),
        **ratios,
        "differences": differences,
        f"parquet_{asked.many // 1_000_000}m_s": filed["s"],
        "peak_mb": filed["peak_mb"],
        **{f"{name}_equal": same for name, same in equal.items()},
        **shared,
        "load": round(load, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
