"""Counters of requests, for rate limits."""

import time

from limits.storage import MemoryStorage

_SWEPT_EVERY_S = 10.0


class Counters(MemoryStorage):
    """Counters in memory; those whose time is over are forgotten within ten seconds of use. Not thread-safe.

    The library's own starts a thread for nearly every request, which looks at all counters.
    """

    def __init__(self) -> None:
        super().__init__()
        self._swept_at = time.time()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter, which begins anew `expiry` seconds after its first addition, and return it."""
        now = time.time()
        if abs(now - self._swept_at) > _SWEPT_EVERY_S:  # the clock may be set back
            self._swept_at = now
            for each in list(self.expirations):
                self.get(each)  # forgets it when its time is over
        if self.get(key) == 0:
            self.expirations[key] = now + expiry
        self.storage[key] += amount
        return self.storage[key]
