"""A server in the background: started with a terminal that goes, stopped by the state folder it holds."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from geo_grid.errors import SetupError
from geo_grid.state_folder import keep_small, open_state_folder
from geo_grid.supervising.lock import ServerLock

_PATIENCE_S = 30.0


def start_in_background(state_dir: Path, arguments: list[str]) -> None:
    """Start `geo-grid up` in the background and wait until it is ready, showing its words meanwhile.

    Raises
    ------
    SetupError
        It ended before it was ready.
    """
    log = ServerLock(state_dir).log
    open_state_folder(state_dir)
    keep_small(log)
    log.touch(mode=0o600)
    told, tell = os.pipe()  # what is shown once must not stand in the log; it is closed when the server is ready
    with log.open("ab") as appended, log.open(encoding="utf-8", errors="replace") as said:
        said.seek(0, os.SEEK_END)
        started = subprocess.Popen(
            [sys.executable, "-m", "geo_grid", "up", *arguments, "--tell", str(tell)],
            stdin=subprocess.DEVNULL, stdout=appended, stderr=appended, start_new_session=True, pass_fds=[tell],
        )  # fmt: skip
        os.close(tell)
        shown_once = b""
        while True:
            sys.stderr.write(said.read())
            if select.select([told], [], [], 0.2)[0]:
                if not (more := os.read(told, 1 << 16)):
                    break
                shown_once += more
        os.close(told)
        try:
            code = started.wait(0.5)
        except subprocess.TimeoutExpired:
            return
        finally:
            sys.stderr.write(said.read() + shown_once.decode())
        message = f"the server ended with exit code {code} before it was ready (log: {log})"
        raise SetupError(message)


def stop_in_background(state_dir: Path) -> str | None:
    """Stop the server of this state folder; return its URL, or None when none runs."""
    lock = ServerLock(state_dir)
    holder = lock.holder()
    if holder is None or holder["pid"] is None:
        return None
    os.kill(holder["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_S
    while lock.holder() is not None:
        if time.monotonic() > deadline:
            message = f"process {holder['pid']} did not stop within {_PATIENCE_S:.0f} s"
            raise SetupError(message)
        time.sleep(0.1)
    return str(holder["url"])
