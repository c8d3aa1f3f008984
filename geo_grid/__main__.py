"""`python -m geo_grid` is `geo-grid`."""

from geo_grid.cli import main

main()
