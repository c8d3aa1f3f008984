"""Incidents come in for a minute as fast as they are answered, while server and PostgreSQL are killed: what became of them.

Reporters send each incident with a key of its own, again after whatever happened, until it is answered 201 (stored) or 200
(stored before). One of ten goes on: it is accepted and assigned. Listeners come back with the place they had reached.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg

from bench.feed import PLACES
from bench.restart import URL, City, say
from geo_grid.db import Cluster

_SECONDS, _REPORTERS, _LISTENERS = 60, 16, 20
_SERVER_DIES_S, _POSTMASTER_DIES_S = 20, 40
_MOVED = 10
_STEPS = ("reported", "accepted", "assigned")
_RESET = b"event: reset"
_INCIDENT = re.compile(rb'data: (?=[^\r\n]*"incident_id": (\d+))(?=[^\r\n]*"step": "(\w+)")')
_ID = re.compile(rb"id: ([^\r\n]+)")
_LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError)


@dataclass
class Told:
    """What the reporters were answered."""

    stored: dict[str, int] = field(default_factory=dict)
    """Incident of each key."""
    moved: set[int] = field(default_factory=set)
    """Incidents that were assigned, as the server answered."""
    answers: Counter[int] = field(default_factory=Counter)
    cut_off: int = 0


class Line:
    """One connection that is opened again when it is lost."""

    def __init__(self, key: str) -> None:
        self._key, self._address = key, urlsplit(URL)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: dict[str, object], key: str | None = None) -> tuple[int, bytes]:
        """Return status and body. Raises what is lost with a connection."""
        text = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nAuthorization: Bearer {self._key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        head += f"Idempotency-Key: {key}\r\n\r\n" if key else "\r\n"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._address.hostname, self._address.port)
            reader, writer = self._streams
            writer.write(head.encode() + text)
            answered = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            length = answered.lower().partition(b"content-length:")[2].partition(b"\r")[0]
            return int(answered[9:12]), await reader.readexactly(int(length))
        except (*_LOST, TimeoutError):
            if self._streams:
                self._streams[1].close()
            self._streams = None
            raise


async def report(key: str, numbers: "itertools.count[int]", until: float, told: Told) -> None:
    """Send incidents one after the other until the time is over; the last one until it is answered."""
    line = Line(key)
    while time.monotonic() < until:
        number = next(numbers)
        lon, lat = PLACES[number % len(PLACES)]
        incident = await _until_answered(
            line, told, "/incidents", {"lon": lon, "lat": lat, "category": "help"}, f"storm-{number}"
        )
        told.stored[f"storm-{number}"] = incident
        if number % _MOVED == 0:
            for action in ("accept", "assign"):  # once more after a cut: it was taken then, and is refused
                await _until_answered(line, told, f"/incidents/{incident}/steps", {"action": action})
            told.moved.add(incident)


async def _until_answered(line: Line, told: Told, path: str, body: dict[str, object], key: str | None = None) -> int:
    while True:
        try:
            status, answer = await line.post(path, body, key)
        except (*_LOST, TimeoutError):
            told.cut_off += 1
            await asyncio.sleep(0.05)
            continue
        told.answers[status] += 1
        if status in (200, 201):
            return int(json.loads(answer)["incident_id"])
        if status == 409 and key is None:
            return 0
        if status not in (429, 500, 503):
            message = f"POST {path}: {status} {answer.decode()}"
            raise AssertionError(message)
        await asyncio.sleep(0.05)


async def listen(key: str, heard: dict[int, list[str]], resets: Counter[str]) -> None:
    """Note the steps of each incident as they are told, over cuts."""
    place, address = b"", urlsplit(URL)
    while True:
        with contextlib.suppress(*_LOST):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            come_back = b"Last-Event-ID: " + place + b"\r\n" if place else b""
            writer.write(
                f"GET /events HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n".encode()
                + come_back + b"\r\n"
            )  # fmt: skip
            rest = b""
            try:
                while chunk := await reader.read(1 << 18):
                    whole, _, rest = (rest + chunk).rpartition(b"\r\n\r\n")
                    resets["reset"] += whole.count(_RESET)
                    for incident, step in _INCIDENT.findall(whole):
                        heard[int(incident)].append(step.decode())
                    if ids := _ID.findall(whole):
                        place = ids[-1]
            finally:
                writer.close()
        await asyncio.sleep(0.2)


async def kill(city: City) -> None:
    await asyncio.sleep(_SERVER_DIES_S)
    os.kill(city.servers()[0], signal.SIGKILL)
    say("the server was killed ...")
    await asyncio.sleep(_POSTMASTER_DIES_S - _SERVER_DIES_S)
    os.kill(city.postmaster(), signal.SIGKILL)
    say("the postmaster was killed ...")


async def _storm(city: City, key: str, conninfo: str) -> dict[str, float]:
    told, resets = Told(), Counter[str]()
    heard: list[dict[int, list[str]]] = [defaultdict(list) for _ in range(_LISTENERS)]
    listeners = [asyncio.create_task(listen(key, one, resets)) for one in heard]
    await asyncio.sleep(1)
    numbers, until = itertools.count(), time.monotonic() + _SECONDS
    killing = asyncio.create_task(kill(city))
    await asyncio.gather(*(report(key, numbers, until, told) for _ in range(_REPORTERS)))
    await killing
    await asyncio.sleep(10)  # what was committed last is told
    for one in listeners:
        one.cancel()
    say(f"{told.answers} cut off {told.cut_off}, {resets}")
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "select k.idempotency_key, i.incident_id, i.step, i.grid_code is not null or i.unassigned, i.assigned_rule"
            " from idempotency_keys k join incidents i using (incident_id) where k.idempotency_key like 'storm-%'"
        ).fetchall()
        (count,) = connection.execute(
            "select count(*) from incidents where category = 'help' and not is_demo"
        ).fetchone()  # type: ignore[misc]
    stored = {name: incident for name, incident, *_ in rows}
    assigned = {incident for _, incident, step, _, rule in rows if step == "assigned" and rule is not None}
    unheard = sum(one not in listener for listener in heard for one in told.stored.values())
    disordered = sum(
        [_STEPS.index(step) for step in steps] != sorted(_STEPS.index(step) for step in steps) and not resets
        for listener in heard
        for steps in map(list, map(_once, listener.values()))
    )
    return {
        "incidents_per_s": round(len(told.stored) / _SECONDS),
        "lost": sum(stored.get(name) != one for name, one in told.stored.items())
        + sum(not owned for *_, owned, _ in rows),
        "doubled": count - len(stored) + len(rows) - len(set(stored.values())),
        "steps_lost": len(told.moved - assigned),
        "events_lost": unheard,
        "events_disordered": disordered,
        "resets": resets["reset"],
    }


def _once(steps: list[str]) -> list[str]:
    """Steps without what was told again after a cut: that begins with an earlier step, and leads to where it was."""
    told: list[str] = []
    for step in steps:
        if step not in told:
            told.append(step)
    return told


def storm(city: City) -> dict[str, float]:
    """Return incidents per second of the minute, outages included, and what was lost, doubled or told in a wrong order."""
    key = city.run("key", "add", "storm", "--role", "supervisor", "--city", said=False)[1].strip()
    return asyncio.run(_storm(city, key, Cluster(city.state).conninfo))
