"""Impact and findings of a draft, for cells and patrol zones together; for HTTP and the command line."""

from geo_grid.boundaries.division import Division, Edits
from geo_grid.boundaries.drafts import attached_steps, require_current
from geo_grid.boundaries.findings import Finding, examine
from geo_grid.boundaries.impact import Impact, impact_of
from geo_grid.boundaries.operations import change_of
from geo_grid.boundaries.reading import (
    draft_changes,
    led_codes,
    shown_codes,
    worked_codes,
    zone_changes,
)
from geo_grid.boundaries.steps import SetDuties
from geo_grid.db import Connection


def draft_impact(connection: Connection, draft_id: int, in_force: Division | None = None) -> Impact:
    """Return the impact of a draft. Raises Conflict when its base is no longer in force."""
    require_current(connection, draft_id)
    before, edits = draft_changes(connection, draft_id, in_force)
    found, shown = impact_of(connection, before, edits), shown_codes(connection, before, edits)
    if shown is not None:
        found = found.shown(shown)
    zones = zone_changes(connection, draft_id)
    return found.joined(impact_of(connection, *zones, "zone_code")) if zones[1] else found


def draft_findings(
    connection: Connection, draft_id: int, in_force: Division | None = None, every: bool = False
) -> list[Finding]:
    """Examine the cells and zones that a draft changes, or all of them, as far as the principal may see them."""

    def examined(before: Division, edits: Edits) -> list[str] | None:
        return None if every else [code for code in edits if change_of(before, edits, code)]

    before, edits = draft_changes(connection, draft_id, in_force)
    given = {
        code for step in attached_steps(connection, draft_id) if isinstance(step, SetDuties) for code in step.codes
    }
    led, workers = led_codes(connection) | given, worked_codes(connection)
    zones, zone_edits = zone_changes(connection, draft_id)
    areas = zones.edited(zone_edits).areas()
    found = examine(before.edited(edits), led, only=examined(before, edits), workers=workers)
    shown = shown_codes(connection, before, edits)
    if shown is not None:
        found = [one for one in found if one.grid_code in shown]
    return [*found, *examine(areas, only=examined(zones, zone_edits))]
