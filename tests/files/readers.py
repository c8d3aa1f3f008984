"""The processes that read files, as others see them."""

import subprocess
from collections.abc import Collection


def readers(asking: Collection[int]) -> set[int]:
    """Numbers of the processes that read a file for these: children of the nests of these."""
    running = _running()
    return _children(running, _children(running, asking))


def nests(asking: int) -> set[int]:
    """The nests of this one."""
    return _children(_running(), [asking])


def still_there(pids: Collection[int]) -> set[int]:
    """Those of them that run still."""
    return _running().keys() & set(pids)


def _children(running: dict[int, int], of: Collection[int]) -> set[int]:
    return {pid for pid, parent in running.items() if parent in of}


def _running() -> dict[int, int]:
    """The parent of each nest, and of each process that was forked from one, by its number."""
    said = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in said.splitlines()[1:]]
    return {int(pid): int(parent) for pid, parent, args in rows if "geo_grid.files.nest" in args}
