"""Live coverage by free units, and its holes, for the wall."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Literal

import shapely
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from geo_grid.api.ogc.features import read_boxes
from geo_grid.api.ogc.geojson import ShiftableFeatures, answer_of, datum_of
from geo_grid.api.server.asking import account_of, identity_of, reading
from geo_grid.api.server.parameters import AnswerCrs
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.budgets import MAPS
from geo_grid.layers.boxes import Box, shape_of
from geo_grid.layers.geojson import feature_text
from geo_grid.layers.published import CRS84
from geo_grid.layers.response_circles import Why
from geo_grid.response.live import Hole, LiveGroup, LiveGrouping, Snapshot, units_seen

router = APIRouter(prefix="/response/live", tags=["response"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_MOST_HOLES = 200


class TierMinutes(IntEnum):
    """Minutes of a tier. An enumeration, since a Literal of numbers refuses the text of a query parameter."""

    ONE, THREE, FIVE = 1, 3, 5


Tier = Annotated[TierMinutes, Query(description="minutes that it is about")]


class LiveAnswer(BaseModel):
    """Live coverage."""

    as_of: datetime | None = Field(description="null: it is being worked out for the first time")
    done: int = Field(description="units that you see whose areas have been drawn, of those that moved or became free")
    total: int
    free: int = Field(description="units that you see that can be sent, and were heard of within half an hour")
    silent: int = Field(
        description="further units that could be sent, but were not heard of for half an hour: they may be anywhere, and"
        " nothing counts as reached by them"
    )
    groups: list[LiveGroup]
    holes: list[Hole] = Field(
        description=f"cells that circles promise at least half of, and less is reached; {_MOST_HOLES} with most households"
    )
    holes_in_all: int


@router.get("")
async def get_live(
    request: Request,
    by: Annotated[LiveGrouping, Query()] = "city",
    tier_minutes: Tier = TierMinutes.FIVE,
) -> LiveAnswer:
    """Return the coverage by free units from their positions, compared with that by circles, and the holes by cell.

    It is updated every few seconds while clients ask for it.
    """
    live = server_of(request).live
    snapshot: Snapshot | None = live.read()
    cells, mine, drawing = identity_of(request).seen.only_cells, None, live.drawing
    if cells is not None:
        mine = await _units_seen(request, {*drawing.codes, *((*snapshot.areas, *snapshot.silent) if snapshot else ())})
    progress = drawing.progress(mine)
    if snapshot is None:
        return LiveAnswer(as_of=None, free=0, silent=0, groups=[], holes=[], holes_in_all=0, **progress)
    free, silent = frozenset(snapshot.areas), snapshot.silent
    if mine is not None:
        free, silent = free & mine, silent & mine
    groups, holes = await MAPS.run(
        account_of(request), lambda: (snapshot.groups(by, cells), snapshot.holes(tier_minutes, cells))
    )
    return LiveAnswer(
        as_of=snapshot.as_of, free=len(free), silent=len(silent), groups=groups, holes=holes[:_MOST_HOLES],
        holes_in_all=len(holes), **progress,
    )  # fmt: skip


async def _units_seen(request: Request, unit_codes: Iterable[str]) -> frozenset[str]:
    async with reading(request) as database:
        return await units_seen(database, list(unit_codes))


class LiveProperties(BaseModel):
    """Properties of a unit's area, or of a hole."""

    kind: Literal["reached", "hole"]
    name: str
    code: str
    tier_minutes: int
    method: str | None = None
    estimated_because: Why | None = Field(None, description="why it is an estimate; null: it is none")
    live: float | None = Field(None, description="share of a hole that is reached")


@router.get("/areas", response_model=ShiftableFeatures[LiveProperties])
async def get_live_areas(
    request: Request,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")],
    tier_minutes: Tier = TierMinutes.FIVE,
    crs: AnswerCrs = "EPSG:4490",
) -> Response:
    """Draw what each free unit that reaches into view reaches within the minutes, and the holes; within one's cells."""
    boxes = read_boxes(bbox, CRS84)
    shift, uri = datum_of(crs)
    snapshot = server_of(request).live.read()
    collection = ShiftableFeatures[LiveProperties](features=[], coord_ref_sys=uri)
    if snapshot is None:
        return answer_of(collection, ())
    cells, mine = identity_of(request).seen.only_cells, None
    if cells is not None:
        mine = await _units_seen(request, snapshot.areas)
    features = await MAPS.run(account_of(request), _drawn, snapshot, boxes, tier_minutes, cells, mine, shift)
    return answer_of(collection, features)


def _drawn(
    snapshot: Snapshot,
    boxes: Sequence[Box],
    tier: int,
    cells: frozenset[str] | None,
    mine: frozenset[str] | None,
    shift: str,
) -> list[str]:
    """Return the features in the boxes: of the units in `mine` (None: all), and within `cells` (None: all)."""
    shown, areas = shape_of(boxes), snapshot.areas
    if cells is not None and mine is not None:
        own = snapshot.outline(cells)
        shown = shapely.intersection(shown, own)
        areas = {code: areas[code]._replace(shapes=shapely.intersection(areas[code].shapes, own)) for code in mine}
    found = [
        _feature(
            shape,
            shift,
            kind="reached",
            code=code,
            name=one.name,
            method=one.method,
            estimated_because=one.estimated_because,
            tier_minutes=tier,
        )
        for code, one in areas.items()
        if shapely.intersects(shown, shape := one.shapes[tier // 2])
    ]
    for hole in snapshot.holes(tier, cells):
        shape = snapshot.outline([hole.grid_code])
        if shapely.intersects(shown, shape):
            found.append(
                _feature(
                    shape, shift, kind="hole", code=hole.grid_code, name=hole.name, live=hole.live, tier_minutes=tier
                )
            )
    return found


def _feature(shape: Any, shift: str, **properties: Any) -> str:
    return feature_text(shape, LiveProperties(**properties), shift)
