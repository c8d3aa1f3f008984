"""kill -9 of the serving process, again and again, while incidents are filed."""

import os
import signal
import time

from drills.filing import compare, filing
from drills.kit import City, alive, until
from drills.verdict import Verdict

_KILLED, _BETWEEN_S = 3, 8.0


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    killed = max(1, round(_KILLED * share))
    with filing(city.url, key) as told:
        for _ in range(killed):
            time.sleep(max(1.5, _BETWEEN_S * share))
            serving = city.serving
            os.kill(serving, signal.SIGKILL)
            until(lambda serving=serving: not alive(serving), "it lives")
            until(lambda serving=serving: city.of(b"serve-supervised") and city.serving != serving, "no other serves")
            count = len(told.answered_at)
            until(lambda count=count: len(told.answered_at) > count + 20, "nothing is taken after it was killed")
    compare(verdict, city.conninfo, told)
    verdict.figures["killed"] = killed
    verdict.expect(city.is_ready(), "the server is not ready afterwards")
    return verdict
