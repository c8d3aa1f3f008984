"""Kinds of files, and what both sides of the door say about them."""

from collections.abc import Sequence

from geo_grid.errors import UnreadableFile

DRIVERS = {
    ".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf",
    ".kml": "LIBKML", ".kmz": "LIBKML", ".topojson": "TopoJSON", ".gml": "GML", ".gpx": "GPX",
    ".tab": "MapInfo File", ".mif": "MapInfo File",
}  # fmt: skip
ZIPPED = {".shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"), ".tab": (".tab", ".dat", ".map", ".id", ".ind"),
          ".mif": (".mif", ".mid")}  # fmt: skip
"""Kinds of files that come in several parts, which an archive may hold."""
CATALOGUE = ".xml"
"""Ending of catalogues of GB/T 28181; documents of GA/T 1400 end as GeoJSON does, and are told by how they begin."""
FORMATS = (*DRIVERS, ".parquet", ".csv", ".xlsx", CATALOGUE, ".zip")
CONVERTED = {
    ".dxf": "DXF", ".dwg": "DWG", ".dgn": "DGN", ".gdb": "a file geodatabase", ".sqlite": "SQLite", ".pbf": "an extract",
    ".xls": "old Excel", ".ods": "OpenDocument", ".tsv": "TSV", ".txt": "text", ".fgdb": "a file geodatabase",
}  # fmt: skip
"""Kinds that others send, and what we call them when we say how to convert them."""
POINTS = {"csv": "the CSV text", "json": "the JSON body", "arrow": "the Arrow stream", "parquet": "the Parquet file"}
"""Forms of points in bulk, and what they are called in messages."""
WKT_NAMES = ("wkt", "geometry", "geom", "the_geom")
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
    hint = ""
    if len(columns) == 1 and any(sign in has for sign in ";\t|"):
        hint = " (they look like several in one: separate them with commas, or when importing say --separator)"
    message = (
        f"{source} has no column {' or '.join(wanted)}: rename it, or when importing name it with "
        f"--{which}-column; the columns are: {has}{hint}"
    )
    raise UnreadableFile(message)


def unknown_kind(said: str, suffix: str) -> UnreadableFile:
    """Say that a file is of a kind that is not read, and what to convert it to."""
    message = f"{said}: unknown kind of file {suffix or '(no ending)'}; known are {', '.join(FORMATS)}"
    if suffix in CONVERTED:
        message = (
            f"{said} is {CONVERTED[suffix]}, which is not read: convert it, such as with QGIS or ogr2ogr, to one of "
            f"{', '.join(FORMATS)}"
        )
    return UnreadableFile(message)


_CHINESE_WORDS = (
    "经度",
    "纬度",
    "名称",
    "编号",
    "编码",
    "地址",
    "时间",
    "日期",
    "类型",
    "类别",
    "电话",
    "单位",
    "备注",
)
"""Headings whose bytes make no words in any other encoding."""
_LATE_IN_ALPHABET = 0xC9
"""First byte of the first of GB 2312's common characters (they stand by pinyin) whose bytes are no Korean syllable."""
_COMMON, _RARE = 0xB0, 0xD8
_KANA = (0xA4, 0xA5)
_LEAST_COMMON, _MOST_KANA, _LEAST_LATE = 0.9, 0.1, 0.1


def text_encoding(source: str, head: bytes) -> str:
    """Tell UTF-8 from GB 18030 by the first lines.

    Raises
    ------
    UnreadableFile
        It is neither, or might be another encoding of East Asia: these share their bytes, and a guess makes wrong names.
    """
    whole = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8-sig" or _is_chinese(text):
            return encoding
    message = (
        f"{source} is not text in UTF-8, nor plainly in GB 18030: save it as UTF-8, or when importing name its encoding "
        "with --encoding, such as GB18030, Big5, EUC-KR or Shift-JIS"
    )
    raise UnreadableFile(message)


def _is_chinese(text: str) -> bool:
    """Say whether what was read as GB 18030 is: by which of its characters occur, not by which there are.

    Big5 and Shift-JIS come out as characters beyond GB 2312, EUC-JP full of kana, and EUC-KR as hanzi from the first
    half of the pinyin alphabet alone (its syllables take the rows 0xB0 to 0xC8).
    """
    if any(word in text for word in _CHINESE_WORDS):
        return True
    beyond = [character for character in text if ord(character) > 0x7F]
    leads = [code[0] for character in beyond if (code := character.encode("gb2312", "ignore"))]
    hanzi = [lead for lead in leads if _COMMON <= lead < _RARE]
    kana = sum(lead in _KANA for lead in leads)
    late = sum(lead >= _LATE_IN_ALPHABET for lead in hanzi)
    return (
        len(leads) >= _LEAST_COMMON * len(beyond)
        and kana <= _MOST_KANA * len(beyond)
        and (late >= max(1, _LEAST_LATE * len(hanzi)))
    )


def first_line(error: Exception) -> str:
    """Return what a library's error says, without the rest of it.

    Raises MemoryError where it says that there was no more memory: Arrow reports that as it reports a broken file.
    """
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        raise MemoryError from None
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
