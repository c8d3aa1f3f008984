"""Calculations that may use any amount of memory or time, in child processes with limits of both.

A thread cannot be killed, may hold the GIL and shares the server's memory; a child process is killed at its limit, or
when the request is cancelled. Few run at once, some wait in a queue, and beyond it `Busy` is raised.
"""

import asyncio
import contextlib
import gc
import os
import pickle
import resource
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO, Self

from geo_grid.errors import Busy, GeoGridError, TooMuch
from geo_grid.forking import CONTEXT, end_with_parent

PROCESS = "confined"
"""Name of the processes (`multiprocessing.active_children`)."""

_QUESTION, _ANSWER = struct.Struct("<Q"), struct.Struct("<Q?")
"""Header of each message: its length in bytes; in an answer also whether the process takes another question."""
_KEPT_S = 300.0
"""Seconds that an idle process is kept: what it has imported for its calls takes up to seconds."""
_KEPT_MB = 512
"""Memory with which an idle process is kept at most: Python gives little of it back."""
_RETRY_S = 20.0
_LOOKED_THROUGH_AFTER = 1_000_000
"""New objects after which garbage is looked for within a call: an answer is made of hundreds of thousands that all stay, and what a
call leaves is collected after it."""
_POLITE = 10
"""Niceness of the processes: the server itself goes first (nice(2))."""


class Confined:
    """A pool of child processes, each with one call at a time. Use it on one event loop.

    Parameters
    ----------
    at_once, waiting
        Calls that run at the same time, and calls that may wait in the queue.
    memory_mb
        Most private memory of a process in MiB (RLIMIT_DATA), without program files that are mapped and what it shares
        with the fork server.
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

    def __init__(self, process: BaseProcess, answers: asyncio.StreamReader, questions: asyncio.StreamWriter) -> None:
        self._process, self._answers, self._questions = process, answers, questions
        self._rests: asyncio.TimerHandle | None = None

    @classmethod
    async def started(cls, memory_mb: int) -> Self:
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.to_thread(_start, theirs, memory_mb)
            return cls(process, *await asyncio.open_connection(sock=ours))
        except BaseException:
            ours.close()  # the process, if there is one, reads the end of its questions
            raise

    @property
    def is_there(self) -> bool:
        return self._process.is_alive()

    async def ask(self, question: bytes) -> tuple[bytes, bool]:
        """Send a pickled question; return the pickled answer, and whether the process takes another question."""
        if self._rests is not None:
            self._rests.cancel()
        self._questions.write(_QUESTION.pack(len(question)))
        self._questions.write(question)
        await self._questions.drain()
        length, goes_on = _ANSWER.unpack(await self._answers.readexactly(_ANSWER.size))
        return await self._answers.readexactly(length), goes_on

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
        await asyncio.to_thread(self._process.join)

    def _kill(self) -> None:
        self._questions.close()
        if self._process.is_alive():  # else its number may be another's by now: the fork server has buried it
            self._process.kill()


def _start(theirs: socket.socket, memory_mb: int) -> BaseProcess:
    """Start a process with its end of the connection, which is closed here; in a thread, since it waits for the fork."""
    with Connection(theirs.detach()) as passed:
        process = CONTEXT.Process(target=_serve, args=(passed, memory_mb), name=PROCESS, daemon=True)
        process.start()
    return process


def _serve(connection: Connection, memory_mb: int) -> None:
    """Answer questions until there are no more (called in the child)."""
    _confine(memory_mb)
    gc.set_threshold(_LOOKED_THROUGH_AFTER)
    os.dup2(2, 1)  # solvers print to standard output
    with os.fdopen(os.dup(connection.fileno()), "rb") as questions, os.fdopen(connection.fileno(), "wb") as answers:
        _answer(questions, answers, memory_mb)


def _confine(memory_mb: int) -> None:
    """Set the limits of this process, and have the kernel kill it when the server ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    os.nice(_POLITE)
    limit = (memory_mb << 20) + (_kb("VmData") << 10)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(questions: BinaryIO, answers: BinaryIO, memory_mb: int) -> None:
    goes_on, shared_kb = True, _kb("VmRSS")
    while goes_on and (head := questions.read(_QUESTION.size)):
        function = arguments = None
        try:
            function, arguments = pickle.loads(questions.read(*_QUESTION.unpack(head)))  # noqa: S301, the server's
            answer = pickle.dumps((True, function(*arguments)))
        except Exception as error:
            answer = _pickled_error(error)
        goes_on = (
            _kb("VmRSS") - shared_kb < min(_KEPT_MB, memory_mb // 2) << 10
        )  # else the next call gets a fresh process
        answers.write(_ANSWER.pack(len(answer), goes_on) + answer)
        answers.flush()
        del function, arguments, answer
        gc.collect()


def _pickled_error(error: Exception) -> bytes:
    try:
        return pickle.dumps((False, error.with_traceback(None)))
    except Exception:  # an exception of a library may not be picklable
        return pickle.dumps((False, GeoGridError(f"{type(error).__name__}: {error}")))


def _kb(what: str) -> int:
    """Return one of the sizes of this process that proc_pid_status(5) names, in KiB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0])
