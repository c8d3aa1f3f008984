"""200 walls lose their server and come back at once, while incidents are filed: each hears of every incident."""

import os
import signal
import time

from drills.filing import compare, filing
from drills.kit import City, until
from drills.listening import walls
from drills.verdict import Verdict

_WALLS, _PER_S, _BESIDE_S = 200, 50, 10.0


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    count = round(_WALLS * share)
    with walls(city.url, key, count) as (heard, told):
        until(lambda: all(one.let_in_at for one in heard), "not all walls were let in at first")
        with filing(city.url, key, per_s=_PER_S) as filed:
            time.sleep(max(1.0, _BESIDE_S * share))
            before, began = [len(one.let_in_at) for one in heard], time.monotonic()
            os.kill(city.serving, signal.SIGKILL)
            until(
                lambda: all(len(one.let_in_at) > n for one, n in zip(heard, before, strict=True)),
                "not all walls came back",
            )
            back_s = max(one.let_in_at[n] for one, n in zip(heard, before, strict=True)) - began
            time.sleep(max(1.0, _BESIDE_S * share))
        incidents = set(filed.stored.values())

        def unheard() -> int:
            return sum(len(incidents - one.steps.keys()) for one in heard)

        try:
            late_s = until(lambda: not unheard(), "", 30)
        except AssertionError:
            late_s = 30.0
        missing = unheard()
    compare(verdict, city.conninfo, filed)
    verdict.figures |= {
        "walls": count, "all_back_after_s": round(back_s, 2), "unheard": missing, "heard_late_s": late_s, "told": dict(told)
    }  # fmt: skip
    verdict.expect(not missing, f"{missing} times a wall did not hear of an incident")
    return verdict
