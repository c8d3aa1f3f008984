"""How long a city takes to come up: on a machine where nothing is compiled or loaded, again with all there, after kill -9.

Real programs with real state, in a folder of their own, from a new clone of what is committed by its set-up and `make up`, as a
person types them; the Debian packages are there.

- cold_up_s: all packages of Python and npm are fetched, as on a new machine;
- first_up_s: they are in the caches of uv and npm, of three runs;
- warm_up_s: `geo-grid up` of a city that is there.

The last line is JSON: the slowest of three runs of each figure, but for cold_up_s, which is of one.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PORT = 8190
URL = f"http://127.0.0.1:{_PORT}"
_AT_ONCE_S = 0.2
_RUNS = 3


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class City:
    """A city in a folder of its own, run by a checkout."""

    def __init__(self, folder: Path, checkout: Path = ROOT, caches: Path | None = None) -> None:
        self.state = folder / "state"
        self.checkout = checkout
        # a person's Python keeps what it compiled of a module, as the second start of a real machine finds it
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment = {**inherited, "GEO_GRID_STATE_DIR": str(self.state), "GEO_GRID_PORT": str(_PORT)}
        if caches:  # of downloads
            names = {"UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip", "npm_config_cache": "npm"}
            self._environment |= {name: str(caches / kept) for name, kept in names.items()}

    def run(self, *arguments: str, said: bool = True) -> tuple[float, str]:
        """Run a command of geo_grid; return its seconds and what it said, or what it answered."""
        return self.run_program(str(self.checkout / ".venv/bin/python"), "-m", "geo_grid", *arguments, said=said)

    def run_program(self, *arguments: str, said: bool = True) -> tuple[float, str]:
        """Run a program in the checkout; return its seconds and what it said, or what it answered."""
        began = time.perf_counter()
        done = subprocess.run(
            arguments, env=self._environment, cwd=self.checkout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            message = f"{' '.join(arguments)}: {done.stderr[-2000:]}"
            raise RuntimeError(message)
        return time.perf_counter() - began, done.stderr if said else done.stdout

    def servers(self) -> list[int]:
        """Process ids of ours, the one that serves first: it is larger than the one that stands by."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"GEO_GRID_STATE_DIR={self.state}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    status = (process / "status").read_text()
                    serves = b"serve-supervised" in (process / "cmdline").read_bytes().split(b"\0")
                    found.append((serves, int(re.search(r"VmRSS:\s+(\d+)", status)[1]), int(process.name)))
            except (OSError, TypeError):
                continue
        return [pid for *_, pid in sorted(found, reverse=True)]

    def wait_until_complete(self) -> None:
        """Wait until the demo's earlier incidents, which follow when the city is up, are stored."""
        while (self.state / "demo-incidents.parquet").exists():
            time.sleep(1)

    def postmaster(self) -> int:
        """Process id of its PostgreSQL."""
        return int((self.state / "postgres/postmaster.pid").read_text().split()[0])


def memory_mb(pid: int) -> dict[str, int]:
    """What a process holds, and what of it is its own alone: not files, which others share and the system can drop."""
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        f"{name}_mb": round(int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024)
        for name, field in (("rss", "VmRSS"), ("anon", "RssAnon"))
    }


def answers() -> bool:
    try:
        with urllib.request.urlopen(f"{URL}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ready_after_s() -> float:
    """Seconds until the server answers again, and at once: a question may also have waited until it could be answered."""
    began, good_since = time.perf_counter(), 0.0
    while (elapsed := time.perf_counter() - began) < good_since + 3:
        asked = time.perf_counter()
        if not answers() or time.perf_counter() - asked > _AT_ONCE_S:
            good_since = time.perf_counter() - began
        if elapsed > 120:
            message = "the server did not come back"
            raise TimeoutError(message)
        time.sleep(0.02)
    return good_since


_ESTIMATED = "select count(*) from response_circles where method <> 'valhalla'"


@contextlib.contextmanager
def new_clone(caches: Path) -> Iterator[City]:
    """A clone of what is committed, with nothing in it; its city is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="geo_grid_restart_", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        city = City(folder, folder / "clone", caches)
        subprocess.run(["git", "clone", "--quiet", ROOT, city.checkout], check=True)
        try:
            yield city
        finally:
            city.run("down")


def measure(caches: Path) -> dict[str, float]:
    with new_clone(caches) as city:
        set_up, _ = city.run_program("./setup.sh", "up")
        cold, said = city.run_program("make", "up", "DETACH=1")
        steps = dict(re.findall(r"^(.+) … ([\d.]+) s$", said, re.MULTILINE))
        found = {
            "first_up_s": round(set_up + cold, 1),
            "set_up_s": round(set_up, 1),
            "compiling_s": float(next(value for step, value in steps.items() if step.startswith("compiling what"))),
            "circles_s": float(steps["response circles"]),
            "circles_estimated": int(city.run("psql", "--", "-qAtc", _ESTIMATED, said=False)[1]),
        }
        city.run("down")
        found["warm_up_s"] = round(city.run("up", "--detach")[0], 1)
        city.wait_until_complete()
        time.sleep(20)  # at rest
        server = city.servers()[0]
        found |= memory_mb(server)
        os.kill(server, signal.SIGKILL)
        found["after_server_killed_s"] = round(ready_after_s(), 1)
        os.kill(city.postmaster(), signal.SIGKILL)
        found["after_postmaster_killed_s"] = round(ready_after_s(), 1)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="geo_grid_caches_", dir="/tmp") as name:
        say("a machine that has fetched nothing ...")
        with new_clone(Path(name)) as city:
            cold = city.run_program("./setup.sh", "up")[0] + city.run_program("make", "up", "DETACH=1")[0]
        runs = []
        for number in range(_RUNS):
            say(f"run {number + 1} of {_RUNS} ...")
            runs.append(measure(Path(name)))
            print(json.dumps(runs[-1]), flush=True)
    print(json.dumps({"cold_up_s": round(cold, 1), **{figure: max(run[figure] for run in runs) for figure in runs[0]}}))


if __name__ == "__main__":
    main()
