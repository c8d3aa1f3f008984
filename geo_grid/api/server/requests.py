"""How many requests were answered, how, and how long it took."""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass
class Answered:
    """What became of a request.

    Attributes
    ----------
    route
        Path of its route as it is declared; empty: it reached none.
    status
        Of HTTP; 0: nothing was answered, as when its client left.
    began
        On the monotonic clock, in seconds.
    """

    route: str = ""
    status: int = 0
    began: float = field(default_factory=time.monotonic)


class Requests:
    """Counts requests and their time by route, beside what the process itself uses (memory, processor, descriptors)."""

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
        """Count a request that is over."""
        known = method if method in _METHODS else "other"
        self._answered.labels(known, answered.route, str(answered.status)).inc()
        self._seconds.labels(known, answered.route).observe(time.monotonic() - answered.began)
