"""The command line, one file for each family of commands."""

from geo_grid.cli.main import app, main

__all__ = ["app", "main"]
