"""A place in the feed: the database's snapshot as of which somebody has read it."""

import re
from dataclasses import dataclass
from functools import cached_property

from geo_grid.errors import UserError

LONGEST = 4096
"""Characters of a place: some hundreds of transactions that write at the same time."""
_PLACE = re.compile(r"([0-9a-f]{16})-(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")
_OF_BEFORE = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


@dataclass(frozen=True)
class Place:
    """Everything that was committed in a snapshot (pg_snapshot of PostgreSQL: xmin:xmax:xip_list) of a feed.

    Attributes
    ----------
    feed
        Name of the feed: numbers of transactions are of one database; empty: of the program before this one.
    """

    feed: str
    snapshot: str

    def __str__(self) -> str:
        """Write it as the id of an event."""
        return f"{self.feed}-{self.snapshot}"

    @cached_property
    def xmax(self) -> int:
        """The first number that no transaction had yet."""
        return int(self.snapshot.split(":")[1])

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read the id of an event. Raises UserError."""
        if _OF_BEFORE.fullmatch(text):  # a page that was open while the program was renewed
            return cls("", "1:1:")
        found = _PLACE.fullmatch(text) if len(text) <= LONGEST and text.isascii() else None
        if found is not None:
            xmin, xmax, listed = int(found[2]), int(found[3]), found[4]
            running = [int(one) for one in listed.split(",")] if listed else []
            inside = not running or (xmin <= running[0] and running[-1] < xmax)
            if 0 < xmin <= xmax < 2**63 and inside and sorted(set(running)) == running:
                return cls(found[1], f"{xmin}:{xmax}:{','.join(map(str, running))}")
        message = f"{text[:60]!r} is not the id of an event"
        raise UserError(message)
