"""PostgreSQL is stopped (SIGSTOP), all of its processes, for 15 seconds, while incidents are filed."""

import os
import signal
import time

import httpx

from drills.filing import compare, filing
from drills.kit import City, descendants, until
from drills.verdict import Verdict

_STOPPED_S, _BESIDE_S = 15.0, 5.0


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    healthy = unhealthy = 0
    with filing(city.url, key) as told:
        time.sleep(max(1.5, _BESIDE_S * share))
        stopped = descendants(city.postmaster)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            until_s = time.monotonic() + _STOPPED_S * share
            while time.monotonic() < until_s:
                try:
                    is_well = httpx.get(f"{city.url}/healthz", timeout=2).status_code == 200
                except httpx.HTTPError:
                    is_well = False
                healthy, unhealthy = healthy + is_well, unhealthy + (not is_well)
                time.sleep(0.2)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        count = len(told.answered_at)
        again_s = until(lambda: len(told.answered_at) > count + 20, "nothing is taken after it goes on")
        time.sleep(max(1.0, _BESIDE_S * share))
    compare(verdict, city.conninfo, told)
    verdict.figures |= {
        "stopped_s": round(_STOPPED_S * share, 1),
        "taken_again_after_s": again_s,
        "healthz_answered": healthy,
    }
    verdict.expect(not unhealthy, f"/healthz, which asks no database, did not answer {unhealthy} times")
    verdict.expect(city.is_ready(), "the server is not ready afterwards")
    return verdict
