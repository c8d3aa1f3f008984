"""Names: whatever the city has a name for, found by a part of it, by its code, or by the first letters of its pinyin."""

from geo_grid.names.index import Names
from geo_grid.names.readings import Readings, readings
from geo_grid.names.search import Found, Search

__all__ = ["Found", "Names", "Readings", "Search", "readings"]
