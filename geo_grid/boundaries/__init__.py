"""Boundaries in editions: checked, then published in one transaction."""

from geo_grid.boundaries.check import metres
from geo_grid.boundaries.drawn import draw_missing, redraw_cells
from geo_grid.boundaries.publish import Published, open_edition, publish_cells, publish_zones

__all__ = ["Published", "draw_missing", "metres", "open_edition", "publish_cells", "publish_zones", "redraw_cells"]
