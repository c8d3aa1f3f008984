"""One feed of everything that others must hear of: read once for all, in the order of each subject, nothing missed."""

from geo_grid.changes.feed import Feed, Pulse
from geo_grid.changes.kinds import LAYERS, Change, IncidentNow, Kind, Table, check_kinds
from geo_grid.changes.place import Place

__all__ = ["LAYERS", "Change", "Feed", "IncidentNow", "Kind", "Place", "Pulse", "Table", "check_kinds"]
