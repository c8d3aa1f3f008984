"""The coordinate reference systems of output, with their axis orders."""

from dataclasses import dataclass

from geo_grid.china_datums import NAMES
from geo_grid.errors import UnknownCrs


@dataclass(frozen=True)
class PublishedCrs:
    """A coordinate reference system of OGC API Features Part 2.

    Attributes
    ----------
    uri
        URI in the OGC register.
    srid
        SRID in PostGIS, whose coordinates are always x, y.
    is_flipped
        Whether the axis order of the register is y, x: latitude or northing first.
    digits
        Decimals of the output: about a millimetre.
    shift
        GCJ-02 or BD-09: a shifted datum of Chinese web maps, which is in no register; empty: none.
    """

    uri: str
    srid: int
    is_flipped: bool
    digits: int
    shift: str = ""

    @property
    def name(self) -> str:
        """Name for `coordinates.source_crs`."""
        return self.shift or f"EPSG:{self.srid}"


def _epsg(code: int, is_flipped: bool, digits: int) -> PublishedCrs:
    return PublishedCrs(f"http://www.opengis.net/def/crs/EPSG/0/{code}", code, is_flipped, digits)


CRS84 = PublishedCrs("http://www.opengis.net/def/crs/OGC/1.3/CRS84", 4490, False, 8)
"""WGS 84, which for our purpose is CGCS2000, longitude first: the order of GeoJSON."""

CGCS2000 = _epsg(4490, True, 8)
"""The reference system of the database."""

PUBLISHED = {
    crs.uri: crs
    for crs in (
        CRS84,
        CGCS2000,
        _epsg(4326, True, 8),
        _epsg(3857, False, 3),
        _epsg(4547, True, 3),  # CGCS2000 / 3-degree Gauss-Krueger, central meridian 114 E: the city's own
    )
}


SHIFTED = {name: PublishedCrs(f"urn:geo-grid:crs:{name}", 4490, False, 8, name) for name in NAMES}
"""Shifted datums by name, for drawing on maps in them. Accepted as `crs`, but not listed in collections, since GIS programs do
not know them."""


def published_crs(uri: str) -> PublishedCrs:
    """Return a reference system by its URI, or a shifted datum by its name. Raises UnknownCrs, with the list of them."""
    found = PUBLISHED.get(uri) or SHIFTED.get(uri.removeprefix("urn:geo-grid:crs:"))
    if found is None:
        message = f"{uri[:120]!r} is not offered; the reference systems are {', '.join([*PUBLISHED, *SHIFTED])}"
        raise UnknownCrs(message)
    return found
