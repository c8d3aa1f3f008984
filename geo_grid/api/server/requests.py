"""Metrics of requests, their number, status and duration; and a line in the log for each that failed here, or took long."""

import logging
import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

log = logging.getLogger(__name__)

_SLOW_S = 5.0
_LASTING = frozenset({"/events"})
"""Routes whose answers go on."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass
class Answered:
    """Outcome of a request.

    Attributes
    ----------
    route
        Path of its route as declared; empty: no route matched.
    status
        HTTP status; 0: there was no answer, as when the client disconnected.
    began
        Start in seconds of the monotonic clock.
    """

    route: str = ""
    status: int = 0
    began: float = field(default_factory=time.monotonic)


class Requests:
    """Counts requests and their durations by route, with the process's memory, processor time and descriptors.

    Parameters
    ----------
    log_all
        Whether every request gets a line in the log; otherwise those that failed here (500 and more, but 503: the server is busy, or
        ends) or took more than 5 s.
    """

    def __init__(self, log_all: bool = False) -> None:
        self._log_all = log_all
        if log_all:
            log.setLevel(logging.INFO)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._answered = Counter(
            "geo_grid_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "geo_grid_request_seconds", "Time from a request to the end of its answer", ("method", "route"),
            buckets=_BUCKETS_S, registry=self.registry,
        )  # fmt: skip

    def note(self, method: str, answered: Answered) -> None:
        """Count a request that has ended."""
        known = method if method in _METHODS else "other"
        self._answered.labels(known, answered.route, str(answered.status)).inc()
        seconds = time.monotonic() - answered.began
        self._seconds.labels(known, answered.route).observe(seconds)
        is_slow = seconds > _SLOW_S and answered.route not in _LASTING
        if self._log_all or is_slow or (answered.status >= 500 and answered.status != 503):
            log.log(
                logging.WARNING if is_slow or answered.status >= 500 else logging.INFO,
                "%s %s: %s after %.3f s",
                known,
                answered.route or "no route",
                answered.status or "no answer",
                seconds,
            )
