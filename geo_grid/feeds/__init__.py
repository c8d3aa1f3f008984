"""Live pictures of cameras, opened for a reason: whose they are, until when, and who saw them. Nothing is recorded but that.

Not to be confused with the feed of changes (`geo_grid.changes`).
"""
