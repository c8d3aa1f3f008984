"""The norm of households per basic cell: which cells it applies to, and which lie outside it; defined only here."""

from collections.abc import Iterable, Iterator
from typing import Literal

from geo_grid.boundaries.division import Cell, Division

HOUSEHOLDS = (300, 500)
"""Least and most households of a basic cell (DOMAIN, section 3), as one worker serves (section 1): outside of it a warning,
never a refusal."""
type Outside = Literal["above", "below"]


def is_basic(division: Division, cell: Cell) -> bool:
    """Say whether a cell is a basic cell 基础网格: the outermost below the divisions, whole, however it is divided.

    The norm does not apply to building blocks and other cells inside a basic or dedicated cell, nor to dedicated cells,
    which are no homes. In a city without `cell_kind`, the leaf cells are the basic cells.
    """
    if cell.cell_kind != "basic":
        return False
    above, parent = [], division.cells.get(cell.parent_code or "")
    while parent is not None:
        above.append(parent.cell_kind)
        parent = division.cells.get(parent.parent_code or "")
    return above[0] == "division" if "division" in above else not division.children(cell.grid_code)


def outside_norm(division: Division, cell: Cell, households: tuple[int, int] = HOUSEHOLDS) -> Outside | None:
    """Return the side of the norm on which a cell lies; None: within, unknown, or the norm does not apply.

    Rural cells often have few households: when the code tells (7th digit, 0 in subdistricts, GB/T 10114), only cells of
    subdistricts can lie below the norm.
    """
    count = division.households(cell.grid_code) if is_basic(division, cell) else None
    least, most = households
    if count is None or least <= count <= most:
        return None
    if count > most:
        return "above"
    return None if cell.code_scheme != "local" and cell.grid_code[6:7] not in ("", "0") else "below"


def all_outside(
    division: Division, cells: Iterable[Cell], households: tuple[int, int] = HOUSEHOLDS
) -> Iterator[tuple[Cell, int, Outside]]:
    """Yield the cells outside the norm with their households, and the side."""
    for cell in cells:
        side = outside_norm(division, cell, households)
        if side is not None:
            yield cell, division.households(cell.grid_code) or 0, side
