"""What the feed of changes costs and how late it is: units that report, walls that listen, incidents that come in.

A real `geo-grid up` of the demo city in a folder of its own, one worker. The last line is JSON:

- locate_p99_ratio: GET /locate, 99th percentile while 1,000 units report every 5 s and 50 walls listen, over alone;
- snapshot_reads: how often the point snapshot was read because of those reports; rss_growth_mb: of the server meanwhile;
- idle_cpu_s_per_min: processor seconds of the server and of its own connections, one of which reads the feed, when nothing happens;
- event_p99_ms: from commit to each of 200 walls at 200 incidents/s; import_event_p99_ms: while a file of 60 s is one
  transaction beside them; lost: events that a wall did not hear;
- incidents_per_s: POST /incidents, 16 at a time; incidents_lost: answered 201 and not stored.

MINUTES sets how long units report (5).
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg

from bench.restart import URL, City, memory_mb, say
from bench.serving import load
from geo_grid.db import Cluster

_MINUTES = float(os.environ.get("MINUTES", "5"))
_UNITS, _EVERY_S, _WALLS = 1000, 5.0, 50
_LISTENERS, _PER_S, _IMPORT_S = 200, 200, 60
_LOCATE_PER_S, _LOCATE_S = 50, 20
PLACES = [
    (114.46875 + n % 40 / 1024, 37.03125 + n // 40 / 1024) for n in range(1600)
]  # the centre of Xingtai, on the lattice
_ID = re.compile(rb'"incident_id": (\d+)')
_MADE = "insert into incidents (category, geom) values ('bench', ST_SetSRID(ST_MakePoint(%s, %s), 4490)) returning incident_id"


class Walls:
    """Pages that listen to GET /events, each on a connection of its own."""

    def __init__(self, key: str, count: int) -> None:
        self._key, self._count = key, count
        self.heard: list[dict[int, float]] = [{} for _ in range(count)]
        self._ready = asyncio.Semaphore(0)

    async def __aenter__(self) -> "Walls":
        self._tasks = [asyncio.create_task(self._listen(heard)) for heard in self.heard]
        for _ in range(self._count):
            await self._ready.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()

    async def _listen(self, heard: dict[int, float]) -> None:
        reader, writer = await connection(f"GET /events HTTP/1.1\r\nAuthorization: Bearer {self._key}")
        await reader.readuntil(b": listening")
        self._ready.release()
        rest = b""
        while chunk := await reader.read(1 << 16):
            moment, whole = time.perf_counter(), rest + chunk
            for found in _ID.findall(whole):
                heard.setdefault(int(found), moment)
            rest = whole[-40:]
        writer.close()


async def connection(request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(URL)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"{request}\r\nHost: {address.netloc}\r\n\r\n".encode())
    return reader, writer


async def report_positions(key: str, until: float) -> int:
    """Each unit reports every 5 s, as a gateway of radios sends them on: those of each tenth of a second in one request.

    Returns how many reports were taken.
    """
    taken, per_request = 0, int(_UNITS / _EVERY_S / 10)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=URL, headers=headers, timeout=30) as client:
        for turn in itertools.count():
            if (began := time.monotonic()) >= until:
                return taken
            now = datetime.now(UTC).isoformat()
            numbers = [(turn * per_request + number) % _UNITS for number in range(per_request)]
            places = [PLACES[(number + int(began)) % len(PLACES)] for number in numbers]
            reports = [
                {"unit_code": f"bench-{number}", "lon": lon, "lat": lat, "reported_at": now}
                for number, (lon, lat) in zip(numbers, places, strict=True)
            ]
            with contextlib.suppress(httpx.TransportError):  # a connection that was idle is closed as it is used
                answer = await client.post("/units/positions", json={"positions": reports})
                taken += per_request if answer.status_code == 200 else 0
            await asyncio.sleep(max(0.0, began + 0.1 - time.monotonic()))
    return taken


def snapshot_reads(key: str) -> int:
    found = httpx.get(f"{URL}/readyz", headers={"Authorization": f"Bearer {key}"}, timeout=30).json()["derived"]
    return next(state["reads"] for state in found if state["name"] == "point_snapshot")


def wait_for_first_work(conninfo: str, key: str) -> None:
    """Wait until the first circles are drawn, and it is known what cameras see: both take a core for a minute."""
    quiet = 0
    while quiet < 5:
        told = httpx.get(f"{URL}/response/drawing", headers={"Authorization": f"Bearer {key}"}, timeout=60).json()
        with psycopg.connect(conninfo) as connection:
            due = connection.execute(
                "select from due_work where kind in ('camera_views', 'camera_coverage')"
            ).fetchone()
        quiet = quiet + 1 if told["done"] == told["total"] and due is None else 0
        time.sleep(2)


def locate_p99_ms(key: str) -> float:
    paths = [f"/locate?lon={lon:.6f}&lat={lat:.6f}" for lon, lat in PLACES]
    return float(load(URL, paths, _LOCATE_S, _LOCATE_PER_S, key)["p99_ms"])


def processor_s(pid: int) -> float | None:
    """User and system seconds that a process has used (proc(5), stat, fields 14 and 15); None: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_cost(conninfo: str, server: int) -> dict[str, float]:
    """Processor seconds per minute while nothing happens."""
    with psycopg.connect(conninfo) as connection:  # what each asks is hidden; whose it is is not
        rows = connection.execute("select pid from pg_stat_activity where usename = 'geo_grid_service'").fetchall()
    groups = {"server": [server], "database": [pid for (pid,) in rows]}
    before = {pid: processor_s(pid) or 0.0 for pids in groups.values() for pid in pids}
    time.sleep(60)  # connections that end meanwhile do not count
    return {
        name: round(sum(used - before[pid] for pid in pids if (used := processor_s(pid)) is not None), 2)
        for name, pids in groups.items()
    }


def write_evenly(conninfo: str, seconds: float, committed: dict[int, float]) -> None:
    """Commit incidents one by one, evenly; notes when each was committed."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        begun = time.perf_counter()
        for number in range(int(seconds * _PER_S)):
            time.sleep(max(0.0, begun + number / _PER_S - time.perf_counter()))
            row = connection.execute(_MADE, PLACES[number % len(PLACES)]).fetchone()
            committed[row[0]] = time.perf_counter()  # type: ignore[index]


def import_slowly(conninfo: str, seconds: float) -> None:
    """A file of one transaction: it writes all the time and commits at the end."""
    until = time.monotonic() + seconds
    with psycopg.connect(conninfo) as connection:
        while time.monotonic() < until:
            connection.execute(_MADE, PLACES[0])
            time.sleep(0.1)


async def lateness(conninfo: str, key: str, seconds: float, is_beside_import: bool) -> tuple[float, int]:
    """99th percentile in ms of how late walls hear, and how many events were not heard."""
    committed: dict[int, float] = {}
    async with Walls(key, _LISTENERS) as walls:
        if is_beside_import:
            threading.Thread(target=import_slowly, args=(conninfo, seconds + 1)).start()
        await asyncio.to_thread(write_evenly, conninfo, seconds, committed)
        await asyncio.sleep(3)
        late = [heard[one] - moment for heard in walls.heard for one, moment in committed.items() if one in heard]
        lost = sum(one not in heard for heard in walls.heard for one in committed)
    return round(1000 * statistics.quantiles(late, n=100)[98], 1), lost


def take_in(conninfo: str, key: str, seconds: float) -> tuple[float, int]:
    """POST /incidents as fast as 16 clients get answers: per second, and how many of them are not stored.

    By the client of the standard library: httpx takes more processor for a question than the server for its answer.
    """
    until, address = time.monotonic() + seconds, urlsplit(URL).netloc
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def work(number: int) -> list[int]:
        made = []
        with contextlib.closing(HTTPConnection(address, timeout=30)) as client:
            while time.monotonic() < until:
                lon, lat = PLACES[(len(made) * 16 + number) % len(PLACES)]
                client.request("POST", "/incidents", json.dumps({"lon": lon, "lat": lat, "category": "bench"}), headers)
                answer = client.getresponse()
                body = json.load(answer)
                made += [body["incident_id"]] if answer.status == 201 else []
        return made

    with ThreadPoolExecutor(16) as threads:
        made = [one for some in threads.map(work, range(16)) for one in some]
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select count(*) from incidents where incident_id = any(%s)", (made,)).fetchone()
    return round(len(made) / seconds, 1), len(made) - row[0]  # type: ignore[index]


async def with_units(key: str, server: int) -> dict[str, object]:
    """Units report and walls listen."""
    async with Walls(key, _WALLS):
        reporting = asyncio.create_task(report_positions(key, time.monotonic() + 60 * _MINUTES + 60))
        await asyncio.sleep(30)
        rss, reads = memory_mb(server)["rss_mb"], await asyncio.to_thread(snapshot_reads, key)
        p99 = await asyncio.to_thread(locate_p99_ms, key)
        await asyncio.sleep(max(0.0, 60 * _MINUTES - _LOCATE_S))
        found = {
            "locate_p99_beside_ms": p99,
            "snapshot_reads": await asyncio.to_thread(snapshot_reads, key) - reads,
            "rss_growth_mb": memory_mb(server)["rss_mb"] - rss,
        }
        return {**found, "reports_per_s": round(await reporting / (60 * _MINUTES + 60), 1)}


def measure(city: City) -> dict[str, object]:
    city.run("up", "--detach")
    key = city.run("key", "add", "bench", "--role", "supervisor", "--city", said=False)[1].strip()
    server, conninfo = city.servers()[0], Cluster(city.state).conninfo
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) select 'bench-' || n, 'bench', 'car', now(),"
            " ST_SetSRID(ST_MakePoint(114.5, 37.0625), 4490) from generate_series(0, %s) n",
            (_UNITS - 1,),
        )
    wait_for_first_work(conninfo, key)
    locate_p99_ms(key)  # warm
    time.sleep(20)
    found: dict[str, object] = {
        "idle_cpu_s_per_min": idle_cost(conninfo, server),
        "locate_p99_ms": (alone := locate_p99_ms(key)),
    }
    say(f"{found}; units report, walls listen ...")
    found |= asyncio.run(with_units(key, server))
    found["locate_p99_ratio"] = round(float(str(found["locate_p99_beside_ms"])) / alone, 2)
    say(f"{found}; incidents come in ...")
    found["event_p99_ms"], found["lost"] = asyncio.run(lateness(conninfo, key, 20, False))
    found["import_event_p99_ms"], found["import_lost"] = asyncio.run(lateness(conninfo, key, _IMPORT_S, True))
    found["incidents_per_s"], found["incidents_lost"] = take_in(conninfo, key, 15)
    return found


def main() -> None:
    os.environ |= {"GEO_GRID_RATE_LIMIT": "1000000/second", "GEO_GRID_EVENT_STREAMS_PER_ACCOUNT": "1000"}
    with tempfile.TemporaryDirectory(prefix="geo_grid_feed_", dir="/tmp") as name:
        Path(name).chmod(0o755)
        city = City(Path(name))
        say(f"loading the city, then {_MINUTES:g} minutes of reports ...")
        try:
            print(json.dumps(measure(city)), flush=True)
        finally:
            city.run("down")


if __name__ == "__main__":
    sys.exit(main())
