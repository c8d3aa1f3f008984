"""A pool of worker processes, each with its own pipe: one that dies or hangs is replaced without effect on the others.

A question whose worker died is retried once, since the question is seldom the cause (the worker was killed, or its library
crashed because of an earlier question). Every lost worker is logged.

Two existing pools were tried and rejected. pebble's workers share one pipe and its lock: a worker that is killed while it
holds the lock blocks all questions. deadpool measures its time-out in the worker, where a hang in C++ stops that too.
"""

import contextlib
import logging
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from geo_grid.forking import CONTEXT

log = logging.getLogger(__name__)
_START_S = 600.0
"""Time-out in seconds for the start of a process: on a busy machine with an empty compilation cache it takes minutes."""
_BURIED_S = 2.0
_MOST_PATIENT_S = 30.0
"""Longest back-off in seconds after a failed start of a worker; it begins with 1 s and doubles."""


class _Question(NamedTuple):
    answer: "Future[Any]"
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    timeout_s: float


class Workers:
    """A pool of processes with a queue: each answers one question at a time. Any thread may call its methods.

    Parameters
    ----------
    count
        Number of processes.
    prepare, arguments
        Function that each process calls first; the process is ready when it returns.
    """

    def __init__(self, count: int, prepare: Callable[..., object], *arguments: object) -> None:
        self._asked: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._is_closed = False
        self._workers = [_Worker(prepare, arguments) for _ in range(count)]
        self._threads = [threading.Thread(target=self._attend, args=[one], daemon=True) for one in self._workers]
        for thread in self._threads:
            thread.start()

    def ask[T](self, function: Callable[..., T], *arguments: object, timeout_s: float) -> "Future[T]":
        """Queue a call of a module's function in a worker; returns at once with the future of its result or exception.

        The future raises TimeoutError when the call exceeds the time-out (the time in the queue, or until the worker has
        started, does not count), and EOFError or OSError when the process was lost twice or could not be started. It is
        cancelled when the pool is closed.
        """
        answer: Future[T] = Future()
        with self._asking:
            if self._is_closed:
                answer.cancel()
            else:
                self._asked.put(_Question(answer, function, arguments, timeout_s))
        return answer

    def close(self) -> None:
        """Kill the processes: running calls fail, queued ones are cancelled."""
        with self._asking:
            self._is_closed = True
        with contextlib.suppress(queue.Empty):
            while waiting := self._asked.get_nowait():
                waiting.answer.cancel()
        for worker in self._workers:
            self._asked.put(None)
            worker.close()
        for thread in self._threads:
            thread.join()

    def _attend(self, worker: "_Worker") -> None:
        worker.get_ready()
        while (question := self._asked.get()) is not None:
            if question.answer.set_running_or_notify_cancel():
                worker.answer(question)


class _Worker:
    """The current process of one worker, and the pipe to it. One thread calls all methods but `close`."""

    def __init__(self, prepare: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._prepare = (prepare, arguments)
        self._pipe: Connection | None = None
        self._process: BaseProcess | None = None
        self._closed = threading.Event()
        self._pause_s, self._not_before = 0.0, 0.0
        self._was_ended = False

    def get_ready(self) -> None:
        """Start the process before a question comes."""
        with contextlib.suppress(Exception):  # the next question raises the error
            self._start_if_lost()

    def answer(self, question: _Question) -> None:
        try:
            self._start_if_lost()
            is_good, result = self._said_or_asked_again(question)
        except Exception as error:  # the process is lost or hangs, or the question cannot be pickled
            self._kill()
            is_good, result = False, error.with_traceback(None)  # the traceback would keep this frame's objects alive
        if is_good:
            question.answer.set_result(result)
        else:
            question.answer.set_exception(result)
            self.get_ready()

    def close(self) -> None:
        self._closed.set()
        self._kill()

    def _said_or_asked_again(self, question: _Question) -> Any:
        call = (question.function, question.arguments)
        try:
            return self._said(question.timeout_s, call)
        except TimeoutError:
            log.warning("a worker hangs, asked %s, and is replaced", question.function.__name__)
            raise
        except (EOFError, OSError):
            if self._closed.is_set():
                raise
            self._tell_lost(question, "it is asked again")
        self._kill()
        self._start_if_lost()
        try:
            return self._said(question.timeout_s, call)
        except (EOFError, OSError):
            self._tell_lost(question, "for the second time: the question fails")
            raise

    def _tell_lost(self, question: _Question, what_next: str) -> None:
        if self._process is not None:
            self._process.join(_BURIED_S)  # its end of the pipe closes a moment before it has an exit code
        log.warning("a worker was lost (%s), asked %s; %s", self._ended(), question.function.__name__, what_next)

    def _ended(self) -> str:
        code = self._process.exitcode if self._process is not None else None
        if code is None or code >= 0:
            return f"exit {code}"
        return f"signal {-code}, {signal.strsignal(-code)}"

    def _start_if_lost(self) -> None:
        if self._closed.is_set() or (self._process is not None and self._process.is_alive()):
            return
        if self._process is not None and not self._was_ended:
            log.warning("an idle worker was lost (%s)", self._ended())
        if time.monotonic() < self._not_before:
            message = "the worker could not be started; trying again soon"
            raise OSError(message)
        self._pause_s = min(max(2 * self._pause_s, 1.0), _MOST_PATIENT_S)
        self._not_before = time.monotonic() + _START_S  # until this attempt has ended
        try:
            self._start()
        except BaseException:
            self._kill()
            self._not_before = time.monotonic() + self._pause_s
            raise
        self._pause_s, self._not_before = 0.0, 0.0

    def _start(self) -> None:
        self._pipe, theirs = CONTEXT.Pipe()
        self._was_ended = False
        self._process = CONTEXT.Process(target=_serve, args=(theirs, *self._prepare), daemon=True)
        self._process.start()
        theirs.close()
        if self._closed.is_set():  # by another thread, before it could see this process
            self._kill()
            message = "the workers are closed"
            raise RuntimeError(message)
        self._said(_START_S)

    def _said(self, timeout_s: float, question: object = None) -> Any:
        if self._pipe is None:
            raise AssertionError
        if question:
            self._pipe.send(question)
        if not self._pipe.poll(timeout_s):
            message = f"no answer within {timeout_s:g} s"
            raise TimeoutError(message)
        return self._pipe.recv()

    def _kill(self) -> None:
        self._was_ended = True
        if self._process is not None and self._process.pid is not None:
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, prepare: Callable[..., object], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its workers
    prepare(*arguments)
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):  # the server has ended
        while True:
            function, given = pipe.recv()
            try:
                answer = (True, function(*given))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)
