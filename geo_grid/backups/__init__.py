"""Backups of a whole city: one file, made while it is served, and brought back with everything in it checked."""

from geo_grid.backups.making import make_backup
from geo_grid.backups.package import Manifest
from geo_grid.backups.restoring import restore_backup

__all__ = ["Manifest", "make_backup", "restore_backup"]
