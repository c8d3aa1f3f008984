"""Counters of requests, for rate limits: all processes that serve from one state folder share them."""

import logging
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import lmdb
from limits.storage import SlidingWindowCounterSupport, Storage
from limits.storage.base import TimestampedSlidingWindow

log = logging.getLogger(__name__)

_SWEPT_EVERY_S = 10.0
_MOST_BYTES = 64 << 20
_COUNT = struct.Struct("<qd")
"""A counter: its value, and when it is over, in seconds of `time.time`."""


class _Values(Protocol):
    def get(self, key: bytes, /) -> bytes | None: ...

    def put(self, key: bytes, value: bytes, /) -> object: ...


class _OfProcess(dict[bytes, bytes]):
    """Values of this process alone."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value


class Counters(TimestampedSlidingWindow, Storage, SlidingWindowCounterSupport):
    """Counters in a file that every server process of a state folder maps (LMDB; nothing waits for the disk). Those whose
    time is over are forgotten within ten seconds of use. While the file cannot be written, each process counts for itself.
    Not thread-safe.

    The library's own storage in memory is one process's, and starts a thread for nearly every request.

    Parameters
    ----------
    folder
        Folder of the file.
    """

    STORAGE_SCHEME = None

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._own = _OfProcess()
        self._swept_at = time.time()
        self._is_told = False
        self._file: lmdb.Environment | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = lmdb.open(str(folder), map_size=_MOST_BYTES, sync=False, metasync=False, max_readers=1024)
            self._file.reader_check()  # of processes that were killed
        except (lmdb.Error, OSError) as error:
            self._tell(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter, which begins anew `expiry` seconds after its first addition, and return it."""
        return self._changed(lambda values: _add(values, key, expiry, amount))

    def get(self, key: str) -> int:
        """Return a counter; 0: it is over, or never began."""
        return self._changed(lambda values: _value(values, key)[0])

    def get_expiry(self, key: str) -> float:
        """Return when a counter is over, in seconds of `time.time`."""
        return self._changed(lambda values: _value(values, key)[1])

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless it would be more than the limit in the last `expiry` seconds; return whether it was counted."""
        keys = self.sliding_window_keys(key, expiry, time.time())

        def acquire(values: _Values) -> bool:
            before, ttl, present, _ = self._window(values, *keys, expiry)
            if int(before * ttl / expiry + present) + amount > limit:
                return False
            _add(values, keys[1], 2 * expiry, amount)
            return True

        return self._changed(acquire)

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return value and remaining seconds of the window before, and of the present one."""
        keys = self.sliding_window_keys(key, expiry, time.time())
        return self._changed(lambda values: self._window(values, *keys, expiry))

    def clear(self, key: str) -> None:
        """Begin a counter anew."""
        self._changed(lambda values: values.put(key.encode(), _COUNT.pack(0, 0)))

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Begin both windows anew."""
        for one in self.sliding_window_keys(key, expiry, time.time()):
            self.clear(one)

    def reset(self) -> int | None:
        """Forget all."""
        return self._changed(lambda values: _forget(values, float("inf")))

    def check(self) -> bool:
        """Say whether the file is shared."""
        return self._file is not None

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the storage raises."""
        return lmdb.Error

    @staticmethod
    def _window(values: _Values, before: str, present: str, expiry: int) -> tuple[int, float, int, float]:
        elapsed, count = time.time() % expiry, _value(values, before)[0]
        return count, expiry - elapsed if count else 0.0, _value(values, present)[0], 2 * expiry - elapsed

    def _changed[T](self, change: Callable[[_Values], T]) -> T:
        """Read and change counters in one transaction, which no other process comes between."""
        now = time.time()
        is_due = abs(now - self._swept_at) > _SWEPT_EVERY_S  # the clock may be set back
        if is_due:
            self._swept_at = now
            _forget(self._own, now)
        if self._file is not None:
            try:
                with self._file.begin(write=True) as values:
                    if is_due:
                        _forget(values, now)
                    return change(values)
            except lmdb.Error as error:
                self._tell(error)
        return change(self._own)

    def _tell(self, error: Exception) -> None:
        if not self._is_told:  # once, not with every request
            log.warning("limits of rates are those of each process, for their file cannot be used: %s", error)
        self._is_told = True


def _value(values: _Values, key: str) -> tuple[int, float]:
    """Return a counter, and when it is over."""
    now = time.time()
    found = values.get(key.encode())
    count, ends = (0, now) if found is None else _COUNT.unpack(found)
    return (count, ends) if ends > now else (0, now)


def _add(values: _Values, key: str, expiry: float, amount: int) -> int:
    count, ends = _value(values, key)
    values.put(key.encode(), _COUNT.pack(count + amount, ends if count else time.time() + expiry))
    return count + amount


def _forget(values: Any, now: float) -> int:
    """Forget counters that are over by then; return how many there were."""
    every = list(values.items() if isinstance(values, dict) else values.cursor())
    for key, value in every:
        if _COUNT.unpack(value)[1] <= now:
            values.pop(key)
    return len(every)
