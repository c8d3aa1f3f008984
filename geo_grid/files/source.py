"""A file to be read, in the child process, and what every reader of one has in common."""

from dataclasses import dataclass
from pathlib import Path

from geo_grid.errors import UnreadableFile
from geo_grid.files.limits import Limits
from geo_grid.files.spelling import Spelling

EXACT = 2**53
"""From here on a number with a point no longer tells whole numbers apart."""
BATCH = 20_000
"""Rows that are handed back at a time."""
MOST_COLUMNS = 2_000


@dataclass(frozen=True)
class Source:
    """A file to be read.

    Attributes
    ----------
    said
        What its sender calls it, for messages.
    lon, lat
        Columns of coordinates, where they were named.
    scratch
        Folder in which files can be made.
    spelling
        What its sender says of how it is written.
    """

    path: Path
    said: str
    lon: str | None
    lat: str | None
    scratch: Path | None
    limits: Limits
    spelling: Spelling


def refuse_wide(said: str, columns: int, most: int = MOST_COLUMNS) -> None:
    """Refuse more columns than are taken. Raises UnreadableFile."""
    if columns > most:
        message = f"{said} has {columns:,} columns; {most:,} are taken"
        raise UnreadableFile(message)
