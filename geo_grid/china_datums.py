"""Forward transformation from CGCS2000 to GCJ-02 and BD-09, the shifted datums of Chinese web maps, for whole arrays.

The formulas are public knowledge (for example github.com/googollee/eviltransform, github.com/wandergis/coordtransform);
`geocoordinates_ffi`, used for the inverse, has them for single points, and tests compare both.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
NAMES = ("GCJ-02", "BD-09")
_AXIS_M, _ECCENTRICITY2 = 6378245.0, 0.00669342162296594323
"""Semi-major axis and squared eccentricity of the Krassowsky ellipsoid, which the shift is defined on."""
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
"""Box in degrees outside of which nothing is shifted."""
_BD_PI = np.pi * 3000 / 180


def shifted(lon: Floats, lat: Floats, name: str) -> tuple[Floats, Floats]:
    """Transform lon, lat in degrees to a shifted datum.

    Parameters
    ----------
    lon, lat
        n degrees, CGCS2000.
    name
        One of `NAMES`.
    """
    x, y = _gcj02(lon, lat)
    if name == "GCJ-02":
        return x, y
    far = np.hypot(x, y) + 0.00002 * np.sin(y * _BD_PI)
    turned = np.arctan2(y, x) + 0.000003 * np.cos(x * _BD_PI)
    return far * np.cos(turned) + 0.0065, far * np.sin(turned) + 0.006


def shifted_geometry(geometries: Any, name: str) -> Any:
    """Transform an array of geometries (lon, lat in degrees, CGCS2000) to a shifted datum; None stays None."""
    return shapely.transform(geometries, lambda xy: np.column_stack(shifted(xy[:, 0], xy[:, 1], name)))


def _gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    x, y = lon - 105.0, lat - 35.0
    root, both = np.sqrt(np.abs(x)), x * y
    waves = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * both + 0.2 * root + waves
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * both + 0.1 * root + waves
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    angle = np.radians(lat)
    magic = 1.0 - _ECCENTRICITY2 * np.sin(angle) ** 2
    north_degrees = np.degrees(north) / (_AXIS_M * (1.0 - _ECCENTRICITY2) / (magic * np.sqrt(magic)))
    east_degrees = np.degrees(east) / (_AXIS_M / np.sqrt(magic) * np.cos(angle))
    inside = (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)
    return np.where(inside, lon + east_degrees, lon), np.where(inside, lat + north_degrees, lat)
