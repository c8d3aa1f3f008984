"""Reading files by one driver of GDAL, in the child process: the one that the name promises."""

import json
import re
import warnings
from pathlib import Path

import pyarrow as pa

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files.columns import plain_column, whole
from geo_grid.files.kinds import DRIVERS, SNIFFED_BYTES, first_line, text_encoding
from geo_grid.files.packages import refuse_queries
from geo_grid.files.rows import GEOMETRY, Rows, refuse_too_many
from geo_grid.files.source import BATCH, MOST_COLUMNS, Source, refuse_wide


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
_TYPE = re.compile(rb'"type"\s*:')
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')


def read_vector(source: Source, path: Path, driver: str) -> Rows:
    """Read a file by one driver of GDAL."""
    said = source.said
    with path.open("rb") as opened:
        head = opened.read(SNIFFED_BYTES)
    if driver.endswith("JSON") and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        message = f"{said} is not {driver}: it does not begin with an object"
        raise UnreadableFile(message)
    _refuse_very_wide(said, path, driver, head)
    if driver == "TopoJSON":
        _refuse_multiplied(said, path)
    if driver == "GPKG":
        refuse_queries(said, path)
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
            refuse_wide(said, len(about["fields"]))
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
        if driver == "GeoJSON" and not _TYPE.search(head):
            message = (
                f"{said} is no GeoJSON (a FeatureCollection), and no list of cameras of GA/T 1400: that has APEListObject, APEObject,"
                " APEList or APE with the ApeID of each"
            )
            raise UnreadableFile(message) from None
        why = first_line(error).partition("; It might help")[0]  # to name a driver, which is not for the sender to do
        message = f"{said} is not a readable {driver} file: {why}"
        raise UnreadableFile(message) from None
    shapes = meta["geometry_name"] or "wkb_geometry"
    if about["geometry_type"] is None or shapes not in table.schema.names:
        message = f"{said} has no geometry"
        raise UnreadableFile(message)
    table = _with_ids(table, driver, head)
    names = [name for name in table.schema.names if name != shapes]
    columns = [*(plain_column(table.column(name)) for name in names), table.column(shapes).cast(pa.large_binary())]
    table = pa.table([whole(column) for column in columns], [*names, GEOMETRY])
    told = {"crs": name_of_crs(meta["crs"]), "is_geojson": driver == "GeoJSON", "cut_to": _CUT_NAMES.get(driver)}
    return Rows(told, table.schema, table.to_batches(BATCH))


_MOST_LAYERS = 100


_CUT_NAMES = {"ESRI Shapefile": 10}
"""How many letters of a column's name a kind of file keeps."""


_NAMED = {
    "LIBKML": re.compile(rb"<(?:\w+:)?(?:Data|SimpleData|SimpleField)\s[^<>]{0,400}?name\s*=\s*[\"']([^\"'<>]{1,200})"),
    "GML": re.compile(rb"<([A-Za-z_][\w.:-]{0,200})"),
}


_FOLDER = re.compile(rb"<(?:\w+:)?(?:Folder|Document)[\s>]")
_MOST_FOLDERS = 2_000
"""GDAL looks at each as a layer, in a time by the square of their number."""


_COUNTED = {"MapInfo File": re.compile(rb"^\s*(?:Columns|Fields)\s+(\d{1,9})", re.IGNORECASE | re.MULTILINE)}
"""How text names its fields, or says how many they are, where GDAL takes time by the square of their number."""


def _refuse_very_wide(said: str, path: Path, driver: str, head: bytes) -> None:
    """Refuse text with too many fields before GDAL looks for them."""
    if driver in _COUNTED and (told := _COUNTED[driver].search(head)):
        refuse_wide(said, int(told[1]))
    found: set[bytes] = set()
    folders = 0
    if driver not in _NAMED:
        return
    with path.open("rb") as opened:
        before = b""
        while block := opened.read(1 << 20):
            folders += driver == "LIBKML" and len(_FOLDER.findall(block))
            if folders > _MOST_FOLDERS:
                message = f"{said} has more than {_MOST_FOLDERS:,} folders: divide it"
                raise UnreadableFile(message)
            found.update(_NAMED[driver].findall(before + block))
            if len(found) > MOST_COLUMNS:
                message = f"{said} has more than {MOST_COLUMNS:,} columns"
                raise UnreadableFile(message)
            before = block[-1000:]


def _refuse_multiplied(said: str, path: Path) -> None:
    """Refuse a topology whose shapes refer to so many points of its arcs that written out they would be very many."""
    try:
        topology = json.loads(path.read_bytes())
        lengths = [len(arc) for arc in topology["arcs"]]
        points, waiting = 0, [topology["objects"]]
        while waiting:
            held = waiting.pop()
            if isinstance(held, dict):
                waiting += [held[name] for name in held.keys() - {"properties"}]
            elif isinstance(held, list):
                numbers = [number for number in held if isinstance(number, int)]
                points += sum(lengths[number if number >= 0 else ~number] for number in numbers)
                waiting += [part for part in held if isinstance(part, list | dict)]
            if points > _MOST_POINTS:
                message = f"the shapes of {said} have more than {_MOST_POINTS:,} points: divide it"
                raise UnreadableFile(message)
    except (ValueError, LookupError, TypeError, RecursionError):
        message = f"{said} is no TopoJSON that can be read"
        raise UnreadableFile(message) from None


_MOST_POINTS = 5_000_000


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


def name_of_crs(said: str | None) -> str | None:
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
