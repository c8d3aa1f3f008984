"""Files into rows and raw geometry: those GDAL reads, GeoParquet, and tables with coordinate columns."""

import csv
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import shapely
from pandas import DataFrame
from pyogrio.errors import DataLayerError, DataSourceError
from python_calamine import CalamineError

from geo_grid.errors import UnreadableFile, UserError

_DRIVERS = {
    ".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf",
    ".kml": "LIBKML",
}  # fmt: skip
FORMATS = (*_DRIVERS, ".parquet", ".csv", ".xlsx", ".zip")
_LARGEST_UNPACKED = 1 << 30
"""Bytes an archive may unpack to: a small one can hold very large files."""
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
LON_NAMES, LAT_NAMES = ("lon", "longitude", "lng", "x", "经度"), ("lat", "latitude", "y", "纬度")
_SNIFFED_BYTES = 1 << 20
_LONGEST_LINE = 1 << 17


@dataclass(frozen=True)
class Table:
    """A file as read.

    Attributes
    ----------
    attributes
        One row per feature; index 0 is the first.
    geometry
        Geometries in the file's own coordinates; None where a row has none.
    stated_crs
        What the file itself says its reference system is, or None.
    is_geojson
        GeoJSON needs no source_crs: RFC 7946 fixes it.
    """

    attributes: DataFrame
    geometry: Any
    stated_crs: str | None
    is_geojson: bool


def read_table(path: Path, lon_column: str | None = None, lat_column: str | None = None) -> Table:
    """Read a file.

    Parameters
    ----------
    lon_column, lat_column
        Of a CSV file; common names are found without.

    Raises
    ------
    UnreadableFile
        It is missing, empty, of an unknown kind, or not what its name says.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        message = f"{path}: unknown kind of file {suffix or '(no ending)'}; known are {', '.join(FORMATS)}"
        raise UnreadableFile(message)
    try:
        if not path.is_file():
            message = f"{path}: there is no such file"
            raise UnreadableFile(message)
        if path.stat().st_size == 0:
            message = f"{path} is empty"
            raise UnreadableFile(message)
        with path.open("rb") as opened:
            head = opened.read(_SNIFFED_BYTES)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None
    if suffix == ".csv":
        return _read_csv(path, head, lon_column, lat_column)
    if suffix == ".xlsx":
        return _read_excel(path, lon_column, lat_column)
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix == ".zip":
        return _read_zipped(path)
    if _DRIVERS[suffix] == "GeoJSON" and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        message = f"{path} is not GeoJSON: it does not begin with an object"
        raise UnreadableFile(message)
    return _read_vector(path, _DRIVERS[suffix])


def _read_vector(path: Path, driver: str, named: Path | None = None) -> Table:
    """Read a file by GDAL; `named` is what the sender calls it."""
    said = named or path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's remark on a wrong ending; we refuse it below
            layers = pyogrio.list_layers(path)
            found = pyogrio.read_info(path)["driver"] if len(layers) else driver
        if len(layers) > 1:
            message = f"{said} holds {len(layers)} layers ({', '.join(layers[:, 0])}); export the one you want to a file of its own"
            raise UserError(message)
        if found not in (driver, driver.removeprefix("LIB")):  # two drivers know KML
            message = f"{said} is not what its name says: it reads as {found}, not {driver}"
            raise UnreadableFile(message)
        encoding = _dbf_encoding(path) if driver == "ESRI Shapefile" else None
        frame = pyogrio.read_dataframe(path, datetime_as_string=True, encoding=encoding)
    except (DataSourceError, DataLayerError, ValueError, UnicodeDecodeError) as error:
        message = f"{said} is not a readable {driver} file: {first_line(error)}"
        raise UnreadableFile(message) from None
    if "geometry" not in frame:
        message = f"{said} has no geometry"
        raise UnreadableFile(message)
    geometry = frame.geometry.to_numpy()
    crs = frame.crs.to_string() if frame.crs is not None else None
    return Table(DataFrame(frame.drop(columns="geometry")), geometry, crs, driver == "GeoJSON")


def _read_zipped(path: Path) -> Table:
    """Read the one Shapefile of an archive; its parts get names of ours, whatever the archive calls them."""
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            parts = [part for part in archive.infolist() if Path(part.filename).suffix.lower() in _SHAPEFILE_PARTS]
            suffixes = [Path(part.filename).suffix.lower() for part in parts]
            if suffixes.count(".shp") != 1 or len(set(suffixes)) != len(suffixes):
                message = f"{path} holds {suffixes.count('.shp')} Shapefiles; send an archive with the files of one"
                raise UnreadableFile(message)
            left = _LARGEST_UNPACKED
            for part, suffix in zip(parts, suffixes, strict=True):
                with archive.open(part) as packed, (Path(folder) / f"layer{suffix}").open("wb") as unpacked:
                    while block := packed.read(1 << 20):
                        left -= len(block)
                        if left < 0:  # whatever the archive says of itself
                            message = f"{path} unpacks to more than {_LARGEST_UNPACKED / 1e9:.1f} GB"
                            raise UnreadableFile(message)
                        unpacked.write(block)
            return _read_vector(Path(folder) / "layer.shp", "ESRI Shapefile", path)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        message = f"{path} is not a readable archive: {first_line(error)}"
        raise UnreadableFile(message) from None


def _dbf_encoding(path: Path) -> str | None:
    """Tell UTF-8 from GB 18030 in the table of a Shapefile that does not say itself (in a .cpg file)."""
    table = path.with_suffix(".dbf")
    if path.with_suffix(".cpg").is_file() or not table.is_file():
        return None
    with table.open("rb") as opened:
        head = opened.read(_SNIFFED_BYTES)
    records = head[int.from_bytes(head[8:10], "little") :]  # after the binary description of the fields
    return text_encoding(str(table), records + b"\n").removesuffix("-sig")


def _read_csv(path: Path, head: bytes, lon_column: str | None, lat_column: str | None) -> Table:
    encoding = text_encoding(str(path), head)
    lines = head.split(b"\n")
    if b"\0" in head or (len(lines) > 1 and max(map(len, lines[:-1])) > _LONGEST_LINE) or (
        len(lines) == 1 and len(head) == _SNIFFED_BYTES
    ):  # fmt: skip
        message = f"{path} is not a CSV file: it is not lines of text"
        raise UnreadableFile(message)
    header = next(csv.reader([lines[0].decode(encoding).strip("\ufeff\r\n")]), [])
    _coordinate_columns(path, header, lon_column, lat_column)  # before a large file is read
    try:
        with warnings.catch_warnings():
            # pandas only warns when a row is longer than the header, and then shifts or cuts it
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path, dtype=str, encoding=encoding, keep_default_na=False, na_values=[""], index_col=False
            )
    except (
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        message = f"{path} is not a readable CSV file: {first_line(error)}"
        raise UnreadableFile(message) from None
    return _table_of_points(path, frame, lon_column, lat_column)


def _read_excel(path: Path, lon_column: str | None, lat_column: str | None) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > _LARGEST_UNPACKED:
            message = f"{path} unpacks to {unpacked / 1e9:.1f} GB: send it as CSV or GeoPackage"
            raise UnreadableFile(message)
        sheets = pd.read_excel(
            path, sheet_name=None, dtype=str, engine="calamine", keep_default_na=False, na_values=[""]
        )
    except (zipfile.BadZipFile, CalamineError, ValueError, KeyError, OSError) as error:
        message = f"{path} is not a readable Excel file: {first_line(error)}"
        raise UnreadableFile(message) from None
    filled = {name: sheet for name, sheet in sheets.items() if len(sheet)}
    if len(filled) != 1:
        message = f"{path} has {len(filled)} sheets with rows ({', '.join(filled)}); keep the one you want in a file of its own"
        raise UnreadableFile(message)
    frame = next(iter(filled.values()))
    return _table_of_points(path, frame.rename(columns=str), lon_column, lat_column)


def _read_parquet(path: Path) -> Table:
    import geopandas as gpd
    import pyarrow as pa

    try:
        frame = gpd.read_parquet(path)
    except (ValueError, KeyError, OSError, pa.ArrowException, shapely.errors.ShapelyError) as error:
        message = f"{path} is not a readable GeoParquet file: {first_line(error)}"
        raise UnreadableFile(message) from None
    # as the other forms give it: whole numbers with gaps, and times as text
    plain = DataFrame(frame.drop(columns=frame.geometry.name)).convert_dtypes()
    for name in plain.select_dtypes(["datetime", "datetimetz"]):
        plain[name] = plain[name].map(lambda moment: None if pd.isna(moment) else moment.isoformat())
    return Table(plain, frame.geometry.to_numpy(), frame.crs.to_string() if frame.crs is not None else None, False)


def _coordinate_columns(path: Path, header: Sequence[str], lon: str | None, lat: str | None) -> tuple[str, str]:
    columns = {name.strip().lower(): name for name in header}
    return (
        coordinate_column(str(path), "lon", lon, LON_NAMES, columns),
        coordinate_column(str(path), "lat", lat, LAT_NAMES, columns),
    )


def _table_of_points(path: Path, frame: DataFrame, lon_column: str | None, lat_column: str | None) -> Table:
    """Make points of two columns of text."""
    lon, lat = _coordinate_columns(path, list(frame.columns), lon_column, lat_column)
    x, y = pd.to_numeric(frame[lon], errors="coerce"), pd.to_numeric(frame[lat], errors="coerce")
    # what is no number becomes infinite, so that the row is named and not taken for an empty one
    points = shapely.points(x.fillna(np.inf).to_numpy(dtype=float), y.fillna(np.inf).to_numpy(dtype=float))
    geometry = pd.Series(points, dtype=object).where(frame[lon].notna() & frame[lat].notna(), None).to_numpy()
    return Table(frame, geometry, None, False)


def coordinate_column(
    source: str, which: str, asked: str | None, usual: tuple[str, ...], columns: dict[str, str]
) -> str:
    """Find the column of longitudes or latitudes.

    Parameters
    ----------
    source
        What is read, for the message.
    which
        `lon` or `lat`.
    columns
        Names as they stand, by name in small letters.

    Raises
    ------
    UnreadableFile
        There is none.
    """
    wanted = (asked.lower(),) if asked else usual
    for name in wanted:
        if name in columns:
            return columns[name]
    has = ", ".join(list(columns.values())[:20])[:300]
    message = (
        f"{source} has no column {' or '.join(wanted)}: rename it, or when importing name it with "
        f"--{which}-column; the columns are: {has}"
    )
    raise UnreadableFile(message)


def text_encoding(source: str, head: bytes) -> str:
    """Tell UTF-8 from GB 18030 by the first lines. Raises UnreadableFile when it is neither."""
    whole = head[: head.rfind(b"\n") + 1] or head
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    message = f"{source} is not text in UTF-8 or GB 18030"
    raise UnreadableFile(message)


def first_line(error: Exception) -> str:
    """Return what a library's error says, without the rest of it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
