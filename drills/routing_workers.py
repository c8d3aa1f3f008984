"""kill -9 of every process that knows the roads, again and again, while incidents are filed and the desk asks who is near."""

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter

import httpx

from drills.filing import compare, filing, pace
from drills.kit import City, until
from drills.squares import SIDE, SOUTH, WEST, write_streets
from drills.verdict import Verdict

_SECONDS, _EVERY_S, _ASKED_EVERY_S = 30.0, 4.0, 0.1
_HERE = {"lon": WEST + 5.5 * SIDE, "lat": SOUTH + 6 * SIDE}
_ARRIVAL_S = 1.0
"""How much an arrival may differ from that before: units stand still."""


def _arrivals(client: httpx.Client) -> dict[str, tuple[str, float]]:
    """Return method and arrival of each responder."""
    answer = client.get("/desk", params=_HERE)
    answer.raise_for_status()
    return {one["code"]: (one["method"], one["arrival_s"]) for one in answer.json()["responders"]}


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    streets = city.state_dir / "streets.osm"
    write_streets(streets)
    city.run("import", "roads", str(streets))
    found: Counter[str] = Counter()
    over = threading.Event()
    with city.client(key) as client:

        def by_road() -> bool:
            return {method for method, _ in _arrivals(client).values()} == {"valhalla"}

        until(by_road, "the desk never answered by road")
        before, killed = _arrivals(client), 0

        def ask() -> None:
            with city.client(key) as asking:
                while not over.wait(_ASKED_EVERY_S):
                    try:
                        now = _arrivals(asking)
                    except httpx.HTTPError:
                        found["none"] += 1
                        continue
                    for code, (method, arrival_s) in now.items():
                        is_wrong = method == "valhalla" and abs(arrival_s - before[code][1]) > _ARRIVAL_S
                        found["wrong" if is_wrong else method] += 1

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with filing(city.url, key, pace(share)) as told:
                until_s = time.monotonic() + _SECONDS * share
                while time.monotonic() < until_s:
                    time.sleep(_EVERY_S * max(share, 0.25))
                    for worker in city.workers:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker, signal.SIGKILL)
                            killed += 1
        finally:
            over.set()
            asking.join()
        verdict.figures["by_road_again_s"] = until(by_road, "the desk does not answer by road any more")
    compare(verdict, city.conninfo, told)
    verdict.figures |= {"killed": killed, "responders": json.loads(json.dumps(found))}
    verdict.expect(killed, "there was no process to kill")
    verdict.expect(not found["none"], f"the desk did not answer {found['none']} times")
    verdict.expect(not found["wrong"], f"{found['wrong']} arrivals by road differ from those before")
    return verdict
