"""The cells in force as derived state, valid as long as their edition is in force."""

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.reading import read_division
from geo_grid.changes import Table
from geo_grid.db import connect
from geo_grid.derived import Derived, DerivedStates


def division_in_force(conninfo: str, states: DerivedStates) -> Derived[Division]:
    """Declare the division in force as derived state. Divisions are immutable, so threads may share it; a read takes 1 s.

    Parameters
    ----------
    conninfo
        libpq connection string of a role that sees every cell.
    """

    def read() -> Division:
        with connect(conninfo) as connection:
            return read_division(connection)

    return states.declare("division_in_force", (Table.EDITIONS,), read, size=lambda division: len(division.cells))
