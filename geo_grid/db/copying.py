"""Bulk rows in by COPY, geometry as EWKB."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import shapely
from psycopg import sql

from geo_grid.coordinates import SRID
from geo_grid.db.connections import Connection


def ewkb(geometries: Any) -> Any:
    """Encode an array of geometries as hexadecimal EWKB with our SRID."""
    return shapely.to_wkb(shapely.set_srid(geometries, SRID), hex=True, include_srid=True)


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """COPY rows into a table in the caller's transaction and return how many.

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


def insert_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Insert rows as `copy_rows` does, also for a role whose rights go by row: COPY is refused to it."""
    names = {"table": sql.Identifier(table), "columns": sql.SQL(", ").join(map(sql.Identifier, columns))}
    stage = sql.SQL("create temporary table incoming on commit drop as select {columns} from {table} with no data")
    connection.execute(stage.format(**names))
    count = copy_rows(connection, "incoming", columns, rows)
    connection.execute(sql.SQL("insert into {table} ({columns}) select {columns} from incoming").format(**names))
    connection.execute("drop table incoming")
    return count
