"""Gives incidents and cameras to the leaf cell and patrol zone that own them, in one statement."""

from dataclasses import dataclass

from psycopg import sql

from geo_grid.db import AsyncConnection, Connection
from geo_grid.layers import Layer
from geo_grid.locate.lookup import QUERIES


@dataclass(frozen=True)
class Assigned:
    """How many rows a layer has, and how many of them no grid cell covers."""

    rows: int
    unassigned: int


def _statement(name: str, layer: Layer) -> sql.Composed:
    return sql.SQL(QUERIES[name]).format(table=sql.Identifier(layer.name), key=sql.Identifier(layer.id_column))


def assign(connection: Connection, layer: Layer, ids: list[int] | None = None) -> Assigned:
    """Assign rows of a layer by the one-owner rule, with the edition now in force.

    Parameters
    ----------
    layer
        One with `is_assigned`.
    ids
        Primary keys; all rows when not given.
    """
    connection.execute(_statement("assign", layer), {"ids": ids}, prepare=False)
    counted = connection.execute(_statement("count", layer)).fetchone()
    if counted is None:
        message = "count returned no row"
        raise AssertionError(message)
    return Assigned(counted["rows"], counted["unassigned"])


def never_assigned(connection: Connection, layer: Layer) -> list[int]:
    """Return the primary keys of rows that no edition was asked about yet."""
    rows = connection.execute(_statement("never_assigned", layer)).fetchall()
    return [row["id"] for row in rows]


async def assign_one(connection: AsyncConnection, layer: Layer, row_id: int) -> None:
    """Assign one row in the caller's transaction."""
    await connection.execute(_statement("assign", layer), {"ids": [row_id]}, prepare=False)
