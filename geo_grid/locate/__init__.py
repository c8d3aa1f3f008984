"""Point -> owner: who is responsible for a place, and assignment of what happens there."""

from geo_grid.locate.answers import Location, OwningCell, OwningZone, Response
from geo_grid.locate.assignment import Assigned, assign, assign_one, never_assigned
from geo_grid.locate.locator import Locator
from geo_grid.locate.lookup import locate, refuse_swapped

__all__ = [
    "Assigned",
    "Location",
    "Locator",
    "OwningCell",
    "OwningZone",
    "Response",
    "assign",
    "assign_one",
    "locate",
    "never_assigned",
    "refuse_swapped",
]
