"""OGC API Features Part 4: create, replace, update and delete features, each in one transaction."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response

from geo_grid.api.ogc.features import Feature, LayerName, feature_text
from geo_grid.api.server.asking import identity_of, writing
from geo_grid.api.server.links import base_url
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.db import AsyncConnection
from geo_grid.errors import NotOffered, UnsupportedMedia
from geo_grid.exchange import Editor, FeatureChange, GivenFeature
from geo_grid.layers import Layer, find_layer
from geo_grid.layers.features import read_feature
from geo_grid.layers.published import CRS84, published_crs
from geo_grid.settings import Settings

router = APIRouter(tags=["collections"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

_GEOJSON, _JSON, _MERGE_PATCH = "application/geo+json", "application/json", "application/merge-patch+json"
_RIGHT = "layers.write"
_OTHER_WAYS = {
    "grid_cells": "boundaries change by publishing an edition",
    "patrol_zones": "boundaries change by publishing an edition",
    "incidents": "incidents are taken in with POST /incidents",
    "response_circles": "circles follow their posts",
    "roads": "roads come from an OpenStreetMap extract or a file: geo-grid import roads",
    "base_features": "the base map comes with the roads of an OpenStreetMap extract: geo-grid import roads",
}
ItemKey = Annotated[str, Path(max_length=100, description="id of the feature")]
ContentCrs = Annotated[str, Header(max_length=200, description="URI of the body's reference system in <>")]
IfMatch = Annotated[str | None, Header(max_length=1000, description="ETag of the state that is meant")]
_DONE: dict[int | str, dict[str, Any]] = {
    404: PROBLEM | {"description": "No such layer or feature"},
    405: PROBLEM | {"description": "This layer changes by another way; the detail names it"},
    409: PROBLEM | {"description": "It contradicts what is stored"},
    415: PROBLEM | {"description": "The body is no GeoJSON"},
}
_LOCKED = _DONE | {412: PROBLEM | {"description": "Somebody changed it meanwhile"}}


def _taking(*media: str) -> dict[str, Any]:
    return {
        "requestBody": {"content": {name: {"schema": {"$ref": "#/components/schemas/GivenFeature"}} for name in media}}
    }


def _check(request: Request, layer: Layer, *media: str) -> None:
    if not layer.is_editable:
        message = f"{layer.name} cannot be edited here: {_OTHER_WAYS.get(layer.name, 'it is imported')}"
        raise NotOffered(message)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media and sent not in media:
        message = f"the body is {sent or 'of no stated type'}; send {' or '.join(media)}"
        raise UnsupportedMedia(message)


def _editor(connection: AsyncConnection, layer: Layer, content_crs: str, settings: Settings) -> Editor:
    return Editor(
        connection,
        layer,
        published_crs(content_crs.strip().removeprefix("<").removesuffix(">")),
        settings.timezone,
        settings.response_speed_kmh,
        settings.response_detour_factor,
    )


async def _sent(request: Request, editor: Editor, key: str, status: int) -> Response:
    """Answer with the feature as stored, with the properties that the database added."""
    row = await read_feature(editor.connection, editor.layer, key, editor.crs)
    headers = {"ETag": f'"{row["state"]}"', "Content-Crs": f"<{editor.crs.uri}>"}
    address = f"{base_url(request)}/collections/{editor.layer.name}/items/{key}"
    if status == 201:
        headers["Location"] = address
    return Response(feature_text(request, row, editor.layer, address), status, headers, _GEOJSON)


@router.options("/collections/{layer}/items", response_class=Response, responses={404: PROBLEM})
async def items_options(request: Request, layer: LayerName) -> Response:
    """Return the methods that the principal may use on the features of a layer."""
    return _allowed(request, find_layer(layer), "POST")


@router.options("/collections/{layer}/items/{item}", response_class=Response, responses={404: PROBLEM})
async def item_options(request: Request, layer: LayerName, item: ItemKey) -> Response:
    """Return the methods that the principal may use on one feature."""
    return _allowed(request, find_layer(layer), "PUT", "PATCH", "DELETE")


def _allowed(request: Request, layer: Layer, *writes: str) -> Response:
    given = writes if layer.is_editable and _RIGHT in identity_of(request).rights else ()
    headers = {"Allow": ", ".join(["GET", "OPTIONS", *given])}
    if "PATCH" in given:
        headers["Accept-Patch"] = _MERGE_PATCH
    return Response(status_code=200, headers=headers)


@router.post(
    "/collections/{layer}/items",
    status_code=201,
    response_model=Feature,
    responses={201: {"content": {_GEOJSON: {}}, "headers": {"Location": {"schema": {"type": "string"}}}}, **_DONE},
    openapi_extra=_taking(_GEOJSON, _JSON),
)
async def post_item(
    request: Request, settings: Configured, layer: LayerName, given: GivenFeature, content_crs: ContentCrs = CRS84.uri
) -> Response:
    """Make a feature; its key is one of its properties. The answer has what the database added, such as its owner."""
    found = find_layer(layer)
    _check(request, found, _GEOJSON, _JSON)
    async with writing(request) as database:
        editor = _editor(database, found, content_crs, settings)
        key = await editor.create(given)
        answer = await _sent(request, editor, key, 201)
    return answer


@router.put(
    "/collections/{layer}/items/{item}",
    response_model=Feature,
    responses={200: {"content": {_GEOJSON: {}}}, **_LOCKED},
    openapi_extra=_taking(_GEOJSON, _JSON),
)
async def put_item(
    request: Request,
    settings: Configured,
    layer: LayerName,
    item: ItemKey,
    given: GivenFeature,
    content_crs: ContentCrs = CRS84.uri,
    if_match: IfMatch = None,
) -> Response:
    """Replace a feature: properties that are not sent get their defaults."""
    found = find_layer(layer)
    _check(request, found, _GEOJSON, _JSON)
    async with writing(request) as database:
        editor = _editor(database, found, content_crs, settings)
        key = await editor.replace(item, given, if_match)
        answer = await _sent(request, editor, key, 200)
    return answer


@router.patch(
    "/collections/{layer}/items/{item}",
    response_model=Feature,
    responses={200: {"content": {_GEOJSON: {}}}, **_LOCKED},
    openapi_extra={
        "requestBody": {"content": {_MERGE_PATCH: {"schema": {"$ref": "#/components/schemas/FeatureChange"}}}}
    },
)
async def patch_item(
    request: Request,
    settings: Configured,
    layer: LayerName,
    item: ItemKey,
    change: FeatureChange,
    content_crs: ContentCrs = CRS84.uri,
    if_match: IfMatch = None,
) -> Response:
    """Change parts of a feature (RFC 7396): what is not sent stays, null takes a property away."""
    found = find_layer(layer)
    _check(request, found, _MERGE_PATCH, _GEOJSON, _JSON)
    async with writing(request) as database:
        editor = _editor(database, found, content_crs, settings)
        key = await editor.change(item, change, if_match)
        answer = await _sent(request, editor, key, 200)
    return answer


@router.delete("/collections/{layer}/items/{item}", status_code=204, responses=_LOCKED)
async def delete_item(
    request: Request, settings: Configured, layer: LayerName, item: ItemKey, if_match: IfMatch = None
) -> None:
    """Remove a feature; the audit keeps what it was."""
    found = find_layer(layer)
    _check(request, found)
    async with writing(request) as database:
        await _editor(database, found, CRS84.uri, settings).remove(item, if_match)
