"""What is looked at in a GeoPackage before GDAL opens it: a database of SQLite may have queries where one expects tables."""

import sqlite3
from contextlib import closing
from pathlib import Path

from geo_grid.errors import UnreadableFile
from geo_grid.files.kinds import first_line

_FOUND = """
-- older programs make views of two names as the standard had them (OGC 12-128r10, annex B): they are no layers
select m.name from sqlite_master m
where m.type = 'view' and lower(m.name) not in ('st_spatial_ref_sys', 'st_geometry_columns')
union all
select m.name from sqlite_master m
where m.sql like 'create virtual table%' and m.sql not like '%using%rtree%'
union all
select m.name || '.' || x.name from sqlite_master m, pragma_table_xinfo(m.name) x
where m.type = 'table' and m.sql not like 'create virtual table%' and x.hidden = 2
union all
select c.table_name from gpkg_contents c where lower(c.table_name) in ('st_spatial_ref_sys', 'st_geometry_columns')
limit 1"""


def refuse_queries(said: str, path: Path) -> None:
    """Refuse a GeoPackage with anything but tables: reading a view or a computed column runs a program of its sender's.

    Raises
    ------
    UnreadableFile
        It has one, or is no database.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        try:
            found = _first_found(address)
        except sqlite3.OperationalError:  # beside it is a log whose index cannot be made here
            found = _first_found(f"{address}&immutable=1")
    except sqlite3.Error as error:
        driver, why = "GPKG", first_line(error)
        message = f"{said} is not a readable {driver} file: {why}"
        raise UnreadableFile(message) from None
    if found is not None:
        message = f"{said} has a view or a computed column ({found[0]}), which are not read: export the rows to a file of their own"
        raise UnreadableFile(message)


def _first_found(address: str) -> tuple[str] | None:
    with closing(sqlite3.connect(address, uri=True)) as opened:
        found: tuple[str] | None = opened.execute(_FOUND).fetchone()
    return found
