"""The attributes of one row from outside, checked by the model of its layer."""

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from geo_grid.errors import UserError, told, where
from geo_grid.layers import Layer
from geo_grid.moments import Times

_EXACT = 2**53
"""From here on a number with a point no longer tells whole numbers apart."""
_LONGEST = 20_000
"""Characters of a text: twice as many as any field takes."""
_SHORTENED = re.compile(r"[+-]?\d(?:\.\d+)?[eE]\+\d+", re.ASCII)


def moments_of(layer: Layer) -> list[str]:
    """Return the names of the fields that are moments."""
    return [name for name in layer.fields if layer.columns.get(name) == "timestamptz"]


def read_row(layer: Layer, given: Mapping[str, Any], times: Mapping[str, Times]) -> dict[str, Any]:
    """Read the fields of a row.

    Parameters
    ----------
    times
        How each of the `moments_of` the layer is to be read.

    Raises
    ------
    UserError
        Fields are missing, unknown or wrong; each is named.
    """
    filled = {name: given[other] for name, other in layer.row.defaults.items() if other in given} | dict(given)
    faults: dict[str, str] = {}
    for name, value in filled.items():
        try:
            if isinstance(value, str) and len(value) > _LONGEST:
                faults[name] = f"a text of {len(value):,} characters is longer than any field takes"
            elif name in times and value is not None:
                filled[name] = times[name].read(value)
            else:
                filled[name] = _whole(value, is_number=layer.columns.get(name) == "double precision")
        except ValueError as wrong:
            faults[name] = str(wrong)
    try:
        row = layer.row.model_validate(
            {name: value for name, value in filled.items() if name not in faults}
        ).model_dump()
    except ValidationError as error:
        for fault in error.errors():
            faults.setdefault(where(fault), told(fault))
        row = {}
    if faults:
        raise UserError("; ".join(f"{name}: {why}" for name, why in faults.items()))
    return row


def _whole(value: Any, is_number: bool) -> Any:
    """Return a value, whole numbers without a point; for a field that is no number, its digits must all be there."""
    if isinstance(value, float) and not is_number:
        if not math.isfinite(value):
            message = f"{value} is no value"
            raise ValueError(message)
        if abs(value) >= _EXACT:
            raise ValueError(_lost(repr(value)))
        return int(value) if value.is_integer() else value
    if isinstance(value, str) and "\0" in value:
        message = "it holds the character NUL, which no text has"
        raise ValueError(message)
    if isinstance(value, str) and not is_number and _SHORTENED.fullmatch(value):
        raise ValueError(_lost(value))
    return value


def _lost(said: str) -> str:
    return f"{said} is a number with more digits than its file keeps (2^53): store the column as text"
