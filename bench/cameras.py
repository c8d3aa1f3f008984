"""Cameras of the full-size demo city: import, tiles, states, what they see, coverage, and the desk; the last line is JSON.

- import_s: 62,000 rows into an empty database, with their cells and zones, from whatever form takes longest of import_catalogue_s
  (GB/T 28181), import_csv_s, import_excel_s and import_viid_s (GA/T 1400); catalogue_read_s of them until the reader has the rows.
- catalogue_items_per_s, catalogue_sync_s, notified_events_per_s: a lower platform over SIP, see bench/lower_platforms.py.
- tile_kb_max: the largest tile of cameras, uncompressed, of 200 in which there are most, zoom 10 to 17.
- state_events_per_s: states that are written, half of them changes, in batches of 500 over HTTP by two callers, as many as they
  can; locate_p99_ratio: the 99th percentile of GET /locate while 2,000 a second are written, by that before.
- views_s, coverage_s: what all cameras see, and how much of each innermost cell, from nothing.
- first_picture_s and others: in a browser, see bench/feeds.py.
- desk_cameras_p50_ms, desk_cameras_p99_ms: the question of the desk about cameras, in the database, with the rights of a
  supervisor.
"""

import json
import os
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from bench import feeds, lower_platforms
from bench.city import CACHE, demo_city, leaf_cells, say, usual_points
from bench.serving import load, new_key, our_server
from geo_grid.access import digest_of
from geo_grid.cameras.coverage import update_coverage
from geo_grid.cameras.sight import Usual
from geo_grid.cameras.views import update_views
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.desk import QUERIES as DESK
from geo_grid.exchange import import_file
from geo_grid.files.door import read_table
from geo_grid.layers import find_layer
from geo_grid.progress import silent

_CAMERAS = (
    "select gb28181_id, name, ptz_type, azimuth_deg, range_m, owner_name, is_secret, ST_X(geom) as lon, ST_Y(geom) as lat"
    " from cameras order by camera_id"
)
_COLUMNS = ["gb28181_id", "name", "owner_name", "ptz_type", "lon", "lat"]
_ITEM = (
    "<Item><DeviceID>{gb28181_id}</DeviceID><Name>{name}</Name><Manufacturer>demo</Manufacturer><Model>IPC</Model>"
    "<Owner>{owner_name}</Owner><CivilCode>130502</CivilCode><Address>demo</Address><Parental>0</Parental>"
    "<ParentID>13050200002160000001</ParentID><SafetyWay>0</SafetyWay><RegisterWay>1</RegisterWay><Secrecy>0</Secrecy>"
    "<IPAddress>10.0.0.1</IPAddress><Port>5060</Port><Password>x</Password><Status>ON</Status>"
    "<Longitude>{lon}</Longitude><Latitude>{lat}</Latitude><Info><PTZType>{ptz_type}</PTZType></Info></Item>"
)
_USUAL = Usual(60.0, 50.0)
_BATCH, _CALLERS, _STATES_S, _LOCATE_S = 500, 2, 10, 20
_PER_S = 2_000
_QUESTIONS = 1_000


def cameras(conninfo: str) -> list[dict[str, Any]]:
    with connect(conninfo) as connection:
        return connection.execute(_CAMERAS).fetchall()


@contextmanager
def without_cameras(conninfo: str) -> Iterator[str]:
    """A copy of the city in which there are no cameras; it is dropped in the end."""
    name, admin = "bench_cameras", make_conninfo(conninfo, dbname="postgres")
    city = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    copy = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(str(city)))
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(copy)
    try:
        emptied = make_conninfo(conninfo, dbname=name)
        with connect(emptied) as connection:
            connection.execute("truncate cameras cascade")
        yield emptied
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(drop)


def import_figures(conninfo: str, rows: list[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="geo_grid_bench_") as folder:
        catalogue, table = Path(folder) / "catalogue.xml", Path(folder) / "cameras.csv"
        excel, viid = Path(folder) / "cameras.xlsx", Path(folder) / "cameras.json"
        body = "\r\n".join(_ITEM.format(**row) for row in rows)
        catalogue.write_bytes(
            f'<?xml version="1.0" encoding="GB2312"?><Response><CmdType>Catalog</CmdType><SN>1</SN><SumNum>{len(rows)}</SumNum>'
            f'<DeviceList Num="{len(rows)}">{body}</DeviceList></Response>'.encode("gb18030")
        )
        table.write_text(
            ",".join(_COLUMNS)
            + "\n"
            + "".join("{gb28181_id},{name},{owner_name},{ptz_type},{lon},{lat}\n".format(**row) for row in rows)
        )
        pd.DataFrame(rows)[_COLUMNS].to_excel(excel, index=False)
        viid.write_text(json.dumps({"APEListObject": {"APE": [
            {"ApeID": row["gb28181_id"], "Name": row["name"], "Longitude": row["lon"], "Latitude": row["lat"], "IsOnline": "1"}
            for row in rows
        ]}}))  # fmt: skip
        began = time.perf_counter()
        read_table(catalogue)
        found["catalogue_read_s"] = round(time.perf_counter() - began, 2)
        for figure, path in (
            ("import_catalogue_s", catalogue),
            ("import_csv_s", table),
            ("import_excel_s", excel),
            ("import_viid_s", viid),
        ):
            with without_cameras(conninfo) as emptied:
                began = time.perf_counter()
                with connect(emptied) as connection:
                    report = import_file(connection, find_layer("cameras"), path, silent, "EPSG:4490")
                found[figure] = round(time.perf_counter() - began, 1)
            say(f"{report.imported} of {report.rows} from {path.name}: {found[figure]} s")
    return {"import_s": max(took for name, took in found.items() if name.startswith("import_")), **found}


def sight_figures(conninfo: str) -> dict[str, float]:
    with connect(conninfo) as connection:
        connection.execute("delete from camera_views")
        began = time.perf_counter()
        done, _ = update_views(connection, _USUAL)
        views_s = time.perf_counter() - began
        began = time.perf_counter()
        cells = update_coverage(connection)
        coverage_s = time.perf_counter() - began
        connection.execute("analyze camera_views")
        connection.execute("analyze camera_states")
    say(f"{done.drawn} views, {done.cut} of them cut; {cells} cells")
    return {"views_s": round(views_s, 1), "coverage_s": round(coverage_s, 1)}


def desk_figures(conninfo: str, key: str) -> dict[str, float]:
    points = usual_points(leaf_cells(conninfo), _QUESTIONS)
    took = []
    as_application = make_conninfo(conninfo, user=APPLICATION_ROLE)
    with psycopg.connect(as_application, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("select set_config('geo_grid.credential', %s, false)", (digest_of(key),))
        for lon, lat in points.xy.tolist():
            began = time.perf_counter()
            connection.execute(DESK["cameras"], {"lon": lon, "lat": lat}).fetchall()
            took.append((time.perf_counter() - began) * 1000)
    p50, p99 = np.percentile(took[50:], [50, 99])
    return {"desk_cameras_p50_ms": round(float(p50), 2), "desk_cameras_p99_ms": round(float(p99), 2)}


def tile_figures(conninfo: str, url: str, key: str) -> dict[str, float]:
    largest = 0
    for zoom in (10, 11, 12, 13, 14, 15, 16, 17):
        tiles = f"""
            select floor((ST_X(geom) + 180) / 360 * {2**zoom})::int as x,
                   floor((1 - asinh(tan(radians(ST_Y(geom)))) / pi()) / 2 * {2**zoom})::int as y, count(*) as n
            from cameras group by 1, 2 order by n desc limit 25"""
        with connect(conninfo) as connection:
            for row in connection.execute(tiles).fetchall():
                address = f"{url}/collections/cameras/tiles/WebMercatorQuad/{zoom}/{row['y']}/{row['x']}"
                asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    largest = max(largest, len(answer.read()))
    return {"tile_kb_max": round(largest / 1000, 1)}


def written(url: str, key: str, ids: list[str], seconds: float, per_s: float | None = None) -> float:
    """Report states by two callers, in turn and evenly, or as many as they can; return how many a second were written."""
    counts, began = [0] * _CALLERS, time.monotonic()

    def report(number: int) -> None:
        chosen = random.Random(number)
        while (now := time.monotonic() - began) < seconds:
            if per_s is not None and (due := (counts[number] * _CALLERS + number * _BATCH) / per_s) > now:
                time.sleep(due - now)
            states = [
                {"gb28181_id": one, "state": chosen.choice(("online", "offline"))} for one in chosen.sample(ids, _BATCH)
            ]
            asked = urllib.request.Request(
                f"{url}/cameras/states", json.dumps({"states": states}).encode(),
                {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            )  # fmt: skip
            with urllib.request.urlopen(asked, timeout=60) as answer:
                answer.read()
            counts[number] += _BATCH

    callers = [threading.Thread(target=report, args=(number,)) for number in range(_CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return sum(counts) / (time.monotonic() - began)


def state_figures(url: str, key: str, ids: list[str], paths: list[str]) -> dict[str, float]:
    most = written(url, key, ids, _STATES_S)
    load(url, paths, 3, key=key)
    alone = load(url, paths, _LOCATE_S, 200, key)["p99_ms"]
    beside: list[float] = []
    asking = threading.Thread(target=lambda: beside.append(load(url, paths, _LOCATE_S, 200, key)["p99_ms"]))
    asking.start()
    per_s = written(url, key, ids, _LOCATE_S + 2, _PER_S)
    asking.join()
    return {
        "state_events_per_s": round(most), "state_events_per_s_beside": round(per_s), "locate_p99_alone_ms": alone,
        "locate_p99_beside_ms": beside[0], "locate_p99_ratio": round(beside[0] / alone, 2),
    }  # fmt: skip


def main() -> None:
    os.environ["GEO_GRID_RATE_LIMIT"] = "1000000/second"
    with demo_city() as conninfo:
        rows = cameras(conninfo)
        found = import_figures(conninfo, rows) | sight_figures(conninfo)
        key = new_key(conninfo)
        found |= desk_figures(conninfo, key)
        points = usual_points(leaf_cells(conninfo), 2_000).xy.tolist()
        paths = [f"/locate?lon={lon}&lat={lat}" for lon, lat in points]
        ids = [row["gb28181_id"] for row in rows if not row["is_secret"]]
        with our_server(conninfo, CACHE / "served") as url:
            found |= tile_figures(conninfo, url, key) | state_figures(url, key, ids, paths)
            found |= lower_platforms.notified_figures(conninfo, url, key, ids, paths)
        with without_cameras(conninfo) as emptied:
            found |= lower_platforms.catalogue_figures(emptied, [_ITEM.format(**row).encode("gb18030") for row in rows])
    found |= feeds.figures()
    print(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
