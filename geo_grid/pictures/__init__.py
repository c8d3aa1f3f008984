"""Pictures of our own pages, as PNG or PDF, by a Chromium without a window in a process of its own."""

from geo_grid.pictures.browser import Fetched, find_browser, told_missing
from geo_grid.pictures.taking import Wanted, take_picture

__all__ = ["Fetched", "Wanted", "find_browser", "take_picture", "told_missing"]
