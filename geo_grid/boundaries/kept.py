"""The cells in force, kept in memory for as long as their edition is."""

import threading

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.reading import QUERIES, read_division
from geo_grid.db import connect


class InForce:
    """Reads the whole division once per edition; a division never changes, so that everybody may hold it.

    Parameters
    ----------
    conninfo
        libpq connection string of somebody who sees every cell.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._edition: int | None = None
        self._division = Division([])

    def read(self) -> Division:
        """Return the cells in force; takes a second when a new edition came."""
        with self._lock, connect(self._conninfo) as connection:
            newest = connection.execute(QUERIES["newest"]).fetchone()
            edition = None if newest is None else newest["edition_id"]
            if edition != self._edition:
                self._division = read_division(connection)
                self._edition = edition
            return self._division
