"""GET /collections: the layers, and their features for a part of the map."""

import math
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from geo_grid.api.parameters import Database
from geo_grid.api.problems import PROBLEM_RESPONSES, Problem
from geo_grid.errors import InvalidCoordinates
from geo_grid.layers import REGISTRY, find_layer
from geo_grid.layers.items import items

router = APIRouter(tags=["collections"], responses=PROBLEM_RESPONSES)

LayerName = Annotated[str, Path(description="name of a layer", max_length=64)]


class Collection(BaseModel):
    """A layer."""

    id: str
    title: str
    title_zh: str
    key: str
    geometry_types: list[str]
    schema_: dict[str, Any]

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"), populate_by_name=True)


class Collections(BaseModel):
    """All layers."""

    collections: list[Collection]


class Feature(BaseModel):
    """A GeoJSON feature (RFC 7946)."""

    type: Literal["Feature"]
    id: str | None
    geometry: dict[str, Any]
    properties: dict[str, Any]


class FeatureCollection(BaseModel):
    """GeoJSON features of a part of the map; `truncated` when there were more than `limit`."""

    type: Literal["FeatureCollection"]
    truncated: bool
    features: list[Feature]


def read_bbox(text: str) -> tuple[float, float, float, float]:
    """Read `west,south,east,north` in degrees. Raises InvalidCoordinates."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        message = f"bbox {text[:80]!r} is not four numbers west,south,east,north"
        raise InvalidCoordinates(message) from None
    if not all(map(math.isfinite, (west, south, east, north))):
        message = f"bbox {text[:80]!r} has a number that is not finite"
        raise InvalidCoordinates(message)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        message = (
            f"bbox {text[:80]!r} is out of range or the wrong way round: west <= east and south <= north, in degrees"
        )
        raise InvalidCoordinates(message)
    return west, south, east, north


@router.get("/collections")
async def list_collections() -> Collections:
    """List the layers with their fields."""
    return Collections(collections=[Collection.model_validate(layer.describe()) for layer in REGISTRY.values()])


@router.get("/collections/{layer}", responses={404: {"model": Problem}})
async def get_collection(layer: LayerName) -> Collection:
    """Describe one layer."""
    return Collection.model_validate(find_layer(layer).describe())


@router.get(
    "/collections/{layer}/items",
    response_model=FeatureCollection,
    responses={200: {"content": {"application/geo+json": {}}}, 404: {"model": Problem}},
)
async def get_items(
    database: Database,
    layer: LayerName,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north in degrees")],
    zoom: Annotated[int, Query(ge=0, le=22, description="decides level, clusters and generalisation")] = 22,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 5_000,
) -> Response:
    """Read the features of a layer that a map of this part at this zoom shows."""
    found = find_layer(layer)
    return Response(await items(database, found, read_bbox(bbox), zoom, limit), media_type="application/geo+json")
