"""Tiles and pages of features: ours beside the bare query and beside tipg on the same rows; the last line is JSON."""

import json
import statistics
import sys
import time
import urllib.parse
from collections.abc import Sequence

import psycopg
from psycopg.conninfo import make_conninfo

from bench.access import Asking, compare, tile_of, township_tiles
from bench.city import CACHE, demo_city, say
from bench.serving import free_port, load, new_key, served, tipg
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.layers import REGISTRY
from geo_grid.layers.items import tile_statement, tile_values

_CLIENTS = (1, 10, 100)
_SECONDS = 4
_ZOOM = 14
_BARE = """
select ST_AsMVT(drawn, 'grid_cells', 4096, 'geom')
from (
    select ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64) as geom,
           grid_code, name, grid_level, parent_code, cell_kind, household_count, is_demo
    from grid_cells
    where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
      and grid_level = 4 and valid_to is null
) drawn
"""


def _tables_for_tipg(conninfo: str) -> None:
    """The same rows as plain tables, in the CRS tipg asks in, with the indexes it wants."""
    with connect(conninfo) as connection:
        connection.execute("drop schema if exists bench cascade")
        connection.execute("create schema bench")
        for name, key, where in (
            ("grid_cells", "grid_code", "valid_to is null and grid_level = 4"),
            ("cameras", "gb28181_id", "not is_secret"),
        ):
            connection.execute(
                f"create table bench.{name} as select {', '.join(REGISTRY[name].columns)},"
                f" ST_SetSRID(geom, 4326) as geom from {name} where {where}"
            )
            connection.execute(f"alter table bench.{name} add primary key ({key})")
            connection.execute(f"create index on bench.{name} using gist (geom)")
            connection.execute(f"analyze bench.{name}")


class Bare:
    """What a tile costs at least: one prepared ST_AsMVT on the table, by the owner, whom no policy binds."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)

    def ask(self, path: str) -> float:
        """Return the seconds until the tile was there."""
        layer, z, y, x = path.split("/")[2], *(int(part) for part in path.split("/")[-3:])
        if layer != "grid_cells" or z != _ZOOM:
            raise ValueError(path)
        begun = time.perf_counter()
        self._connection.execute(_BARE, tile_values(z, x, y), binary=True).fetchone()
        return time.perf_counter() - begun


def main() -> None:
    with demo_city() as conninfo:
        _tables_for_tipg(conninfo)
        with connect(conninfo) as connection:
            towns = connection.execute(
                "select grid_code from grid_cells where grid_level = 2 and valid_to is null order by area_m2 limit 12"
            ).fetchall()
        tiles = sorted({path for town in towns for path in township_tiles(conninfo, town["grid_code"], "grid_cells")})
        result: dict[str, float] = {}
        key = new_key(conninfo)
        environment = {
            "GEO_GRID_DATABASE_URL": conninfo,
            "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
            "GEO_GRID_STATE_DIR": str(CACHE / "served"), "GEO_GRID_RATE_LIMIT": "1000000/second",
        }  # fmt: skip
        serve = [sys.executable, "-m", "geo_grid", "serve"]
        port, cached, theirs = free_port(), free_port(), free_port()
        command, tipg_environment = tipg(conninfo, theirs)
        with (
            served(
                serve,
                {
                    **environment,
                    "GEO_GRID_PORT": str(port),
                    "GEO_GRID_TILE_CACHE_MB": "0",
                    "GEO_GRID_TILE_DISK_MB": "0",
                },
                port,
                "/readyz",
            ),
            served(serve, {**environment, "GEO_GRID_PORT": str(cached)}, cached, "/readyz") as kept,
            served(command, tipg_environment, theirs, "/collections"),
        ):
            ours, bare = compare(Asking(port, key), Bare(conninfo), tiles)
            say(f"a tile, not cached: {ours * 1e3:.2f} ms over HTTP with rights, {bare * 1e3:.2f} the query alone")
            result["tile_overhead"] = round(ours / bare, 2)

            paths = [(path, _for_tipg(path)) for path in tiles]
            result["tile_vs_tipg"] = _ratio("a tile", Asking(port, key), Asking(theirs, ""), paths)
            box = urllib.parse.quote("114.45,37.0,114.6,37.15", safe="")
            page = f"/collections/{{}}cameras/items?limit=100&bbox={box}&f={{}}"
            pages = [(page.format("", "json"), page.format("bench.", "geojson"))]
            result["items_vs_tipg"] = _ratio("100 features", Asking(port, key), Asking(theirs, ""), pages)

            asking = Asking(cached, key)
            for path in tiles:
                asking.ask(path)
            times = [asking.ask(path) for _ in range(5) for path in tiles]
            result["cached_ms"] = round(statistics.median(times) * 1e3, 2)
            for clients in _CLIENTS:
                done = load(kept, tiles, _SECONDS, key=key, connections=clients)
                say(f"cached, {clients} clients: {done['requests_per_s']:,.0f} requests/s, {done['failed']} failed")
                result[f"cached_per_s_{clients}"] = round(done["requests_per_s"])
            result |= _largest(conninfo)
    print(json.dumps(result))


def _for_tipg(path: str) -> str:
    layer, z, y, x = path.split("/")[2], *path.split("/")[-3:]
    return f"/collections/bench.{layer}/tiles/WebMercatorQuad/{z}/{x}/{y}"


def _ratio(what: str, ours: Asking, theirs: Asking, paths: Sequence[tuple[str, str]]) -> float:
    """Ask both the same, turn about in short blocks; how many times as long theirs takes."""
    other = dict(paths)

    class Theirs:
        def ask(self, path: str) -> float:
            return theirs.ask(other[path])

    mine, yours = compare(ours, Theirs(), list(other))
    say(f"{what}: {mine * 1e3:.2f} ms ours, {yours * 1e3:.2f} tipg")
    return round(yours / mine, 1)


def _largest(conninfo: str) -> dict[str, float]:
    """The largest tile of the city and the slowest, over all layers, at the zooms where there is most."""
    size, slowest = 0, 0.0
    with connect(conninfo) as connection:
        box = connection.execute(
            "select ST_XMin(e) w, ST_YMin(e) s, ST_XMax(e) e, ST_YMax(e) n from (select ST_Extent(geom) e from grid_cells) x"
        ).fetchone()
        for found in REGISTRY.values():
            statement = tile_statement(found)
            for zoom in (0, 8, 9, 10, 11, 12):
                for x, y in _covering(box, zoom):
                    begun = time.perf_counter()
                    row = connection.execute(statement, tile_values(zoom, x, y, [found]), binary=True).fetchone()
                    slowest = max(slowest, time.perf_counter() - begun)
                    size = max(size, len(row[found.name]))
    return {"largest_kb": round(size / 1000), "slowest_ms": round(slowest * 1e3)}


def _covering(box: dict[str, float], zoom: int) -> list[tuple[int, int]]:

    west, north = tile_of(box["w"], box["n"], zoom)
    east, south = tile_of(box["e"], box["s"], zoom)
    return [(x, y) for x in range(west, east + 1) for y in range(north, south + 1)]


if __name__ == "__main__":
    main()
