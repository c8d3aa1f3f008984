"""GeoJSON (RFC 7946) whose properties are known."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from geo_grid.layers.published import CRS84, published_crs


class Feature[P: BaseModel](BaseModel):
    """A shape, and what it is."""

    type: Literal["Feature"] = "Feature"
    geometry: dict[str, Any]
    properties: P


class FeatureCollection[P: BaseModel](BaseModel):
    """Shapes."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    coord_ref_sys: str = Field(
        CRS84.uri, serialization_alias="coordRefSys", description="of the coordinates, as JSON-FG names it (OGC 21-045)"
    )
    features: list[Feature[P]]


def datum_of(crs: str) -> tuple[str, str]:
    """Return of an answer's reference system, EPSG:4490, GCJ-02 or BD-09, what shifts its coordinates (empty: nothing) and its URI."""
    found = CRS84 if crs == "EPSG:4490" else published_crs(crs)
    return found.shift, found.uri
