"""What a server of the full city holds in memory: at rest, and after ten minutes of everything that people ask.

A real `geo-grid up` in a folder of its own. The growth is counted from when each kind of question was asked once, so that
what is kept on purpose (tiles, coverage, the modules behind it) is there on both sides.
"""

import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.restart import URL, City, memory_mb, say

_MINUTES = float(os.environ.get("MINUTES", "10"))
_AT_ONCE, _EACH_PER_S = 4, 6
_WEST, _SOUTH, _EAST, _NORTH = 114.45, 37.03, 114.56, 37.11  # the centre of Xingtai


class Load:
    """Questions of all kinds, in turn."""

    def __init__(self, client: httpx.Client, units: list[str]) -> None:
        self.client, self.units = client, units
        self.told: Counter[int] = Counter()

    def kinds(self) -> list[Callable[[], httpx.Response]]:
        return [
            self.locate,
            self.desk,
            self.tile,
            self.items,
            self.report,
            self.position,
            self.live,
            self.coverage,
            self.page,
        ]

    def ask(self, kind: Callable[[], httpx.Response]) -> None:
        self.told[kind().status_code] += 1

    @staticmethod
    def place() -> tuple[float, float]:
        return random.uniform(_WEST, _EAST), random.uniform(_SOUTH, _NORTH)

    def locate(self) -> httpx.Response:
        lon, lat = self.place()
        return self.client.get("/locate", params={"lon": lon, "lat": lat})

    def desk(self) -> httpx.Response:
        lon, lat = self.place()
        return self.client.get("/desk", params={"lon": lon, "lat": lat})

    def tile(self) -> httpx.Response:
        x, y = random.randrange(6700, 6705), random.randrange(3180, 3185)
        return self.client.get(f"/collections/grid_cells/tiles/WebMercatorQuad/13/{y}/{x}")

    def items(self) -> httpx.Response:
        return self.client.get(
            "/collections/facilities/items", params={"limit": 200, "bbox": f"{_WEST},{_SOUTH},{_EAST},{_NORTH}"}
        )

    def report(self) -> httpx.Response:
        lon, lat = self.place()
        key = {"Idempotency-Key": str(random.getrandbits(64))}
        return self.client.post("/incidents", json={"lon": lon, "lat": lat, "category": "test"}, headers=key)

    def position(self) -> httpx.Response:
        return self.report_position(random.choice(self.units))

    def report_position(self, unit: str) -> httpx.Response:
        lon, lat = self.place()
        one = {
            "unit_code": unit,
            "lon": lon,
            "lat": lat,
            "reported_at": datetime.now(UTC).isoformat(),
        }
        return self.client.post("/units/positions", json={"positions": [one]})

    def live(self) -> httpx.Response:
        return self.client.get("/response/live")

    def coverage(self) -> httpx.Response:
        return self.client.get("/response/coverage", params={"by": "county"})

    def page(self) -> httpx.Response:
        return self.client.get("/incidents", params={"limit": 100})


def measure(city: City) -> dict[str, object]:
    city.run("up", "--detach")
    _, key = city.run("key", "add", "bench", "--role", "supervisor", "--city", said=False)
    time.sleep(30)  # at rest
    server = city.servers()[0]
    found: dict[str, object] = {"rest": memory_mb(server)}
    with httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {key.strip()}"}, timeout=120) as client:
        listed = client.get("/collections/patrol_units/items", params={"limit": 500}).json()["features"]
        load = Load(client, [unit["properties"]["unit_code"] for unit in listed])
        for unit in load.units:  # where all will be: a unit's area holds more where there are more roads
            load.report_position(unit)
        for kind in load.kinds() * 3:
            load.ask(kind)
        while client.get("/response/live").json()["as_of"] is None:  # the first: every free unit's area
            time.sleep(1)
        time.sleep(20)
        found["after_each_once"] = memory_mb(server)
        until = time.monotonic() + _MINUTES * 60

        def work(number: int) -> None:
            for kind in itertools.islice(itertools.cycle(load.kinds()), number, None):
                if time.monotonic() > until:
                    return
                load.ask(kind)
                time.sleep(1 / _EACH_PER_S)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(work, range(_AT_ONCE)))
    time.sleep(10)
    found["after"] = after = memory_mb(server)
    found["rss_growth_mb"] = round(after["anon_mb"] - found["after_each_once"]["anon_mb"])
    found["answers"] = dict(load.told)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="geo_grid_memory_", dir="/tmp") as name:
        Path(name).chmod(0o755)
        city = City(Path(name))
        say(f"loading the city, then {_MINUTES:g} minutes of questions ...")
        try:
            print(json.dumps(measure(city)), flush=True)
        finally:
            city.run("down")


if __name__ == "__main__":
    sys.exit(main())
