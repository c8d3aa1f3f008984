"""A table into a file by GDAL, whole or not at all."""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geo_grid.errors import UnwritableFile
from geo_grid.files.kinds import first_line

if TYPE_CHECKING:
    import geopandas as gpd

_ENDS = {"LIBKML": b"</kml>", "GeoJSON": b"]\n}"}
"""How files of text end that are whole: GDAL does not say so when the disk is full."""


def write_by_gdal(frame: "gpd.GeoDataFrame", path: Path, driver: str, **options: Any) -> None:
    """Write a table.

    Raises
    ------
    UnwritableFile
        The disk is full, the place is closed, or a text is too long for a Shapefile.
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    if driver == "LIBKML":
        frame = frame.map(_without_controls)
    if driver == "ESRI Shapefile":
        _check_texts(frame, path)
    try:
        with warnings.catch_warnings():  # that a shifted datum is named by a column, not by the file, is meant so
            warnings.filterwarnings("ignore", "'crs' was not provided")
            for words in _OF_SHAPEFILES:
                warnings.filterwarnings("ignore", words)
            frame.to_file(path, driver=driver, **options)
    except (OSError, DataLayerError, DataSourceError) as error:
        message = f"{path.name} cannot be written: {first_line(error).replace(str(path), path.name)}"
        raise UnwritableFile(message) from None
    if driver in _ENDS and not _ends_with(path, _ENDS[driver]):
        message = f"{path.name} cannot be written: it came out cut off, as on a full disk"
        raise UnwritableFile(message)


_OF_SHAPEFILES = ("Column names longer than 10", "Normalized/laundered field name", "Field .* created as String field")
"""Names are cut to ten letters and times written as text; an import reads both again."""
_LONGEST_TEXT = 254
"""Bytes of a text in the table of a Shapefile: GDAL cuts longer ones off."""


def _check_texts(frame: "gpd.GeoDataFrame", path: Path) -> None:
    for name in frame.columns.drop(frame.geometry.name):
        if any(isinstance(value, str) and len(value.encode()) > _LONGEST_TEXT for value in frame[name]):
            message = (
                f"{path.name} cannot be written: a Shapefile cuts texts at {_LONGEST_TEXT} bytes, and {name} has longer"
                " ones: write .gpkg"
            )
            raise UnwritableFile(message)


_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""What XML 1.0 cannot hold, not even written as a number."""


def _without_controls(value: Any) -> Any:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _ends_with(path: Path, end: bytes) -> bool:
    with path.open("rb") as written:
        written.seek(max(path.stat().st_size - 2 * len(end), 0))
        return written.read().rstrip().endswith(end)
