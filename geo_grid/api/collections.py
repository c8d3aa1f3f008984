"""GET /collections: the layers, and their features for a part of the map."""

import math
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from geo_grid.api.asking import reading
from geo_grid.api.problems import PROBLEM_RESPONSES, Problem
from geo_grid.api.rights import GuardedRoute
from geo_grid.errors import InvalidCoordinates, NotFound
from geo_grid.layers import REGISTRY, find_layer
from geo_grid.layers.items import feature, items, tile

router = APIRouter(tags=["collections"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

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
    request: Request,
    layer: LayerName,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north in degrees")],
    zoom: Annotated[int, Query(ge=0, le=22, description="decides level, clusters and generalisation")] = 22,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 5_000,
) -> Response:
    """Read the features of a layer that a map of this part at this zoom shows."""
    found, box = find_layer(layer), read_bbox(bbox)
    async with reading(request) as database:
        return Response(await items(database, found, box, zoom, limit), media_type="application/geo+json")


@router.get(
    "/collections/{layer}/items/{item}",
    response_model=Feature,
    responses={200: {"content": {"application/geo+json": {}}}, 404: {"model": Problem}},
)
async def get_item(
    request: Request, layer: LayerName, item: Annotated[str, Path(max_length=100, description="id of the feature")]
) -> Response:
    """Read one feature, with all its fields and its whole geometry."""
    found = find_layer(layer)
    async with reading(request) as database:
        return Response(await feature(database, found, item), media_type="application/geo+json")


@router.get(
    "/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}",
    response_class=Response,
    responses={
        200: {"description": "A Mapbox vector tile with one layer of the collection's name",
              "content": {"application/vnd.mapbox-vector-tile": {"schema": {"type": "string", "format": "binary"}}}},
        204: {"description": "There is nothing in this tile"},
        404: {"model": Problem, "description": "No such layer, or no such tile"},
    },
)  # fmt: skip
async def get_tile(
    request: Request,
    layer: LayerName,
    z: Annotated[int, Path(ge=0, le=22, description="tile matrix: zoom")],
    y: Annotated[int, Path(ge=0, lt=2**22, description="row from the north")],
    x: Annotated[int, Path(ge=0, lt=2**22, description="column from the west")],
) -> Response:
    """Draw a layer as a vector tile of what whoever asks may see."""
    found = find_layer(layer)
    if max(x, y) >= 2**z:
        message = f"zoom {z} has columns and rows 0 to {2**z - 1}"
        raise NotFound(message)
    async with reading(request) as database:
        drawn = await tile(database, found, z, x, y)
    headers = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    if not drawn:
        return Response(status_code=204, headers=headers)
    return Response(drawn, media_type="application/vnd.mapbox-vector-tile", headers=headers)
