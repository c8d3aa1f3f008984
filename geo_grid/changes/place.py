"""A place in the feed of changes: the database snapshot up to which it was read."""

import re
from dataclasses import dataclass
from functools import cached_property

from geo_grid.errors import UserError

LONGEST = 4096
"""Most characters of a place: room for some hundreds of transactions in progress."""
_PLACE = re.compile(r"([0-9a-f]{16})-(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")
_OF_BEFORE = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


@dataclass(frozen=True)
class Place:
    """A position in a feed: all changes that are visible in a snapshot were read; see `told_up_to`.

    Attributes
    ----------
    feed
        Name of the feed, since transaction numbers are only valid in one database; empty for an id that an earlier
        version of geo_grid gave out.
    snapshot
        PostgreSQL's text form of pg_snapshot, xmin:xmax:xip_list.
    """

    feed: str
    snapshot: str

    def __str__(self) -> str:
        """Return the place as the id of a server-sent event."""
        return f"{self.feed}-{self.snapshot}"

    @cached_property
    def xmax(self) -> int:
        """The lowest transaction number that was not assigned yet in the snapshot."""
        return int(self.snapshot.split(":")[1])

    @classmethod
    def told_up_to(cls, feed: str, snapshot: str, newest: int) -> "Place":
        """Return the place of a reader who was told all changes that are visible in a snapshot.

        Transactions after the newest that it was told of count as not seen. They wrote no changes, and a database that crashed
        may give the numbers of those that were rolled back again; those up to the newest, which is on the disk, it never does.

        Parameters
        ----------
        newest
            Highest number of a transaction whose changes were told.
        """
        running = [one for one in map(int, filter(None, snapshot.split(":")[2].split(","))) if one <= newest]
        return cls(feed, f"{min(running, default=newest + 1)}:{newest + 1}:{','.join(map(str, running))}")

    @classmethod
    def read(cls, text: str) -> "Place":
        """Parse the id of a server-sent event. Raises UserError when it is none."""
        if _OF_BEFORE.fullmatch(text):  # of a page that stayed open while the server was upgraded
            return cls("", "1:1:")
        match = _PLACE.fullmatch(text) if len(text) <= LONGEST and text.isascii() else None
        if match is not None:
            xmin, xmax, listed = int(match[2]), int(match[3]), match[4]
            running = [int(one) for one in listed.split(",")] if listed else []
            inside = not running or (xmin <= running[0] and running[-1] < xmax)
            if 0 < xmin <= xmax < 2**63 and inside and sorted(set(running)) == running:
                return cls(match[1], f"{xmin}:{xmax}:{','.join(map(str, running))}")
        message = f"{text[:60]!r} is not the id of an event"
        raise UserError(message)
