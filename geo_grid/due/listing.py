"""Finding of `geo-grid doctor` about due work: what is late, what fails and why."""

from collections.abc import Iterable
from typing import Any

from geo_grid.db import Connection
from geo_grid.due.doing import QUERIES
from geo_grid.due.kinds import Kind

_NAMED = 8


def examine_due(connection: Connection, kinds: Iterable[Kind[Any]]) -> tuple[bool, str]:
    """Return whether no job fails or is of an unknown kind, and a sentence with counts, failures and unknown kinds."""
    declared = {"kinds": [kind.name for kind in kinds], "limit": _NAMED}
    counts = connection.execute(QUERIES["count"], declared).fetchone() or {}
    troubled = connection.execute(QUERIES["troubled"], declared).fetchall()
    unknown = connection.execute(QUERIES["unknown"], declared).fetchall()
    sentences = [f"{counts['count']:,} on the list, {counts['late']:,} of them late by more than a minute"]
    sentences += [
        f"{row['kind']} {row['subject']}".rstrip() + f" failed at try {row['attempts']}: {row['last_error']}"
        for row in troubled
    ]
    sentences += [f"{row['count']:,} of the kind {row['kind']}, which this version does not know" for row in unknown]
    return not troubled and not unknown, "; ".join(sentences)
