"""GET /locate of one worker beside the same question to tipg's items, one worker, the same database."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench.city import CACHE, Points, say
from geo_grid.access.accounts import NewAccount, NewCredential, Role, add_account, issue_credential
from geo_grid.cli.access import as_owner
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE

_WARM_UP, _SECONDS = 3, 10
_CONNECTIONS = 16
_RATE = 1_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(command: Sequence[str | Path], environment: dict[str, str], port: int, path: str) -> Iterator[str]:
    """Run a server and yield its address once it answers `path`."""
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(part) for part in command], env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(url + path, timeout=5):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def load(
    url: str, paths: list[str], seconds: int, rate: int | None = None, key: str = "", connections: int = _CONNECTIONS
) -> dict[str, Any]:
    """As many requests as it answers, or so many a second, evenly."""
    asked = {"url": url, "paths": paths, "connections": connections, "seconds": seconds, "rate": rate, "key": key}
    here = Path(__file__).parent
    command = (
        ["node", here / "load.mjs", CACHE / "npm/node_modules"]
        if rate is None
        else [sys.executable, here / "steady.py"]
    )
    run = subprocess.run(
        command, input=json.dumps(asked), stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(run.stdout)
    if result["failed"] or not result["answered"]:
        message = f"{url} failed {result['failed']} of {result['answered'] + result['failed']} requests"
        raise AssertionError(message)
    return result


def _table_for_tipg(conninfo: str) -> None:
    """The same leaf cells, valid ones alone, in the CRS tipg filters in, with the index it wants."""
    with connect(conninfo) as connection:
        connection.execute("drop schema if exists bench cascade")
        connection.execute("create schema bench")
        connection.execute(
            "create table bench.leaf_cells as select grid_code, name, ST_SetSRID(geom, 4326) as geom from grid_cells c"
            " where valid_to is null and not exists"
            " (select from grid_cells k where k.parent_code = c.grid_code and k.valid_to is null)"
        )
        connection.execute("alter table bench.leaf_cells add primary key (grid_code)")
        connection.execute("create index on bench.leaf_cells using gist (geom)")
        connection.execute("analyze bench.leaf_cells")


def tipg(conninfo: str, port: int) -> tuple[list[str | Path], dict[str, str]]:
    parts = conninfo_to_dict(conninfo)
    folder = urllib.parse.quote(str(parts["host"]), safe="")
    environment = {
        "DATABASE_URL": f"postgresql://{parts['user']}@{folder}:{parts['port']}/{parts['dbname']}",
        "TIPG_DB_SCHEMAS": '["bench"]',
        "TIPG_DB_MAX_CONN_SIZE": "10",
    }
    uvicorn = CACHE / "tipg/bin/uvicorn"
    command: list[str | Path] = [uvicorn, "tipg.main:app", "--port", str(port), "--log-level", "warning",
                                 "--loop", "uvloop", "--http", "httptools"]  # fmt: skip
    return command, environment


def compare_http(conninfo: str, points: Points) -> dict[str, float]:
    """Requests per second of both, and our latency at 1,000 requests per second."""
    pairs = points.xy[:2_000].tolist()
    ours = [f"/locate?lon={lon:.8f}&lat={lat:.8f}" for lon, lat in pairs]
    question = urllib.parse.quote("S_INTERSECTS(geom, POINT({} {}))", safe="{}")
    theirs = ["/collections/bench.leaf_cells/items?f=geojson&filter-lang=cql2-text&properties=grid_code,name&filter="
              + question.format(f"{lon:.8f}", f"{lat:.8f}") for lon, lat in pairs]  # fmt: skip
    _table_for_tipg(conninfo)
    say("HTTP: tipg ...")
    port = free_port()
    command, environment = tipg(conninfo, port)
    with served(command, environment, port, "/collections/bench.leaf_cells") as url:
        inside = [_json(url + path)["numberMatched"] for path in theirs[:50]]
        if not 20 <= sum(inside) <= 60:
            message = f"tipg does not answer the question: {inside}"
            raise AssertionError(message)
        load(url, theirs, _WARM_UP)
        other = load(url, theirs, _SECONDS)
    say("HTTP: geo_grid ...")
    key = new_key(conninfo)
    with our_server(conninfo, CACHE / "served") as url:
        if _json(url + "/readyz")["index_edition"] is None:
            message = "the server has no index in memory"
            raise AssertionError(message)
        load(url, ours, _WARM_UP, key=key)
        full = load(url, ours, _SECONDS, key=key)
        steady = load(url, ours, _SECONDS, _RATE, key)
    ratio = full["requests_per_s"] / other["requests_per_s"]
    print(f"\nHTTP, one worker, {_CONNECTIONS} connections   requests/s   p50 ms   p99 ms")
    for title, row in (("geo_grid GET /locate", full), ("tipg items?filter=S_INTERSECTS", other),
                       (f"geo_grid at {_RATE:,} requests/s", steady)):  # fmt: skip
        print(f"{title:38}{row['requests_per_s']:>10,.0f}{row['p50_ms']:>9}{row['p99_ms']:>9}")
    return {"http_vs_tipg": round(ratio, 1), "p50_ms": steady["p50_ms"], "p99_ms": steady["p99_ms"]}


@contextlib.contextmanager
def our_server(conninfo: str, state_dir: Path) -> Iterator[str]:
    """Serve a database with one worker in a process of its own, without limits on rates."""
    port = free_port()
    environment = {
        "GEO_GRID_DATABASE_URL": conninfo, "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
        "GEO_GRID_PORT": str(port), "GEO_GRID_STATE_DIR": str(state_dir), "GEO_GRID_RATE_LIMIT": "1000000/second",
    }  # fmt: skip
    with served([sys.executable, "-m", "geo_grid", "serve"], environment, port, "/readyz") as url:
        yield url


def new_key(conninfo: str, cells: list[str] | None = None, role: Role = "dispatcher") -> str:
    """A key of a new machine that asks in a role, for these cells or the whole city."""
    name = f"bench-{time.time_ns()}"
    account = NewAccount(kind="machine", name=name, role=role, city_wide=not cells, grid_codes=cells or [])
    as_owner(conninfo, lambda connection: add_account(connection, account, 5))
    return as_owner(conninfo, lambda connection: issue_credential(connection, NewCredential(name=name)))[1]


def _json(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
