"""All compiled loops of this room, ready: what is forked from a process that has imported this compiles and loads nothing."""

from geo_grid.compiling import make_ready
from geo_grid.response import contour, drawing, expansion, sweep

MODULES = tuple(module.__name__ for module in (contour, drawing, expansion, sweep))

make_ready()
