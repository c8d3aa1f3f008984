"""Incidents come in for a minute as fast as they are answered, while server and PostgreSQL are killed: what became of them.

Reporters send each incident with a key of its own, again after whatever happened, until it is answered 201 (stored) or 200
(stored before). One of ten goes on: it is accepted and assigned. Listeners come back with the place they had reached.
"""

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg

from bench.feed import PLACES
from bench.restart import URL, City, say
from drills.filing import Line, Told, until_stored
from drills.listening import Heard, listen
from geo_grid.db import Cluster

_SECONDS, _REPORTERS, _LISTENERS = 60, 16, 20
_SERVER_DIES_S, _POSTMASTER_DIES_S = 20, 40
_MOVED = 10
_STEPS = ("reported", "accepted", "assigned")


@dataclass
class Moved(Told):
    """What the reporters were answered."""

    moved: set[int] = field(default_factory=set)
    """Incidents that were assigned, as the server answered."""


async def report(key: str, numbers: "itertools.count[int]", until: float, told: Moved) -> None:
    """Send incidents one after the other until the time is over; the last one until it is answered."""
    line = Line(URL, key)
    while time.monotonic() < until:
        number = next(numbers)
        lon, lat = PLACES[number % len(PLACES)]
        body = {"lon": lon, "lat": lat, "category": "help"}
        incident = await until_stored(line, told, "/incidents", body, f"storm-{number}")
        told.stored[f"storm-{number}"] = incident
        if number % _MOVED == 0:
            steps = f"/incidents/{incident}/steps"
            # 0: refused, where no unit of its zone is on patrol, or since it was taken before a cut
            taken = [await until_stored(line, told, steps, {"action": action}) for action in ("accept", "assign")]
            if all(taken):
                told.moved.add(incident)


async def kill(city: City) -> None:
    await asyncio.sleep(_SERVER_DIES_S)
    os.kill(city.servers()[0], signal.SIGKILL)
    say("the server was killed ...")
    await asyncio.sleep(_POSTMASTER_DIES_S - _SERVER_DIES_S)
    os.kill(city.postmaster(), signal.SIGKILL)
    say("the postmaster was killed ...")


async def _storm(city: City, key: str, conninfo: str) -> dict[str, float]:
    told, resets = Moved(), Counter[str]()
    pages = [Heard() for _ in range(_LISTENERS)]
    heard = [page.steps for page in pages]
    listeners = [asyncio.create_task(listen(URL, key, page, resets)) for page in pages]
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
            "select k.idempotency_key, i.incident_id, i.step, i.grid_code is not distinct from"
            " access.leaf_cell(i.geom, i.received_at), i.assigned_rule"
            " from idempotency_keys k join incidents i using (incident_id) where k.idempotency_key like 'storm-%'"
        ).fetchall()
        (count,) = connection.execute(
            "select count(*) from incidents where category = 'help' and not is_demo"
        ).fetchone()  # type: ignore[misc]
    stored = {name: incident for name, incident, *_ in rows}
    assigned = {incident for _, incident, step, _, rule in rows if step == "assigned" and rule is not None}
    # each listener heard of each incident, and of those that moved the last step too
    unheard = sum(
        one not in listener or (one in told.moved and "assigned" not in listener[one])
        for listener in heard
        for one in told.stored.values()
    )
    disordered = sum(
        [_STEPS.index(step) for step in steps] != sorted(_STEPS.index(step) for step in steps) and not resets["reset"]
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
