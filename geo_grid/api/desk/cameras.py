"""POST /cameras/{gb28181_id}/openings: who opens which camera, why, for which incident. No video passes here."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.access.audit import open_camera
from geo_grid.api.server.asking import writing
from geo_grid.api.server.problems import PROBLEM_RESPONSES, Problem
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.errors import NotFound

router = APIRouter(tags=["cameras"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class Opening(BaseModel):
    """Why a camera is opened."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=2, max_length=500)
    incident_id: int | None = Field(None, ge=1, le=2**63 - 1)


class AccessRecord(BaseModel):
    """调阅登记: the row of the audit."""

    audit_id: int


@router.post("/cameras/{gb28181_id}/openings", status_code=201, responses={404: {"model": Problem}})
async def post_opening(
    request: Request,
    gb28181_id: Annotated[str, Path(pattern=r"^([0-9]{20}|LOCAL-[0-9A-Za-z._-]{1,26})$")],
    opening: Opening,
) -> AccessRecord:
    """Register that a camera is opened, before the video platform is asked for its picture."""
    async with writing(request) as database:
        number = await open_camera(database, gb28181_id, opening.reason, opening.incident_id)
    if number is None:
        message = f"there is no camera {gb28181_id}"
        raise NotFound(message)
    return AccessRecord(audit_id=number)
