"""Routes for dispatchers: places, incidents, cameras, events."""
