"""OGC API Styles: the map's style as MapLibre styles and as Styled Layer Descriptors."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from geo_grid.api.ogc.features import Answer, LayerName
from geo_grid.api.server.links import Link, base_url, self_links
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.layers import REGISTRY, find_layer
from geo_grid.maps import LOOKS, maplibre_style, sld

router = APIRouter(tags=["styles"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

_MAPLIBRE, _SLD = "application/vnd.mapbox.style+json", "application/vnd.ogc.sld+xml;version=1.0"
Theme = Annotated[Literal["dark", "light"], Path(description="for a dark room, or a bright one")]


class Style(Answer):
    """One style and the forms it comes in."""

    id: str
    title: str


class Styles(Answer):
    """The styles there are."""

    styles: list[Style]


@router.get("/styles", response_model_exclude_none=True)
async def list_styles(request: Request) -> Styles:
    """List the styles of the whole map."""
    found = [
        Style(
            id=theme,
            title=f"geo_grid {theme}",
            links=[
                Link(href=f"{base_url(request)}/styles/{theme}?f={form}", rel="stylesheet", type=media)
                for form, media in (("mapbox", _MAPLIBRE), ("sld", _SLD))
            ],
        )
        for theme in LOOKS
    ]
    return Styles(styles=found, links=self_links(request, forms={"json": "application/json"}))


@router.get(
    "/styles/{style}",
    response_class=Response,
    responses={
        200: {
            "content": {
                _MAPLIBRE: {"schema": {"type": "object"}},
                _SLD.partition(";")[0]: {"schema": {"type": "string"}},
            }
        },
        404: PROBLEM,
    },
)
async def get_style(
    request: Request,
    style: Theme,
    f: Annotated[Literal["mapbox", "sld"], Query(description="form of the style")] = "mapbox",
) -> Response:
    """Return the style of the whole map: a MapLibre style with tiles of this server, or one descriptor of all layers."""
    if f == "sld":
        return Response(sld(REGISTRY.values(), style), media_type=_SLD)
    return JSONResponse(maplibre_style(style, base_url(request)), media_type=_MAPLIBRE)


@router.get(
    "/collections/{layer}/styles/{style}",
    response_class=Response,
    responses={
        200: {"content": {_SLD.partition(";")[0]: {"schema": {"type": "string"}}}},
        404: PROBLEM,
    },
)
async def get_layer_style(layer: LayerName, style: Theme) -> Response:
    """Return the style of one layer as a Styled Layer Descriptor (in QGIS: layer properties, load style)."""
    headers: dict[str, Any] = {"Content-Disposition": f'attachment; filename="{layer}-{style}.sld"'}
    return Response(sld([find_layer(layer)], style), media_type=_SLD, headers=headers)
