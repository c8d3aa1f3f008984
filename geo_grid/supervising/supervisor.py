"""Starts processes of geo_grid and starts the one that serves again when it dies. Imports nothing heavy: it stays."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from geo_grid.errors import SetupError
from geo_grid.state_folder import keep_small
from geo_grid.supervising.lock import ServerLock

log = logging.getLogger(__name__)

_SOUND_S = 60.0
"""Who served so long is started again at once."""
_LONGEST_PAUSE_S = 30.0
_ORDERLY_S = 20.0
"""Longest an orderly end may take: uvicorn gives requests 5 s, then the rooms close."""
_LOOK_S = 10.0
_LONGEST_TEMPORARY = 70
"""Characters of a folder in which a path of a Unix socket still has room (108 bytes, unix(7))."""


class Ended(Exception):
    """A process that was to go on, or to end well, did not; it said why itself."""

    def __init__(self, what: str, code: int) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"{what} {how}")
        self.code = code


class _Child:
    """A process of geo_grid in a session of its own: Ctrl-C is for us, who end it in order."""

    def __init__(self, arguments: list[str], given: list[int], temporary: Path) -> None:
        self._line, theirs = socket.socketpair()
        environment = {"MALLOC_ARENA_MAX": "2", **os.environ}  # each thread's arena keeps what it once needed
        if len(str(temporary)) <= _LONGEST_TEMPORARY:
            environment["TMPDIR"] = str(temporary)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "geo_grid", *arguments, "--lifeline", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[theirs.fileno(), *given], env=environment,
            )  # fmt: skip

    def go(self) -> None:
        with contextlib.suppress(OSError):  # it is gone: `said` tells
            self._line.send(b".")

    def said(self, patience_s: float | None) -> bytes | None:
        """Return what it says: nothing when it is gone, None when it said nothing within the time."""
        self._line.settimeout(patience_s)
        try:
            return self._line.recv(1)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def end(self) -> None:
        """End it in order, or else at once."""
        try:
            self.process.terminate()
            self.process.wait(_ORDERLY_S)
        except subprocess.TimeoutExpired:
            log.error("process %d does not end: it is killed", self.process.pid)
            self._kill()
        except BaseException:  # asked to end once more: now
            self._kill()
            raise
        finally:
            self._line.close()

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Supervisor:
    """Prepares and serves in processes of their own; use as a context manager, which ends them.

    Parameters
    ----------
    state_dir
        Their temporary files are in its folder `tmp`, which is emptied at each start.
    bound
        The socket that is served on; it stays bound, so that whoever asks meanwhile waits and is not turned away.
    kept
        More open files that they keep open.
    """

    def __init__(self, state_dir: Path, bound: socket.socket, kept: list[int]) -> None:
        self._lock = ServerLock(state_dir)
        self._log = self._lock.log
        self._temporary = state_dir / "tmp"
        self._bound = bound
        self._kept = kept
        self._clear()
        self._serving: _Child | None = None
        self._next: _Child | None = self._start_serving()  # it loads its modules while others prepare

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in (self._next, self._serving):
            if child is not None:
                child.end()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def prepare(self, arguments: list[str], given: list[int]) -> None:
        """Run a command to its end, in a process whose memory goes with it. Raises Ended when it fails.

        Parameters
        ----------
        given
            Open files that the arguments name.
        """
        child = _Child(["prepare", *arguments], [*given, *self._kept], self._temporary)
        try:
            child.go()
            is_done = child.said(None) == b"."
            code = child.process.wait()
        finally:
            child.end()
        if code or not is_done:
            what = "what prepares the database"
            raise Ended(what, code)

    def serve(self, announce: Callable[[], None]) -> None:
        """Serve until a signal ends this process; `announce` is called whenever it can be reached anew.

        Meanwhile the next process stands by with its modules loaded, which takes seconds: 150 MB.

        Raises
        ------
        Ended
            It ended before it could be reached for the first time.
        SetupError
            The state folder is gone, and the database with it.
        """
        was_ready = False
        try:
            for pause_s in self._pauses():
                time.sleep(pause_s)
                child = self._serving = self._next or self._start_serving()
                self._next = None
                child.go()
                while (said := child.said(_LOOK_S)) != b"":
                    self._refuse_lost_state()
                    keep_small(self._log)
                    if said is not None:
                        was_ready = True
                        announce()
                    elif was_ready and self._next is None:
                        self._next = self._start_serving()
                child.process.wait()
                child.end()
                self._serving = None
                ended = Ended("the server", child.process.returncode)
                if not was_ready:
                    raise ended
                self._refuse_lost_state()
                log.error("%s: it is started again", ended)
                self._clear()
        except KeyboardInterrupt:
            if not was_ready:
                raise

    def _refuse_lost_state(self) -> None:
        if not self._lock.path.is_file():
            message = f"{self._lock.state_dir} was removed while it was in use: what it held is lost"
            raise SetupError(message)

    def _pauses(self) -> Iterator[float]:
        """Yield how long to wait before each start: nothing after a sound run, longer and longer after others."""
        pause_s = 0.0
        while True:
            began = time.monotonic()
            yield pause_s
            is_sound = time.monotonic() - began > _SOUND_S
            pause_s = 0.0 if is_sound else min(2 * pause_s + 0.5, _LONGEST_PAUSE_S)

    def _start_serving(self) -> _Child:
        bound = self._bound.fileno()
        return _Child(["serve-supervised", "--socket", str(bound)], [bound, *self._kept], self._temporary)

    def _clear(self) -> None:
        """Empty the folder of temporary files: nobody is left who uses them."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
