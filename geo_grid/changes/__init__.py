"""The feed of changes: one append-only table that each server reads once for all its listeners.

Changes of one subject arrive in commit order, and none is missed.
"""

from geo_grid.changes.feed import Feed, Pulse
from geo_grid.changes.kinds import LAYERS, Change, IncidentNow, Kind, Table, check_kinds
from geo_grid.changes.place import Place

__all__ = ["LAYERS", "Change", "Feed", "IncidentNow", "Kind", "Place", "Pulse", "Table", "check_kinds"]
