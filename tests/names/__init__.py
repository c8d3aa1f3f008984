"""Tests of geo_grid.names."""
