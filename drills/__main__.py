"""`python -m drills NAME ...`, or `all`: failures on purpose, each in a city of its own, with figures and a verdict.

The last line of each is JSON. None takes longer than four minutes, but a week as long as it is told to. Exits 1 when a verdict is not green; what this machine does not allow is said, and no fault.
"""

import json
import signal
import sys
import time
from types import FrameType

from drills.every import ALL, DRILLS, drilled
from drills.kit import say
from drills.verdict import CannotBeDoneError, Verdict

_LONGEST_S = 240


def _too_long(_: int, __: FrameType | None) -> None:
    message = "it was not over within its time"
    raise TimeoutError(message)


def main(wanted: list[str]) -> int:
    names = ALL if wanted == ["all"] else wanted
    if not names or not set(names) <= DRILLS.keys():
        say(f"python -m drills NAME ... | all; there are: {', '.join(DRILLS)}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its processes are ended, its disk is given back
    signal.signal(signal.SIGALRM, _too_long)
    is_green = True
    for name in names:
        say(f"{name}: {(DRILLS[name].__doc__ or '').splitlines()[0]}")
        began = time.monotonic()
        signal.alarm(getattr(DRILLS[name], "LONGEST_S", _LONGEST_S))
        try:
            verdict = drilled(name)
        except CannotBeDoneError as reason:
            print(json.dumps({"drill": name, "cannot_be_done": str(reason)}), flush=True)
            continue
        except (AssertionError, TimeoutError) as broken:
            verdict = Verdict(faults=[str(broken)])
        finally:
            signal.alarm(0)
        is_green &= not verdict.faults
        for fault in verdict.faults:
            say(f"{name}: {fault}")
        found = {
            "drill": name,
            "green": not verdict.faults,
            **verdict.figures,
            "took_s": round(time.monotonic() - began),
        }
        print(json.dumps(found), flush=True)
    return int(not is_green)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
