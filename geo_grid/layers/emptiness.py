"""Whether a city is stored at all."""

from geo_grid.db import Connection, load_queries

QUERIES = load_queries("geo_grid.layers", "emptiness.sql")


def is_empty(connection: Connection) -> bool:
    """Whether nothing at all is stored yet."""
    found = connection.execute(QUERIES["is_empty"]).fetchone()
    return bool(found and found["empty"])
