"""GeoJSON (RFC 7946) answers that name the reference system of their coordinates."""

from pydantic import Field

from geo_grid.layers.geojson import Feature, FeatureCollection
from geo_grid.layers.published import CRS84, published_crs


class ShiftableFeatures[P](FeatureCollection[Feature[P]]):
    """Shapes in the reference system that was asked for."""

    coord_ref_sys: str = Field(
        CRS84.uri, serialization_alias="coordRefSys", description="of the coordinates, as JSON-FG names it (OGC 21-045)"
    )


def datum_of(crs: str) -> tuple[str, str]:
    """Return of an answer's reference system, EPSG:4490, GCJ-02 or BD-09, what shifts its coordinates (empty: nothing) and its URI."""
    found = CRS84 if crs == "EPSG:4490" else published_crs(crs)
    return found.shift, found.uri
