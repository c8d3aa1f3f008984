"""GET /search over all names of the full-size demo city, typed as people type; the last line is JSON.

- search_p99_ms, search_p50_ms: at 20 questions a second, by a supervisor of the whole city.
"""

import json
import os
import random
import sys
import urllib.parse

from bench.city import CACHE, demo_city
from bench.serving import load, new_key, our_server
from geo_grid.db import connect
from geo_grid.names.pinyin import first_letters

_PER_S, _SECONDS, _WARM_UP_S, _SEED = 20, 30, 3, 5
_NAMES = """
    select name from grid_cells where valid_to is null union select name from facilities union select name from cameras
    union select name from roads where name <> '' union select name from police_posts union select name from base_features where name <> ''
"""


def questions(conninfo: str, count: int) -> list[str]:
    """Parts of names, one to six characters from their beginning or middle, first letters of one of five, and crossings."""
    chosen = random.Random(_SEED)
    with connect(conninfo) as connection:
        names = sorted(row["name"] for row in connection.execute(_NAMES).fetchall())
        roads = sorted(row["name"] for row in connection.execute("select distinct name from roads where name <> ''"))
    letters = first_letters()
    found = []
    for number in range(count):
        name = chosen.choice(names)
        begin = chosen.choice((0, 0, chosen.randrange(len(name))))
        wanted = name[begin : begin + chosen.randint(1, 6)]
        if number % 5 == 0:
            wanted = name[:6].translate(letters).lower()
        if number % 20 == 1 and len(roads) > 1:
            wanted = "与".join(chosen.sample(roads, 2))
        found.append(f"/search?q={urllib.parse.quote(wanted)}&lon=114.5&lat=37.07")
    return found


def search_ms(conninfo: str) -> dict[str, float]:
    """Return median and 99th percentile, in milliseconds."""
    paths, key = questions(conninfo, _PER_S * _SECONDS), new_key(conninfo)
    with our_server(conninfo, CACHE / "served") as url:
        load(url, paths, _WARM_UP_S, key=key)
        told = load(url, paths, _SECONDS, _PER_S, key)
    return {"search_p50_ms": told["p50_ms"], "search_p99_ms": told["p99_ms"]}


def main() -> None:
    os.environ["GEO_GRID_RATE_LIMIT"] = "1000000/second"
    with demo_city() as conninfo:
        print(json.dumps(search_ms(conninfo)))


if __name__ == "__main__":
    sys.exit(main())
