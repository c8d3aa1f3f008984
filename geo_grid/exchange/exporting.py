"""A layer into a file, whole or not at all."""

import codecs
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import shapely
from psycopg import IsolationLevel

from geo_grid.china_datums import shifted_geometry
from geo_grid.coordinates import SRID
from geo_grid.db import Connection, connect
from geo_grid.errors import UnwritableFile, UserError
from geo_grid.exchange.tables import TableForm, as_csv, as_excel, as_frame, encode
from geo_grid.exchange.writing import write_by_gdal
from geo_grid.layers import Layer, find_layer
from geo_grid.layers.features import all_rows, exported_columns

if TYPE_CHECKING:
    import geopandas as gpd

_DRIVERS = {
    ".geojson": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf", ".kml": "LIBKML",
}  # fmt: skip
_TABLES: dict[str, Callable[["gpd.GeoDataFrame", bool], bytes]] = {
    ".csv": as_csv,
    ".xlsx": as_excel,
    ".parquet": lambda frame, are_points: encode(frame, TableForm.GEOPARQUET, are_points),
}


def export_file(
    connection: Connection,
    layer: Layer,
    path: Path,
    shift: str = "",
    for_excel: bool = False,
    with_texts: bool = False,
) -> int:
    """Write the rows of a layer now in force, lon, lat in CGCS2000, and return how many.

    Only what whoever the transaction is for may see. CSV gets lon and lat columns for points, WKT for the rest.

    Parameters
    ----------
    shift
        GCJ-02 or BD-09: lon, lat for those who draw on maps of these; see `as_frame`.
    for_excel
        Of CSV: with a byte order mark, by which Excel knows UTF-8.
    with_texts
        With the columns that are private, such as what was said of an incident, and where.

    Raises
    ------
    UserError
        The kind of file is unknown.
    UnwritableFile
        The place cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in {*_DRIVERS, *_TABLES}:
        known = ", ".join([*_DRIVERS, *_TABLES])
        message = f"{path}: unknown kind of file {suffix or '(no ending)'}; known are {known}"
        raise UserError(message)
    if for_excel and suffix != ".csv":
        message = f"{path}: only CSV needs to be written for Excel; this is {suffix}"
        raise UserError(message)
    rows = connection.execute(all_rows(layer, with_texts)).fetchall()
    if shift:
        moved = shifted_geometry(shapely.from_wkb([bytes(row["geom"]) for row in rows]), shift)
        rows = [{**row, "geom": shape} for row, shape in zip(rows, shapely.to_wkb(moved), strict=True)]
    frame = as_frame(rows, exported_columns(layer, with_texts), SRID, shift)
    try:
        # written beside its place and moved there, so that a full disk leaves no half file
        with TemporaryDirectory(dir=path.parent, prefix=".geo-grid-") as folder:
            made = Path(folder) / path.name
            if suffix in _TABLES:
                content = _TABLES[suffix](frame, layer.stored_type == "Point")
                made.write_bytes(codecs.BOM_UTF8 + content if for_excel else content)
            else:
                # ten decimals: of eight or nine GDAL takes some steps of the lattice for noise, and drops them
                options = {"COORDINATE_PRECISION": "10"} if suffix == ".geojson" else {}
                if options and not shift:
                    options["RFC7946"] = "YES"
                if suffix in (".geojson", ".kml") and not shift:
                    frame = frame.set_crs(4326, allow_override=True)  # their standards name WGS 84; the same for us
                write_by_gdal(frame, made, _DRIVERS[suffix], encoding="UTF-8", **options)
            for part in Path(folder).iterdir():
                part.replace(path.parent / part.name)
    except OSError as error:
        message = f"{path.name} cannot be written: {error.strerror or error}"
        raise UnwritableFile(message) from None
    return len(frame)


def export_apart(conninfo: str, layer: str, path: Path, shift: str, for_excel: bool, with_texts: bool) -> int:
    """Write what whoever `conninfo` is may see of a layer, all of one state of the database; see `export_file`.

    All rows are in memory meanwhile: a server calls it in a process with limits.
    """
    with connect(conninfo) as connection:
        connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        return export_file(connection, find_layer(layer), path, shift, for_excel, with_texts)
