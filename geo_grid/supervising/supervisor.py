"""The supervisor: starts the processes of a server, and restarts the serving one when it dies. It stays in memory, and so
imports no large modules."""

import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from geo_grid.errors import SetupError
from geo_grid.state_folder import keep_small
from geo_grid.supervising.lock import ServerLock

log = logging.getLogger(__name__)

_SOUND_S = 60.0
"""Seconds of service after which a process is restarted without back-off."""
_LONGEST_PAUSE_S = 30.0
_ORDERLY_S = 20.0
"""Longest time of an orderly shutdown in seconds: uvicorn waits 5 s for requests, then pools and processes are closed."""
_LOOK_S, _REST_S = 2.0, 10.0
"""Seconds between looks at what runs beside the server; and of quiet after which one more process is started to stand by."""
_LONGEST_TEMPORARY = 70
"""Characters of a folder in which a path of a Unix socket still has room (108 bytes, unix(7))."""


class Ended(Exception):
    """A child process ended unexpectedly, or with an error that it has reported itself."""

    def __init__(self, what: str, code: int) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"{what} {how}")
        self.code = code


class _Child:
    """A child process in a session of its own: Ctrl-C reaches only the supervisor, which shuts it down in order."""

    def __init__(self, arguments: list[str], given: list[int], temporary: Path) -> None:
        self._line, theirs = socket.socketpair()
        self._has_work = False
        self._temporary = temporary = Path(tempfile.mkdtemp(prefix="", dir=temporary))
        environment = {
            "MALLOC_ARENA_MAX": "2",
            **os.environ,
        }  # glibc keeps free memory in one arena per thread otherwise
        if len(str(temporary)) <= _LONGEST_TEMPORARY:
            environment["TMPDIR"] = str(temporary)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "geo_grid", *arguments, "--lifeline", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[theirs.fileno(), *given], env=environment,
            )  # fmt: skip

    def fileno(self) -> int:
        """Descriptor of the line to it, to wait for what it says."""
        return self._line.fileno()

    def go(self, number: int = 0) -> None:
        """Give it its work, with the number of its place (see `Lifeline.number`)."""
        self._has_work = True
        with contextlib.suppress(OSError):  # it has ended, which `said` reports
            self._line.send(bytes([number]))

    def said(self) -> bytes:
        """Wait for its next message: empty when it has ended."""
        try:
            return self._line.recv(1)
        except OSError:
            return b""

    def end(self) -> None:
        """Shut it down in order; kill it when that takes too long, or when it was given no work yet."""
        try:
            if not self._has_work:
                self._kill()
            self.process.terminate()
            self.process.wait(_ORDERLY_S)
        except subprocess.TimeoutExpired:
            log.error("process %d did not shut down within %.0f s, and is killed", self.process.pid, _ORDERLY_S)
            self._kill()
        except BaseException:  # a second signal while waiting: kill it now
            self._kill()
            raise
        finally:
            self._line.close()
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()


class _Companion:
    """A process that comes and goes without the server: a longer pause before each start, until it has run for a minute."""

    def __init__(self, command: Sequence[str], temporary: Path) -> None:
        self._command = list(command)
        self._temporary = temporary
        self._child: _Child | None = None
        self._began = self._next = float("-inf")
        self._pause_s = 0.0

    def look(self) -> None:
        """Start it when it does not run, unless it has ended by itself."""
        now = time.monotonic()
        if self._child is not None and (code := self._child.process.poll()) is not None:
            self.end()
            if code == 0:
                self._command = []
                return
            log.error("%s: it is started again", Ended(f"geo-grid {' '.join(self._command)}", code))
            self._pause_s = 0.0 if now - self._began > _SOUND_S else min(2 * self._pause_s + 5, _LONGEST_PAUSE_S)
            self._next = now + self._pause_s
        if self._command and self._child is None and now >= self._next:
            self._began, self._next = now, now + _LONGEST_PAUSE_S
            with contextlib.suppress(OSError):  # no memory for another process: later
                self._child = _Child(self._command, [], self._temporary)
                self._child.go()

    def end(self) -> None:
        """End it, if it runs."""
        if self._child is not None:
            child, self._child = self._child, None
            child.end()


class _Worker:
    """A place among those who serve, and the process that has it: a longer pause before each start, until it has run for a
    minute. `number` counts from 1.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.child: _Child | None = None
        self.is_ready = False
        self.next = float("-inf")
        self._began = float("-inf")
        self._pause_s = 0.0

    def start(self, child: _Child) -> None:
        self.child, self._began = child, time.monotonic()
        child.go(self.number)

    def end(self) -> int:
        """Bury a process that ended; return its exit code."""
        child, self.child, self.is_ready = self.child, None, False
        if child is None:
            raise AssertionError
        child.process.wait()
        child.end()
        now = time.monotonic()
        self._pause_s = 0.0 if now - self._began > _SOUND_S else min(2 * self._pause_s + 0.5, _LONGEST_PAUSE_S)
        self.next = now + self._pause_s
        return int(child.process.returncode)


class Supervisor:
    """Runs preparation and serving in child processes; a context manager, which ends them when it is left.

    Parameters
    ----------
    state_dir
        State folder; temporary files are in its folder `tmp`, which is emptied at each start.
    bound
        The listening socket, which all who serve accept from. It stays open during a restart, so that connections wait and
        are not refused.
    kept
        More file descriptors that the children inherit.
    preparing, given
        Arguments of the command that prepares, and the file descriptors that they name.
    workers
        Number of processes that serve.
    """

    def __init__(
        self,
        state_dir: Path,
        bound: socket.socket,
        kept: list[int],
        preparing: Sequence[str],
        given: Sequence[int] = (),
        workers: int = 1,
    ) -> None:
        self._lock = ServerLock(state_dir)
        self._log = self._lock.log
        self._temporary = state_dir / "tmp"
        self._bound = bound
        self._kept = kept
        self._companions: list[_Companion] = []
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        # all import their modules meanwhile
        self._preparing = _Child(["prepare", *preparing], [*given, *kept], self._temporary)
        self._workers = [_Worker(number) for number in range(1, workers + 1)]
        self._waiting = [self._new_server() for _ in self._workers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; for whoever does not come to enter the context, such as when the database does not start."""
        for companion in self._companions:
            companion.end()
        serving = [worker.child for worker in self._workers if worker.child is not None]
        for child in serving:
            child.process.terminate()  # all at once: each takes seconds to shut down
        for child in (self._preparing, *self._waiting, *serving):
            child.end()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def prepare(self) -> None:
        """Prepare in a child process, whose memory is freed when it ends. Raises Ended when it fails."""
        child = self._preparing
        try:
            child.go()
            is_done = child.said() != b""
            code = child.process.wait()
        finally:
            child.end()
        if code or not is_done:
            what = "what prepares the database"
            raise Ended(what, code)

    def serve(self, announce: Callable[[], None], companions: Sequence[Sequence[str]] = ()) -> None:
        """Serve until a signal ends this process; `announce` is called when all serve, at first and after each restart.

        One more process stands by with its modules imported, for a quick restart; it takes 150 MB.

        Parameters
        ----------
        companions
            Commands of processes that run beside the server from its first readiness on, and are started again when they
            die. They end with exit code 0 when they are done, or where there is nothing for them to do.

        Raises
        ------
        Ended
            A serving process ended before all accepted connections for the first time.
        SetupError
            The state folder was deleted, and the database with it.
        """
        self._companions = [_Companion(command, self._temporary) for command in companions]
        was_ready, last_heard = False, time.monotonic()
        try:
            while True:
                self._start_those_due()
                heard = self._wait()
                for worker in heard:
                    if worker.child is not None and worker.child.said():
                        worker.is_ready = True
                        continue
                    ended = Ended("the server", worker.end())
                    if not was_ready:
                        raise ended
                    self._refuse_lost_state()
                    log.error("%s: it is started again", ended)
                if heard and all(worker.is_ready for worker in self._workers):
                    was_ready = True
                    announce()
                self._refuse_lost_state()
                keep_small(self._log)
                if heard:
                    last_heard = time.monotonic()
                elif was_ready:
                    if time.monotonic() - last_heard > _REST_S:
                        self._waiting = self._waiting or [self._new_server()]
                    for companion in self._companions:
                        companion.look()
        except KeyboardInterrupt:
            if not was_ready:
                raise

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.child is None and worker.next <= now:
                worker.start(self._waiting.pop() if self._waiting else self._new_server())

    def _wait(self) -> list[_Worker]:
        """Wait until some say something or have ended, or until there is something else to do; return those who did."""
        now = time.monotonic()
        due = [worker.next - now for worker in self._workers if worker.child is None]
        lines = {worker.child.fileno(): worker for worker in self._workers if worker.child is not None}
        waiting = select.poll()
        for line in lines:
            waiting.register(line, select.POLLIN)
        return [lines[line] for line, _ in waiting.poll(1000 * max(0.0, min([_LOOK_S, *due])))]

    def _refuse_lost_state(self) -> None:
        if not self._lock.path.is_file():
            message = f"{self._lock.state_dir} was removed while it was in use: what it held is lost"
            raise SetupError(message)

    def _new_server(self) -> _Child:
        bound = self._bound.fileno()
        return _Child(["serve-supervised", "--socket", str(bound)], [bound, *self._kept], self._temporary)
