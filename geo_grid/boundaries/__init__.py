"""Boundaries in editions: checked, then published in one transaction."""

from geo_grid.boundaries.check import metres
from geo_grid.boundaries.publish import Published, open_edition, publish_cells, publish_zones

__all__ = ["Published", "metres", "open_edition", "publish_cells", "publish_zones"]
