"""States of cameras from a CSV file."""

import csv
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from geo_grid.cameras.states import StateReport
from geo_grid.errors import InvalidRows, UnreadableFile, told, where
from geo_grid.files.kinds import SNIFFED_BYTES, text_encoding

_NEEDED = ("gb28181_id", "state")
_KNOWN = frozenset({*_NEEDED, "since"})
_LARGEST = 64 << 20
_REPORT = TypeAdapter(StateReport)


def read_states(path: Path) -> list[StateReport]:
    """Read the reports of a CSV file that an operator names; columns beside those of a report are left out.

    Raises
    ------
    UnreadableFile
        It is missing, too large, no CSV, or has no such columns.
    InvalidRows
        Rows are no reports; each is named, counted from 1.
    """
    try:
        if path.stat().st_size > _LARGEST:
            message = f"{path} has more than {_LARGEST >> 20} MB: divide it"
            raise UnreadableFile(message)
        with path.open("rb") as opened_raw:
            head = opened_raw.read(SNIFFED_BYTES)
        with path.open(encoding=text_encoding(str(path), head), newline="") as opened:
            rows = list(csv.DictReader(opened))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None
    except (csv.Error, UnicodeError) as error:
        message = f"{path} is not a readable CSV file: {error}"
        raise UnreadableFile(message) from None
    missing = [name for name in _NEEDED if not rows or name not in rows[0]]
    if missing:
        message = f"{path} has no column {missing[0]}, or no rows; it needs gb28181_id, state and, if known, since"
        raise UnreadableFile(message)
    reports, bad = [], []
    for number, row in enumerate(rows, 1):
        try:
            reports.append(_REPORT.validate_python({name: row[name] for name in _KNOWN if row.get(name)}))
        except ValidationError as error:
            bad.append((number, "; ".join(f"{where(fault)}: {told(fault)}" for fault in error.errors())))
    if bad:
        message = f"{len(bad)} of {len(rows)} rows of {path} are no states of cameras; nothing was changed"
        raise InvalidRows(message, bad)
    return reports
