"""How many households each worker of a cell has: what the planner's map is shaded by, and whose cells exceed a norm."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.reading import worked_codes
from geo_grid.boundaries.steps import SetDuties
from geo_grid.db import Connection

type State = Literal["overloaded", "understaffed"]
type People = dict[str, set[str]]
"""By person, the codes of the cells that they work in."""


def cell_loads(
    connection: Connection,
    division: Division,
    level: int | None = None,
    norm: int = 500,
    planned: Iterable[SetDuties] = (),
) -> tuple[int, list[dict[str, Any]]]:
    """Return the level, and for each of its cells the households, workers and whether they exceed a norm.

    Assistants are told too, but do not raise the norm. A cell without a manager is understaffed when it has households,
    unless an ancestor has a manager, who is responsible for all of it (`is_covered`).

    Parameters
    ----------
    level
        Grid level; None: the one where most managers are.
    norm
        Most households per grid manager.
    planned
        Duties that come into force with a draft whose division this is.
    """
    managers = worked_codes(connection, ["grid_manager"])
    assistants = worked_codes(connection, ["grid_assistant"])
    for step in planned:
        _put(managers, step, "grid_manager")
        _put(assistants, step, "grid_assistant")
    staffed = {code for codes in managers.values() for code in codes}
    if level is None:
        levels = Counter(division.cells[code].grid_level for code in staffed & division.cells.keys())
        level = max(levels, key=lambda one: (levels[one], one), default=_deepest(division))
    workers, helpers = _by_cell(division, managers), _by_cell(division, assistants)
    found = []
    for cell in division.cells.values():
        if cell.grid_level != level:
            continue
        households, people = division.households(cell.grid_code) or 0, len(workers.get(cell.grid_code, ()))
        is_covered = not people and not staffed.isdisjoint(division.ancestors(cell.grid_code))
        state: State | None = None
        if households and not people and not is_covered:
            state = "understaffed"
        elif people and households > norm * people:
            state = "overloaded"
        found.append({
            "grid_code": cell.grid_code, "name": cell.name, "households": households, "workers": people,
            "assistants": len(helpers.get(cell.grid_code, ())),
            "households_per_worker": round(households / people) if people else None,
            "state": state, "is_covered": is_covered, "bbox": list(cell.shape.bounds),
        })  # fmt: skip
    return level, sorted(found, key=lambda one: (-(one["households"] / max(one["workers"], 0.5)), one["grid_code"]))


def overloaded(connection: Connection, division: Division, level: int, norm: int) -> list[dict[str, Any]]:
    """List cells of a level that are overloaded or understaffed, the worst first; see `cell_loads`."""
    return [one for one in cell_loads(connection, division, level, norm)[1] if one["state"]]


def _put(people: People, step: SetDuties, role: str) -> None:
    """Let the duties of a step replace those of its cells."""
    for codes in people.values():
        codes.difference_update(step.codes)
    for duty in step.duties:
        if duty.duty_role == role:
            people.setdefault(f"{duty.person_name} {duty.phone}".strip(), set()).update(step.codes)


def _deepest(division: Division) -> int:
    return max((cell.grid_level for cell in division.cells.values()), default=1)


def _by_cell(division: Division, people: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Return by code the people who work in a cell or its descendants."""
    found: dict[str, set[str]] = {}
    for person, codes in people.items():
        for code in codes & division.cells.keys():
            for above in (code, *division.ancestors(code)):
                found.setdefault(above, set()).add(person)
    return found
