"""All compiled loops of this room, ready: what is forked from a process that has imported this compiles and loads nothing."""

from geo_grid.compiling import make_ready
from geo_grid.response import contour, drawing, expansion, sweep  # noqa: F401 (they declare the loops)

make_ready()
