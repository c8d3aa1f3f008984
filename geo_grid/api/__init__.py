"""HTTP: thin routers over the middle."""

from geo_grid.api.app import create_app

__all__ = ["create_app"]
