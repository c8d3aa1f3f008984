"""Run by locate.py and bulk.py in SedonaDB's own environment: joins points.parquet to cells.parquet.

Arguments: folder, cores. Prints one JSON object: seconds by setting; writes the pairs of the fastest to pairs.parquet.
"""

import json
import os
import sys
import time
from pathlib import Path

import pyarrow.parquet
import sedona.db

folder, cores = Path(sys.argv[1]), int(sys.argv[2])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
session = sedona.db.connect()
session.sql(f"set datafusion.execution.target_partitions = {cores}").execute()
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
