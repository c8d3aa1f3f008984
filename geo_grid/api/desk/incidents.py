"""POST and GET /incidents."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel

from geo_grid.api.server.asking import file_incident, identity_of, reading, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import AtMost, Located, known_crs
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.workflow import (
    AnyAction,
    Counts,
    Course,
    Duplicate,
    Incident,
    NewIncident,
    counts,
    course_of,
    duplicates_of,
    get,
    newest,
    report,
    take_step,
)

router = APIRouter(tags=["incidents"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


IncidentId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Incidents(BaseModel):
    """A page of incidents, newest first."""

    incidents: list[Incident]
    next: str | None


@router.post(
    "/incidents",
    status_code=201,
    responses={
        200: {
            "model": Incident,
            "description": "The same Idempotency-Key was sent before; the incident it made",
        },
        409: PROBLEM | {"description": "The Idempotency-Key was used for different content"},
    },
)
async def post_incident(
    request: Request,
    new: NewIncident,
    response: Response,
    locations: Located,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Incident:
    """Store an incident. 201 means that it is committed, with its owner; repeating with the same key is safe."""
    await known_crs(request, new.source_crs)
    seen = identity_of(request).seen

    async def check(lon: float, lat: float) -> None:
        await locations.refuse_swapped(lambda: reading(request), seen, lon, lat)

    incident, created = await report(partial(file_incident, request), new, idempotency_key, check)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/incidents/{incident.incident_id}"
    return incident


@router.get("/incidents")
async def list_incidents(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    open: Annotated[bool, Query(description="only incidents that are not closed")] = False,
    unassigned: Annotated[bool | None, Query(description="only those no grid cell covers, or only the others")] = None,
    mine: Annotated[bool, Query(description="only those you handle: with open, what you have in hand")] = False,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this incident_id")] = None,
) -> Incidents:
    """List incidents, newest first; `next` leads to older ones."""
    async with reading(request) as database:
        page = await newest(database, limit, open, unassigned, before, mine)
    return Incidents(incidents=page, next=here(request, before=page[-1].incident_id) if len(page) == limit else None)


@router.get("/incidents/counts")
async def get_counts(request: Request) -> Counts:
    """Count open incidents: all, those that nobody was sent to, those under way, those overdue."""
    async with reading(request) as database:
        return await counts(database)


@router.get("/incidents/{incident_id}", responses={404: PROBLEM})
async def get_incident(request: Request, incident_id: IncidentId) -> Incident:
    """Read one incident."""
    async with reading(request) as database:
        return await get(database, incident_id)


@router.post(
    "/incidents/{incident_id}/steps",
    status_code=201,
    responses={
        404: PROBLEM,
        409: PROBLEM | {"description": "It cannot be done at this stage"},
        412: PROBLEM | {"description": "Others took steps that were not seen"},
    },
)
async def post_step(request: Request, incident_id: IncidentId, action: AnyAction) -> Incident:
    """Do something to an incident: accept, assign, depart, arrive, handle, return, suspend, verify, close, evaluate ..."""
    identity = identity_of(request)
    if action.right not in identity.rights:
        await refuse(request, action.right)
    async with writing(request) as database:
        return await take_step(database, incident_id, action, identity.principal_id)


@router.get("/incidents/{incident_id}/steps", responses={404: PROBLEM})
async def get_steps(request: Request, incident_id: IncidentId) -> Course:
    """List the stages of its loop, and what was done to it."""
    async with reading(request) as database:
        return await course_of(database, incident_id, identity_of(request).rights)


class Duplicates(BaseModel):
    """Incidents that may be reports of the same, the likeliest first."""

    duplicates: list[Duplicate]


@router.get("/incidents/{incident_id}/duplicates", responses={404: PROBLEM})
async def get_duplicates(request: Request, incident_id: IncidentId) -> Duplicates:
    """Propose other open incidents that may be reports of the same; POST the step merge to say so."""
    async with reading(request) as database:
        return Duplicates(duplicates=await duplicates_of(database, incident_id))
