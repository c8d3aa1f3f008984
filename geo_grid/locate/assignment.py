"""Assigns incidents, cameras and registered places to the leaf cell and patrol zone that own them."""

from dataclasses import dataclass

import numpy as np
from psycopg import sql

from geo_grid.db import COPY_HEAD, COPY_TAIL, Connection, copy_rows, load_queries, read_fixed
from geo_grid.layers import Layer
from geo_grid.locate.city import CityIndex
from geo_grid.progress import Progress

QUERIES = load_queries("geo_grid.locate", "assignment.sql")

# a row of COPY in binary, here of fixed length: the number of fields, then each value after its length
_POINT = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("id", ">i8"), ("l2", ">i4"), ("x", ">f8"), ("l3", ">i4"), ("y", ">f8")]
)
_OWNER = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("id", ">i8"), ("l2", ">i4"), ("cell", ">i4"), ("l3", ">i4"), ("zone", ">i4")]
)
_BATCH = 65_536


@dataclass(frozen=True)
class Assigned:
    """Number of rows of a layer, and number of those that no grid cell covers."""

    rows: int
    unassigned: int


def _statement(name: str, layer: Layer) -> sql.Composed:
    return sql.SQL(QUERIES[name]).format(table=sql.Identifier(layer.name), key=sql.Identifier(layer.id_column))


def assign(connection: Connection, layer: Layer, ids: list[int] | None = None) -> Assigned:
    """Assign rows of a layer by the one-owner rule, with the edition now in force, in the caller's transaction.

    Parameters
    ----------
    layer
        A layer with `is_assigned`.
    ids
        Primary keys; None: all rows.
    """
    connection.execute(_statement("places", layer), {"ids": ids}, prepare=False)
    for name in ("index_places", "analyze_places"):
        connection.execute(QUERIES[name])
    connection.execute(_statement("assign", layer), prepare=False)
    connection.execute(QUERIES["drop_places"])
    return _count(connection, layer)


def hold_edition(connection: Connection) -> None:
    """Lock the edition in force until the caller's transaction ends: publishing waits, readers do not."""
    connection.execute(QUERIES["hold_edition"])


def assign_all(connection: Connection, layer: Layer, city: CityIndex, progress: Progress) -> Assigned:
    """Assign every row of a layer by the index in memory: the same result as `assign`, in less time.

    Parameters
    ----------
    connection
        The caller's transaction, in which `hold_edition` was called before `city` was read.
    """
    with progress(f"reading {layer.name}"):
        points = read_fixed(connection, _statement("points", layer), _POINT)
    owners = np.zeros(len(points), _OWNER)
    owners["fields"], owners["l1"], owners["l2"], owners["l3"], owners["id"] = 3, 8, 4, 4, points["id"]
    with progress(f"locating {layer.name}", len(points)) as advance:
        for start in range(0, len(points), _BATCH):
            part = slice(start, start + _BATCH)
            lon, lat = points["x"][part].astype(np.float64), points["y"][part].astype(np.float64)
            owners["cell"][part] = city.cells.owners(lon, lat)
            owners["zone"][part] = city.zones.owners(lon, lat)
            advance(len(lon))
    with progress(f"writing {layer.name}"):
        connection.execute(QUERIES["begin_assigning"])
        for thing, codes in (("cell", city.cells.codes), ("zone", city.zones.codes)):
            rows = ((thing, number, code) for number, code in enumerate(codes.tolist()))
            copy_rows(connection, "codes", ["thing", "number", "code"], rows)
        with connection.cursor() as cursor, cursor.copy(QUERIES["owners"]) as copy:
            copy.write(COPY_HEAD)
            for start in range(0, len(owners), _BATCH):
                copy.write(owners[start : start + _BATCH].tobytes())
            copy.write(COPY_TAIL)
        connection.execute(QUERIES["analyze_assigned"])
        connection.execute(_statement("assign_all", layer), {"edition": city.edition}, prepare=False)
        connection.execute(QUERIES["end_assigning"])
    return _count(connection, layer)


def _count(connection: Connection, layer: Layer) -> Assigned:
    counted = connection.execute(_statement("count", layer)).fetchone()
    if counted is None:
        message = "count returned no row"
        raise AssertionError(message)
    return Assigned(counted["rows"], counted["unassigned"])


def never_assigned(connection: Connection, layer: Layer) -> list[int]:
    """Return the primary keys of rows that have not been assigned by any edition yet."""
    rows = connection.execute(_statement("never_assigned", layer)).fetchall()
    return [row["id"] for row in rows]
