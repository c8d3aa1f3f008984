"""What a dispatcher asks and files: places, incidents, cameras, events."""
