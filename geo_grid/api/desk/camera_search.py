"""Looking for cameras: which there are, by property; and those in a sector, or that see into it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from geo_grid.api.ogc.geojson import ShiftableFeatures, datum_of
from geo_grid.api.ogc.narrowing import Only
from geo_grid.api.server.asking import account_of, reading_much, searching
from geo_grid.api.server.parameters import AnswerCrs, Lat, Lon, SourceCrs, place
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import BULK
from geo_grid.cameras.search import LARGEST_M, Facet, InSector, cameras_in, facets, sector_of

router = APIRouter(prefix="/cameras", tags=["cameras"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class Facets(BaseModel):
    """What cameras there are, by which a map may show only some."""

    facets: list[Facet]


@router.get("/facets")
async def get_facets(request: Request) -> Facets:
    """Count the cameras by owner, network, type and state, the most frequent values first."""
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        return Facets(facets=await facets(database))


class SectorAnswer(ShiftableFeatures[InSector]):
    """Cameras that stand in a sector or see into it."""

    truncated: bool = Field(description="there are more: choose a smaller sector, or narrow it")


@router.get("/sector")
async def get_sector(
    request: Request,
    lon: Lon,
    lat: Lat,
    azimuth_deg: Annotated[float, Query(ge=0, lt=360, description="of its middle, clockwise from north")],
    fov_deg: Annotated[float, Query(gt=0, le=360, description="opening angle; 360: a circle")],
    range_m: Annotated[float, Query(gt=0, le=LARGEST_M)],
    only: Only,
    source_crs: SourceCrs = "EPSG:4490",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    crs: AnswerCrs = "EPSG:4490",
) -> SectorAnswer:
    """List the cameras that stand in a sector or see into it: those that see into it first, then the nearest to its point."""
    here = await place(request, lon, lat, source_crs)
    shift, uri = datum_of(crs)
    sector = sector_of(here.lon, here.lat, azimuth_deg, fov_deg, range_m)
    async with searching(request) as database:
        found = await cameras_in(database, sector, (here.lon, here.lat), limit + 1, only, shift)
    return SectorAnswer(features=found[:limit], truncated=len(found) > limit, coord_ref_sys=uri)
