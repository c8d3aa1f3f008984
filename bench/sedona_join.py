"""Run by locate.py in SedonaDB's own environment: joins points.parquet to cells.parquet on one core.

Prints one JSON object: seconds by setting; writes the pairs of the fastest to pairs.parquet.
"""

import json
import os
import sys
import time
from pathlib import Path

import pyarrow.parquet
import sedona.db

os.sched_setaffinity(0, {0})
folder = Path(sys.argv[1])
session = sedona.db.connect()
session.sql("set datafusion.execution.target_partitions = 1").execute()
for name in ("points", "cells"):
    session.read_parquet(str(folder / f"{name}.parquet")).to_memtable().to_view(name)
seconds = {}
best = None
for library in ("tg", "geos", "geo"):
    session.sql(f"set sedona.spatial_join.spatial_library = {library}").execute()
    query = "select p.id, c.code from points p join cells c on ST_Intersects(p.geometry, c.geometry)"
    took = []
    for _ in range(2):
        began = time.perf_counter()
        pairs = session.sql(query).to_arrow_table()
        took.append(time.perf_counter() - began)
    seconds[library] = min(took)
    if best is None or seconds[library] < seconds[best]:
        best = library
        pyarrow.parquet.write_table(pairs, folder / "pairs.parquet")
print(json.dumps(seconds))
