"""Layers by the standards of OGC: features, tiles, styles; and files of them."""
