"""Boundaries in editions: drafted, checked, then published in one transaction, and taken back."""

from geo_grid.boundaries.check import metres
from geo_grid.boundaries.drafts import (
    discard,
    draft_changes,
    draft_steps,
    edit_draft,
    led_codes,
    list_drafts,
    make_draft,
    publish_draft,
    read_division,
    rebase,
    redo,
    roll_back,
    undo,
)
from geo_grid.boundaries.drawn import draw_missing, redraw_cells
from geo_grid.boundaries.findings import examine
from geo_grid.boundaries.impact import impact_of
from geo_grid.boundaries.publish import Published, open_edition, publish_cells, publish_zones

__all__ = [
    "Published",
    "discard",
    "draft_changes",
    "draft_steps",
    "draw_missing",
    "edit_draft",
    "examine",
    "impact_of",
    "led_codes",
    "list_drafts",
    "make_draft",
    "metres",
    "open_edition",
    "publish_cells",
    "publish_draft",
    "publish_zones",
    "read_division",
    "rebase",
    "redo",
    "redraw_cells",
    "roll_back",
    "undo",
]
