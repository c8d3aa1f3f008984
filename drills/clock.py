"""The clock is set back an hour, for the server and PostgreSQL, while incidents are filed; then set right again.

The programs' clock, by a library that they preload (false_clock.c, compiled by cc) and that reads how far it is off from a file:
the machine's own clock is not touched, and what measures spans of time (CLOCK_MONOTONIC) is true. Debian's libfaketime cannot
do it: with a true CLOCK_MONOTONIC it breaks clock_nanosleep(2), which Python sleeps by.
"""

import shutil
import subprocess
import time
from pathlib import Path

import psycopg

from drills.filing import compare, filing
from drills.kit import City, until
from drills.verdict import CannotBeDoneError, Verdict

_BACK_S, _BESIDE_S = 3600, 8.0


def false_clock(place: Path) -> dict[str, str]:
    """Return the environment of programs whose clock can be set. Raises CannotBeDoneError."""
    compiler = shutil.which("cc")
    if compiler is None:
        message = "there is no C compiler: apt-get install gcc libc6-dev"
        raise CannotBeDoneError(message)
    library, offset = place / "false_clock.so", place / "offset"
    source = Path(__file__).with_name("false_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, source], check=True)
    offset.write_bytes(bytes(8))
    offset.chmod(0o644)
    return {"LD_PRELOAD": str(library), "DRILL_CLOCK": str(offset)}


def _set(city: City, seconds: int) -> None:
    with Path(city.environment["DRILL_CLOCK"]).open("r+b") as offset:  # in place: it is mapped
        offset.write(seconds.to_bytes(8, "little", signed=True))


def _now(city: City) -> float:
    with psycopg.connect(city.conninfo) as connection:
        (now,) = connection.execute("select extract(epoch from clock_timestamp())").fetchone() or (0,)
    return float(now)


def drill(city: City, share: float = 1.0) -> Verdict:
    verdict, key = Verdict(), city.new_key()
    beside_s = max(2.0, _BESIDE_S * share)
    with filing(city.url, key) as told, city.client(key) as client:
        time.sleep(beside_s)
        _set(city, -_BACK_S)
        count = len(told.answered_at)
        off_s = round(time.time() - _now(city))
        verdict.expect(abs(off_s - _BACK_S) < 60, f"the clock of PostgreSQL is {off_s} s behind, not {_BACK_S}")
        time.sleep(beside_s)
        taken_back = len(told.answered_at) - count
        ready = client.get("/readyz").json()
        logged_in = client.get("/session").status_code
        _set(city, 0)
        time.sleep(beside_s)
    compare(verdict, city.conninfo, told)
    with psycopg.connect(city.conninfo) as connection:
        (early,) = connection.execute(
            "select count(*) from incidents where address = %s and (closed_at is not null or received_at > now())",
            (told.run,),
        ).fetchone() or (0,)
    verdict.figures |= {"taken_an_hour_back": taken_back, "warnings": ready.get("warnings"), "session": logged_in}
    verdict.expect(taken_back, "nothing was taken while the clock was back")
    verdict.expect(ready.get("warnings"), "/readyz does not name the clock")
    verdict.expect(not early, f"{early} incidents were closed or are of the future")
    verdict.expect(logged_in == 200, f"a key that is in force is not let in while the clock is back: {logged_in}")
    verdict.expect(city.audit_is_whole(), "the chain of the audit is broken")
    with city.client(key) as client:
        until(lambda: not client.get("/readyz").json()["warnings"], "/readyz still warns though the clock is right", 60)
    return verdict
