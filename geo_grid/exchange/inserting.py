"""The rows of a frame into the table of a layer, and which of them the database refuses, by which rule."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import psycopg
import shapely

from geo_grid.db import Connection, ewkb, insert_rows, insert_staged, load_queries, stage_rows
from geo_grid.layers import Layer

if TYPE_CHECKING:
    from pandas import DataFrame

QUERIES = load_queries("geo_grid.exchange", "importing.sql")
_MOST_NAMED = 1_000


def insert_frame(
    connection: Connection, layer: Layer, frame: "DataFrame", advance: Callable[[int], None] = lambda count: None
) -> list[int]:
    """Insert rows with their geometry, and return their primary keys, in the order of the rows.

    Columns that are empty throughout get the table's defaults.
    """
    columns = _given(frame)
    rows = _rows(layer, frame, columns)
    return insert_rows(connection, layer.name, [*columns, "geom"], rows, layer.id_column, advance)


def _given(frame: "DataFrame") -> list[str]:
    return [column for column in frame.columns if column != "geometry" and frame[column].notna().any()]


def _rows(layer: Layer, frame: "DataFrame", columns: list[str]) -> Iterable[tuple[Any, ...]]:
    geometry = frame["geometry"].to_numpy()
    if layer.stored_type.startswith("Multi"):
        geometry = shapely.multipolygons([list(shapely.get_parts(g)) for g in geometry])
    values = [frame[column].astype(object).where(frame[column].notna(), None).tolist() for column in columns]
    return zip(*values, ewkb(geometry), strict=True)


def refused_rows(connection: Connection, layer: Layer, frame: "DataFrame") -> dict[int, str]:
    """Find which rows the database refuses, by halves, and why: reason by position; nothing is stored."""
    found: dict[int, str] = {}
    given = _given(frame)
    columns, waiting = [*given, "geom"], [range(len(frame))]
    with connection.transaction(force_rollback=True):
        stage_rows(connection, layer.name, columns, _rows(layer, frame, given))
        while waiting and len(found) < _MOST_NAMED:
            some = waiting.pop()
            try:
                with connection.transaction(force_rollback=True):
                    insert_staged(connection, layer.name, columns, only=some)
                    connection.execute("set constraints all immediate")
            except (psycopg.IntegrityError, psycopg.DataError) as refused:
                if len(some) == 1:
                    found[some.start] = _rule(connection, refused)
                else:
                    middle = len(some) // 2
                    waiting += [some[middle:], some[:middle]]
    return found


def _rule(connection: Connection, refused: psycopg.Error) -> str:
    said: Any = refused.diag.message_detail or refused.diag.message_primary or str(refused).splitlines()[0]
    if isinstance(refused, psycopg.errors.NotNullViolation):
        return f"{refused.diag.column_name} is empty"
    if not isinstance(refused, psycopg.errors.CheckViolation):
        return f"the database refuses it: {said}"
    values = {"name": refused.diag.constraint_name, "table": refused.diag.table_name}
    rule = connection.execute(QUERIES["rule"], values).fetchone()
    return f"it breaks the rule {rule['rule'] if rule else refused.diag.constraint_name}"
