"""Stores the rows of a data frame in a table."""

from typing import Any

import numpy as np
import pandas as pd
import shapely
from pandas import DataFrame

from geo_grid.coordinates import snap
from geo_grid.db import Connection, copy_rows, ewkb


def copy_frame(connection: Connection, table: str, frame: DataFrame) -> int:
    """COPY a frame into a table in the caller's transaction, marked as demo, and return the number of rows.

    Its columns are those of the table; `lon` and `lat` in degrees (CGCS2000) become `geom`.
    """
    if "is_demo" not in frame:
        frame = frame.assign(is_demo=True)
    if "lon" in frame:
        frame = frame.assign(geom=ewkb(shapely.points(snap(frame[["lon", "lat"]])))).drop(columns=["lon", "lat"])
    columns = [_as_written(frame[c]) for c in frame]
    return copy_rows(connection, table, list(frame.columns), zip(*columns, strict=True))


def _as_written(column: "pd.Series[Any]") -> list[Any]:
    """Return the values of a column for COPY, None where one is missing; moments as text, for all at once."""
    values: Any = column
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = pd.Series(np.datetime_as_string(column.dt.tz_convert(None).to_numpy(), unit="us", timezone="UTC"))
    return list(values.astype(object).where(pd.notna(column).to_numpy(), None).tolist())
