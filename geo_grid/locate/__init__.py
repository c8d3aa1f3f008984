"""Point location: which grid cells and patrol zone own a point, and the assignment of incidents and cameras to them."""

from geo_grid.locate.answers import Location, OwningCell, OwningZone, Response
from geo_grid.locate.assignment import Assigned, assign, assign_all, hold_edition, never_assigned
from geo_grid.locate.city import CityIndex, edition_in_force, open_city, saved_name
from geo_grid.locate.current import Locations
from geo_grid.locate.locator import Locator
from geo_grid.locate.lookup import city_extent, locate, refuse_swapped
from geo_grid.locate.seen import EVERYTHING, Seen

__all__ = [
    "EVERYTHING",
    "Assigned",
    "CityIndex",
    "Location",
    "Locations",
    "Locator",
    "OwningCell",
    "OwningZone",
    "Response",
    "Seen",
    "assign",
    "assign_all",
    "city_extent",
    "edition_in_force",
    "hold_edition",
    "locate",
    "never_assigned",
    "open_city",
    "refuse_swapped",
    "saved_name",
]
