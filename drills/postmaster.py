"""kill -9 of PostgreSQL's postmaster, again and again, while incidents are filed."""

import os
import signal
import time

from drills.filing import compare, filing
from drills.kit import City, until
from drills.verdict import Verdict

_KILLED, _BETWEEN_S = 3, 8.0


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    killed, serving = max(1, round(_KILLED * share)), city.serving
    with filing(city.url, key) as told:
        for _ in range(killed):
            time.sleep(max(1.5, _BETWEEN_S * share))
            before = city.postmaster
            os.kill(before, signal.SIGKILL)
            count = len(told.answered_at)
            until(lambda before=before: _other(city, before), "PostgreSQL was not started again")
            until(lambda count=count: len(told.answered_at) > count + 20, "nothing is taken after it was killed")
    compare(verdict, city.conninfo, told)
    verdict.figures["killed"] = killed
    verdict.expect(city.serving == serving, "the server did not outlive its database")
    verdict.expect(city.is_ready(), "the server is not ready afterwards")
    return verdict


def _other(city: City, before: int) -> bool:
    try:
        return city.postmaster != before
    except (OSError, IndexError):  # there is none
        return False
