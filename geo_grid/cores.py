"""Work on all cores in threads of one process: of compiled functions, and of Arrow, which release the GIL."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def in_order[Item, Done](work: Callable[[Item], Done], items: Iterable[Item], cores: int) -> Iterator[Done]:
    """Do `work` with each item, `cores` at a time, and yield what comes of it in the order of the items.

    Items are taken, and held, only so far ahead that every core has one in hand and the next: memory does not grow with
    their number. With one core no thread is started. The first error of an item is raised in its turn.
    """
    if cores == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(cores) as threads:
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
