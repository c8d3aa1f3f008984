"""Response circles by the first method: straight lines, a speed and a detour factor.

radius = speed * minutes / 60 / detour factor. With 30 km/h and 1.3 that is 385, 1,154 and 1,923 m
(DOMAIN, section 2: no official speed exists, so both are settings and are stored with the circle).
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike

from geo_grid.coordinates import ELLIPSOID, snap_geometry

type Place = tuple[float, float]
"""lon, lat in degrees, CGCS2000."""

METHOD: Literal["geodesic_estimate"] = "geodesic_estimate"
_VERTICES = 72


def radius_m(tier_minutes: float, speed_kmh: float, detour_factor: float) -> float:
    """Return the straight-line distance in metres that a unit covers in the time; speed in km/h."""
    return speed_kmh * 1000 / 60 * tier_minutes / detour_factor


def distances_m(sources: Sequence[Place], targets: Sequence[Place]) -> Any:
    """Return straight distances on the ellipsoid in metres, sources by targets."""
    from_lon, from_lat = np.asarray(sources, float).reshape(-1, 2).T
    to_lon, to_lat = np.asarray(targets, float).reshape(-1, 2).T
    shape = (len(from_lon), len(to_lon))
    here, there = (
        (np.repeat(from_lon, shape[1]), np.repeat(from_lat, shape[1])),
        (np.tile(to_lon, shape[0]), np.tile(to_lat, shape[0])),
    )
    _, _, metres = ELLIPSOID.inv(here[0], here[1], there[0], there[1])
    return metres.reshape(shape)


def geodesic_circles(lon: ArrayLike, lat: ArrayLike, radius: float) -> Any:
    """Draw circles on the ellipsoid.

    Parameters
    ----------
    lon, lat
        n degrees, CGCS2000.
    radius
        Metres.

    Returns
    -------
    n valid MultiPolygons on the lattice. Circles around one place nest, a smaller radius inside a larger one: their
    vertices lie on the same 72 azimuths.
    """
    lon, lat = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    azimuths = np.linspace(0, 360, _VERTICES, endpoint=False)
    shape = (len(lon), _VERTICES)
    around_lon, around_lat, _ = ELLIPSOID.fwd(
        np.repeat(lon, _VERTICES),
        np.repeat(lat, _VERTICES),
        np.tile(azimuths, len(lon)),
        np.full(shape, radius).ravel(),
    )
    rings = np.stack([np.reshape(around_lon, shape), np.reshape(around_lat, shape)], axis=2)
    return snap_geometry(shapely.multipolygons([[polygon] for polygon in shapely.polygons(rings)]))
