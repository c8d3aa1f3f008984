"""One server per state folder: a file lock, which the system releases when its processes end, with their pid and URL."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from geo_grid.state_folder import open_state_folder

_ENDING_S = 30.0
"""Seconds to wait for the processes of a killed supervisor to shut down."""


class ServerLock:
    """The lock of a state folder's server, and the log of one in the background."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.path = state_dir / "server.lock"
        self.log = state_dir / "server.log"

    @contextlib.contextmanager
    def held(self, url: str) -> Iterator[IO[str] | None]:
        """Hold the lock, and yield its file; None: another server has it. Child processes that inherit the file hold it too."""
        open_state_folder(self.state_dir)
        with self.path.open("a+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            self.path.chmod(0o600)
            opened.truncate(0)
            opened.write(json.dumps({"pid": os.getpid(), "url": url}))
            opened.flush()
            yield opened

    def holder(self) -> dict[str, Any] | None:
        """Return pid and URL of the running server, or None; waits until the processes of a killed one have ended."""
        deadline = time.monotonic() + _ENDING_S
        while (found := self._read()) is not None:
            if _runs(found["pid"]) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)
        return None

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        with self.path.open("r+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found: dict[str, Any] = json.loads(opened.read() or "{}")
                return found or {"pid": None, "url": "?"}
        return None


def _runs(pid: int | None) -> bool:
    """Whether a process runs; a zombie does not. True if that cannot be found out."""
    if pid is None:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"
