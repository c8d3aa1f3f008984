"""Reading tables, in the child process: one reader for each kind of file, and nothing tried that the name does not promise."""

import codecs
import csv
import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files.formulas import unguarded
from geo_grid.files.kinds import (
    DRIVERS,
    LON_NAMES,
    SNIFFED_BYTES,
    WKT_NAMES,
    ZIPPED,
    coordinate_columns,
    first_line,
    text_encoding,
)
from geo_grid.files.limits import Limits
from geo_grid.files.rows import GEOMETRY, Rows, refuse_too_many
from geo_grid.files.spelling import SEPARATORS, Spelling

EXACT = 2**53
"""From here on a number with a point no longer tells whole numbers apart."""
_LONGEST_LINE = 1 << 17
_BATCH = 20_000
_PARQUET_BATCH = 4096
_MOST_COLUMNS, _MOST_LAYERS = 2_000, 100
_THE_END = "\x1athe end"


@dataclass(frozen=True)
class Source:
    """A file to be read.

    Attributes
    ----------
    said
        What its sender calls it, for messages.
    lon, lat
        Columns of coordinates, where they were named.
    scratch
        Folder in which files can be made.
    spelling
        What its sender says of how it is written.
    """

    path: Path
    said: str
    lon: str | None
    lat: str | None
    scratch: Path | None
    limits: Limits
    spelling: Spelling


def read(source: Source) -> Rows:
    """Read a file by the kind its name promises; one that was packed is `unpacked` before.

    Raises
    ------
    UnreadableFile
        It is not of that kind, or holds more than `Limits` allow.
    UserError
        It holds several tables.
    """
    suffix = source.path.suffix.lower()
    if suffix in DRIVERS:
        return _read_vector(source, source.path, driver_of(source))
    return _READERS[suffix](source)


def driver_of(source: Source) -> str:
    """Return the one driver that a file of GDAL's is read by: its name's, and of the three kinds of .json its own."""
    suffix = source.path.suffix.lower()
    if suffix != ".json":
        return DRIVERS[suffix]
    with source.path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    if not _FEATURE.search(head):
        if _TOPOLOGY.search(head):
            return "TopoJSON"
        if b'"esriGeometry' in head or b'"geometryType"' in head:
            return "ESRIJSON"
    return DRIVERS[suffix]


_FEATURE = re.compile(rb'"type"\s*:\s*"Feature')
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')


def _read_vector(source: Source, path: Path, driver: str) -> Rows:
    """Read a file by one driver of GDAL."""
    said = source.said
    with path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    if driver.endswith("JSON") and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        message = f"{said} is not {driver}: it does not begin with an object"
        raise UnreadableFile(message)
    _refuse_very_wide(said, path, driver, head)
    import pyogrio.raw
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's remarks
            layer = _the_layer(said, path, driver)
            about = pyogrio.read_info(path, layer=layer)
            if about["driver"] != driver:  # only one is there; this is what it calls itself
                message = f"{said} is not what its name says: it reads as {about['driver']}, not {driver}"
                raise UnreadableFile(message)
            _refuse_wide(said, len(about["fields"]))
            refuse_too_many(said, max(about["features"], 0), max(about["features"], 0) * len(about["fields"]),
                            source.limits)  # fmt: skip
            encoding = _dbf_encoding(source, path) if driver == "ESRI Shapefile" else None
            meta, table = pyogrio.raw.read_arrow(
                path, layer=layer, encoding=encoding, datetime_as_string=True, return_fids=driver == "GeoJSON"
            )
    except MemoryError:
        raise
    except UnicodeDecodeError as error:
        message = (
            f"{said} is not a readable {driver} file: its text is not written in {error.encoding.upper()} throughout"
        )
        raise UnreadableFile(message) from None
    except (DataSourceError, DataLayerError, ValueError, pa.ArrowException) as error:
        why = first_line(error).partition("; It might help")[0]  # to name a driver, which is not for the sender to do
        message = f"{said} is not a readable {driver} file: {why}"
        raise UnreadableFile(message) from None
    shapes = meta["geometry_name"] or "wkb_geometry"
    if about["geometry_type"] is None or shapes not in table.schema.names:
        message = f"{said} has no geometry"
        raise UnreadableFile(message)
    table = _with_ids(table, driver, head)
    names = [name for name in table.schema.names if name != shapes]
    columns = [*(_plain_column(table.column(name)) for name in names), table.column(shapes).cast(pa.large_binary())]
    table = pa.table([_whole(column) for column in columns], [*names, GEOMETRY])
    told = {"crs": _name_of_crs(meta["crs"]), "is_geojson": driver == "GeoJSON", "cut_to": _CUT_NAMES.get(driver)}
    return Rows(told, table.schema, table.to_batches(_BATCH))


_CUT_NAMES = {"ESRI Shapefile": 10}
"""How many letters of a column's name a kind of file keeps."""


_NAMED = {
    "LIBKML": re.compile(rb"<(?:\w+:)?(?:Data|SimpleData|SimpleField)\s[^<>]{0,400}?name\s*=\s*[\"']([^\"'<>]{1,200})"),
    "GML": re.compile(rb"<([A-Za-z_][\w.:-]{0,200})"),
}
_COUNTED = {"MapInfo File": re.compile(rb"^\s*(?:Columns|Fields)\s+(\d{1,9})", re.IGNORECASE | re.MULTILINE)}
"""How text names its fields, or says how many they are, where GDAL takes time by the square of their number."""


def _refuse_very_wide(said: str, path: Path, driver: str, head: bytes) -> None:
    """Refuse text with too many fields before GDAL looks for them."""
    if driver in _COUNTED and (told := _COUNTED[driver].search(head)):
        _refuse_wide(said, int(told[1]))
    found: set[bytes] = set()
    if driver not in _NAMED:
        return
    with path.open("rb") as opened:
        before = b""
        while block := opened.read(1 << 20):
            found.update(_NAMED[driver].findall(before + block))
            if len(found) > _MOST_COLUMNS:
                message = f"{said} has more than {_MOST_COLUMNS:,} columns"
                raise UnreadableFile(message)
            before = block[-1000:]


def _refuse_wide(said: str, columns: int) -> None:
    if columns > _MOST_COLUMNS:
        message = f"{said} has {columns:,} columns; {_MOST_COLUMNS:,} are taken"
        raise UnreadableFile(message)


def _the_layer(said: str, path: Path, driver: str) -> str:
    """Return the name of the one layer in which there is anything. Raises UnreadableFile, UserError."""
    import pyogrio

    names = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if not names:
        message = f"{said} holds no layer: there is nothing in it"
        raise UnreadableFile(message)
    if len(names) == 1:
        return names[0]
    if driver == "GPX":  # which tells every line once more as its points
        names = [name for name in names if not name.endswith("_points")]
    filled = [
        name
        for name in names[:_MOST_LAYERS]
        if pyogrio.read_info(path, layer=name, force_feature_count=True)["features"]
    ]
    if not filled:
        message = f"{said} holds no rows: there is nothing in it"
        raise UnreadableFile(message)
    if len(filled) != 1:
        message = (
            f"{said} holds {len(filled)} layers ({', '.join(filled[:20])}); export the one you want to a "
            "file of its own"
        )
        raise UserError(message)
    return filled[0]


def _with_ids(table: pa.Table, driver: str, head: bytes) -> pa.Table:
    """Give what GeoJSON says of features beside their properties, their `id`, a column; a property `id` comes first."""
    if "OGC_FID" not in table.schema.names:
        return table
    ids = table.column("OGC_FID")
    table = table.drop_columns("OGC_FID")
    if driver != "GeoJSON" or "id" in table.schema.names or not _WITH_ID.search(head):
        return table
    return table.append_column("id", ids)


_WITH_ID = re.compile(rb'"type"\s*:\s*"Feature"\s*,\s*"id"\s*:|"id"\s*:\s*"?[^,{}]*,\s*"type"\s*:\s*"Feature"')


def _name_of_crs(said: str | None) -> str | None:
    """Return the EPSG code of what a file says of its reference system, or else its own name."""
    if said is None or said.startswith("EPSG:"):
        return said
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_user_input(said)
        code = crs.to_epsg(min_confidence=70)
        if code is None and crs.to_authority() == ("OGC", "CRS84"):
            return "OGC:CRS84"
    except CRSError:
        return None
    return f"EPSG:{code}" if code else str(crs.name)[:80]


def _dbf_encoding(source: Source, path: Path) -> str | None:
    """Tell UTF-8 from GB 18030 in the table of a Shapefile that does not say itself (in a .cpg file)."""
    said = source.said
    if source.spelling.encoding is not None:
        return source.spelling.encoding
    table = path.with_suffix(".dbf")
    if path.with_suffix(".cpg").is_file() or not table.is_file():
        return None
    with table.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    records = head[int.from_bytes(head[8:10], "little") :]  # after the binary description of the fields
    return text_encoding(said, records + b"\n").removesuffix("-sig")


def unpacked(source: Source) -> Source:
    """Unpack an archive that holds one Shapefile, MapInfo table or KML; its parts get names of ours.

    Raises
    ------
    UnreadableFile
        It holds none or several, is broken, or unpacks to more than is taken.
    """
    said, limits, suffix = source.said, source.limits, source.path.suffix.lower()
    if suffix not in (".zip", ".kmz"):
        return source
    if source.scratch is None:
        message = "there is no folder to unpack into"
        raise UserError(message)
    kinds = ZIPPED if suffix == ".zip" else {".kml": (".kml",)}
    try:
        with zipfile.ZipFile(source.path) as archive:
            found = [(Path(part.filename).suffix.lower(), part) for part in archive.infolist()]
            leading = [ending for ending, _ in found if ending in kinds]
            parts = [(ending, part) for ending, part in found if leading and ending in kinds[leading[0]]]
            if len(leading) != 1 or len({ending for ending, _ in parts}) != len(parts):
                what = "Shapefiles or MapInfo tables" if suffix == ".zip" else "KML documents"
                message = f"{said} holds {len(leading)} {what}; send an archive with the files of one"
                raise UnreadableFile(message)
            left = limits.unpacked_bytes
            for ending, part in parts:
                with archive.open(part) as packed, (source.scratch / f"layer{ending}").open("wb") as made:
                    while block := packed.read(1 << 20):
                        left -= len(block)
                        if left < 0:  # whatever the archive says of itself
                            message = f"{said} unpacks to more than {limits.unpacked_bytes / 1e9:.1f} GB"
                            raise UnreadableFile(message)
                        made.write(block)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error, ValueError) as error:
        message = f"{said} is not a readable archive: {first_line(error)}"
        raise UnreadableFile(message) from None
    return replace(source, path=source.scratch / f"layer{leading[0]}")


def _read_csv(source: Source) -> Rows:
    said = source.said
    with source.path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    encoding = source.spelling.encoding or ("utf-16" if wide else text_encoding(said, head))
    lines = head.replace(b"\r", b"\n").split(b"\n")
    if (b"\0" in head and not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))) or (
        len(lines) > 1 and max(map(len, lines[:-1])) > _LONGEST_LINE
    ) or (len(lines) == 1 and len(head) == SNIFFED_BYTES):  # fmt: skip
        message = f"{said} is not a CSV file: it is not lines of text"
        raise UnreadableFile(message)
    opened_text = source.path.open(encoding=encoding, newline="")
    separator = source.spelling.separator or _separator(head.decode(encoding, "replace"))
    rows = (row for row in csv.reader(_with_the_end(opened_text), delimiter=separator) if row)
    try:
        header = next(rows)
    except (csv.Error, UnicodeError) as error:
        raise _unreadable_csv(said, error) from None
    if header == [_THE_END]:
        header = []
    names = _distinct([unguarded(name.removeprefix("\ufeff")) for name in header])
    return _table_of_text(source, names, _rows_of_csv(said, rows, len(names), source.spelling.decimal))


def _separator(head: str) -> str:
    """Return the separator that the header has, where it has no comma."""
    header = (head.splitlines() or [""])[0]
    return "," if "," in header else max(SEPARATORS, key=lambda sign: (header.count(sign), sign == ","))


def _unreadable_csv(said: str, error: Exception) -> UnreadableFile:
    if isinstance(error, UnicodeDecodeError):
        why = f"it is not written in {error.encoding.upper()} throughout: save it as UTF-8, or say --encoding"
    else:
        why = "it is in no encoding" if isinstance(error, UnicodeError) else first_line(error)
    return UnreadableFile(f"{said} is not a readable CSV file: {why}")


def _with_the_end(opened: io.TextIOWrapper) -> Iterator[str]:
    """Add a line of ours, by which a text that ends inside a quoted field is known."""
    ended = 0
    for number, line in enumerate(opened, 1):
        if ended and line.strip(_BLANK):
            message = f"line {ended} holds the character 0x1A, which once ended files: delete it"
            raise csv.Error(message)
        ended = ended or (number if _SUBSTITUTE in line else 0)
        if ended and line.rstrip(_BLANK).find(_SUBSTITUTE) >= 0:
            message = f"line {number} holds the character 0x1A, which once ended files: delete it"
            raise csv.Error(message)
        yield line.rstrip(_BLANK) if ended else line
    yield _THE_END


_SUBSTITUTE = "\x1a"
_BLANK = "\x1a \t\r\n"


def _rows_of_csv(said: str, rows: Iterator[list[str]], width: int, decimal: str | None) -> Iterator[list[str | None]]:
    try:
        for number, row in enumerate(rows, 1):
            if row == [_THE_END]:
                return
            if len(row) > width:
                if any(row[width:]):
                    message = f"row {number} has {len(row)} fields, and the header {width}"
                    raise csv.Error(message)
                row = row[:width]  # noqa: PLW2901 (separators at the end of a line, as spreadsheets leave them)
            values = [unguarded(value) if value else None for value in row] + [None] * (width - len(row))
            if decimal == ",":
                values = [_pointed(value) for value in values]
            yield values
        message = "it ends inside a quoted field"
        raise csv.Error(message)
    except (csv.Error, UnicodeError) as error:
        raise _unreadable_csv(said, error) from None


_WITH_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+", re.ASCII)


def _pointed(value: str | None) -> str | None:
    """Write a number with a decimal comma as one with a point."""
    return value.replace(".", "").replace(",", ".") if value and _WITH_COMMA.fullmatch(value.strip()) else value


def _read_excel(source: Source) -> Rows:
    from python_calamine import CalamineError, CalamineWorkbook

    said, most = source.said, source.limits.unpacked_bytes
    try:
        with zipfile.ZipFile(source.path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > most:
            message = f"{said} unpacks to {unpacked / 1e9:.1f} GB: send it as CSV or GeoPackage"
            raise UnreadableFile(message)
        filled: dict[str, list[list[Any]]] = {}
        with CalamineWorkbook.from_path(str(source.path)) as book:
            for number, name in enumerate(book.sheet_names):
                rows = book.get_sheet_by_index(number).to_python(skip_empty_area=False)
                if len(rows) > 1:
                    filled[name] = rows
    except (zipfile.BadZipFile, CalamineError, ValueError, KeyError, OSError, zlib.error) as error:
        message = f"{said} is not a readable Excel file: {first_line(error)}"
        raise UnreadableFile(message) from None
    if len(filled) != 1:
        message = f"{said} has {len(filled)} sheets with rows ({', '.join(filled)}); keep the one you want in a file of its own"
        raise UnreadableFile(message)
    header, *rows = next(iter(filled.values()))
    names = _distinct([_text_of_cell(cell) or "" for cell in header])
    return _table_of_text(source, names, ([_text_of_cell(cell) for cell in row] for row in rows))


def _text_of_cell(cell: Any) -> str | None:
    """Write a cell as text: whole numbers without a point as far as their digits are known, dates as in ISO 8601."""
    if cell == "":
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= EXACT:
        return repr(float(cell))
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return f"{cell} 00:00:00"
    return str(cell)


def _distinct(header: list[str]) -> list[str]:
    """Name every column: those without a name by number, the second of a name `name.1`."""
    names: list[str] = []
    taken: set[str] = set()
    for place, given in enumerate(header):
        name = stem = given or f"Unnamed: {place}"
        number = 0
        while name in taken:
            number += 1
            name = f"{stem}.{number}"
        taken.add(name)
        names.append(name)
    return names


def _table_of_text(source: Source, names: list[str], rows: Iterator[list[str | None]]) -> Rows:
    """Make a table of rows of text, whose places stand in two columns of coordinates or in one of WKT."""
    said = source.said
    _refuse_wide(said, len(names))
    known = {name.strip().lower(): place for place, name in reversed(list(enumerate(names)))}
    wkt = next((known[name] for name in WKT_NAMES if name in known), None)
    if wkt is None or source.lon or source.lat or not known.keys().isdisjoint(LON_NAMES):
        lon, lat = coordinate_columns(said, names, source.lon, source.lat)
        about, wkt = {"lon": lon, "lat": lat, "is_geojson": False}, None
    else:
        about = {"crs": None, "is_geojson": False, "is_wkt": True}
    kept = [(name, pa.string()) for place, name in enumerate(names) if place != wkt]
    schema = pa.schema(kept if wkt is None else [*kept, (GEOMETRY, pa.large_binary())])

    def batches() -> Iterator[pa.RecordBatch]:
        while chunk := list(islice(rows, max(_BATCH // max(len(names) // 10, 1), 1))):
            texts = list(zip(*chunk, strict=True))
            shapes = [] if wkt is None else [_shapes_of_text(said, texts.pop(wkt))]
            columns = [pa.array(column, pa.string()) for column in texts]
            yield pa.RecordBatch.from_arrays([*columns, *shapes], schema=schema)

    return Rows(about, schema, batches())


def _shapes_of_text(said: str, texts: Sequence[str | None]) -> pa.Array:
    """Read WKT; what is none becomes a point at infinity, so that the row is named and not taken for an empty one."""
    import numpy as np
    import shapely

    given = np.array([None if text is None else _SRID.sub("", text) for text in texts], dtype=object)
    shapes = shapely.from_wkt(given, on_invalid="ignore")
    broken = shapely.is_missing(shapes) & np.array([text is not None for text in given])
    shapes[broken] = shapely.Point(np.inf, np.inf)
    wkb = pa.array(shapely.to_wkb(shapes), pa.large_binary())
    try:
        _refuse_nested(wkb)
    except ValueError as error:
        message = f"{said} cannot be read: {error}"
        raise UnreadableFile(message) from None
    return wkb


_SRID = re.compile(r"^\s*SRID=\d+;", re.IGNORECASE)


def _read_parquet(source: Source) -> Rows:
    from pyarrow import parquet

    said, limits = source.said, source.limits
    try:
        opened = parquet.ParquetFile(source.path)
        about = opened.metadata
        _refuse_wide(said, about.num_columns)
        refuse_too_many(said, about.num_rows, about.num_rows * about.num_columns, limits)
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        unpacked = sum(group.column(n).total_uncompressed_size for group in groups for n in range(group.num_columns))
        if unpacked > limits.unpacked_bytes:
            message = f"{said} unpacks to {unpacked / 1e9:.1f} GB: divide it"
            raise UnreadableFile(message)
        geo = json.loads((opened.schema_arrow.metadata or {}).get(b"geo") or b"null")
        geometry, encoding, crs = _geometry_of_parquet(geo)
        if geometry not in opened.schema_arrow.names:
            message = f"it has no column {geometry!r}, which it names as its geometry"
            raise ValueError(message)
        names = [name for name in opened.schema_arrow.names if name != geometry]
        if any("\0" in name for name in names):
            message = "a column has a name that nobody can write"
            raise ValueError(message)
        kept = [*names, geometry]
        tables = [_plain(batch, names, geometry, encoding) for batch in _batches(opened, kept, said, limits)]
        table = pa.Table.from_batches(tables) if tables else _plain_empty(opened.schema_arrow, names)
    except MemoryError:  # Arrow's own is one of its errors too, and says how much it wanted
        raise
    except (KeyError, TypeError, AttributeError, RecursionError):
        message = f"{said} is not a readable GeoParquet file: its geo metadata is not what GeoParquet 1.1 says"
        raise UnreadableFile(message) from None
    except (pa.ArrowException, ValueError, OSError) as error:
        message = f"{said} is not a readable GeoParquet file: {first_line(error)}"
        raise UnreadableFile(message) from None
    table = pa.table([_whole(column) for column in table.columns], table.schema.names)
    return Rows({"crs": crs, "is_geojson": False}, table.schema, table.to_batches(_BATCH))


def _batches(opened: Any, names: list[str], said: str, limits: Limits) -> Iterable[pa.RecordBatch]:
    octets = 0
    for batch in opened.iter_batches(_PARQUET_BATCH, columns=names, use_threads=False):
        octets += batch.nbytes
        if octets > limits.answer_bytes:  # a dictionary repeats one long text in no bytes
            message = f"{said} unpacks to more than {limits.answer_bytes / 1e9:.1f} GB: divide it"
            raise UnreadableFile(message)
        yield batch


def _geometry_of_parquet(geo: Any) -> tuple[str, str, str | None]:
    """Return the name of the geometry's column, its encoding, and the reference system (GeoParquet 1.1)."""
    if geo is None:
        message = "it has no geo metadata, by which GeoParquet names its geometry"
        raise ValueError(message)
    name = geo["primary_column"]
    column = geo["columns"][name]
    crs = column.get("crs", "OGC:CRS84")
    if crs is None:
        return name, column["encoding"], None
    if crs == "OGC:CRS84":  # what it means when it says nothing
        return name, column["encoding"], crs
    return name, column["encoding"], _name_of_crs(json.dumps(crs))


def _plain(batch: pa.RecordBatch, names: list[str], geometry: str, encoding: str) -> pa.RecordBatch:
    if encoding != "WKB":
        message = f"its geometry is encoded as {encoding}: write it as WKB"
        raise ValueError(message)
    shapes = batch.column(geometry).cast(pa.large_binary())
    _refuse_nested(shapes)
    return pa.RecordBatch.from_arrays([*(_flat(batch.column(name)) for name in names), shapes], [*names, GEOMETRY])


def _refuse_nested(shapes: pa.Array) -> None:
    """Read geometry here, where what ends the process ends nothing else: collections in collections have no end."""
    import shapely

    try:
        kinds = shapely.get_type_id(shapely.from_wkb(shapes.to_numpy(zero_copy_only=False)))
    except shapely.errors.ShapelyError as error:
        raise ValueError(first_line(error)) from None
    if (kinds == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        message = "it holds collections of geometry of several kinds: write points, lines or areas"
        raise ValueError(message)


def _plain_empty(schema: pa.Schema, names: list[str]) -> pa.Table:
    columns = [*(_flat(pa.array([], schema.field(name).type)) for name in names), pa.array([], pa.large_binary())]
    return pa.table(columns, [*names, GEOMETRY])


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a column as text, numbers or yes and no."""
    kept = column if column.num_chunks else pa.chunked_array([pa.array([], column.type)])
    return pa.chunked_array([_flat(chunk) for chunk in kept.chunks])


def _flat(column: pa.Array) -> pa.Array:
    """Give times as text, as the other forms do, bytes as hexadecimal digits, and what has parts as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _flat(column.dictionary_decode())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _times_as_text(column)
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_integer(kind) or (pa.types.is_floating(kind) and kind != pa.float16()):
        return column
    texts = [
        None if value is None else value if isinstance(value, str) else _json(value) for value in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _json(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return json.dumps(value, default=_json, ensure_ascii=False)
    return str(value)


def _times_as_text(column: pa.Array) -> pa.Array:
    """Write times whatever their year, by numpy: Python's own end with the year 9999."""
    import numpy as np

    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms" if pa.types.is_date64(kind) else "s"))
    texts = np.datetime_as_string(column.cast(pa.timestamp(column.type.unit)).to_numpy(zero_copy_only=False))
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz else ""
    return pa.array([None if text == "NaT" else f"{text}{zone}" for text in texts.tolist()], pa.string())


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make whole numbers of a column of numbers that all are: others write those with gaps as 1.0."""
    if not pa.types.is_floating(column.type):
        return column
    if (most := pa.compute.max(pa.compute.abs(column)).as_py()) is None or not most < EXACT:
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


_READERS: dict[str, Callable[[Source], Rows]] = {
    ".csv": _read_csv,
    ".xlsx": _read_excel,
    ".parquet": _read_parquet,
}
