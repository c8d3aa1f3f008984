"""Datums in and out, and the lattice every stored coordinate lies on.

Inside geo_grid a coordinate is lon, lat in degrees, CGCS2000 (EPSG:4490), which for our purpose is
WGS 84, snapped to the lattice.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import geocoordinates_ffi as china_datums
import numpy as np
import shapely
from cachetools import LRUCache
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.database import get_codes
from pyproj.enums import PJType, TransformDirection
from pyproj.exceptions import CRSError, ProjError

from geo_grid.errors import InvalidCoordinates, UnknownCrs

ELLIPSOID = Geod(a=6378137.0, rf=298.257222101)
"""Of CGCS2000 (GB/T 37987-2019), which EPSG:4490 has; GRS 80 has the same axes."""
SRID = 4490
LATTICE_STEP = 2.0**-26
"""Degrees; about 1.7 mm. A power of two, so that k * step is exact in a double for |k| < 2^53."""

_AREAS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

Floats = NDArray[np.float64]

# Datums without a public transformation: PROJ treats Xi'an 80 -> CGCS2000 as a null shift, which
# names the wrong cell by tens of metres. The names are those of the EPSG registry.
_UNSAFE_DATUMS = ("xian 1980", "beijing 1954", "new beijing")


@dataclass(frozen=True)
class SourceCrs:
    """A named source coordinate reference system, and the conversion from it to lon, lat."""

    name: str
    is_geographic: bool
    convert: Callable[[Floats, Floats], tuple[Floats, Floats]]


def _by_point(transform: Callable[..., Any], make: Callable[..., Any]) -> Callable[..., tuple[Floats, Floats]]:
    def convert(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        lon, lat = np.empty_like(x), np.empty_like(y)
        for i, (one_lon, one_lat) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            point = transform(make(lon=one_lon, lat=one_lat))
            lon[i], lat[i] = point.lon, point.lat
        return lon, lat

    return convert


_NAMED = re.compile(
    r"(?:EPSG:|URN:OGC:DEF:CRS:EPSG::|HTTPS?://WWW\.OPENGIS\.NET/DEF/CRS/EPSG/0/)([1-9][0-9]{0,8})", re.ASCII
)
_OTHER_NAMES = {"GCJ02": "GCJ-02", "BD09": "BD-09", "OGCCRS84": "EPSG:4326", "CRS84": "EPSG:4326"}
_REMEMBERED = 512
_resolved: LRUCache[str, "SourceCrs | str"] = LRUCache(_REMEMBERED)
"""Cache by normalised name: the resolved system, or the reason why it is refused."""
_resolving = Lock()


@lru_cache(maxsize=1024)
def _name_of(spelled: str) -> str:
    """Return the normalised name of a system. No other text is passed to PROJ, which searches its database for a second.

    Raises
    ------
    UnknownCrs
        The name is neither GCJ-02, BD-09 nor a known EPSG code.
    """
    plain = spelled.strip().upper()
    other = _OTHER_NAMES.get(plain.replace("-", "").replace("_", "").replace(":", ""))
    if other is not None:
        return other
    match = _NAMED.fullmatch(plain)
    if match is None or int(match[1]) not in _epsg_codes():
        raise UnknownCrs(_unknown(spelled))
    return f"EPSG:{int(match[1])}"


def _unknown(spelled: str) -> str:
    return f"unknown source_crs {spelled[:80]!r}: use an EPSG code such as EPSG:4490 or EPSG:4547, GCJ-02 or BD-09"


@cache
def _epsg_codes() -> frozenset[int]:
    return frozenset(int(code) for code in get_codes("EPSG", PJType.CRS, allow_deprecated=True))


def is_resolved(name: str) -> bool:
    """Say whether the system is cached; else `source_crs` blocks for up to a second while PROJ resolves it."""
    try:
        return _name_of(name) in _resolved
    except UnknownCrs:
        return True


def source_crs(name: str) -> SourceCrs:
    """Resolve the name of a source CRS.

    Parameters
    ----------
    name
        `GCJ-02`, `BD-09`, or a code of EPSG (`EPSG:4326`, `EPSG:4547`, ...; also as a URN or URI of OGC).

    Returns
    -------
    The CRS with its conversion: arrays x, y in the CRS's units (x = easting or longitude, whatever
    the axis order of the CRS) to arrays lon, lat in degrees.

    Raises
    ------
    UnknownCrs
        The name is not known, or the datum (Xi'an 80, Beijing 54) has no public transformation.
    """
    plain = _name_of(name)
    with _resolving:
        found = _resolved.get(plain)
    if found is None:
        try:
            found = _resolve(plain)
        except UnknownCrs as refused:
            found = str(refused)
        with _resolving:
            _resolved[plain] = found
    if isinstance(found, str):
        raise UnknownCrs(found)
    return found


def resolve_usual() -> None:
    """Resolve the most common systems into the cache, so that no request waits for PROJ."""
    for name in ("EPSG:4490", "EPSG:4326", "GCJ-02", "BD-09"):
        source_crs(name)


def _resolve(name: str) -> SourceCrs:
    if name == "GCJ-02":
        return SourceCrs(name, True, _by_point(china_datums.gcj02_to_wgs84_refined, china_datums.Gcj02))
    if name == "BD-09":
        return SourceCrs(name, True, _by_point(china_datums.bd09_to_wgs84_refined, china_datums.Bd09))
    try:
        return _of_proj(CRS.from_epsg(int(name.removeprefix("EPSG:"))), name)
    except (CRSError, ProjError):
        raise UnknownCrs(_unknown(name)) from None


def _of_proj(crs: CRS, name: str) -> SourceCrs:
    """Make the conversion of a system of PROJ. Raises UnknownCrs."""
    geodetic = crs.geodetic_crs
    datum = geodetic.name if geodetic is not None else ""
    if any(unsafe in datum.lower() for unsafe in _UNSAFE_DATUMS):
        message = (
            f"source_crs {name} stands on the datum {datum}, which has no public transformation to CGCS2000 "
            "(PROJ would shift nothing and name the wrong cell): convert the data with your survey office's "
            "local parameters first"
        )
        raise UnknownCrs(message)
    if not (crs.is_geographic or crs.is_projected):
        message = f"source_crs {name} is neither geographic nor projected"
        raise UnknownCrs(message)
    transformer = Transformer.from_crs(crs, SRID, always_xy=True)

    def convert(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        lon, lat = (np.asarray(v, dtype=np.float64) for v in transformer.transform(x, y))
        if crs.is_projected:  # far outside its area a projection wraps round: check that the inverse gives x, y again
            back = transformer.transform(lon, lat, direction=TransformDirection.INVERSE)
            lost = ~(np.hypot(back[0] - x, back[1] - y) <= 1.0)
            lon, lat = np.where(lost, np.inf, lon), np.where(lost, np.inf, lat)
        return lon, lat

    return SourceCrs(name, crs.is_geographic, convert)


def not_in(name: str, x: float, y: float) -> str:
    """Return the message that x, y lie outside a projected system, with the system that they probably belong to.

    CGCS2000 has every Gauss-Krüger zone twice (EPSG): with the zone's number before the easting, of 3 degrees 4513-4533
    (zones 25-45) and of 6 degrees 4491-4501 (zones 13-23), and without it, 4534-4554 and 4502-4512, in the same order.
    """
    code = int(name.removeprefix("EPSG:")) if name.startswith("EPSG:") else 0
    zone = math.floor(x / 1e6) if math.isfinite(x) else 0
    refusal = f"x {x} y {y} is no place in {name}"
    if 25 <= zone <= 45 and (4513 <= code <= 4554 or 4491 <= code <= 4512):
        return f"{refusal}: its easting begins with zone {zone}, which is EPSG:{4513 + zone - 25}"
    if 13 <= zone <= 23 and (4513 <= code <= 4554 or 4491 <= code <= 4512):
        return f"{refusal}: its easting begins with zone {zone}, which is EPSG:{4491 + zone - 13}"
    if zone == 0 and (4513 <= code <= 4533 or 4491 <= code <= 4501):
        return f"{refusal}: its easting has no zone before it, which is EPSG:{code + (21 if code >= 4513 else 11)}"
    return refusal


def snap(degrees: ArrayLike) -> Floats:
    """Round degrees to the lattice (ties to even). Any shape; exact."""
    return np.rint(np.asarray(degrees, dtype=np.float64) / LATTICE_STEP) * LATTICE_STEP


def snap_geometry(geometry: Any) -> Any:
    """Snap one geometry or an array of them to the lattice and drop vertices that became equal.

    Polygons that rounding alone would make invalid are repaired: holes and corners smaller than the lattice vanish, and
    necks are cut. The result is empty when nothing is left. A polygon that was invalid before stays as it is.
    """
    given = np.asarray(shapely.force_2d(geometry), dtype=object)
    plain = given.reshape(-1)
    snapped = np.asarray(shapely.transform(plain, snap), dtype=object)
    broken = np.isin(shapely.get_type_id(plain), _AREAS) & ~shapely.is_valid(snapped)
    snapped[~broken] = shapely.remove_repeated_points(snapped[~broken], 0)
    mended = broken & shapely.is_valid(plain)
    # precision 0: later operations on these shapes must not round to the lattice
    snapped[mended] = shapely.set_precision(shapely.set_precision(plain[mended], LATTICE_STEP), 0)
    return snapped.reshape(given.shape) if given.ndim else snapped[0]


def lonlat_problem(lon: float, lat: float) -> str | None:
    """Return what is wrong with one lon, lat in degrees; None: nothing."""
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return f"lon {lon} lat {lat} is not a place: both must be finite numbers"
    if abs(lat) > 90 and abs(lat) <= 180 and abs(lon) <= 90:
        return f"lon {lon} lat {lat}: lat is beyond 90 degrees; lon and lat look swapped"
    if abs(lon) > 180 or abs(lat) > 90:
        return f"lon {lon} lat {lat} is out of range: lon runs from -180 to 180, lat from -90 to 90"
    return None


def to_lonlat(x: float, y: float, crs: str = "EPSG:4490") -> tuple[float, float]:
    """Convert one point to lon, lat in degrees, CGCS2000, on the lattice.

    Parameters
    ----------
    x, y
        Longitude and latitude, or easting and northing, in the units of `crs`.
    crs
        See `source_crs`.

    Raises
    ------
    InvalidCoordinates
        Not finite, out of range, or lon and lat swapped.
    UnknownCrs
        See `source_crs`.
    """
    source = source_crs(crs)
    problem = lonlat_problem(x, y) if source.is_geographic or not math.isfinite(x + y) else None
    lon, lat = x, y
    if problem is None and source.name != "EPSG:4490":
        lon, lat = (float(v[0]) for v in source.convert(np.array([x]), np.array([y])))
        problem = lonlat_problem(lon, lat)
    if problem is not None:
        raise InvalidCoordinates(problem if source.is_geographic else not_in(source.name, x, y))
    # as `snap` does, without its arrays: Python too rounds ties to even
    return round(lon / LATTICE_STEP) * LATTICE_STEP, round(lat / LATTICE_STEP) * LATTICE_STEP


def box_to_lonlat(box: tuple[float, float, float, float], crs: str) -> tuple[float, float, float, float]:
    """Convert a box (x min, y min, x max, y max in `crs`) to its bounding box west, south, east, north in degrees.

    Raises
    ------
    InvalidCoordinates
        The box lies outside the area of `crs`.
    """
    if not crs.startswith("EPSG:"):  # GCJ-02 and BD-09 shift a box almost evenly: its corners suffice
        west, south, east, north = box
        lon, lat = source_crs(crs).convert(np.array([west, west, east, east]), np.array([south, north, south, north]))
        return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
    bounds = Transformer.from_crs(CRS.from_user_input(crs), SRID, always_xy=True).transform_bounds(*box)
    if not all(map(math.isfinite, bounds)):
        message = f"the box {box} lies outside {crs}"
        raise InvalidCoordinates(message)
    return bounds


def geometry_to_lonlat(geometries: Any, crs: str | CRS) -> Any:
    """Convert an array of geometries from `crs` (a name, or a CRS of pyproj) to lon, lat in degrees on the lattice.

    Points outside the area of `crs` become infinite; the caller checks the result.
    """
    source = source_crs(crs) if isinstance(crs, str) else _of_proj(crs, crs.name)

    def convert(xy: Floats) -> Floats:
        return np.column_stack(source.convert(xy[:, 0], xy[:, 1]))

    return snap_geometry(shapely.transform(shapely.force_2d(geometries), convert))
