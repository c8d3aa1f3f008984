"""Bulk transfer of rows by COPY, with geometries as EWKB."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql

from geo_grid.coordinates import SRID
from geo_grid.db.connections import Connection

COPY_HEAD, COPY_TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
"""Header and trailer of a COPY in binary (PostgreSQL 15, COPY, Binary Format)."""


def ewkb(geometries: Any) -> Any:
    """Encode an array of geometries as hexadecimal EWKB with SRID 4490."""
    return shapely.to_wkb(shapely.set_srid(geometries, SRID), hex=True, include_srid=True)


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """COPY rows into a table in the caller's transaction and return their number.

    Parameters
    ----------
    progress
        Called with the number of rows since the last call, every 1,000 rows.
    """
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
            if count % 1000 == 0:
                progress(1000)
    progress(count % 1000)
    return count


def insert_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    returning: str | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Any]:
    """Insert rows in bulk in the caller's transaction, also for a role with row policies, which may not COPY into a table.

    The rows are copied to a staging table that the database's owner makes for the transaction (migration 0020), and
    inserted from there in one statement.

    Parameters
    ----------
    returning
        Column whose values are returned, in the order of the rows; None: an empty list.
    """
    stage_rows(connection, table, columns, rows, progress)
    return insert_staged(connection, table, columns, returning)


def stage_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Copy rows to the staging table of the transaction, for `insert_staged`; what was in it is gone."""
    connection.execute("select access.stage(%s, %s)", (table, list(columns)))
    numbered = ((number, *row) for number, row in enumerate(rows))
    copy_rows(connection, "staged", ["row_number", *columns], numbered, progress)


def insert_staged(
    connection: Connection, table: str, columns: Sequence[str], returning: str | None = None, only: range | None = None
) -> list[Any]:
    """Insert the staged rows in one statement, in their order, or `only` those of these positions; see `insert_rows`."""
    names = {
        "table": sql.Identifier(table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "only": sql.SQL("true" if only is None else "row_number >= {} and row_number < {}").format(
            *(() if only is None else (only.start, only.stop))
        ),
        "returning": sql.SQL("") if returning is None else sql.SQL(" returning {}").format(sql.Identifier(returning)),
    }
    insert = "insert into {table} ({columns}) select {columns} from staged where {only} order by row_number{returning}"
    stored = connection.execute(sql.SQL(insert).format(**names))
    return [] if returning is None else [row[returning] for row in stored.fetchall()]


def read_fixed(
    connection: Connection,
    statement: sql.SQL | sql.Composed,
    row: np.dtype[np.void],
    values: dict[str, Any] | None = None,
) -> NDArray[np.void]:
    """Run a COPY ... TO STDOUT in binary with rows of fixed length, and return them as a structured array.

    Parameters
    ----------
    row
        Type of a row: the number of fields as >i2, then for each field its length as >i4 and its value.
    """
    with connection.cursor() as cursor, cursor.copy(statement, values) as copy:
        whole = b"".join(copy)
    count = (len(whole) - len(COPY_HEAD) - len(COPY_TAIL)) // row.itemsize
    return np.frombuffer(whole, row, offset=len(COPY_HEAD), count=count)
