"""Calculations that may use any amount of memory or time, in child processes with limits of both.

A thread cannot be killed, may hold the GIL and shares the server's memory; a child process is killed at its limit, or
when the request is cancelled. Few run at once, some wait in a queue, and beyond it `Busy` is raised.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Self

from geo_grid.errors import Busy, GeoGridError, TooMuch

_QUESTION, _ANSWER = struct.Struct("<Q"), struct.Struct("<Q?")
"""Header of each message: its length in bytes; in an answer also whether the process takes another question."""
_KEPT_S = 300.0
"""Seconds that an idle process is kept: importing its libraries again takes seconds."""
_RETRY_S = 20.0
_POLITE = 10
"""Niceness of the processes: the server itself goes first (nice(2))."""
_PR_SET_PDEATHSIG = 1


class Confined:
    """A pool of child processes, each with one call at a time. Use it on one event loop.

    Parameters
    ----------
    at_once, waiting
        Calls that run at the same time, and calls that may wait in the queue.
    memory_mb
        Most private memory of a process in MiB (RLIMIT_DATA), without program files that are mapped.
    timeout_s
        Longest time of one call, in seconds.
    """

    def __init__(self, at_once: int, waiting: int, memory_mb: int, timeout_s: float) -> None:
        self.memory_mb = memory_mb
        self.timeout_s = timeout_s
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._asking = 0
        self._idle: list[_Process] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, at_once: int, waiting: int, memory_mb: int, timeout_s: float) -> AsyncIterator[Self]:
        """Open a pool while the context lasts; leaving kills its idle processes."""
        confined = cls(at_once, waiting, memory_mb, timeout_s)
        try:
            yield confined
        finally:
            while confined._idle:
                await confined._idle.pop().end()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """Wait for a slot, and hold it while the context lasts. Raises Busy when the queue is full."""
        if self._asking >= self._most:
            message = "too many long calculations are waiting for their turn: try again in a moment"
            raise Busy(message, _RETRY_S)
        self._asking += 1
        try:
            async with self._turns:
                yield Turn(self)
        finally:
            self._asking -= 1

    async def _do[T](self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        question = await asyncio.to_thread(pickle.dumps, (function, arguments))
        process = await self._process()
        is_kept = False
        try:
            async with asyncio.timeout(self.timeout_s):
                said, is_kept = await process.ask(question)
            is_good, answer = await asyncio.to_thread(pickle.loads, said)
        except TimeoutError:
            message = (
                f"this was not done within {self.timeout_s:.0f} s and was stopped: ask for less at once, such as for a"
                " smaller area or another model"
            )
            raise TooMuch(message) from None
        except (asyncio.IncompleteReadError, OSError):
            raise self._too_large() from None
        finally:
            if is_kept:
                process.rest(self._idle)
            else:
                await process.end()
        if is_good:
            result: T = answer
            return result
        raise self._too_large() if isinstance(answer, MemoryError) else answer

    async def _process(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_there:
                return process
        return await _Process.started(self.memory_mb)

    def _too_large(self) -> TooMuch:
        return TooMuch(
            f"this needs more than the {self.memory_mb:,} MB that one calculation may take, and was stopped: ask for"
            " less at once, such as for a smaller area or another model"
        )


class Turn:
    """A slot of the pool, held by one task."""

    def __init__(self, confined: Confined) -> None:
        self._confined = confined

    async def do[T](self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in a child process and return its result; its exceptions are raised here.

        The function must be importable by name, and the arguments and result picklable. The event loop is not blocked.
        When the waiting task is cancelled, the process is killed.

        Raises
        ------
        TooMuch
            The call used more memory or time than the limits.
        """
        return await self._confined._do(function, arguments)


class _Process:
    """A child process as the server sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._rests: asyncio.TimerHandle | None = None

    @classmethod
    async def started(cls, memory_mb: int) -> Self:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "geo_grid.confined", str(memory_mb), str(os.getpid()),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        )  # fmt: skip

    @property
    def is_there(self) -> bool:
        return self._process.returncode is None

    async def ask(self, question: bytes) -> tuple[bytes, bool]:
        """Send a pickled question; return the pickled answer, and whether the process takes another question."""
        if self._rests is not None:
            self._rests.cancel()
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        self._process.stdin.write(_QUESTION.pack(len(question)))
        self._process.stdin.write(question)
        await self._process.stdin.drain()
        length, goes_on = _ANSWER.unpack(await self._process.stdout.readexactly(_ANSWER.size))
        return await self._process.stdout.readexactly(length), goes_on

    def rest(self, idle: "list[_Process]") -> None:
        """Add it to the idle processes; it is killed after 300 s without a question."""

        def leave() -> None:
            idle.remove(self)
            self._kill()

        idle.append(self)
        self._rests = asyncio.get_running_loop().call_later(_KEPT_S, leave)

    async def end(self) -> None:
        if self._rests is not None:
            self._rests.cancel()
        self._kill()
        await self._process.wait()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def confine(memory_mb: int, parent: int) -> None:
    """Set the limits of this process (called in the child), and have the kernel kill it when its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    os.nice(_POLITE)
    limit = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(questions: BinaryIO, answers: BinaryIO, memory_mb: int) -> None:
    goes_on = True
    while goes_on and (head := questions.read(_QUESTION.size)):
        function = arguments = None
        try:
            function, arguments = pickle.loads(questions.read(*_QUESTION.unpack(head)))  # noqa: S301, the server's
            answer = pickle.dumps((True, function(*arguments)))
        except Exception as error:
            answer = _pickled_error(error)
        goes_on = _highest_kb() < memory_mb << 9  # below half of the limit; else the next call gets a fresh process
        answers.write(_ANSWER.pack(len(answer), goes_on) + answer)
        answers.flush()
        del function, arguments, answer
        gc.collect()


def _pickled_error(error: Exception) -> bytes:
    try:
        return pickle.dumps((False, error.with_traceback(None)))
    except Exception:  # an exception of a library may not be picklable
        return pickle.dumps((False, GeoGridError(f"{type(error).__name__}: {error}")))


def _highest_kb() -> int:
    """Return the peak resident memory of this process in KiB.

    getrusage would also count the parent's memory between fork and exec.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


def _main() -> None:
    memory_mb, parent = map(int, sys.argv[1:])
    confine(memory_mb, parent)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # solvers print to standard output, which carries the answers
    _answer(sys.stdin.buffer, answers, memory_mb)


if __name__ == "__main__":
    _main()
