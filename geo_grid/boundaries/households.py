"""Apportionment of households by area when a step divides cells: the sum is kept, and the numbers are marked as estimates."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import shapely

from geo_grid.boundaries.division import NEAR, Cell, Division, Edits, same_ground


@dataclass(frozen=True)
class Share:
    """The households that a new cell (or the same one) gets from an old cell.

    Attributes
    ----------
    households
        Whole number; the shares of an old cell add up to its number. None: the old cell has no number.
    is_estimate
        The number was apportioned by area, now or before.
    """

    from_code: str
    to_code: str
    households: int | None
    is_estimate: bool


def shared_out(old: Iterable[Cell], new: Iterable[Cell]) -> list[Share]:
    """Apportion the households of old cells by area to the new cells that take their ground.

    A border that moves by less than the tolerance (`same_ground`) moves no household.
    """
    old, new = [cell for cell in old if _is_area(cell)], [cell for cell in new if _is_area(cell)]
    if not old or not new:
        return []
    tree = shapely.STRtree([cell.shape for cell in new])
    found = []
    for cell in old:
        takers = [new[at] for at in sorted(tree.query(cell.shape).tolist())]
        areas = [float(shapely.area(shapely.intersection(taker.shape, cell.shape))) for taker in takers]
        least = NEAR * float(shapely.length(cell.shape))
        taken = [(taker, area) for taker, area in zip(takers, areas, strict=True) if area > least]
        parts = _apportioned(cell.household_count, [area for _, area in taken])
        is_estimate = len(taken) > 1 or cell.households_estimated
        found += [
            Share(cell.grid_code, taker.grid_code, part, is_estimate)
            for (taker, _), part in zip(taken, parts, strict=True)
        ]
    return found


def counted(before: Division, edits: Edits) -> Edits:
    """Complete edits with the households of cells whose ground changes.

    A leaf cell gets the shares of the old cells whose ground it takes. A cell with children and a number of its own gains
    and loses what its descendants do. New cells with a number keep it.
    """
    after = before.edited(edits)
    complete = dict(edits)
    moves: list[Share] = []
    for level in range(max((cell.grid_level for cell in _touched(before, edits)), default=0), 0, -1):
        here = {cell.grid_code for cell in _touched(before, edits) if cell.grid_level == level}
        changed = {code for code in here if not _keeps_ground(before, after, code)}
        old = [before.cells[code] for code in sorted(changed) if code in before.cells and not before.children(code)]
        new = [after.cells[code] for code in sorted(changed) if code in after.cells and not after.children(code)]
        shares = shared_out(old, new)
        for cell in new:
            if cell.grid_code in before.cells or cell.household_count is None:
                complete[cell.grid_code] = _with(cell, [one for one in shares if one.to_code == cell.grid_code])
        rising = _risen(before, after, moves)
        for code in sorted(changed):
            now, former = after.cells.get(code), before.cells.get(code)
            if now and former and after.children(code) and now.household_count == former.household_count is not None:
                complete[code] = _balanced(now, rising)
        moves = [*shares, *rising]
        moves += [
            Share(code, code, before.households(code), before.cells[code].households_estimated)
            for code in sorted(here)
            if code in before.cells
            and code in after.cells
            and _keeps_ground(before, after, code)
            and before.cells[code].parent_code != after.cells[code].parent_code
        ]
    return complete


def _touched(before: Division, edits: Edits) -> list[Cell]:
    return [cell or before.cells[code] for code, cell in edits.items() if cell or code in before.cells]


def _keeps_ground(before: Division, after: Division, code: str) -> bool:
    one, other = before.cells.get(code), after.cells.get(code)
    return one is not None and other is not None and same_ground(one.shape, other.shape)


def _with(cell: Cell, shares: list[Share]) -> Cell:
    counts = [one.households for one in shares]
    if not counts or None in counts:
        return replace(cell, household_count=None, households_estimated=False)
    total = sum(count for count in counts if count is not None)
    return replace(cell, household_count=total, households_estimated=any(one.is_estimate for one in shares))


def _risen(before: Division, after: Division, moves: list[Share]) -> list[Share]:
    """Return the moves between parents that result from moves between their children; a retired cell gives all."""
    found = []
    for one in moves:
        start, end = before.cells[one.from_code].parent_code, after.cells[one.to_code].parent_code
        if start is not None and end is not None and start != end:
            found.append(Share(start, end, one.households, one.is_estimate))
    heirs: dict[str, set[str]] = {}
    for one in found:
        heirs.setdefault(one.from_code, set()).add(one.to_code)
    for code, to in heirs.items():
        cell = before.cells[code]
        if code not in after.cells and len(to) == 1 and cell.household_count is not None:
            found = [one for one in found if one.from_code != code]
            found.append(Share(code, to.pop(), cell.household_count, cell.households_estimated))
    return found


def _balanced(cell: Cell, moves: list[Share]) -> Cell:
    given = [one for one in moves if one.from_code == cell.grid_code]
    taken = [one for one in moves if one.to_code == cell.grid_code]
    if any(one.households is None for one in (*given, *taken)):
        return replace(cell, household_count=None, households_estimated=False)
    balance = sum(one.households or 0 for one in taken) - sum(one.households or 0 for one in given)
    is_estimate = cell.households_estimated or any(one.is_estimate for one in (*given, *taken))
    return replace(
        cell, household_count=max((cell.household_count or 0) + balance, 0), households_estimated=is_estimate
    )


def _is_area(cell: Cell) -> bool:
    return "Polygon" in cell.shape.geom_type


def _apportioned(count: int | None, areas: list[float]) -> list[int] | list[None]:
    """Divide a whole number into whole numbers in proportion to areas (largest remainders; Hamilton's method)."""
    if count is None:
        return [None] * len(areas)
    exact = [count * area / sum(areas) for area in areas]
    parts = [int(part) for part in exact]
    last = sorted(range(len(parts)), key=lambda at: parts[at] - exact[at])
    for at in last[: count - sum(parts)]:
        parts[at] += 1
    return parts
