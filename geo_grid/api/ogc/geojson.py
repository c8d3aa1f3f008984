"""GeoJSON (RFC 7946) whose properties are known."""

from typing import Any, Literal

from pydantic import BaseModel


class Feature[P: BaseModel](BaseModel):
    """A shape, and what it is."""

    type: Literal["Feature"] = "Feature"
    geometry: dict[str, Any]
    properties: P


class FeatureCollection[P: BaseModel](BaseModel):
    """Shapes."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[Feature[P]]
