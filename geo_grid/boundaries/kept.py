"""The cells in force, kept in memory for as long as their edition is."""

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.reading import read_division
from geo_grid.changes import Table
from geo_grid.db import connect
from geo_grid.derived import Derived, DerivedStates


def division_in_force(conninfo: str, states: DerivedStates) -> Derived[Division]:
    """Declare the whole division; one never changes, so that everybody may hold it. Reading it takes a second.

    Parameters
    ----------
    conninfo
        libpq connection string of somebody who sees every cell.
    """

    def read() -> Division:
        with connect(conninfo) as connection:
            return read_division(connection)

    return states.declare("division_in_force", (Table.EDITIONS,), read, size=lambda division: len(division.cells))
