"""Kinds of files, and what both sides of the door say about them."""

from collections.abc import Sequence

from geo_grid.errors import UnreadableFile

DRIVERS = {
    ".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf",
    ".kml": "LIBKML",
}  # fmt: skip
FORMATS = (*DRIVERS, ".parquet", ".csv", ".xlsx", ".zip")
EXTRACTS = (".osm.pbf", ".osm", ".osm.bz2", ".osm.gz")
LON_NAMES, LAT_NAMES = ("lon", "longitude", "lng", "x", "经度"), ("lat", "latitude", "y", "纬度")
SNIFFED_BYTES = 1 << 20
"""Of the beginning of a file, to tell what it is."""


def coordinate_columns(source: str, header: Sequence[str], lon: str | None, lat: str | None) -> tuple[str, str]:
    """Find the columns of longitudes and latitudes by the names asked, or by the usual ones.

    Parameters
    ----------
    source
        What is read, for the message.

    Raises
    ------
    UnreadableFile
        There are none.
    """
    columns = {name.strip().lower(): name for name in header}
    return (
        _coordinate_column(source, "lon", lon, LON_NAMES, columns),
        _coordinate_column(source, "lat", lat, LAT_NAMES, columns),
    )


def _coordinate_column(
    source: str, which: str, asked: str | None, usual: tuple[str, ...], columns: dict[str, str]
) -> str:
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
