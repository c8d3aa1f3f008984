"""Importing this module loads all compiled functions of `response`, so that processes forked afterwards have them."""

from geo_grid.compiling import make_ready
from geo_grid.response import contour, drawing, expansion, sweep  # noqa: F401 (they declare the loops)

make_ready()
