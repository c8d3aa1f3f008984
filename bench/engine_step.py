"""Run by bulk.py in the environment of an engine: gives points.parquet to `Owners` there, and writes owners.parquet.

Arguments: engine, folder with points.parquet and the saved Locator `cells`.
"""

import sys
from pathlib import Path

from pyarrow import parquet

from geo_grid.locate import Locator
from geo_grid.locate.engines import Owners


def ray_step(owners: Owners, folder: Path) -> None:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    points = ray.data.read_parquet(str(folder / "points.parquet")).repartition(4)
    owned = points.map_batches(owners.table, batch_format="pyarrow", batch_size=200_000).to_pandas()
    owned.to_parquet(folder / "owners.parquet")


def sedona_step(owners: Owners, folder: Path) -> None:
    import sedona.db

    session = sedona.db.connect()
    points = session.read_parquet(str(folder / "points.parquet"))
    session.create_data_frame(owners.reader(points, cores=2)).to_view("owned")
    parquet.write_table(session.sql("select id, owner from owned").to_arrow_table(), folder / "owners.parquet")


if __name__ == "__main__":
    place = Path(sys.argv[2])
    {"ray": ray_step, "sedona": sedona_step}[sys.argv[1]](Owners(Locator.load(place / "cells")), place)
