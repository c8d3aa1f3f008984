"""What log-in and rights by row cost: our server with them and without, the same questions, turn about.

The last line is JSON: time of an answer with, over time without. Ratios of the whole city and of one township.
"""

import itertools
import json
import math
import re
import socket
import statistics
import sys
import time
from typing import Protocol

from psycopg.conninfo import make_conninfo

from bench.city import CACHE, demo_city, leaf_cells, say, usual_points
from bench.serving import free_port, new_key, served
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE

_TURNS, _EACH = 150, 20
_ZOOM = 14


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Column and row of the tile that holds a point; degrees."""
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return int((lon + 180) / 360 * 2**zoom), int(row * 2**zoom)


def township_tiles(conninfo: str, township: str, layer: str) -> list[str]:
    """The paths of the tiles that hold the middles of a township's communities."""
    with connect(conninfo) as connection:
        rows = connection.execute(
            "select ST_X(p) as lon, ST_Y(p) as lat from (select ST_PointOnSurface(geom) as p from grid_cells"
            " where parent_code = %s and valid_to is null) inside",
            (township,),
        ).fetchall()
    places = {tile_of(r["lon"], r["lat"], _ZOOM) for r in rows}
    return [f"/collections/{layer}/tiles/WebMercatorQuad/{_ZOOM}/{y}/{x}" for x, y in sorted(places)]


class Askable(Protocol):
    """What answers a path."""

    def ask(self, path: str) -> float:
        """Return the seconds it took."""


class Asking:
    """One connection that asks one question after the other, with as little work of its own as can be."""

    def __init__(self, port: int, key: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        shown = f"Authorization: Bearer {key}\r\n" if key else ""
        self._rest = f" HTTP/1.1\r\nHost: 127.0.0.1\r\n{shown}\r\n"

    def ask(self, path: str) -> float:
        """Return the seconds until the whole answer was there."""
        begun = time.perf_counter()
        self._socket.sendall(f"GET {path}{self._rest}".encode())
        got = self._socket.recv(1 << 20)
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self._socket.recv(1 << 20)
        length = re.search(rb"content-length: (\d+)", got[:end])
        missing = (int(length[1]) if length else 0) - (len(got) - end - 4)
        while missing > 0:
            missing -= len(self._socket.recv(1 << 20))
        taken = time.perf_counter() - begun
        if got[9:12] not in (b"200", b"204"):
            raise AssertionError(got[:end].decode())
        return taken


def compare(ours: Askable, bare: Askable, paths: list[str]) -> tuple[float, float]:
    """Ask both the same, turn about in short blocks, so that the machine's moods hit both; mean seconds of each.

    The slowest tenth is left out: that is the machine, not the program.
    """
    taken: dict[Askable, list[float]] = {ours: [], bare: []}
    asked = itertools.cycle(paths)
    for turn in range(_TURNS):
        block = list(itertools.islice(asked, _EACH))
        for side in (ours, bare) if turn % 2 else (bare, ours):
            times = [side.ask(path) for path in block]
            if turn >= _TURNS // 10:  # before that, both warm up
                taken[side] += times
    return tuple(statistics.fmean(sorted(times)[: len(times) * 9 // 10]) for times in taken.values())


def main() -> None:
    with demo_city() as conninfo:
        with connect(conninfo) as connection:
            row = (
                connection.execute(
                    "select ancestor_code from access.cell_scope join grid_cells c on c.grid_code = ancestor_code"
                    " where grid_level = 2 group by 1 order by count(*) desc, 1 limit 1"
                ).fetchone()
                or {}
            )
        township = row["ancestor_code"]
        points = usual_points(leaf_cells(conninfo), 2_000)
        questions = {
            "locate": [f"/locate?lon={lon:.8f}&lat={lat:.8f}" for lon, lat in points.xy.tolist()],
            "tile": township_tiles(conninfo, township, "grid_cells") + township_tiles(conninfo, township, "cameras"),
        }
        keys = {"": new_key(conninfo), "_township": new_key(conninfo, [township])}
        ports = free_port(), free_port()
        environment = {
            "GEO_GRID_DATABASE_URL": conninfo,
            "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
            "GEO_GRID_PORT": str(ports[0]), "GEO_GRID_STATE_DIR": str(CACHE / "served"),
            "GEO_GRID_RATE_LIMIT": "1000000/second", "GEO_GRID_TILE_CACHE_MB": "0", "GEO_GRID_TILE_DISK_MB": "0",
        }  # fmt: skip
        result = {}
        with (
            served([sys.executable, "-m", "geo_grid", "serve"], environment, ports[0], "/readyz"),
            served([sys.executable, "-m", "bench.bare", str(ports[1])], environment, ports[1], "/readyz"),
        ):
            for name, paths in questions.items():
                for scope, key in keys.items():
                    with_rights, without = (Asking(port, key) for port in ports)
                    ours, bare = compare(with_rights, without, paths)
                    result[f"{name}{scope}_overhead"] = round(ours / bare, 3)
                    say(f"{name}{scope}: {ours * 1e6:.0f} us with, {bare * 1e6:.0f} without: {ours / bare:.3f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
