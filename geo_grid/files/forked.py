"""Processes that read files, as those see them that ask for one: each is forked from the nest of this process."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from geo_grid.files.child import purpose_of
from geo_grid.files.nest import ENDED, IDLE_S

_ENDS_S = 30.0
"""Seconds within which a process ends that has said everything; then it is killed."""
_PACKAGE = Path(__file__).parents[2]
_ENVIRONMENT = {
    "PYTHONPATH": str(_PACKAGE),
    "PYTHONDONTWRITEBYTECODE": "1",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "GDAL_DRIVER_PATH": "disable",
}
"""All that they know of ours: no secret."""


class Reading:
    """A process that reads one file.

    Attributes
    ----------
    answer
        The descriptor on which it says what it has read.
    """

    def __init__(self, answer: int, told: socket.socket) -> None:
        self.answer, self._told = answer, told
        self._code: int | None = None

    def code(self) -> int:
        """Wait for its end, and return how it ended, as subprocess.Popen.returncode says it."""
        if self._code is None:
            said = b""
            try:
                self._told.settimeout(_ENDS_S)
                said = self._told.recv(ENDED.size)
            except TimeoutError:  # it has said all that it may, and goes on
                self._told.shutdown(socket.SHUT_WR)
                self._told.settimeout(None)
                said = self._told.recv(ENDED.size)
            self._code = ENDED.unpack(said)[0] if said else -signal.SIGKILL  # the nest was killed, and it with the nest
        return self._code

    def kill(self) -> None:
        """End it, and wait until it is dead."""
        with contextlib.suppress(OSError):  # it has ended
            self._told.shutdown(socket.SHUT_WR)
        self.code()


class _Nest:
    """The process that they are forked from. It ends when `asked` is closed, be it by the end of this process, or when it was
    not asked for `IDLE_S`.
    """

    def __init__(self) -> None:
        self.asked_by = os.getpid()
        self.asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "geo_grid.files.nest", str(theirs.fileno()), str(IDLE_S)], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT, cwd="/",
            )  # fmt: skip
        threading.Thread(target=process.wait, name="end of the nest", daemon=True).start()  # else it stays a zombie


_lock = threading.Lock()
_kept: list[_Nest] = []
"""The one of this process, once there is one."""


@contextlib.contextmanager
def reading(job: dict[str, Any], opened: IO[bytes] | None = None) -> Iterator[Reading]:
    """Start a process with its job, and the file if that has no path to say; it is dead when this is left."""
    told, theirs = socket.socketpair()
    job_read, job_written = os.pipe()
    answer_read, answer_written = os.pipe()
    with told, os.fdopen(job_written, "wb") as asking, os.fdopen(answer_read, "rb", buffering=0) as answer:
        with theirs, os.fdopen(job_read, "rb"), os.fdopen(answer_written, "wb"):
            files = [] if opened is None else [opened.fileno()]
            _fork(purpose_of(job), [job_read, answer_written, theirs.fileno(), *files])
        process = Reading(answer.fileno(), told)
        try:
            with contextlib.suppress(BrokenPipeError):
                asking.write(json.dumps(job).encode())
                asking.close()
            yield process
        finally:
            process.kill()


def _fork(purpose: str, passed: list[int]) -> None:
    with _lock:
        if _kept and _kept[0].asked_by == os.getpid():
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended
                socket.send_fds(_kept[0].asked, [purpose.encode()], passed)
                return
        _kept[:] = [_Nest()]
        socket.send_fds(_kept[0].asked, [purpose.encode()], passed)
