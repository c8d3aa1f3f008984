"""Reading tables, in the child process: one reader for each kind of file, and nothing tried that the name does not promise."""

from collections.abc import Callable

from geo_grid.files.geoparquet import read_parquet
from geo_grid.files.kinds import DRIVERS
from geo_grid.files.rows import Rows
from geo_grid.files.source import Source
from geo_grid.files.texts import read_csv, read_excel
from geo_grid.files.vectors import driver_of, read_vector


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
        return read_vector(source, source.path, driver_of(source))
    return _READERS[suffix](source)


_READERS: dict[str, Callable[[Source], Rows]] = {
    ".csv": read_csv,
    ".xlsx": read_excel,
    ".parquet": read_parquet,
}
