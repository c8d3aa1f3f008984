"""HTTP: thin routers on top of the domain modules. The app is `geo_grid.api.app`; starting or stopping a server does not
import it."""
