"""The coordinate reference systems that features are given out in, with the axis order of each."""

from dataclasses import dataclass

from geo_grid.china_datums import NAMES
from geo_grid.errors import UnknownCrs


@dataclass(frozen=True)
class PublishedCrs:
    """A coordinate reference system of OGC API Features Part 2.

    Attributes
    ----------
    uri
        Its name in the OGC register.
    srid
        Of PostGIS, whose coordinates are always x, y.
    is_flipped
        Whether the register's order is y, x: latitude or northing first.
    digits
        Decimals given out: about a millimetre.
    shift
        GCJ-02 or BD-09: longitude and latitude as Chinese web maps draw them, which no register knows; empty: none.
    """

    uri: str
    srid: int
    is_flipped: bool
    digits: int
    shift: str = ""

    @property
    def name(self) -> str:
        """What `coordinates.source_crs` calls it."""
        return self.shift or f"EPSG:{self.srid}"


def _epsg(code: int, is_flipped: bool, digits: int) -> PublishedCrs:
    return PublishedCrs(f"http://www.opengis.net/def/crs/EPSG/0/{code}", code, is_flipped, digits)


CRS84 = PublishedCrs("http://www.opengis.net/def/crs/OGC/1.3/CRS84", 4490, False, 8)
"""WGS 84, which for our purpose is CGCS2000, longitude first: the order of GeoJSON."""

CGCS2000 = _epsg(4490, True, 8)
"""What is stored."""

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
"""By name. For those who draw on maps of these datums: offered beside the others, and never in their list, because no
program knows them."""


def published_crs(uri: str) -> PublishedCrs:
    """Find one by its URI, or a shifted one by its name. Raises UnknownCrs, naming those there are."""
    found = PUBLISHED.get(uri) or SHIFTED.get(uri.removeprefix("urn:geo-grid:crs:"))
    if found is None:
        message = f"{uri[:120]!r} is not offered; the reference systems are {', '.join([*PUBLISHED, *SHIFTED])}"
        raise UnknownCrs(message)
    return found
