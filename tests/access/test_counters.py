"""Counters of requests: they limit, forget, are shared by processes, and start no thread."""

import multiprocessing
import threading
import time
from pathlib import Path

import lmdb
import pytest
from limits import parse
from limits.strategies import SlidingWindowCounterRateLimiter

from geo_grid.api.server import counters
from geo_grid.api.server.counters import Counters


def test_each_has_a_limit_that_is_over_in_time(tmp_path: Path) -> None:
    limiter, rate = SlidingWindowCounterRateLimiter(Counters(tmp_path)), parse("3/second")
    time.sleep(1 - time.time() % 1)  # windows begin with the second
    assert [limiter.hit(rate, "a") for _ in range(5)] == [True, True, True, False, False]
    assert not limiter.test(rate, "a")
    assert limiter.hit(rate, "b")
    time.sleep(2.1)
    assert limiter.hit(rate, "a")


def _hit(folder: Path, times: int) -> int:
    kept = Counters(folder)
    taken = sum(kept.acquire_sliding_window_entry("account 1", 500, 86_400) for _ in range(times))
    kept.close()
    return taken


def test_processes_count_together_and_one_that_was_killed_leaves_its_count(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    with spawned.Pool(2) as pool:
        taken = pool.starmap(_hit, [(tmp_path, 400)] * 2)
        assert sum(taken) == 500
        assert min(taken) > 0 or max(taken) == 400
        pool.terminate()  # kills them
    assert _hit(tmp_path, 3) == 0


def test_those_that_are_over_are_forgotten_and_no_thread_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each request started a thread that looked at the counters of everybody."""
    monkeypatch.setattr(counters, "_SWEPT_EVERY_S", 0.2)
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
    kept = Counters(tmp_path)
    for number in range(100):
        assert kept.incr(f"address {number}", 0.1) == 1
    assert kept.incr("account 1", 60) == 1
    time.sleep(0.3)
    assert kept.incr("account 1", 60) == 2
    kept.close()
    with lmdb.open(str(tmp_path)) as file, file.begin() as values:
        assert [key for key, _ in values.cursor()] == [b"account 1"]
    kept = Counters(tmp_path)
    assert kept.incr("address 1", 0.1) == 1
    assert kept.incr("account 1", 60) == 3


def test_without_a_file_each_process_counts_for_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "rates").write_text("a file stands in its place")
    kept = Counters(tmp_path / "rates")
    assert [kept.acquire_sliding_window_entry("a", 2, 86_400) for _ in range(3)] == [True, True, False]
    assert not kept.check()
    assert caplog.text.count("those of each process") == 1
