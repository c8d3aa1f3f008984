"""Worker processes: one that is lost is replaced, and its question is asked once more."""

import contextlib
import os
import signal
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from geo_grid.response.workers import Workers


def test_workers_killed_at_any_moment_lose_no_question() -> None:
    workers = Workers(2, os.getpid)
    asked = [workers.ask(_pid_and, b"x" * 2000, timeout_s=20) for _ in range(30_000)]
    killed: set[int] = set()
    for question in asked[1_000::5_000]:  # some wait for a question, some read or write one just then
        pid, _ = question.result()
        if pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    errors = [question.exception(timeout=60) for question in asked]
    workers.close()
    assert len(killed) >= 2
    assert errors == [None] * len(asked)


def test_errors_and_unreadable_answers_are_the_question_s_own() -> None:
    workers = Workers(1, os.getpid)
    with pytest.raises(ZeroDivisionError):
        workers.ask(divmod, 1, 0, timeout_s=20).result()
    with pytest.raises(EOFError):
        workers.ask(os._exit, 3, timeout_s=20).result()
    with pytest.raises(TimeoutError):
        workers.ask(time.sleep, 60, timeout_s=0.2).result()
    assert workers.ask(divmod, 7, 2, timeout_s=20).result() == (3, 1)
    workers.close()


def test_a_question_whose_worker_died_is_asked_again_once_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(1, os.getpid)
    tried = tmp_path / "tried"
    assert workers.ask(_die_at_first, tried, timeout_s=20).result() == "answered"
    assert "lost (signal 11, Segmentation fault), asked _die_at_first; it is asked again" in caplog.text
    with pytest.raises(EOFError):
        workers.ask(os._exit, 3, timeout_s=20).result()
    assert "lost (exit 3), asked _exit; for the second time" in caplog.text
    with pytest.raises(TimeoutError):  # which is not asked again: it would take as long once more
        workers.ask(time.sleep, 60, timeout_s=0.2).result()
    assert "hangs, asked sleep" in caplog.text
    told = len(caplog.records)
    assert workers.ask(divmod, 7, 2, timeout_s=20).result() == (3, 1)
    workers.close()
    assert len(caplog.records) == told == 4


def test_workers_that_were_lost_leave_no_process_behind() -> None:
    workers = Workers(2, os.getpid)

    def some_pid() -> int:
        while True:
            with contextlib.suppress(EOFError, OSError):  # asked of one that was just killed
                return workers.ask(os.getpid, timeout_s=60).result()

    server = int(Path(f"/proc/{some_pid()}/stat").read_text().rpartition(")")[2].split()[1])
    for nth in range(10):
        if nth % 2:
            os.kill(some_pid(), signal.SIGKILL)
        else:
            assert isinstance(workers.ask(time.sleep, 60, timeout_s=0.1).exception(), (TimeoutError, EOFError, OSError))
    some_pid()
    workers.close()
    deadline = time.monotonic() + 90
    while left := _children(server):  # dead and not buried, or alive
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_one_that_cannot_be_started_is_tried_again_later_and_later() -> None:
    workers = Workers(1, _fail)
    asked, tries = [workers.ask(os.getpid, timeout_s=20) for _ in range(200)], 0
    for question in asked:
        error = question.exception(timeout=60)
        assert isinstance(error, (EOFError, OSError)), error
        tries += isinstance(error, EOFError)
    workers.close()
    assert 0 <= tries < 5


def test_closing_waits_for_nobody() -> None:
    workers = Workers(1, os.getpid)
    workers.ask(os.getpid, timeout_s=20).result()
    running, waiting = (workers.ask(time.sleep, 60, timeout_s=60) for _ in range(2))
    while not running.running():
        time.sleep(0.01)
    begun = time.monotonic()
    workers.close()
    assert time.monotonic() - begun < 5
    with pytest.raises(EOFError):
        running.result(timeout=0)
    with pytest.raises(CancelledError):
        waiting.result(timeout=0)
    with pytest.raises(CancelledError):
        workers.ask(os.getpid, timeout_s=1).result()


def _die_at_first(tried: Path) -> str:
    if not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return "answered"


def _fail() -> None:
    os._exit(1)


def _children(parent: int) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (process / "stat").read_text().rpartition(")")
        except OSError:
            continue
        if rest.split()[1] == str(parent):
            found.append(f"{name}){rest[:2]}")
    return found


def _pid_and(payload: bytes) -> tuple[int, bytes]:
    return os.getpid(), payload
