"""The fork server: a process that has imported what the server's processes need, and from which these are forked.

A fork takes milliseconds; a new Python that imports the same takes seconds. The fork server is started by the first
process that is asked for, and ends with those that came from it. The server itself cannot fork: it has threads.
"""

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

_POLITE = 10
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "__main__",
        "geo_grid.single_threaded",
        "valhalla",
        "geo_grid.response.worker",
        "geo_grid.response.loops",
        "geo_grid.exchange",
    ]
)


def end_with_parent() -> None:
    """Have the kernel send SIGKILL to this process when the process that asked for it ends.

    It is sent when the other end of the pipe between them closes (F_SETSIG of fcntl(2)). PR_SET_PDEATHSIG would wait for the
    fork server, which ends after the last of its children only.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise AssertionError
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if not parent.is_alive():  # it ended before
        os._exit(0)


def apart[**Given, Answer](work: Callable[Given, Answer], *arguments: Given.args, **named: Given.kwargs) -> Answer:
    """Do work in a process of its own, which ends with this one, and wait: it would hold the GIL for seconds.

    Function, arguments and answer are pickled. Raises what the work raises.
    """
    with ProcessPoolExecutor(1, CONTEXT, initializer=end_with_parent) as processes:
        return processes.submit(work, *arguments, **named).result()


def politely[**Given, Answer](work: Callable[Given, Answer], *arguments: Given.args, **named: Given.kwargs) -> Answer:
    """Do work that nobody waits for, in a process of its own (`apart`): whoever answers people goes first (nice(2))."""
    os.nice(_POLITE)
    return work(*arguments, **named)
