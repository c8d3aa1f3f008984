"""The norm of households: which cells it is about, and which lie outside it. One definition for whoever asks."""

from collections.abc import Iterable, Iterator
from typing import Literal

from geo_grid.boundaries.division import Cell, Division

HOUSEHOLDS = (300, 500)
"""That one worker serves (DOMAIN, section 1), and a basic cell has (section 3): warned about, never refused."""
type Outside = Literal["above", "below"]


def is_basic(division: Division, cell: Cell) -> bool:
    """Say whether a cell is a basic cell 基础网格: the outermost below the divisions, whole, however it is divided.

    Building blocks and other cells inside a basic or dedicated one are parts of it, and dedicated cells are no homes:
    the norm is not about them. Where a city does not tell its divisions apart (`cell_kind`), cells that are not
    divided further count.
    """
    if cell.cell_kind != "basic":
        return False
    above, parent = [], division.cells.get(cell.parent_code or "")
    while parent is not None:
        above.append(parent.cell_kind)
        parent = division.cells.get(parent.parent_code or "")
    return above[0] == "division" if "division" in above else not division.children(cell.grid_code)


def outside_norm(division: Division, cell: Cell, households: tuple[int, int] = HOUSEHOLDS) -> Outside | None:
    """Say on which side of the norm a cell lies; None: within, not known, or not what the norm is about.

    Few households are usual in the country: where the code says so (its 7th digit, 0 in subdistricts, GB/T 10114),
    only cells of subdistricts can lie below it.
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
