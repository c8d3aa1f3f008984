"""What is wrong with the list of what is due, for people."""

from collections.abc import Iterable
from typing import Any

from geo_grid.db import Connection
from geo_grid.due.doing import QUERIES
from geo_grid.due.kinds import Kind

_NAMED = 8


def examine_due(connection: Connection, kinds: Iterable[Kind[Any]]) -> tuple[bool, str]:
    """Return whether all is well with it, and what is on it, what fails and why, and what no server here can do."""
    declared = {"kinds": [kind.name for kind in kinds], "limit": _NAMED}
    counts = connection.execute(QUERIES["count"], declared).fetchone() or {}
    troubled = connection.execute(QUERIES["troubled"], declared).fetchall()
    unknown = connection.execute(QUERIES["unknown"], declared).fetchall()
    told = [f"{counts['count']:,} on the list, {counts['late']:,} of them late by more than a minute"]
    told += [
        f"{row['kind']} {row['subject']}".rstrip() + f" failed at try {row['attempts']}: {row['last_error']}"
        for row in troubled
    ]
    told += [f"{row['count']:,} of the kind {row['kind']}, which this version does not know" for row in unknown]
    return not troubled and not unknown, "; ".join(told)
