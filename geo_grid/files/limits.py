"""What the reading of one file may take."""

import os
from dataclasses import dataclass, replace
from functools import cache

_MOST_UNPACKED = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What the reading of one file may take.

    Attributes
    ----------
    memory_bytes
        Address space of the child process, beyond what its libraries, and a file of points, take.
    processor_s, wall_s
        Seconds of processor, and seconds that are waited for the child process in all.
    rows, cells
        Rows, and rows times columns.
    answer_bytes
        Of the rows handed back.
    unpacked_bytes
        Of what an archive, or a file made of compressed parts, says or turns out to hold.
    """

    memory_bytes: int
    processor_s: int
    wall_s: float
    rows: int
    cells: int
    answer_bytes: int
    unpacked_bytes: int = _MOST_UNPACKED


SENT = Limits(memory_bytes=1 << 30, processor_s=30, wall_s=60, rows=200_000, cells=3_000_000, answer_bytes=192 << 20)
"""Of a file that came over the network: the server and everybody else stay alive beside it."""
SENT_POINTS = replace(SENT, processor_s=300, wall_s=600, answer_bytes=8 << 30)
"""Of points in bulk, which come back batch by batch; how many there may be, whoever takes them says."""


@cache
def of_operator() -> Limits:
    """Return the limits of a file that somebody at the machine names: three quarters of its memory, and six hours."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    return Limits(
        memory_bytes=memory, processor_s=6 * 3600, wall_s=6 * 3600, rows=50_000_000, cells=1_000_000_000,
        answer_bytes=memory,
    )  # fmt: skip
