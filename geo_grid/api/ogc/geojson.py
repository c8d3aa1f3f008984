"""GeoJSON (RFC 7946) answers that name the reference system of their coordinates."""

from collections.abc import Iterable

from fastapi.responses import Response
from pydantic import BaseModel, Field

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


def answer_of(collection: BaseModel, features: Iterable[str], media_type: str = "application/json") -> Response:
    """Answer with a collection that has no features yet, and the text of its features (see `feature_text`)."""
    before, after = collection.model_dump_json(by_alias=True).split('"features":[]', 1)
    return Response(f'{before}"features":[{",".join(features)}]{after}', media_type=media_type)
