"""Run by bulk.py in an environment with DuckDB and its spatial extension: joins points.parquet to cells.parquet.

Arguments: folder, threads. Prints the seconds of the fastest of three rounds; writes the pairs to pairs.parquet.
"""

import sys
import time
from pathlib import Path

import duckdb
import duckdb_extension_spatial

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
spatial = Path(duckdb_extension_spatial.__file__).parent / f"extensions/v{duckdb.__version__}/spatial.duckdb_extension"
session = duckdb.connect(config={"threads": threads})
session.execute(f"load '{spatial}'")
for name in ("points", "cells"):  # in memory, as geometry
    kept = "id" if name == "points" else "code"
    session.execute(
        f"create table {name} as select {kept}, geometry::geometry as geom from read_parquet('{folder / name}.parquet')"
    )
took = []
for _ in range(3):
    session.execute("drop table if exists pairs")
    began = time.perf_counter()
    session.execute(
        "create table pairs as select p.id, c.code from points p join cells c on ST_Intersects(c.geom, p.geom)"
    )
    took.append(time.perf_counter() - began)
session.execute(f"copy pairs to '{folder / 'pairs.parquet'}'")
print(min(took))
