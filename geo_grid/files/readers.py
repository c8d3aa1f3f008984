"""Reading tables, in the child process: one reader for each kind of file, and nothing tried that the name does not promise."""

import csv
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files.formulas import unguarded
from geo_grid.files.kinds import DRIVERS, SNIFFED_BYTES, coordinate_columns, first_line, text_encoding
from geo_grid.files.limits import Limits
from geo_grid.files.rows import GEOMETRY, Rows, refuse_too_many

_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_LONGEST_LINE = 1 << 17
_BATCH = 20_000
_PARQUET_BATCH = 4096
_MOST_COLUMNS = 2_000
_THE_END = "\x1athe end"


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
    """

    def __init__(
        self, path: Path, said: str, lon: str | None, lat: str | None, scratch: Path | None, limits: Limits
    ) -> None:
        self.path, self.said, self.lon, self.lat, self.scratch, self.limits = path, said, lon, lat, scratch, limits


def read(source: Source) -> Rows:
    """Read a file by the kind its name promises.

    Raises
    ------
    UnreadableFile
        It is not of that kind, or holds more than `Limits` allow.
    UserError
        It holds several tables.
    """
    suffix = source.path.suffix.lower()
    if suffix in DRIVERS:
        return _read_vector(source, source.path, DRIVERS[suffix])
    return _READERS[suffix](source)


def _read_vector(source: Source, path: Path, driver: str) -> Rows:
    """Read a file by one driver of GDAL."""
    said = source.said
    with path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    if driver == "GeoJSON" and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        message = f"{said} is not GeoJSON: it does not begin with an object"
        raise UnreadableFile(message)
    import pyogrio.raw
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's remarks
            layers = pyogrio.list_layers(path)
            if len(layers) > 1:
                message = f"{said} holds {len(layers)} layers ({', '.join(layers[:20, 0])}); export the one you want to a file of its own"
                raise UserError(message)
            if not len(layers):
                message = f"{said} holds no layer: there is nothing in it"
                raise UnreadableFile(message)
            about = pyogrio.read_info(path)
            if about["driver"] != driver:  # only one is there; this is what it calls itself
                message = f"{said} is not what its name says: it reads as {about['driver']}, not {driver}"
                raise UnreadableFile(message)
            refuse_too_many(said, max(about["features"], 0), max(about["features"], 0) * len(about["fields"]),
                            source.limits)  # fmt: skip
            encoding = _dbf_encoding(said, path) if driver == "ESRI Shapefile" else None
            meta, _, geometry, columns = pyogrio.raw.read(path, datetime_as_string=True, encoding=encoding)
    except (DataSourceError, DataLayerError, ValueError, UnicodeDecodeError) as error:
        why = first_line(error).partition("; It might help")[0]  # to name a driver, which is not for the sender to do
        message = f"{said} is not a readable {driver} file: {why}"
        raise UnreadableFile(message) from None
    if geometry is None:
        message = f"{said} has no geometry"
        raise UnreadableFile(message)
    arrays = [*(_array(column) for column in columns), pa.array(geometry, pa.large_binary())]
    table = pa.table(arrays, [*map(str, meta["fields"]), GEOMETRY])
    about = {"crs": _name_of_crs(meta["crs"]), "is_geojson": driver == "GeoJSON"}
    return Rows(about, table.schema, table.to_batches(_BATCH))


def _array(column: Any) -> pa.Array:
    """Make an Arrow array of one of numpy; what is neither text nor number becomes JSON."""
    try:
        return pa.array(column, from_pandas=column.dtype.kind in "Of")
    except pa.ArrowException:
        texts = [None if value is None else json.dumps(value, default=str, ensure_ascii=False) for value in column]
        return pa.array(texts, pa.string())


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


def _dbf_encoding(said: str, path: Path) -> str | None:
    """Tell UTF-8 from GB 18030 in the table of a Shapefile that does not say itself (in a .cpg file)."""
    table = path.with_suffix(".dbf")
    if path.with_suffix(".cpg").is_file() or not table.is_file():
        return None
    with table.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    records = head[int.from_bytes(head[8:10], "little") :]  # after the binary description of the fields
    return text_encoding(said, records + b"\n").removesuffix("-sig")


def _read_zipped(source: Source) -> Rows:
    """Read the one Shapefile of an archive; its parts get names of ours, whatever the archive calls them."""
    said, limits = source.said, source.limits
    if source.scratch is None:
        message = "there is no folder to unpack into"
        raise UserError(message)
    try:
        with zipfile.ZipFile(source.path) as archive:
            parts = [part for part in archive.infolist() if Path(part.filename).suffix.lower() in _SHAPEFILE_PARTS]
            suffixes = [Path(part.filename).suffix.lower() for part in parts]
            if suffixes.count(".shp") != 1 or len(set(suffixes)) != len(suffixes):
                message = f"{said} holds {suffixes.count('.shp')} Shapefiles; send an archive with the files of one"
                raise UnreadableFile(message)
            left = limits.unpacked_bytes
            for part, suffix in zip(parts, suffixes, strict=True):
                with archive.open(part) as packed, (source.scratch / f"layer{suffix}").open("wb") as unpacked:
                    while block := packed.read(1 << 20):
                        left -= len(block)
                        if left < 0:  # whatever the archive says of itself
                            message = f"{said} unpacks to more than {limits.unpacked_bytes / 1e9:.1f} GB"
                            raise UnreadableFile(message)
                        unpacked.write(block)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        message = f"{said} is not a readable archive: {first_line(error)}"
        raise UnreadableFile(message) from None
    return _read_vector(source, source.scratch / "layer.shp", "ESRI Shapefile")


def _read_csv(source: Source) -> Rows:
    said = source.said
    with source.path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    encoding = text_encoding(said, head)
    lines = head.replace(b"\r", b"\n").split(b"\n")
    if b"\0" in head or (len(lines) > 1 and max(map(len, lines[:-1])) > _LONGEST_LINE) or (
        len(lines) == 1 and len(head) == SNIFFED_BYTES
    ):  # fmt: skip
        message = f"{said} is not a CSV file: it is not lines of text"
        raise UnreadableFile(message)
    opened_text = source.path.open(encoding=encoding, newline="")
    rows = (row for row in csv.reader(_with_the_end(opened_text)) if row)
    try:
        header = next(rows)
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"{said} is not a readable CSV file: {first_line(error)}"
        raise UnreadableFile(message) from None
    if header == [_THE_END]:
        header = []
    names = _distinct([unguarded(name) for name in header])
    lon, lat = coordinate_columns(said, names, source.lon, source.lat)
    return _table_of_text(said, names, _rows_of_csv(said, rows, len(names)), lon, lat)


def _with_the_end(opened: io.TextIOWrapper) -> Iterator[str]:
    """Add a line of ours, by which a text that ends inside a quoted field is known."""
    yield from opened
    yield _THE_END


def _rows_of_csv(said: str, rows: Iterator[list[str]], width: int) -> Iterator[list[str | None]]:
    try:
        for number, row in enumerate(rows, 1):
            if row == [_THE_END]:
                return
            if len(row) > width:
                message = f"row {number} has {len(row)} fields, and the header {width}"
                raise csv.Error(message)
            yield [unguarded(value) if value else None for value in row] + [None] * (width - len(row))
        message = "it ends inside a quoted field"
        raise csv.Error(message)
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"{said} is not a readable CSV file: {first_line(error)}"
        raise UnreadableFile(message) from None


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
    lon, lat = coordinate_columns(said, names, source.lon, source.lat)
    return _table_of_text(said, names, ([_text_of_cell(cell) for cell in row] for row in rows), lon, lat)


def _text_of_cell(cell: Any) -> str | None:
    """Write a cell as text: whole numbers without a point, dates as ISO 8601 has them."""
    if cell == "":
        return None
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


def _table_of_text(said: str, names: list[str], rows: Iterator[list[str | None]], lon: str, lat: str) -> Rows:
    if len(names) > _MOST_COLUMNS:
        message = f"{said} has {len(names):,} columns; {_MOST_COLUMNS:,} are taken"
        raise UnreadableFile(message)
    schema = pa.schema([(name, pa.string()) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        while chunk := list(islice(rows, max(_BATCH // max(len(names) // 10, 1), 1))):
            columns = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return Rows({"lon": lon, "lat": lat, "is_geojson": False}, schema, batches())


def _read_parquet(source: Source) -> Rows:
    from pyarrow import parquet

    said, limits = source.said, source.limits
    try:
        opened = parquet.ParquetFile(source.path)
        about = opened.metadata
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
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
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


def _flat(column: pa.Array) -> pa.Array:
    """Give times as text, as the other forms do, and what has parts as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _flat(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return pa.array([None if value is None else value.isoformat() for value in moments.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        texts = [None if value is None else json.dumps(value, default=str, ensure_ascii=False)
                 for value in column.to_pylist()]  # fmt: skip
        return pa.array(texts, pa.string())
    return column


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make whole numbers of a column of numbers that all are: others write those with gaps as 1.0."""
    if not pa.types.is_floating(column.type):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


_READERS: dict[str, Callable[[Source], Rows]] = {
    ".zip": _read_zipped,
    ".csv": _read_csv,
    ".xlsx": _read_excel,
    ".parquet": _read_parquet,
}
