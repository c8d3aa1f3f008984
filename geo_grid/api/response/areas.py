"""Areas that are reached from a place on roads, or from which it is reached; and unions of the circles of several posts."""

from collections.abc import Sequence
from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from geo_grid.api.ogc.features import read_boxes
from geo_grid.api.ogc.geojson import ShiftableFeatures, answer_of, datum_of
from geo_grid.api.server.asking import account_of, apart, reading, viewing
from geo_grid.api.server.parameters import CIRCLES_KNOWN, AnswerCrs, At, Lat, Lon, SourceCrs, in_city, moment_of, place
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import MAPS, ROADS, SOLVING
from geo_grid.layers.boxes import Box, cut_to
from geo_grid.layers.geojson import Feature, as_geojson, feature_text
from geo_grid.layers.published import CRS84
from geo_grid.layers.response_circles import Why
from geo_grid.locate.lookup import circles_known
from geo_grid.response import closures_around
from geo_grid.response.unions import Joining, Union, UnionGrouping, join_apart, within

router = APIRouter(tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class AreaProperties(BaseModel):
    """Properties of a reached area."""

    tier_minutes: Literal[1, 3, 5]
    direction: Literal["outbound", "inbound"]
    method: str = Field(
        description="valhalla: on roads; geodesic_estimate: a straight line, a speed and a detour factor"
    )
    travel_s: int
    on_foot_m: float = Field(description="metres of the way on foot: the nearest road is so far off")
    estimated_because: Why | None = Field(None, description="why it is an estimate; null: it is none")


@router.get("/response/areas")
async def get_areas(
    request: Request,
    lon: Lon,
    lat: Lat,
    source_crs: SourceCrs = "EPSG:4490",
    direction: Annotated[
        Literal["outbound", "inbound"], Query(description="from the place, or to it, such as to an incident")
    ] = "inbound",
    crs: AnswerCrs = "EPSG:4490",
) -> ShiftableFeatures[AreaProperties]:
    """Draw what a car reaches from a place within 1, 3 and 5 minutes, or from where one reaches it, now; the largest first."""
    here = await place(request, lon, lat, source_crs)
    upkeep = server_of(request).upkeep
    now = in_city(request, None)
    async with reading(request) as database:
        closures = await closures_around(database, (here.lon, here.lat))
    ride = upkeep.travel.ride("car", now, closures)
    limits = (60, 180, 300)
    found = await ROADS.run(
        account_of(request), upkeep.router.areas, (here.lon, here.lat), limits, ride, direction == "inbound"
    )
    shift, uri = datum_of(crs)
    features = [
        Feature[AreaProperties](
            geometry=as_geojson(shape, shift=shift),
            properties=AreaProperties.model_validate(
                {
                    "tier_minutes": limit // 60,
                    "direction": direction,
                    "method": found.method,
                    "travel_s": limit,
                    "on_foot_m": round(found.on_foot_m),
                    "estimated_because": found.why,
                }
            ),
        )
        for limit, shape in reversed(list(zip(limits, found.shapes, strict=True)))
    ]
    return ShiftableFeatures[AreaProperties](features=features, coord_ref_sys=uri)


class UnionProperties(BaseModel):
    """Properties of a union of circles."""

    code: str = Field(description="zone_code or responsible_unit; empty for the city")
    name: str
    tier_minutes: Literal[1, 3, 5]
    posts: int
    method: str = Field(description="geodesic_estimate when one of the circles is")
    estimated_because: Why | None = Field(description="why the first of these is; null: none is, or it is not known")


class Unions(ShiftableFeatures[UnionProperties]):
    """Circles joined, the longest tier first."""

    response_known: bool = Field(description=CIRCLES_KNOWN)


@router.get("/response/unions", response_model=Unions)
async def get_unions(
    request: Request,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees: cut there")],
    by: Annotated[UnionGrouping, Query()] = "zone",
    at: At = None,
    zoom: Annotated[
        int | None, Query(ge=0, le=24, description="of a map: shapes are generalised for it, none: they are exact")
    ] = None,
    crs: AnswerCrs = "EPSG:4490",
) -> Response:
    """Return the unions of the circles of posts by zone, by unit or for the city, of the posts on duty at the moment.

    The longest tier first. For a past time the answer is empty, since past circles are not stored.
    """
    server, boxes = server_of(request), read_boxes(bbox, CRS84)
    moment, (shift, uri) = in_city(request, at), datum_of(crs)
    async with viewing(request) as database:
        if not await circles_known(database, moment_of(request, at)):
            return answer_of(Unions(features=[], response_known=False, coord_ref_sys=uri), ())
        asked = await server.unions.read(database, by, moment, zoom)

    async def join(asked: Joining) -> list[Union]:
        return await apart(request, SOLVING, join_apart, asked.posts, asked.by, asked.zoom)

    joined = await server.unions.joined(asked, join)
    features = await MAPS.run(account_of(request), _cut, joined, asked.area, boxes, shift)
    return answer_of(Unions(features=[], response_known=True, coord_ref_sys=uri), features)


def _cut(unions: list[Union], area: bytes | None, boxes: Sequence[Box], shift: str) -> list[str]:
    features = []
    for one in within(unions, area):
        for box in boxes:
            shape = cut_to(one.shape, box)
            if not shapely.is_empty(shape):
                features.append(feature_text(shape, UnionProperties.model_validate(one._asdict()), shift))
    return features
