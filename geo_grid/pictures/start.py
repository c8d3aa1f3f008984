"""Becomes the browser, with limits: `python -m geo_grid.pictures.start MEMORY_MB PARENT READS WRITES COMMAND...`.

Chromium speaks over the file descriptors 3 and 4 (--remote-debugging-pipe), which READS and WRITES become.
"""

import ctypes
import fcntl
import os
import resource
import signal
import sys

_ABOVE, _POLITE, _PR_SET_PDEATHSIG = 10, 10, 1


def _main() -> None:
    memory_mb, parent, reads, writes = map(int, sys.argv[1:5])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the server ended before this process would have ended with it
        os._exit(0)
    os.nice(_POLITE)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD, _ABOVE) for one in (reads, writes)]  # neither may lie on 3 or 4
    for one, number in zip(moved, (3, 4), strict=True):
        os.dup2(one, number, inheritable=True)
        os.close(one)
    os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 (the browser that was found)


if __name__ == "__main__":
    _main()
