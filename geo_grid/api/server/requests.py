"""Metrics of requests: their number, status and duration."""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

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
    """Counts requests and their durations by route, with the process's memory, processor time and descriptors."""

    def __init__(self) -> None:
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
        self._seconds.labels(known, answered.route).observe(time.monotonic() - answered.began)
