"""Tests of geo_grid.mediation."""
