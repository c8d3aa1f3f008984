"""Incidents are filed evenly, and places asked for, beside what a drill does: what was told is compared with what is stored.

Each incident has an Idempotency-Key, and is sent again after whatever happened until it is answered 201 (stored) or 200
(stored before). Places are asked for once each; an answer that is no 200 is slow, one that names another cell is wrong.
"""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from drills.squares import owner_of, places
from drills.verdict import Verdict

LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError)
"""What is raised when a connection is lost."""
PER_S = 300
_REPORTERS, _ASKERS, _ASKED_PER_S = 24, 4, 20
_PATIENCE_S, _LAST_S = 30.0, 120.0


@dataclass
class Told:
    """What those who file and ask were told; times in seconds of `time.monotonic`."""

    run: str = field(default_factory=lambda: f"drill-{secrets.token_hex(4)}")
    stored: dict[str, int] = field(default_factory=dict)
    """Incident of each key."""
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    answered_at: list[float] = field(default_factory=list)
    """When an incident was answered as stored."""
    waits: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    cut_off: int = 0
    located: Counter[str] = field(default_factory=Counter)
    """Answers to where a place is: right, wrong, none."""
    unanswered: int = 0
    """Incidents that were given up: not answered two minutes after the drill."""

    def longest_silence_s(self) -> float:
        """Longest time in which no incident was taken."""
        return round(max((after - before for before, after in itertools.pairwise(self.answered_at)), default=0.0), 2)


class Line:
    """One connection that is opened again when it is lost."""

    def __init__(self, url: str, key: str) -> None:
        self._key, self._address = key, urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: object = None, key: str | None = None, patience_s: float = _PATIENCE_S
    ) -> tuple[int, bytes]:
        """Return status and body. Raises what is lost with a connection (`LOST`), and TimeoutError."""
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nAuthorization: Bearer {self._key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n" if text else ""
        head += f"Idempotency-Key: {key}\r\n\r\n" if key else "\r\n"
        try:
            async with asyncio.timeout(patience_s):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._address.hostname, self._address.port)
                reader, writer = self._streams
                writer.write(head.encode() + text)
                answered = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = answered.partition(b"content-length:")[2].partition(b"\r")[0]
                status, told = int(answered[9:12]), await reader.readexactly(int(length))
        except (*LOST, TimeoutError):
            self.close()
            raise
        if b"connection: close" in answered:
            self.close()
        return status, told

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def until_stored(line: Line, told: Told, path: str, body: object, key: str | None = None) -> int:
    """Send something until it is stored; return its incident, or 0 where a step was taken before it is sent again."""
    while True:
        try:
            status, answer = await line.ask("POST", path, body, key)
        except (*LOST, TimeoutError):
            told.cut_off += 1
            await asyncio.sleep(0.05)
            continue
        told.answers[status] += 1
        if status in (200, 201):
            return int(json.loads(answer)["incident_id"])
        if status == 409 and key is None:
            return 0
        if status not in (429, 500, 503, 507):
            message = f"POST {path}: {status} {answer.decode()}"
            raise AssertionError(message)
        await asyncio.sleep(0.05)


class _Load:
    def __init__(self, url: str, key: str, told: Told, per_s: float) -> None:
        self._url, self._key, self.told = url, key, told
        self.over = threading.Event()
        self._places, self._asked = enumerate(places()), places()
        self._per_s = per_s

    async def run(self) -> None:
        self._began = time.monotonic()
        filing = [asyncio.create_task(self._file()) for _ in range(_REPORTERS)]
        asking = [asyncio.create_task(self._ask(n)) for n in range(_ASKERS)]
        while not self.over.is_set():
            for task in (*filing, *asking):
                if task.done():
                    task.result()  # an answer that nobody expected
            await asyncio.sleep(0.05)
        _, pending = await asyncio.wait(filing, timeout=_LAST_S)
        for task in (*pending, *asking):
            task.cancel()
        self.told.unanswered = len(pending)
        for done in await asyncio.gather(*filing, *asking, return_exceptions=True):
            if isinstance(done, Exception):
                raise done

    async def _file(self) -> None:
        line, told = Line(self._url, self._key), self.told
        while not self.over.is_set():
            number, place = next(self._places)
            moment = self._began + number / self._per_s
            while (pause := moment - time.monotonic()) > 0:
                if self.over.is_set():
                    return
                await asyncio.sleep(min(pause, 0.1))
            key, began = f"{told.run}-{number}", time.monotonic()
            body = {"lon": place[0], "lat": place[1], "category": "help", "address": told.run}
            told.places[key] = place
            told.stored[key] = await until_stored(line, told, "/incidents", body, key)
            told.answered_at.append(time.monotonic())
            told.waits.append(told.answered_at[-1] - began)
        line.close()

    async def _ask(self, number: int) -> None:
        line, turn = Line(self._url, self._key), 0
        while True:
            turn += 1
            moment = self._began + (turn * _ASKERS + number) / _ASKED_PER_S
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            lon, lat = next(self._asked)
            try:
                status, answer = await line.ask("GET", f"/locate?lon={lon!r}&lat={lat!r}", patience_s=5)
            except (*LOST, TimeoutError):
                self.told.located["none"] += 1
                continue
            if status != 200:
                self.told.located["none"] += 1
            else:
                is_right = json.loads(answer)["grid_cells"][-1]["grid_code"] == owner_of(lon, lat)
                self.told.located["right" if is_right else "wrong"] += 1


def pace(share: float) -> float:
    """Return the incidents a second beside a drill that kills what takes none; a sixth in a short one.

    Whoever kills a server or a database files as many as there can be: some must be on their way at that moment.
    """
    return PER_S if share == 1.0 else PER_S / 6


@contextlib.contextmanager
def filing(url: str, key: str, per_s: float = PER_S, network: str | None = None) -> Iterator[Told]:
    """File and ask from a thread of its own, while the context lasts; leaving waits until each that was sent is answered.

    Parameters
    ----------
    network
        Name of the network namespace (ip-netns(8)) to do it in.
    """
    told = Told()
    load = _Load(url, key, told, per_s)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            if network is not None:
                with Path(f"/run/netns/{network}").open("rb") as space:
                    os.setns(space.fileno(), os.CLONE_NEWNET)  # of this thread alone
            asyncio.run(load.run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield told
    finally:
        load.over.set()
        thread.join()
    if failed:
        raise failed[0]


def compare(verdict: Verdict, conninfo: str, told: Told) -> None:
    """Compare what was told with what is stored: nothing lost, nothing doubled, no wrong owner; figures besides."""
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "select k.idempotency_key, i.incident_id, i.grid_code from idempotency_keys k join incidents i"
            " using (incident_id) where k.idempotency_key like %s",
            (f"{told.run}-%",),
        ).fetchall()
        (count,) = connection.execute("select count(*) from incidents where address = %s", (told.run,)).fetchone() or (
            0,
        )
    stored = {key: incident for key, incident, _ in rows}
    lost = sum(stored.get(key) != incident for key, incident in told.stored.items())
    doubled = count - len(set(stored.values())) + len(rows) - len(set(stored.values()))
    misplaced = sum(cell != owner_of(*told.places[key]) for key, _, cell in rows)
    waits = sorted(told.waits) or [0.0]
    seconds = (told.answered_at[-1] - told.answered_at[0]) if len(told.answered_at) > 1 else 0.0
    verdict.figures |= {
        "accepted": len(told.stored),
        "per_s": round(len(told.stored) / seconds) if seconds else 0,
        "lost": lost,
        "doubled": doubled,
        "cut_off": told.cut_off,
        "told_to_come_back": sum(n for status, n in told.answers.items() if status >= 400),
        "longest_silence_s": told.longest_silence_s(),
        "p50_s": round(waits[len(waits) // 2], 3),
        "longest_s": round(waits[-1], 2),
        "located": dict(told.located),
    }
    verdict.expect(told.stored, "nothing was accepted at all")
    verdict.expect(not told.unanswered, f"{told.unanswered} incidents were never answered")
    verdict.expect(not lost, f"{lost} that were accepted are not stored")
    verdict.expect(not doubled, f"{doubled} are stored twice")
    verdict.expect(not misplaced, f"{misplaced} are stored with another cell than owns their place")
    verdict.expect(told.located["right"], "no place was answered")
    verdict.expect(not told.located["wrong"], f"{told.located['wrong']} places were answered with a wrong cell")
