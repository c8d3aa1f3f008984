"""State in memory that is true, declared by what it depends on: there is no other way to keep any."""

from geo_grid.derived.state import Derived, DerivedNow, DerivedStates

__all__ = ["Derived", "DerivedNow", "DerivedStates"]
