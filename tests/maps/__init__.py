"""Tests of geo_grid.maps."""
