"""Response circles: what a post reaches within 1, 3 and 5 minutes."""

from geo_grid.response.build import build_circles, build_circles_of

__all__ = ["build_circles", "build_circles_of"]
