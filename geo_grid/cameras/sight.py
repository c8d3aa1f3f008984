"""What a camera sees: a wedge by azimuth, opening angle and range, cut by the buildings in it.

Plane metres around each camera: over its range (some hundred metres) the ellipsoid differs from its tangent plane by less
than a centimetre. Heights are not looked at: a building hides what is behind it, whatever stands how high.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.gb28181 import azimuth_of, tables

Floats = NDArray[np.float64]
_SEMI_MAJOR_M, _ECCENTRICITY_2 = 6378137.0, 0.00669438002290
"""Of the ellipsoid of CGCS2000; that of WGS 84 differs in the tenth digit."""
ARC_STEP_DEG = 5.0
"""Between corners of an arc: it lies within a thousandth of the range from the circle."""
MOUNT_M = 1.0
"""A building so near is what the camera hangs on, and hides nothing: positions are no more exact than that."""


@dataclass(frozen=True)
class Optics:
    """What a camera sees without buildings.

    Attributes
    ----------
    azimuth_deg
        Where it looks, degrees clockwise from north; None: around.
    fov_deg
        Opening angle; 360: around.
    """

    azimuth_deg: float | None
    fov_deg: float
    range_m: float


@dataclass(frozen=True)
class Usual:
    """What is taken for what a register does not say: the opening angle in degrees, and the range in metres."""

    fov_deg: float
    range_m: float


def optics_of(
    ptz_type: int | None,
    direction_type: int | None,
    azimuth_deg: float | None,
    fov_deg: float | None,
    range_m: float | None,
    usual: Usual,
) -> Optics | None:
    """Return what a camera sees as its register has it; None: nobody says where it looks.

    A dome sees around; so does what opens by 360 degrees. The azimuth goes before the direction.
    """
    reach = range_m if range_m is not None else usual.range_m
    kind = tables().ptz.get(str(ptz_type)) if ptz_type is not None else None
    if (kind is not None and kind.looks == "around") or (fov_deg is not None and fov_deg >= 360):
        return Optics(None, 360.0, reach)
    looks = azimuth_deg
    if looks is None and direction_type is not None:
        looks = azimuth_of(direction_type)
    if looks is None:
        return None
    return Optics(looks, fov_deg if fov_deg is not None else usual.fov_deg, reach)


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Return metres per degree of longitude and of latitude, by the radii of curvature of the ellipsoid at a latitude."""
    sine = math.sin(math.radians(lat))
    root = math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
    east = math.radians(_SEMI_MAJOR_M * math.cos(math.radians(lat)) / root)
    north = math.radians(_SEMI_MAJOR_M * (1 - _ECCENTRICITY_2) / root**3)
    return east, north


def wedge(optics: Optics) -> Any:
    """Return what is seen without buildings, as a polygon in metres east and north of the camera."""
    if optics.azimuth_deg is None or optics.fov_deg >= 360:
        angles = np.radians(np.arange(0.0, 360.0, ARC_STEP_DEG))
        return shapely.Polygon(optics.range_m * np.column_stack([np.sin(angles), np.cos(angles)]))
    half = optics.fov_deg / 2
    count = max(2, math.ceil(optics.fov_deg / ARC_STEP_DEG) + 1)
    angles = np.radians(np.linspace(optics.azimuth_deg - half, optics.azimuth_deg + half, count))
    return shapely.Polygon([(0.0, 0.0), *(optics.range_m * np.column_stack([np.sin(angles), np.cos(angles)])).tolist()])


def seen(lon: float, lat: float, optics: Optics, buildings: Any, is_indoors: bool = False) -> tuple[Any, bool, float]:
    """Work out what a camera sees.

    Parameters
    ----------
    lon, lat
        Where it stands, degrees (EPSG:4490).
    buildings
        Footprints that may be near, polygons in degrees.
    is_indoors
        It sees no farther than the building it stands in.

    Returns
    -------
    The polygon in degrees (None: nothing), whether buildings cut it, and its area in square metres.
    """
    east, north = metres_per_degree(lat)
    scale = np.array([east, north])
    here = np.array([lon, lat])
    whole = wedge(optics)
    plane = shapely.transform(np.asarray(buildings, dtype=object), lambda xy: (xy - here) * scale)
    plane = plane[shapely.intersects(plane, whole)]
    if not len(plane):
        return shapely.transform(whole, lambda xy: xy / scale + here), False, float(whole.area)
    own = shapely.dwithin(plane, shapely.Point(0, 0), MOUNT_M)
    cut = whole
    if (~own).any():
        cut = _isovist(optics, plane[~own], whole)
    if is_indoors and own.any():
        cut = _of_the_camera(shapely.intersection(cut, shapely.union_all(plane[own])))
    if cut is None or cut.is_empty:
        return None, True, 0.0
    is_cut = bool(cut.area < whole.area * (1 - 1e-9))
    return shapely.transform(cut, lambda xy: xy / scale + here), is_cut, float(cut.area)


def _isovist(optics: Optics, buildings: Any, whole: Any) -> Any:
    """Cut a wedge by buildings: the exact isovist of pysovist, whose angles run counter-clockwise from east."""
    from pysovist import isovist  # not at the top: it brings scipy, and few who import this look through it

    rings = shapely.get_rings(shapely.get_parts(buildings))  # which knows no rings of several polygons in one
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    walls = np.stack([corners[:-1][same], corners[1:][same]], axis=1)
    around = optics.azimuth_deg is None
    found = isovist(
        walls,
        (0.0, 0.0),
        max_distance=optics.range_m,
        fov=math.tau if around else math.radians(min(optics.fov_deg, 360.0)),
        direction=0.0
        if optics.azimuth_deg is None
        else math.remainder(math.radians(90 - optics.azimuth_deg), math.tau),
    )
    ring_of = found.polygon(math.radians(ARC_STEP_DEG))
    if len(ring_of) < 4:
        return None
    # buildings are solid: what lies in one is not seen, though the isovist ends exactly on its wall
    return _of_the_camera(shapely.intersection(shapely.make_valid(shapely.Polygon(ring_of)), whole))


def _of_the_camera(shape: Any) -> Any:
    """Return the one polygon that the camera stands at: intersections leave lines and points beside it."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    return min(parts, key=lambda part: shapely.distance(part, shapely.Point(0, 0))) if parts else None
