"""Counters of requests: they limit, forget, and start no thread."""

import threading
import time

import pytest
from limits import parse
from limits.strategies import SlidingWindowCounterRateLimiter

from geo_grid.api.access import counters


def test_each_has_a_limit_that_is_over_in_time() -> None:
    limiter, rate = SlidingWindowCounterRateLimiter(counters.Counters()), parse("3/second")
    time.sleep(1 - time.time() % 1)  # windows begin with the second
    assert [limiter.hit(rate, "a") for _ in range(5)] == [True, True, True, False, False]
    assert not limiter.test(rate, "a")
    assert limiter.hit(rate, "b")
    time.sleep(2.1)
    assert limiter.hit(rate, "a")


def test_those_that_are_over_are_forgotten_and_no_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request started a thread that looked at the counters of everybody."""
    monkeypatch.setattr(counters, "_SWEPT_EVERY_S", 0.2)
    kept = counters.Counters()
    time.sleep(0.1)  # the library's own looks once, when it is made
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
    for number in range(100):
        assert kept.incr(f"address {number}", 0.1) == 1
    assert kept.incr("account 1", 60) == 1
    time.sleep(0.3)
    assert kept.incr("account 1", 60) == 2
    assert set(kept.storage) == set(kept.expirations) == {"account 1"}
    assert kept.incr("address 1", 0.1) == 1
