"""OGC API Tiles: the layers as Mapbox vector tiles of WebMercatorQuad."""

import math
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.ogc.features import Answer, LayerName
from geo_grid.api.ogc.narrowing import Only, refuse_needless
from geo_grid.api.server.asking import identity_of, read_once
from geo_grid.api.server.links import Link, base_url
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.api.server.tile_cache import Tile
from geo_grid.errors import InvalidQuery, NotFound
from geo_grid.layers import Layer, find_layer
from geo_grid.layers.items import Narrowing, tile_statement, tile_values
from geo_grid.locate import saved_name

router = APIRouter(tags=["tiles"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

_MVT = "application/vnd.mapbox-vector-tile"
_SCHEME = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
_ZOOMS = 23
_WORLD_M, _TILE_PIXELS, _PIXEL_M = 2 * math.pi * 6378137.0, 256, 0.00028
"""Width of the world in EPSG:3857, in metres; pixels of a tile; and the size of a pixel in metres that scale denominators are
defined by (OGC 17-083r4, 6.1)."""
Zoom = Annotated[int, Path(ge=0, le=22, description="tile matrix: zoom")]
Row = Annotated[int, Path(ge=0, lt=2**22, description="row from the north")]
Column = Annotated[int, Path(ge=0, lt=2**22, description="column from the west")]

Edition = Annotated[
    int | None, Query(ge=1, description="of boundaries: the tile may be kept for ever, and is refused later")
]
_LIVE_S = 2
"""Seconds that a client may cache a tile of a layer that writes no changes, or has columns which change without one."""

_TILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Mapbox vector tile with a layer of each collection's name",
          "content": {_MVT: {"schema": {"type": "string", "format": "binary"}}}},
    204: {"description": "There is nothing in this tile"},
    404: PROBLEM | {"description": "No such layer, or no such tile"},
}  # fmt: skip


_NOTHING = Tile(b"")


class TileSet(Answer):
    """Tiles of a layer (OGC 17-083r4)."""

    model_config = ConfigDict(populate_by_name=True)

    title: str
    data_type: Literal["vector"] = Field("vector", alias="dataType")
    crs: str = "http://www.opengis.net/def/crs/EPSG/0/3857"
    scheme: str = Field(_SCHEME, alias="tileMatrixSetURI")


class TileSets(Answer):
    """The tile sets of a layer."""

    tilesets: list[TileSet]


class TileJson(BaseModel):
    """TileJSON 3.0."""

    tilejson: Literal["3.0.0"] = "3.0.0"
    name: str
    tiles: list[str]
    minzoom: int
    maxzoom: int = _ZOOMS - 1
    vector_layers: list[dict[str, Any]]


class TileMatrix(BaseModel):
    """One zoom of a tile matrix set."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    scale_denominator: float = Field(alias="scaleDenominator")
    cell_size: float = Field(alias="cellSize")
    point_of_origin: list[float] = Field(alias="pointOfOrigin")
    tile_width: int = Field(256, alias="tileWidth")
    tile_height: int = Field(256, alias="tileHeight")
    matrix_width: int = Field(alias="matrixWidth")
    matrix_height: int = Field(alias="matrixHeight")


class TileMatrixSet(BaseModel):
    """How the plane is divided into tiles (OGC 17-083r4)."""

    model_config = ConfigDict(populate_by_name=True)

    id: Literal["WebMercatorQuad"] = "WebMercatorQuad"
    title: str = "Google Maps compatible, EPSG:3857"
    uri: str = _SCHEME
    crs: str = "http://www.opengis.net/def/crs/EPSG/0/3857"
    ordered_axes: list[str] = Field(["E", "N"], alias="orderedAxes")
    well_known_scale_set: str = Field(
        "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible", alias="wellKnownScaleSet"
    )
    tile_matrices: list[TileMatrix] = Field(alias="tileMatrices")


class TileMatrixSets(BaseModel):
    """The tile matrix sets there are."""

    model_config = ConfigDict(populate_by_name=True)

    tile_matrix_sets: list[dict[str, Any]] = Field(alias="tileMatrixSets")


@router.get("/tileMatrixSets")
async def list_tile_matrix_sets(request: Request) -> TileMatrixSets:
    """List the ways the plane is divided into tiles: there is one."""
    link = Link(href=f"{base_url(request)}/tileMatrixSets/WebMercatorQuad", rel="self", type="application/json")
    known = {"id": "WebMercatorQuad", "uri": _SCHEME, "links": [link.model_dump(exclude_none=True)]}
    return TileMatrixSets(tile_matrix_sets=[known])


@router.get("/tileMatrixSets/WebMercatorQuad")
async def get_tile_matrix_set() -> TileMatrixSet:
    """Describe how the plane is divided into tiles."""
    matrices = [
        TileMatrix(
            id=str(zoom),
            cell_size=(cell := _WORLD_M / _TILE_PIXELS / 2**zoom),
            scale_denominator=cell / _PIXEL_M,
            point_of_origin=[-_WORLD_M / 2, _WORLD_M / 2],
            matrix_width=2**zoom,
            matrix_height=2**zoom,
        )
        for zoom in range(_ZOOMS)
    ]
    return TileMatrixSet(tile_matrices=matrices)


@router.get("/collections/{layer}/tiles", response_model_exclude_none=True, responses={404: PROBLEM})
async def list_tilesets(request: Request, layer: LayerName) -> TileSets:
    """List the tile sets of a layer: there is one."""
    find_layer(layer)
    address = f"{base_url(request)}/collections/{layer}/tiles"
    return TileSets(
        links=[Link(href=address, rel="self", type="application/json")], tilesets=[_tileset(request, layer)]
    )


@router.get("/collections/{layer}/tiles/WebMercatorQuad", response_model_exclude_none=True, responses={404: PROBLEM})
async def get_tileset(request: Request, layer: LayerName) -> TileSet:
    """Describe the tiles of a layer."""
    find_layer(layer)
    return _tileset(request, layer)


@router.get("/collections/{layer}/tiles/WebMercatorQuad/tilejson.json", responses={404: PROBLEM})
async def get_tilejson(request: Request, layer: LayerName) -> TileJson:
    """Describe the tiles of a layer for map programs."""
    found = find_layer(layer)
    kinds = {"bigint": "Number", "double precision": "Number", "boolean": "Boolean"}
    fields = {name: kinds.get(kind, "String") for name, kind in found.queryables.items()}
    edition = _edition(request) if found.is_boundary else None
    kept = f"?edition={edition}" if edition else ""
    return TileJson(
        name=found.title_en,
        tiles=[f"{base_url(request)}/collections/{layer}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}{kept}"],
        minzoom=found.min_zoom,
        vector_layers=[{"id": name, "fields": fields} for name in (layer, *found.drawn_beside)],
    )


@router.get(
    "/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}", response_class=Response, responses=_TILE_RESPONSES
)
async def get_tile(
    request: Request,
    layer: LayerName,
    z: Zoom,
    y: Row,
    x: Column,
    only: Only,
    edition: Edition = None,
) -> Response:
    """Return a vector tile with the features of a layer that the principal may see."""
    layers = [find_layer(layer)]
    return await _answer(request, layers, z, y, x, only, edition)


@router.get("/tiles/WebMercatorQuad/{z}/{y}/{x}", response_class=Response, responses=_TILE_RESPONSES)
async def get_combined_tile(
    request: Request,
    z: Zoom,
    y: Row,
    x: Column,
    collections: Annotated[str, Query(min_length=1, max_length=500, description="names of layers, with commas")],
    only: Only,
    edition: Edition = None,
) -> Response:
    """Return a vector tile with several layers, read in one snapshot."""
    layers = [find_layer(name) for name in dict.fromkeys(collections.split(","))]
    return await _answer(request, layers, z, y, x, only, edition)


async def _answer(
    request: Request, layers: list[Layer], z: int, y: int, x: int, only: Narrowing, edition: int | None
) -> Response:
    refuse_needless(layers, only)
    drawn = await _draw(request, layers, z, y, x, only)
    return _send(request, drawn, _keeping(request, layers, edition))


def _keeping(request: Request, layers: list[Layer], edition: int | None) -> str:
    """Return the Cache-Control of a tile for its client; raises NotFound for an edition that is not in force."""
    if edition is None:
        # clients must revalidate each time, since rights or the edition may have changed; unchanged tiles get 304
        is_told = all(layer.drawn_from and not layer.passing for layer in layers)
        return "private, no-cache" if is_told else f"private, max-age={_LIVE_S}"
    if edition != _edition(request):
        message = f"edition {edition} is not in force now: read the TileJSON again, which names the one that is"
        raise NotFound(message)
    if not all(layer.is_boundary for layer in layers):
        message = "edition is for boundaries only: grid_cells and patrol_zones"
        raise InvalidQuery(message)
    return "private, max-age=31536000, immutable"


def _edition(request: Request) -> int | None:
    current = server_of(request).locations.snapshot()
    return current.state.edition if current else None


async def _draw(request: Request, layers: list[Layer], z: int, y: int, x: int, narrowing: Narrowing) -> Tile:
    """Draw the layers that are not cached, in one transaction. Layers of a tile can be concatenated (MVT 2.1)."""
    if max(x, y) >= 2**z:
        message = f"zoom {z} has columns and rows 0 to {2**z - 1}"
        raise NotFound(message)
    server, identity = server_of(request), identity_of(request)
    cache = server.tiles
    current = server.locations.snapshot()
    edition = saved_name(current.state.edition, current.state.published_at) if current else ""
    keys = {layer: cache.key(identity, edition, layer, (z, y, x), narrowing) if current else None for layer in layers}
    made = {layer.name: found for layer, key in keys.items() if (found := cache.find(key, layer))}
    made |= {layer.name: _NOTHING for layer in layers if z < layer.min_zoom}
    missing = [layer for layer in layers if layer.name not in made]
    if missing:
        drawn = await read_once(
            request, tile_statement(*missing), tile_values(z, x, y, missing, narrowing), is_heavy=True
        )
        for layer in missing:
            made[layer.name] = Tile(bytes(drawn[layer.name]))
            cache.keep(keys[layer], layer, made[layer.name])
    if len(layers) == 1:
        return made[layers[0].name]
    return Tile(b"".join(made[layer.name].plain for layer in layers))


def _send(request: Request, made: Tile, keeping: str) -> Response:
    headers = {
        "Cache-Control": keeping,
        "Vary": "Cookie, Authorization, Accept-Encoding",
        "ETag": made.etag,
    }
    if made.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not made.plain:
        return Response(status_code=204, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", "") and made.packed:
        return Response(made.packed, media_type=_MVT, headers={**headers, "Content-Encoding": "gzip"})
    return Response(made.plain, media_type=_MVT, headers=headers)


def _tileset(request: Request, layer: str) -> TileSet:
    address = f"{base_url(request)}/collections/{layer}/tiles/WebMercatorQuad"
    links = [
        Link(href=address, rel="self", type="application/json"),
        Link(href=f"{address}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", rel="item", type=_MVT, templated=True),
        Link(href=f"{address}/tilejson.json", rel="describedby", type="application/json", title="TileJSON"),
        Link(
            href=f"{base_url(request)}/tileMatrixSets/WebMercatorQuad",
            rel="http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
            type="application/json",
        ),
    ]
    return TileSet(title=find_layer(layer).title_en, links=links)
