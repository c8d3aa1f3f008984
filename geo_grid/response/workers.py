"""Worker processes, each with a pipe of its own: one that dies or hangs is replaced, and nobody else notices.

A question whose worker died is asked once more: mostly it was not the question's fault (the worker was killed, or its
library crashed by what it was asked before). Every worker that is lost is told in the log.

The pools that were tried cannot do that. pebble's workers share one pipe and its lock: one that is killed while it holds
the lock leaves all questions unanswered. deadpool measures time within the worker, which a hang in C++ stops too.
"""

import contextlib
import logging
import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

log = logging.getLogger(__name__)
_START_S = 600.0
"""Longest a process may take to get ready: on a busy machine where nothing is compiled, a minute and more."""
_BURIED_S = 2.0
_MOST_PATIENT_S = 30.0
"""Longest pause before a worker that could not be started is tried again; the first is a second, each twice the last."""
_CONTEXT = multiprocessing.get_context("forkserver")  # the server has threads, which fork does not copy


class _Question(NamedTuple):
    answer: "Future[Any]"
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    timeout_s: float


class Workers:
    """Some processes, each of which is asked one question at a time, in the order of asking.

    Parameters
    ----------
    count
        How many.
    prepare, arguments
        What each process calls first. It is ready when that has returned.
    preloaded
        Modules that are there before a fork, so that a lost process is replaced in a moment. The first workers of a
        program decide.
    """

    def __init__(
        self, count: int, prepare: Callable[..., object], *arguments: object, preloaded: Sequence[str] = ()
    ) -> None:
        _CONTEXT.set_forkserver_preload(["__main__", prepare.__module__, *preloaded])
        self._asked: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._is_closed = False
        self._workers = [_Worker(prepare, arguments) for _ in range(count)]
        self._threads = [threading.Thread(target=self._attend, args=[one], daemon=True) for one in self._workers]
        for thread in self._threads:
            thread.start()

    def ask[T](self, function: Callable[..., T], *arguments: object, timeout_s: float) -> "Future[T]":
        """Have a worker call a function of a module; what it raises, the answer raises.

        The answer raises TimeoutError when the worker takes longer (waiting for a free one does not count, nor for one
        that gets ready), EOFError or OSError when the process was lost twice or could not be started, RuntimeError when
        the workers are closed.
        """
        answer: Future[T] = Future()
        with self._asking:
            if self._is_closed:
                answer.set_exception(RuntimeError("the workers are closed"))
            else:
                self._asked.put(_Question(answer, function, arguments, timeout_s))
        return answer

    def close(self) -> None:
        """End the processes; what they are asked just now fails, what waits is cancelled."""
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
    """One process after the other, and the pipe to the one there is. All but `close` is called by one thread."""

    def __init__(self, prepare: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._prepare = (prepare, arguments)
        self._pipe: Connection | None = None
        self._process: BaseProcess | None = None
        self._closed = threading.Event()
        self._pause_s, self._not_before = 0.0, 0.0
        self._was_ended = False

    def get_ready(self) -> None:
        """Start before somebody waits for it."""
        with contextlib.suppress(Exception):  # the next question says why
            self._start_if_lost()

    def answer(self, question: _Question) -> None:
        try:
            self._start_if_lost()
            is_good, found = self._said_or_asked_again(question)
        except Exception as error:  # it is lost, hangs, or cannot be asked that
            self._kill()
            is_good, found = False, error.with_traceback(None)  # which would hold this frame, and what was being sent
        if is_good:
            question.answer.set_result(found)
        else:
            question.answer.set_exception(found)
            self.get_ready()

    def close(self) -> None:
        self._closed.set()
        self._kill()

    def _said_or_asked_again(self, question: _Question) -> Any:
        asked = (question.function, question.arguments)
        try:
            return self._said(question.timeout_s, asked)
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
            return self._said(question.timeout_s, asked)
        except (EOFError, OSError):
            self._tell_lost(question, "for the second time: it stays without an answer")
            raise

    def _tell_lost(self, question: _Question, what_next: str) -> None:
        if self._process is not None:
            self._process.join(_BURIED_S)  # its end of the pipe closes a moment before it is dead
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
            log.warning("a worker was lost (%s) while nobody asked it", self._ended())
        if time.monotonic() < self._not_before:
            message = "the worker could not be started, which is tried again soon"
            raise OSError(message)
        self._pause_s = min(max(2 * self._pause_s, 1.0), _MOST_PATIENT_S)
        self._not_before = time.monotonic() + _START_S  # until it is known how this ends
        try:
            self._start()
        except BaseException:
            self._kill()
            self._not_before = time.monotonic() + self._pause_s
            raise
        self._pause_s, self._not_before = 0.0, 0.0

    def _start(self) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._was_ended = False
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, *self._prepare), daemon=True)
        self._process.start()
        theirs.close()
        if self._closed.is_set():  # meanwhile, by another thread that did not see this process
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
    with contextlib.suppress(EOFError, OSError):  # the server is gone
        while True:
            function, given = pipe.recv()
            try:
                answer = (True, function(*given))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)
