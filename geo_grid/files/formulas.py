"""Text that a spreadsheet would take for a formula: written to CSV behind an apostrophe, and read without it."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

FIRST = [*"=+-@\t\r＝＋－＠"]
"""Letters that such a text begins with (CWE-1236)."""
_BEGINS = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """Return a text as it stands in CSV: numbers, and what begins like no formula, as they are.

    One that has the apostrophe already gets one more, so that each comes back.
    """
    return f"'{text}" if _BEGINS.match(text) and not _NUMBER.fullmatch(text) else text


def csv_of(rows: Iterable[Iterable[Any]]) -> str:
    """Write rows as CSV (RFC 4180), their texts `guarded`."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([guarded(value) if isinstance(value, str) else value for value in row] for row in rows)
    return out.getvalue()


def guarded_once(text: str) -> str:
    """Return a text that was sent, and that nobody takes back, as it stands in CSV: with one apostrophe at most."""
    return guarded(text) if text[:1] in FIRST else text


def unguarded(text: str) -> str:
    """Return what was written by `guarded`."""
    return text[1:] if _GUARDED.match(text) else text
