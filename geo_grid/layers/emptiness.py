"""Check whether the database has any city."""

from geo_grid.db import Connection, load_queries

QUERIES = load_queries("geo_grid.layers", "emptiness.sql")


def is_empty(connection: Connection) -> bool:
    """Whether no rows of a city are stored yet."""
    found = connection.execute(QUERIES["is_empty"]).fetchone()
    return bool(found and found["empty"])
