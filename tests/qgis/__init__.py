"""QGIS, as Debian packages it, reads what we give out."""
