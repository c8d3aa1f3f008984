"""Coordinates as people write them: numbers, or degrees, minutes and seconds with the quarter of the sky."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIGNED = {"N": 1, "E": 1, "S": -1, "W": -1, "北": 1, "东": 1, "南": -1, "西": -1}
_QUARTERS = {"EW": "EW东西", "NS": "NS北南"}
_PART = r"(\d{1,2}(?:[.,]\d+)?)"
_SEXAGESIMAL = re.compile(
    r"([NSEW北南东西])?\s*([+-]?)(\d{1,3}(?:[.,]\d+)?)\s*[°º˚度:]\s*"
    rf"(?:{_PART}\s*['′’‘ʹ分:]?\s*)?(?:{_PART}\s*(?:[\"″”“秒]|''|′′)?\s*)?([NSEW北南东西])?",
    re.ASCII | re.IGNORECASE,
)
_SIXTY = 60
_LONGEST = 60
"""Characters; what is longer is no coordinate, and patterns may take the square of it."""


def read_degrees(texts: Sequence[object], axis: str) -> NDArray[np.float64]:
    """Read n coordinates; not a number where one is neither a number nor degrees, minutes and seconds.

    Parameters
    ----------
    axis
        `EW` of longitudes, `NS` of latitudes: the other two letters are none.
    """
    return np.array([_read(text, _QUARTERS[axis]) for text in texts], dtype=np.float64)


def _read(text: object, quarters: str) -> float:
    if not isinstance(text, str) or len(text) > _LONGEST:
        return float("nan")
    try:
        return float(text) if "_" not in text else float("nan")
    except ValueError:
        pass
    match = _SEXAGESIMAL.fullmatch(text.strip())
    if match is None:
        return float("nan")
    before, sign, *numbers, after = match.groups()
    quarter = (before or after or "").upper()
    degrees, minutes, seconds = (float((number or "0").replace(",", ".")) for number in numbers)
    whole = all(part.is_integer() for part in ((degrees, minutes) if numbers[2] else (degrees,) if numbers[1] else ()))
    if (before and after) or (quarter and quarter not in quarters) or (quarter and sign) or not whole:
        return float("nan")
    if minutes >= _SIXTY or seconds >= _SIXTY:
        return float("nan")
    value = degrees + minutes / _SIXTY + seconds / _SIXTY**2
    return -value if sign == "-" or _SIGNED.get(quarter, 1) < 0 else value
