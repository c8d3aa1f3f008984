"""Columns of a file that look like times, and that nobody mapped."""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

_WORDS = frozenset({"date", "time", "datetime", "timestamp", "received", "reported", "occurred"})
_CHARACTERS = ("时间", "日期", "时刻")
_LOOKED_AT = 200
_MOST = 0.8
"""Share of the values that must look like times."""
_SPLIT = re.compile(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])")
_TIME = re.compile(
    r"\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(\D.*)?|\d{8}T\d{4,6}.*", re.ASCII
)


def unmapped_times(attributes: "DataFrame", mapped: Collection[str]) -> list[str]:
    """Return the columns whose name or values look like times, without those that are mapped to a field."""
    return [
        str(column)
        for column in attributes
        if str(column) not in mapped and (_is_named_so(str(column)) or _holds_times(attributes[column]))
    ]


def _is_named_so(column: str) -> bool:
    words = {word.lower() for word in _SPLIT.split(column)}
    return not words.isdisjoint(_WORDS) or any(part in column for part in _CHARACTERS)


def _holds_times(values: Any) -> bool:
    from pandas.api.types import is_datetime64_any_dtype

    if is_datetime64_any_dtype(values):
        return True
    looked = [value for value in values.dropna().head(_LOOKED_AT).tolist() if value != ""]
    like = sum(hasattr(value, "year") or bool(_TIME.fullmatch(str(value).strip())) for value in looked)
    return bool(looked) and like >= _MOST * len(looked)
