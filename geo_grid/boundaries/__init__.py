"""Boundaries of grid cells and patrol zones, in editions: drafted, checked, published in one transaction, and reverted."""

from geo_grid.boundaries.drafts import (
    approve,
    discard,
    draft_steps,
    edit_draft,
    find_draft,
    list_drafts,
    make_draft,
    rebase,
    redo,
    submit,
    undo,
    withdraw,
)
from geo_grid.boundaries.drawn import draw_missing, redraw_cells
from geo_grid.boundaries.findings import examine
from geo_grid.boundaries.healing import HEAL_M, Moved
from geo_grid.boundaries.impact import impact_of
from geo_grid.boundaries.publish import Published, open_edition, publish_cells, publish_zones
from geo_grid.boundaries.reading import (
    draft_changes,
    led_codes,
    list_editions,
    read_division,
    worked_codes,
)
from geo_grid.boundaries.release import draft_restoring, publish_draft, publish_now, publish_when_due
from geo_grid.boundaries.review import draft_findings, draft_impact
from geo_grid.boundaries.steps import as_step
from geo_grid.locate.coverage import metres

__all__ = [
    "HEAL_M",
    "Moved",
    "Published",
    "approve",
    "as_step",
    "discard",
    "draft_changes",
    "draft_findings",
    "draft_impact",
    "draft_restoring",
    "draft_steps",
    "draw_missing",
    "edit_draft",
    "examine",
    "find_draft",
    "impact_of",
    "led_codes",
    "list_drafts",
    "list_editions",
    "make_draft",
    "metres",
    "open_edition",
    "publish_cells",
    "publish_draft",
    "publish_now",
    "publish_when_due",
    "publish_zones",
    "read_division",
    "rebase",
    "redo",
    "redraw_cells",
    "submit",
    "undo",
    "withdraw",
    "worked_codes",
]
