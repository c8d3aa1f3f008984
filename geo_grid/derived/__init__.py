"""Derived state: everything a server caches in memory, declared by the tables it depends on and invalidated by the feed."""

from geo_grid.derived.state import Derived, DerivedNow, DerivedStates

__all__ = ["Derived", "DerivedNow", "DerivedStates"]
