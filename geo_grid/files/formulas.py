"""Text that a spreadsheet would take for a formula: written to CSV behind an apostrophe, and read without it."""

import re

BEGINS = r"^('*[=+\-@\t\r＝＋－＠])"
"""How such a text begins (CWE-1236); one that has the apostrophes already gets one more, so that each comes back."""
_BEGINS = re.compile(BEGINS)
_GUARDED = re.compile(r"'+[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """Return a text as it stands in CSV: numbers, and what begins like no formula, as they are."""
    return f"'{text}" if _BEGINS.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Return what was written by `guarded`."""
    return text[1:] if _GUARDED.match(text) else text
