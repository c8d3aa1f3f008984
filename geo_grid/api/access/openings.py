"""Routes of the auditor about cameras: who may see one, who saw it, which openings are worth a look. Each look is recorded."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from geo_grid.api.server.asking import writing
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.feeds.watched import PastOpening, UnusualOpening, Usual, Viewer, openings, unusual_openings, viewers
from geo_grid.moments import Moment

router = APIRouter(tags=["audit"], responses=PROBLEM_RESPONSES | {404: PROBLEM}, route_class=GuardedRoute)

CameraId = Annotated[str, Path(pattern=r"^([0-9]{20}|LOCAL-[0-9A-Za-z._-]{1,26})$")]
Limit = Annotated[int, Query(ge=1), AtMost(1000)]
Before = Annotated[int | None, Query(ge=1, le=2**62, description="continue before this audit_id")]
_LATELY = timedelta(days=30)


class Viewers(BaseModel):
    """Accounts that may open a camera now, by name."""

    viewers: list[Viewer]


class PastOpenings(BaseModel):
    """Openings of a camera, newest first; `next` leads to older ones."""

    openings: list[PastOpening]
    next: int | None


class UnusualOpenings(BaseModel):
    """Openings that are worth a look, newest first; `next` leads to older ones."""

    openings: list[UnusualOpening]
    next: int | None


@router.get("/cameras/{gb28181_id}/viewers")
async def get_viewers(request: Request, gb28181_id: CameraId) -> Viewers:
    """Say who may see a camera. The question is recorded."""
    async with writing(request) as database:
        return Viewers(viewers=await viewers(database, gb28181_id))


@router.get("/cameras/{gb28181_id}/openings")
async def get_openings(
    request: Request, gb28181_id: CameraId, limit: Limit = 100, before: Before = None
) -> PastOpenings:
    """Say who saw a camera: when, why, for which incident, how long. The question is recorded."""
    async with writing(request) as database:
        found = await openings(database, gb28181_id, limit, before)
    return PastOpenings(openings=found, next=found[-1].audit_id if len(found) == limit else None)


@router.get("/audit/openings")
async def get_unusual_openings(
    request: Request,
    settings: Configured,
    since: Annotated[Moment | None, Query(description="of the last 30 days if nothing is said")] = None,
    limit: Limit = 100,
    before: Before = None,
) -> UnusualOpenings:
    """Name openings of cameras without an incident, outside usual hours, or of many cameras. The question is recorded."""
    usual = Usual(settings.timezone, settings.usual_hours, settings.feed_many_cameras)
    async with writing(request) as database:
        found = await unusual_openings(database, usual, since or datetime.now(UTC) - _LATELY, limit, before)
    return UnusualOpenings(openings=found, next=found[-1].audit_id if len(found) == limit else None)
