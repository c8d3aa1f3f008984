"""Rows as a table with geometry, and that table as the bytes of a file."""

import io
from collections.abc import Sequence
from enum import StrEnum
from types import NoneType
from typing import TYPE_CHECKING, Any

import shapely

from geo_grid.errors import UserError
from geo_grid.files.formulas import guarded

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd


_SHEET_ROWS = 1_048_576


class TableForm(StrEnum):
    """Kinds of files that hold a table in one piece."""

    CSV = "csv"
    FLATGEOBUF = "fgb"
    GEOPARQUET = "parquet"


def as_frame(rows: Sequence[dict[str, Any]], columns: Sequence[str], srid: int, shift: str = "") -> "gpd.GeoDataFrame":
    """Make a table of rows that have `columns` and, as WKB, `geom`.

    Parameters
    ----------
    shift
        GCJ-02 or BD-09, where the geometry is of these: no file can name them, so that a column `source_crs` does, and
        the file says of no other system that it is its own.
    """
    import geopandas as gpd  # not at the top: a server imports this package, and starts seconds sooner without
    import pandas as pd

    geometry = shapely.from_wkb([None if row["geom"] is None else bytes(row["geom"]) for row in rows])
    plain = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=list(columns), dtype=object)
    plain = plain.infer_objects()
    for name, held in plain.dtypes.items():
        if held.kind != "O":
            continue
        # whole numbers with gaps stay whole
        if (kinds := {type(value) for value in plain[name]}) <= {int, NoneType} and int in kinds:
            plain[name] = plain[name].astype("Int64")
    if shift:
        plain["source_crs"] = shift
    return gpd.GeoDataFrame(plain, geometry=gpd.GeoSeries(geometry, index=plain.index, crs=None if shift else srid))


def as_csv(frame: "gpd.GeoDataFrame", are_points: bool, digits: int = 8) -> bytes:
    """Write a table as CSV in UTF-8: points as lon and lat, or x and y in metres; the rest as WKT; moments as ISO 8601, UTC.

    Text that a spreadsheet would take for a formula is written so that it does not; see `files.formulas`.
    """
    flat = _flat(frame, are_points, digits)
    for name in flat.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"]):
        flat[name] = flat[name].map(lambda value: guarded(value) if isinstance(value, str) else value)
    return str(flat.to_csv(index=False)).encode()


def as_excel(frame: "gpd.GeoDataFrame", are_points: bool, digits: int = 8) -> bytes:
    """Write a table as an Excel workbook, geometry and moments as in CSV; text stays text, whatever it begins with.

    Raises
    ------
    UserError
        It has more rows than a sheet holds.
    """
    if len(frame) >= _SHEET_ROWS:
        message = f"an Excel sheet holds {_SHEET_ROWS:,} rows: export to CSV or GeoPackage"
        raise UserError(message)
    import pandas as pd

    flat = _flat(frame, are_points, digits)
    made = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with pd.ExcelWriter(made, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        flat.to_excel(writer, index=False)
    return made.getvalue()


def _flat(frame: "gpd.GeoDataFrame", are_points: bool, digits: int) -> "pd.DataFrame":
    import pandas as pd

    plain = pd.DataFrame(frame.drop(columns="geometry"))
    for name in plain.select_dtypes("datetimetz"):  # as text: Excel knows no time zones, and rounds
        plain[name] = plain[name].map(lambda moment: None if pd.isna(moment) else moment.tz_convert("UTC").isoformat())
    if are_points:
        x, y = ("x", "y") if frame.crs is not None and frame.crs.is_projected else ("lon", "lat")
        write = f"{{:.{digits}f}}".format
        plain = plain.assign(**{x: frame.geometry.x.map(write), y: frame.geometry.y.map(write)})
    else:
        plain = plain.assign(wkt=shapely.to_wkt(frame.geometry.to_numpy(), rounding_precision=digits))
    return plain


def encode(frame: "gpd.GeoDataFrame", form: TableForm, are_points: bool, digits: int = 8) -> bytes:
    """Write a table in a form; `are_points` and `digits` matter to CSV."""
    if form == TableForm.CSV:
        return as_csv(frame, are_points, digits)
    made = io.BytesIO()
    if form == TableForm.FLATGEOBUF:
        frame.to_file(made, driver="FlatGeobuf", geometry_type=None if len(frame) else "Unknown")
    else:
        frame.to_parquet(made, index=False)
    return made.getvalue()
