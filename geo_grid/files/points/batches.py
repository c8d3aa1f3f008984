"""What all readers of points have in common, in the child process."""

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.source import refuse_wide

BATCH = 65_536
"""Points handed back at a time: keeps memory small, and the loop that looks them up in cache."""
WRONG = "\0wrong"
"""Column that says what is there instead of a point; null: there is one. No file can name a column so."""
_MOST_COLUMNS = 1_000


def refuse_columns(said: str, names: list[str], schema: pa.Schema | None = None) -> None:
    """Refuse too many columns, those within columns counted too, or two of one name. Raises UnreadableFile."""
    refuse_wide(said, len(names), _MOST_COLUMNS)
    refuse_wide(said, sum(map(_fields, schema.types if schema is not None else ())), _MOST_COLUMNS)
    if len(set(names)) < len(names):
        message = f"two columns of {said} have the same name"
        raise UnreadableFile(message)


def _fields(kind: pa.DataType) -> int:
    """Count a type and those within it."""
    if isinstance(kind, pa.BaseExtensionType):
        return _fields(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return 1 + _fields(kind.value_type)
    if kind.num_fields > _MOST_COLUMNS:
        return int(kind.num_fields)
    return 1 + sum(_fields(kind.field(place).type) for place in range(kind.num_fields))
