"""Becomes the browser, with limits: `python -m geo_grid.pictures.start MEMORY_MB PARENT READS WRITES COMMAND...`.

Chromium speaks over the file descriptors 3 and 4 (--remote-debugging-pipe), which READS and WRITES become.
"""

import fcntl
import os
import sys

from geo_grid.confined import confine

_ABOVE = 10


def _main() -> None:
    memory_mb, parent, reads, writes = map(int, sys.argv[1:5])
    confine(memory_mb, parent)
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD, _ABOVE) for one in (reads, writes)]  # neither may lie on 3 or 4
    for one, number in zip(moved, (3, 4), strict=True):
        os.dup2(one, number, inheritable=True)
        os.close(one)
    os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 (the browser that was found)


if __name__ == "__main__":
    _main()
