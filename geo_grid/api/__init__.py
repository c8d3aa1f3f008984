"""HTTP: thin routers over the middle. The app is `geo_grid.api.app`: who only starts or stops a server needs none."""
