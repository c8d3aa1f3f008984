"""A lower platform of 62,000 cameras at the door: its catalogue, and what it notifies, over real sockets.

- catalogue_items_per_s: from our query to the last item that is answered for, in messages of four items, each sent when the last
  one was answered, as the standard has it; over TCP. catalogue_items_per_s_udp: the same over UDP, of 10,000.
- catalogue_sync_s: from the query until the register has them all.
- notified_events_per_s: states that are notified, in messages of ten, and written; half of them changes; as many as we can.
  notified_locate_p99_ratio: the 99th percentile of GET /locate while 2,000 a second are notified, by that before.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.city import say
from bench.serving import free_port, load
from geo_grid.db import connect
from tests.cameras.lower import PASSWORD, UPPER, Lower, event

_PLATFORM = "13050200002000000001"
_ITEMS_AT_ONCE, _EVENTS_AT_ONCE, _UDP = 4, 10, 10_000
_NOTIFIED_S, _LOCATE_S, _PER_S = 10, 20, 2_000
_PATIENCE_S = 300


@contextlib.contextmanager
def _open_door(conninfo: str) -> Iterator[int]:
    with connect(conninfo) as connection:
        connection.execute("delete from platform_links")
        connection.execute(
            "insert into camera_platforms (platform_code, name, source_crs, gb28181_id, is_enabled)"
            " values ('B', 'B', 'EPSG:4490', %s, true) on conflict do nothing",
            [_PLATFORM],
        )
    with tempfile.TemporaryDirectory(prefix="geo_grid_bench_") as folder:
        netrc = Path(folder) / "netrc"
        netrc.write_text(f"machine {_PLATFORM} login {_PLATFORM} password {PASSWORD}\n")
        netrc.chmod(0o600)
        port = free_port()
        environment = {
            **os.environ, "GEO_GRID_DATABASE_URL": conninfo, "GEO_GRID_STATE_DIR": folder, "GEO_GRID_SIP_ID": UPPER,
            "GEO_GRID_SIP_PORT": str(port), "GEO_GRID_SIP_NETRC": str(netrc),
        }  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "geo_grid", "cameras", "listen"], env=environment)
        try:
            _until(conninfo, "select from platform_door")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _until(conninfo: str, question: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with connect(conninfo) as connection:
            if connection.execute(question).fetchone() is not None:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(question)
        time.sleep(0.1)


def _registered(lower: Lower) -> Lower:
    deadline = time.monotonic() + 30
    while not lower.register().startswith(b"SIP/2.0 200"):  # until the door has read who may come
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)
    return lower


def _sent(lower: Lower, items: list[bytes]) -> float:
    """Answer a query; return how long it took."""
    serial = lower.query()
    began = time.perf_counter()
    lower.answer_query(items, serial, at_once=_ITEMS_AT_ONCE)
    return time.perf_counter() - began


def catalogue_figures(conninfo: str, items: list[bytes]) -> dict[str, float]:
    """Send a whole catalogue over TCP, into a register without cameras."""
    found: dict[str, float] = {}
    with _open_door(conninfo) as port, Lower(port, _PLATFORM, transport="tcp") as lower:
        _registered(lower)
        began = time.perf_counter()
        found["catalogue_items_per_s"] = round(len(items) / _sent(lower, items))
        _until(conninfo, "select from platform_links where whole_at is not null")
        found["catalogue_sync_s"] = round(time.perf_counter() - began, 1)
        with connect(conninfo) as connection:
            link = connection.execute("select * from platform_links").fetchone()
    say(f"catalogue over TCP: {link}")
    with _open_door(conninfo) as port, Lower(port, _PLATFORM) as lower:
        _registered(lower)
        found["catalogue_items_per_s_udp"] = round(_UDP / _sent(lower, items[:_UDP]))
    return found


def _notified(lower: Lower, dialog: str, ids: list[str], seconds: float, per_s: float | None = None) -> float:
    """Notify states, evenly or as many as we can; return how many a second were."""
    sent, chosen, began = 0, random.Random(1), time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        if per_s is not None and (due := sent / per_s) > now:
            time.sleep(due - now)
        events = [event(one, chosen.choice(("ON", "DEFECT"))) for one in chosen.sample(ids, _EVENTS_AT_ONCE)]
        lower.notify(dialog, *events)
        sent += len(events)
    return sent / (time.monotonic() - began)


def notified_figures(conninfo: str, url: str, key: str, ids: list[str], paths: list[str]) -> dict[str, Any]:
    """Notify states while somebody asks for places."""
    with connect(conninfo) as connection:
        connection.execute("update cameras set platform_code = null where platform_code <> 'B'")
    with _open_door(conninfo) as port, Lower(port, _PLATFORM, transport="tcp") as lower:
        with connect(conninfo) as connection:  # as its catalogue would
            connection.execute("update cameras set platform_code = 'B' where platform_code is null")
        _registered(lower)
        lower.query()  # not answered: it is given up in its own time
        dialog = lower.subscribed()
        _until(conninfo, "select from platform_links where trouble <> ''")
        load(url, paths, 3, key=key)
        alone = load(url, paths, _LOCATE_S, 200, key)["p99_ms"]
        answers: list[dict[str, Any]] = []
        asking = threading.Thread(target=lambda: answers.append(load(url, paths, _LOCATE_S, 200, key)))
        asking.start()
        _notified(lower, dialog, ids, _LOCATE_S + 2, _PER_S)
        asking.join()
        per_s = _notified(lower, dialog, ids, _NOTIFIED_S)
        time.sleep(2)
        with connect(conninfo) as connection:
            rows = connection.execute(
                "select state, count(*) as n from camera_states where state = 'fault' group by 1"
            ).fetchall()
        say(f"states notified; {rows}")
        beside = answers[0]["p99_ms"]
    return {
        "notified_events_per_s": round(per_s), "notified_locate_p99_alone_ms": alone, "notified_locate_p99_beside_ms": beside,
        "notified_locate_p99_ratio": round(beside / alone, 2),
    }  # fmt: skip
