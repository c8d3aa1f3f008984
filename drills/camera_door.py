"""kill -9 of the process that camera platforms talk to, in the middle of a catalogue, while incidents are filed."""

import contextlib
import os
import queue
import signal
import time

import psycopg

from drills.filing import compare, filing
from drills.kit import City, until
from drills.verdict import Verdict
from tests.cameras.door import PLATFORM
from tests.cameras.lower import Lower
from tests.cameras.test_lower_platforms import items

_CAMERAS, _KILLED = 400, 2


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    cameras, killed = round(_CAMERAS * share), max(1, round(_KILLED * share))
    sent = items(cameras)
    city.run("cameras", "platform", "P1", "P1", "--source-crs", "EPSG:4490", "--gb28181-id", PLATFORM, "--enable")
    with filing(city.url, key, per_s=100) as told:
        registered_s = []
        for turn in range(killed + 1):
            with contextlib.ExitStack() as stack:
                lower, waited_s = _registered(city, stack)
                registered_s.append(waited_s)
                serial = lower.query()
                if turn == killed:
                    lower.answer_query(sent, serial, at_once=50)
                    until(lambda: _stored(city) >= cameras, f"the catalogue is not in the register: {_stored(city)}")
                    continue
                lower.answer_query(sent[: cameras // 2], serial, cameras, at_once=50)
                (door,) = city.doors
                os.kill(door, signal.SIGKILL)
                verdict.expect(_stored(city) == 0, "half a catalogue was taken")
    compare(verdict, city.conninfo, told)
    verdict.figures |= {"cameras": _stored(city), "killed": killed, "registered_after_s": registered_s}
    verdict.expect(_stored(city) == cameras, f"{cameras} cameras were announced, and {_stored(city)} are stored")
    return verdict


def _registered(city: City, stack: contextlib.ExitStack) -> tuple[Lower, float]:
    """Register as soon as there is a door; return the platform and the seconds it took."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError, queue.Empty), contextlib.ExitStack() as trying:
            lower = trying.enter_context(Lower(int(city.environment["GEO_GRID_SIP_PORT"]), PLATFORM, patience_s=1.0))
            if lower.register().startswith(b"SIP/2.0 200"):
                lower.patience_s = 30.0
                stack.push(trying.pop_all())
                return lower, round(time.monotonic() - began, 2)
        assert time.monotonic() - began < 120, "the door was not opened again"
        time.sleep(0.1)


def _stored(city: City) -> int:
    with psycopg.connect(city.conninfo) as connection:
        (count,) = connection.execute(
            "select count(*) from cameras where gb28181_id like '1305020000132%'"
        ).fetchone() or (0,)
    return int(count)
