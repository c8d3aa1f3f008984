"""Reading CSV and workbooks, in the child process: rows of text, whose places stand in two columns or in one of WKT."""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from geo_grid.errors import UnreadableFile
from geo_grid.files.columns import refuse_nested
from geo_grid.files.formulas import unguarded
from geo_grid.files.kinds import LON_NAMES, SNIFFED_BYTES, WKT_NAMES, coordinate_columns, first_line, text_encoding
from geo_grid.files.rows import GEOMETRY, Rows
from geo_grid.files.source import BATCH, EXACT, Source, refuse_wide
from geo_grid.files.spelling import SEPARATORS

_LONGEST_LINE = 1 << 17
_MOST_SHEETS = 1_000
"""Of a workbook: each is looked at, and they may all be the same part of the file."""


_THE_END = "\x1athe end"


def read_csv(source: Source) -> Rows:
    """Read CSV in the encoding, and with the separator, that were said or that its beginning tells. Raises UnreadableFile."""
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


def read_excel(source: Source) -> Rows:
    """Read the one sheet of a workbook that has rows. Raises UnreadableFile."""
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
            if len(book.sheet_names) > _MOST_SHEETS:
                message = f"{said} has {len(book.sheet_names):,} sheets; {_MOST_SHEETS:,} are taken"
                raise UnreadableFile(message)
            for number, name in enumerate(book.sheet_names):
                if len(filled) > 1:  # many may be the same part of the file, which is read for each of them
                    break
                rows = book.get_sheet_by_index(number).to_python(skip_empty_area=False)
                if len(rows) > 1:
                    filled[name] = rows
    except (zipfile.BadZipFile, CalamineError, ValueError, KeyError, OSError, zlib.error) as error:
        message = f"{said} is not a readable Excel file: {first_line(error)}"
        raise UnreadableFile(message) from None
    if not filled:
        message = f"{said} has no sheet with rows"
        raise UnreadableFile(message)
    if len(filled) > 1:
        message = (
            f"{said} has several sheets with rows ({', '.join(filled)}…); keep the one you want in a file of its own"
        )
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
    repeats: dict[str, int] = {}  # going on where the last one of a name ended: 60,000 equal names took two minutes
    for place, given in enumerate(header):
        name = stem = given or f"Unnamed: {place}"
        while name in taken:
            repeats[stem] = repeats.get(stem, 0) + 1
            name = f"{stem}.{repeats[stem]}"
        taken.add(name)
        names.append(name)
    return names


def _table_of_text(source: Source, names: list[str], rows: Iterator[list[str | None]]) -> Rows:
    """Make a table of rows of text, whose places stand in two columns of coordinates or in one of WKT."""
    said = source.said
    refuse_wide(said, len(names))
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
        while chunk := list(islice(rows, max(BATCH // max(len(names) // 10, 1), 1))):
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
        refuse_nested(wkb)
    except ValueError as error:
        message = f"{said} cannot be read: {error}"
        raise UnreadableFile(message) from None
    return wkb


_SRID = re.compile(r"^\s*SRID=\d+;", re.IGNORECASE)
