"""A server in the background (daemon): it outlives the terminal, and is stopped by its state folder."""

import os
import select
import signal
import sys
import time
from pathlib import Path

from geo_grid.errors import SetupError
from geo_grid.state_folder import keep_small, open_state_folder
from geo_grid.supervising.lock import ServerLock

_PATIENCE_S = 30.0
_LOOK_S = 0.2
_READY = b"\0"


def go_into_background(state_dir: Path) -> int | None:
    """Fork a process that outlives the terminal; the parent shows its messages, and waits until it is ready.

    A fork, since a new program would take a second to import the modules again.

    Returns
    -------
    In the child a descriptor for `say_ready`: text written to it before is shown on the terminal, and not logged. In the
    parent None, when the child is ready.

    Raises
    ------
    SetupError
        The child ended before it was ready.
    """
    log = ServerLock(state_dir).log
    open_state_folder(state_dir)
    keep_small(log)
    log.touch(mode=0o600)
    told, tell = os.pipe()
    with log.open("ab") as appended, log.open(encoding="utf-8", errors="replace") as said:
        said.seek(0, os.SEEK_END)
        process = os.fork()
        if not process:
            os.close(told)
            _leave_terminal(appended.fileno())
            return tell
        os.close(tell)
        received = b""
        waiting = select.poll()
        waiting.register(told)
        while True:
            sys.stderr.write(said.read())
            if waiting.poll(_LOOK_S * 1000):
                if not (more := os.read(told, 1 << 16)):
                    break
                received += more
        os.close(told)
        is_ready = received.endswith(_READY)
        status = 0 if is_ready else os.waitpid(process, 0)[1]
        sys.stderr.write(said.read() + received.removesuffix(_READY).decode())
        if is_ready:
            return None
        message = (
            f"the server ended with exit code {os.waitstatus_to_exitcode(status)} before it was ready (log: {log})"
        )
        raise SetupError(message)


def say_ready(tell: int) -> None:
    """Tell the parent in `go_into_background` that this process is ready."""
    os.write(tell, _READY)
    os.close(tell)


def _leave_terminal(log: int) -> None:
    """Start a new session, with /dev/null as standard input, and a log as output."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, number)
    os.close(nothing)


def stop_in_background(state_dir: Path) -> str | None:
    """Stop the server of this state folder, and wait until it has ended; return its URL, or None when none runs."""
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
