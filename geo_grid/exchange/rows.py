"""The attributes of one row from outside, checked by the model of its layer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from geo_grid.errors import UserError
from geo_grid.layers import Layer
from geo_grid.moments import within_calendar


def read_row(layer: Layer, given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Read the fields of a row.

    Parameters
    ----------
    zone
        Of times that name none.

    Raises
    ------
    UserError
        Fields are missing, unknown or wrong; each is named.
    """
    filled = {name: given[other] for name, other in layer.row.defaults.items() if other in given} | dict(given)
    try:
        row = layer.row.model_validate(filled).model_dump()
    except ValidationError as error:
        raise UserError("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from None
    for name, value in row.items():
        if isinstance(value, datetime):
            try:
                row[name] = within_calendar(value if value.tzinfo is not None else value.replace(tzinfo=zone))
            except ValueError as wrong:
                message = f"{name}: {wrong}"
                raise UserError(message) from None
    return row
