"""Backups of a whole city: one file, made while it is served, and brought back with everything in it checked; and an archive
from which the private database is brought back as it was at any moment."""

from geo_grid.backups.archive import Base, Reached, list_bases, make_base, restore_until
from geo_grid.backups.making import make_backup
from geo_grid.backups.package import Manifest
from geo_grid.backups.restoring import restore_backup

__all__ = [
    "Base",
    "Manifest",
    "Reached",
    "list_bases",
    "make_backup",
    "make_base",
    "restore_backup",
    "restore_until",
]
