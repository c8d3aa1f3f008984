"""What all readers of points have in common, in the child process."""

from geo_grid.errors import UnreadableFile
from geo_grid.files.source import refuse_wide

BATCH = 65_536
"""Points handed back at a time: keeps memory small, and the loop that looks them up in cache."""
_MOST_COLUMNS = 1_000


def refuse_columns(said: str, names: list[str]) -> None:
    """Refuse too many columns, or two of one name. Raises UnreadableFile."""
    refuse_wide(said, len(names), _MOST_COLUMNS)
    if len(set(names)) < len(names):
        message = f"two columns of {said} have the same name"
        raise UnreadableFile(message)
