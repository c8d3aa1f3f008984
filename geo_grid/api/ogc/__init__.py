"""Layers by the standards of OGC: features, tiles, styles; and import and export of files."""
