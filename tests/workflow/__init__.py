"""Tests of geo_grid.workflow."""
