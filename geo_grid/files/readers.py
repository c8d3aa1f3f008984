"""Reading tables, in the child process: one reader for each kind of file, and nothing tried that the name does not promise."""

from collections.abc import Callable

from geo_grid.files.catalogues import read_catalogue, read_viid
from geo_grid.files.geoparquet import read_parquet
from geo_grid.files.kinds import CATALOGUE, DRIVERS
from geo_grid.files.rows import Rows
from geo_grid.files.source import Source
from geo_grid.files.texts import read_csv, read_excel
from geo_grid.files.vectors import driver_of, read_vector
from geo_grid.gb28181.viid import is_viid


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
    if suffix == ".json" and _is_viid(source):
        return read_viid(source)
    if suffix in DRIVERS:
        return read_vector(source, source.path, driver_of(source))
    return _READERS[suffix](source)


def _is_viid(source: Source) -> bool:
    with source.path.open("rb") as opened:
        return is_viid(opened.read(_HEAD))


_HEAD = 4096
_READERS: dict[str, Callable[[Source], Rows]] = {
    ".csv": read_csv,
    ".xlsx": read_excel,
    ".parquet": read_parquet,
    CATALOGUE: read_catalogue,
}
