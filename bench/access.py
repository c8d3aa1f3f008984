"""What log-in and rights by row cost: our server with them and without, the same paths, one after the other.

The last line is JSON: time per request with, over time without. Ratios of the whole city and of one township.
"""

import json
import math
import sys

from psycopg.conninfo import make_conninfo

from bench.city import CACHE, demo_city, leaf_cells, say, usual_points
from bench.serving import free_port, load, new_key, served
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE

_WARM_UP, _SECONDS, _ROUNDS = 1, 5, 2
_ZOOM = 14


def _tiles(conninfo: str, township: str, layer: str) -> list[str]:
    with connect(conninfo) as connection:
        rows = connection.execute(
            "select ST_X(p) as lon, ST_Y(p) as lat from (select ST_PointOnSurface(geom) as p from grid_cells"
            " where parent_code = %s and valid_to is null) inside",
            (township,),
        ).fetchall()
    paths = {
        (
            int((1 - math.asinh(math.tan(math.radians(r["lat"]))) / math.pi) / 2 * 2**_ZOOM),
            int((r["lon"] + 180) / 360 * 2**_ZOOM),
        )
        for r in rows
    }
    return [f"/collections/{layer}/tiles/WebMercatorQuad/{_ZOOM}/{y}/{x}" for y, x in sorted(paths)]


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
            "tile": _tiles(conninfo, township, "grid_cells") + _tiles(conninfo, township, "cameras"),
        }
        keys = {"": new_key(conninfo), "_township": new_key(conninfo, [township])}
        ports = free_port(), free_port()
        environment = {
            "GEO_GRID_DATABASE_URL": conninfo,
            "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
            "GEO_GRID_PORT": str(ports[0]), "GEO_GRID_STATE_DIR": str(CACHE / "served"),
            "GEO_GRID_RATE_LIMIT": "1000000/second",
        }  # fmt: skip
        result = {}
        with (
            served([sys.executable, "-m", "geo_grid", "serve"], environment, ports[0], "/readyz") as ours,
            served([sys.executable, "-m", "bench.bare", str(ports[1])], environment, ports[1], "/readyz") as bare,
        ):
            for name, paths in questions.items():
                for scope, key in keys.items():
                    best = {"with": 0.0, "without": 0.0}
                    for _ in range(_ROUNDS):  # turn about, so that the machine's moods hit both
                        for side, url in (("with", ours), ("without", bare)):
                            load(url, paths, _WARM_UP, key=key)
                            best[side] = max(best[side], load(url, paths, _SECONDS, key=key)["requests_per_s"])
                    ratio = best["without"] / best["with"]
                    result[f"{name}{scope}_overhead"] = round(ratio, 3)
                    say(
                        f"{name}{scope}: {best['with']:,.0f} requests/s with, {best['without']:,.0f} without: {ratio:.3f}"
                    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
