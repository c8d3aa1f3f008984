"""What a step would do to each cell it changes, told while somebody still draws it."""

from typing import Any

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.drafts import require_current, tried
from geo_grid.boundaries.impact import impact_of
from geo_grid.boundaries.reading import CELLS, shown_codes
from geo_grid.boundaries.steps import AnyStep
from geo_grid.coordinates import ELLIPSOID
from geo_grid.db import Connection


def preview(
    connection: Connection, draft_id: int, step: AnyStep, in_force: Division | None = None
) -> list[dict[str, Any]]:
    """Return households, incidents of twelve months and area of each cell before and after a step; nothing is stored.

    Cells above those that are redrawn are left out when they keep all they have.

    Returns
    -------
    One row per changed cell or zone that the principal may see, by code; areas in square metres on GRS 80.

    Raises
    ------
    Refused
        The step would not leave a valid division.
    Forbidden
        It would change what the principal may not redraw.
    Conflict
        The draft is done, or behind the boundaries in force.
    """
    require_current(connection, draft_id)
    rows = []
    for layer, before, edits in tried(connection, draft_id, step, in_force):
        after = before.edited(edits)
        found = impact_of(connection, before, edits, "grid_code" if layer == CELLS else "zone_code")
        shown = shown_codes(connection, before, edits) if layer == CELLS else None
        for work in found.workloads:
            if shown is not None and work.grid_code not in shown:
                continue
            rows.append({
                **{name: getattr(work, name) for name in (
                    "grid_code", "name", "households_before", "households_after", "is_estimate", "incidents_before",
                    "incidents_after", "norm")},
                "area_before_m2": _area_m2(before, work.grid_code), "area_after_m2": _area_m2(after, work.grid_code),
            })  # fmt: skip
    return rows


def _area_m2(division: Division, code: str) -> float:
    """Return the area of a cell in square metres; 0 when the division has none of this code."""
    cell = division.cells.get(code)
    return 0.0 if cell is None else abs(float(ELLIPSOID.geometry_area_perimeter(cell.shape)[0]))
