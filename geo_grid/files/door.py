"""The one way in for files from strangers: they are read in a confined process, and plain rows come back."""

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import shapely

from geo_grid.errors import UnreadableFile
from geo_grid.files.degrees import read_degrees
from geo_grid.files.forked import reading
from geo_grid.files.handing_back import Told, handed_back
from geo_grid.files.kinds import FORMATS, POINTS, unknown_kind
from geo_grid.files.limits import Limits, of_operator
from geo_grid.files.rows import GEOMETRY, Rows
from geo_grid.files.secrets import without_secrets
from geo_grid.files.spelling import Spelling

if TYPE_CHECKING:
    from pandas import DataFrame

WALLS = ("limits", "network", "files", "calls")
"""What `standing_walls` can find."""
_NEIGHBOURS = {
    ".tab": (".dat", ".map", ".id", ".ind", ".DAT", ".MAP", ".ID", ".IND"),
    ".mif": (".mid", ".MID"),
    ".shp": (".shx", ".dbf", ".prj", ".cpg", ".SHX", ".DBF", ".PRJ", ".CPG"),
    ".gpkg": (".gpkg-wal", ".gpkg-shm"),  # an open QGIS keeps there what was edited last
}


@dataclass(frozen=True)
class Asking:
    """How a file is read.

    Attributes
    ----------
    limits
        What its reading may take.
    said
        What its sender calls it; its path when None.
    """

    limits: Limits
    said: str | None = None

    @classmethod
    def of_operator(cls) -> "Asking":
        """Ask as somebody at the machine does."""
        return cls(of_operator())


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
        What the file itself says its reference system is (an EPSG code if it has one), or None.
    is_geojson
        GeoJSON needs no source_crs: RFC 7946 fixes it.
    unread
        Of rows whose coordinates are no numbers: what is wrong with them, as they were written; by row, 0 the first.
    cut_to
        How many letters of a column's name this kind of file keeps; None: all.
    notes
        What its reader, or the door itself, has to say of it: what was left out, such as passwords.
    announced, received
        Of a catalogue: how many devices it says there are, and how many it holds; None: it does not say.
    """

    attributes: "DataFrame"
    geometry: Any
    stated_crs: str | None
    is_geojson: bool
    unread: dict[int, str] = field(default_factory=dict)
    cut_to: int | None = None
    notes: tuple[str, ...] = ()
    announced: int | None = None
    received: int | None = None

    @property
    def is_miscounted(self) -> bool:
        """Whether it is a catalogue that holds another number of devices than it announces."""
        return self.announced is not None and self.announced != self.received


def read_table(
    path: Path,
    lon_column: str | None = None,
    lat_column: str | None = None,
    asking: Asking | None = None,
    spelling: Spelling | None = None,
) -> Table:
    """Read a file.

    Parameters
    ----------
    lon_column, lat_column
        Of a CSV file or workbook; common names are found without.
    asking
        As somebody at the machine does when None.
    spelling
        What is said of how it is written; told from its beginning where nothing is.

    Raises
    ------
    UnreadableFile
        It is missing, empty, of an unknown kind, not what its name says, or takes more than it may.
    UserError
        It holds several tables.
    """
    asking = asking or Asking.of_operator()
    said = asking.said or str(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise unknown_kind(said, suffix)
    _refuse_missing(path, said)
    neighbours = [path.with_suffix(other) for other in _NEIGHBOURS.get(suffix, ())]
    with _scratch() if suffix in (".zip", ".kmz") else contextlib.nullcontext() as scratch:
        job = {"what": "table", "lon": lon_column, "lat": lat_column, "spelling": asdict(spelling or Spelling())}
        about, table = _answer(path, neighbours, scratch, job, asking)
    table, secrets = without_secrets(table)
    notes = (*about.get("notes", ()), *_told_of_secrets(secrets + about.get("secrets", 0)))
    try:
        frame = table.to_pandas(types_mapper=_nullable().get)
    except (pa.ArrowException, ValueError, OverflowError) as error:  # dates beyond the calendar
        message = f"{said} holds values that cannot be read: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    if "lon" in about:
        geometry, unread = _points(frame, about["lon"], about["lat"])
        unread |= {int(row): why for row, why in about.get("unread", {}).items()}
        counts = {"announced": about.get("announced"), "received": about.get("received")}
        return Table(frame, geometry, None, False, unread, notes=notes, **counts)
    geometry = _shapes(said, frame.pop(GEOMETRY))
    unread = {}
    if about.get("is_wkt"):
        lost = (
            ~np.isfinite(shapely.bounds(geometry)).all(axis=1)
            & ~shapely.is_missing(geometry)
            & ~shapely.is_empty(geometry)
        )
        unread = dict.fromkeys(np.flatnonzero(lost).tolist(), "its geometry is no well-known text (WKT)")
    return Table(frame, geometry, about["crs"], about["is_geojson"], unread, about.get("cut_to"), notes)


def read_extract(
    path: Path, box: tuple[float, float, float, float] | None, asking: Asking | None = None
) -> tuple[dict[str, Any], pa.Table]:
    """Read an OpenStreetMap extract: what `extracts.read_extract` finds, and its rows.

    Parameters
    ----------
    box
        west, south, east, north, degrees: what lies outside is left out.

    Raises
    ------
    UnreadableFile
        It is missing, truncated, no extract, or takes more than it may.
    """
    asking = asking or Asking.of_operator()
    _refuse_missing(path, asking.said or str(path))
    return _answer(path, [], None, {"what": "extract", "box": box}, asking)


@contextlib.contextmanager
def read_points(path: Path, form: str, limits: Limits, look: Callable[[], None] = lambda: None) -> Iterator[Rows]:
    """Read points in bulk, batch by batch: as `points.READERS` does, which is what `form` is named in.

    The file need not have a name: it is opened here, and its descriptor passed on.

    Parameters
    ----------
    look
        Called now and then while it is read; what it raises ends the reading.

    Raises
    ------
    UnreadableFile
        It is not what `form` says, or takes more than it may. Taking batches raises the same.
    """
    said = POINTS[form]
    job: dict[str, Any] = {"what": "points", "form": form, "limits": asdict(limits), "readable": [], "scratch": None}
    try:
        opened = path.open("rb")
    except OSError as error:
        message = f"{said} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None
    with opened, handed_back(job, said, limits, opened, look) as rows:
        yield rows


def standing_walls() -> list[str]:
    """Return which walls this machine lets stand around a process that reads files."""
    limits = of_operator()
    job: dict[str, Any] = {"what": "walls", "readable": [], "scratch": None, "limits": asdict(limits)}
    with reading(job) as process, io.BufferedReader(Told(process, "", limits, lambda: None)) as told:
        standing: list[str] = json.loads(told.read() or b"[]")
    return standing


def _refuse_missing(path: Path, said: str) -> None:
    try:
        if not path.is_file():
            message = f"{said}: there is no such file"
            raise UnreadableFile(message)
        with path.open("rb") as opened:
            is_empty = not opened.read(1)
    except OSError as error:
        message = f"{said} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None
    if is_empty:
        message = f"{said} is empty"
        raise UnreadableFile(message)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="geo_grid_unpacked_") as folder:
        yield Path(folder)


def _told_of_secrets(count: int) -> list[str]:
    return [f"{count:,} passwords were dropped: none is stored or logged here"] if count else []


@cache
def _nullable() -> dict[pa.DataType, Any]:
    """Return the types of pandas for numbers that stay whole beside empty cells."""
    import pandas as pd  # not at the top: a server that starts needs none of it

    return {
        pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.int16(): pd.Int16Dtype(), pa.int8(): pd.Int8Dtype(),
        pa.uint64(): pd.UInt64Dtype(), pa.uint32(): pd.UInt32Dtype(), pa.uint16(): pd.UInt16Dtype(),
        pa.uint8(): pd.UInt8Dtype(), pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip


def _points(frame: "DataFrame", lon: str, lat: str) -> tuple[Any, dict[int, str]]:
    """Make points of two columns of text, and say where these are no numbers."""
    x, y = (read_degrees(frame[name].tolist(), axis) for name, axis in ((lon, "EW"), (lat, "NS")))
    given = (frame[lon].notna() & frame[lat].notna()).to_numpy()
    points = np.where(given, shapely.points(np.nan_to_num(x, nan=np.inf), np.nan_to_num(y, nan=np.inf)), None)
    unread = {}
    for row in np.flatnonzero(given & ~(np.isfinite(x) & np.isfinite(y))).tolist():
        said = f"lon {str(frame[lon].iloc[row])[:40]} lat {str(frame[lat].iloc[row])[:40]}"
        comma = " (numbers with a decimal comma: say --decimal ,)" if "," in said else ""
        unread[row] = f"{said} is not a place: both must be finite numbers, or degrees, minutes and seconds{comma}"
    return points, unread


def _shapes(said: str, wkb: Any) -> Any:
    try:
        return shapely.from_wkb(wkb.to_numpy(dtype=object))
    except shapely.errors.ShapelyError as error:
        message = f"{said} holds geometry that cannot be read: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None


def _answer(
    path: Path, neighbours: list[Path], scratch: Path | None, job: dict[str, Any], asking: Asking
) -> tuple[dict[str, Any], pa.Table]:
    """Have a job done, and return what is said of the rows, and the rows."""
    # absolute: behind the walls nobody says which folder the process is in, and SQLite would ask
    readable = [str(one.absolute()) for one in (path, *neighbours)]
    given = {
        **job, "path": readable[0], "limits": asdict(asking.limits),
        "readable": readable, "scratch": str(scratch) if scratch else None,
    }  # fmt: skip
    with handed_back(given, asking.said or str(path), asking.limits) as rows:
        return rows.about, pa.Table.from_batches(rows.batches, rows.schema)
