"""A city of its own for a drill: `geo-grid up` of a small city in a folder, its processes, and what is done to them."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from bench.serving import new_key
from drills import squares
from drills.verdict import CannotBeDoneError
from geo_grid.access import audit
from geo_grid.access.accounts import Role
from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster
from geo_grid.supervising import ServerLock

PATIENCE_S = 90.0
"""Of a busy machine."""
FREE = {"GEO_GRID_RATE_LIMIT": "1000000/second", "GEO_GRID_EVENT_STREAMS_PER_ACCOUNT": "1000"}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def until(what: Callable[[], object], said: str, patience_s: float = PATIENCE_S) -> float:
    """Wait until something is so; return the seconds. Raises AssertionError with what is said after 90 s."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < patience_s, said
        time.sleep(0.05)
    return round(time.monotonic() - began, 2)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):  # it has ended
        return [
            int(child)
            for one in Path(f"/proc/{pid}/task").iterdir()
            for child in (one / "children").read_text().split()
        ]
    return []


def descendants(pid: int) -> list[int]:
    """Return a process and all that came from it."""
    return [pid, *(one for child in children(pid) for one in descendants(child))]


def command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_ready_at(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz", timeout=PATIENCE_S).status_code == 200
    return False


class City:
    """A city that is served by `up --detach`, in a state folder of its own.

    Parameters
    ----------
    more
        Further environment of its programs.
    """

    def __init__(self, state_dir: Path, more: dict[str, str] | None = None) -> None:
        self.state_dir = state_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = state_dir / "server.log"
        self._more = more or {}

    @property
    def environment(self) -> dict[str, str]:
        """Of its programs."""
        return {**os.environ, **self._more, "GEO_GRID_STATE_DIR": str(self.state_dir)}

    def done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of geo_grid, whatever becomes of it."""
        return subprocess.run(
            [sys.executable, "-m", "geo_grid", *arguments],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def run(self, *arguments: str) -> str:
        """Run a command of geo_grid, which must succeed; return what it said."""
        done = self.done(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start(self) -> str:
        return self.run("up", "--empty", "--detach", "--port", str(self.port))

    def new_key(self, role: Role = "supervisor") -> str:
        """Return a key of a new machine that sees the whole city."""
        return new_key(self.conninfo, role=role)

    def audit_is_whole(self) -> bool:
        """Say whether the chain of the audit holds from its first row to its last."""
        return not as_owner(self.conninfo, audit.verify).faults

    @property
    def conninfo(self) -> str:
        """Connection string of its database, as the owner."""
        return self._more.get("GEO_GRID_DATABASE_URL") or Cluster(self.state_dir).conninfo

    @property
    def supervisor(self) -> int:
        holder = ServerLock(self.state_dir).holder()
        assert holder is not None
        return int(holder["pid"])

    def of(self, name: bytes) -> list[int]:
        """Return the supervisor's children with a word in their command, the oldest first."""
        return sorted(one for one in children(self.supervisor) if name in command(one))

    @property
    def serving(self) -> int:
        """The one that serves: it was started before the one that stands by."""
        return self.of(b"serve-supervised")[0]

    @property
    def doors(self) -> list[int]:
        return self.of(b"listen")

    @property
    def workers(self) -> list[int]:
        """Processes that the server's fork server made: those that know roads, and what else is done apart."""
        return [one for fork in children(self.serving) if b"forkserver" in command(fork) for one in children(fork)]

    @property
    def postmaster(self) -> int:
        return int((Cluster(self.state_dir).data / "postmaster.pid").read_text().split()[0])

    def is_ready(self) -> bool:
        return is_ready_at(self.url)

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, headers={"Authorization": f"Bearer {key}"})


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that the unprivileged user of PostgreSQL can reach."""
    made = Path(tempfile.mkdtemp(prefix="geo_grid_drill_", dir="/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def small_disk(where: Path, size_mb: int) -> Iterator[None]:
    """A disk of so many megabytes at a folder. Raises CannotBeDoneError where nothing can be mounted."""
    options = f"size={size_mb}m,mode=755"
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", where], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        message = "nothing can be mounted here: it needs root"
        raise CannotBeDoneError(message) from None
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", where], check=True)


@contextlib.contextmanager
def city(size_mb: int = 0, more: dict[str, str] | None = None) -> Iterator[City]:
    """The city of squares, served; on a disk of its own where one of so many megabytes is asked for."""
    with folder() as place, contextlib.ExitStack() as stack:
        if size_mb:
            stack.enter_context(small_disk(place, size_mb))
        made = City(place, {**FREE, **(more or {})})
        stack.callback(made.done, "down")
        made.start()
        squares.found(made.conninfo)
        yield made
