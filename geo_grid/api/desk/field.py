"""Work in the field: rounds and visits, their norm, open matters, volunteer teams, joint meetings."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from geo_grid import coordinates, field
from geo_grid.access.accounts import LoginName
from geo_grid.access.audit import record_export
from geo_grid.api.server.asking import account_of, identity_of, reading, reading_much, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import AtMost, Configured, Located, in_city, known_crs
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.budgets import BULK
from geo_grid.layers.layer import LocalCode

router = APIRouter(tags=["field"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=150)]
Name = Annotated[LoginName, Path(max_length=64)]
_CSV = {"schema": {"type": "string", "format": "binary"}}


class Visits(BaseModel):
    """A page of visits, newest first."""

    visits: list[field.Visit]
    next: str | None


class Workers(BaseModel):
    """Accounts that are persons of the duty roster."""

    workers: list[field.Worker]


class Teams(BaseModel):
    """Volunteer teams, nearest first."""

    teams: list[field.Team]


class Meetings(BaseModel):
    """A page of joint meetings, newest first."""

    meetings: list[field.Meeting]
    next: str | None


@router.get("/field/rounds")
async def get_rounds(request: Request, settings: Configured) -> field.Rounds:
    """Read what a grid worker needs on the way: their compounds, this week's visits, their open matters."""
    async with reading(request) as database:
        return await field.rounds(database, in_city(request, None).date(), settings.timezone)


@router.post(
    "/field/visits",
    status_code=201,
    responses={
        200: {"model": field.Visit, "description": "The same Idempotency-Key was sent before; the visit it made"},
        409: PROBLEM | {"description": "The key was used for another visit, or the account is nobody on the roster"},
    },
)
async def post_visit(
    request: Request, new: field.NewVisit, response: Response, idempotency_key: Key = None
) -> field.Visit:
    """Record a visit, where the phone is, else in the compound that was chosen; repeating with the same key is safe."""
    await known_crs(request, new.source_crs)
    async with writing(request) as database:
        visit, is_new = await field.record_visit(database, new, idempotency_key)
    response.status_code = 201 if is_new else 200
    return visit


@router.get("/field/visits")
async def get_visits(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    within: Annotated[str | None, Query(max_length=32, description="only in this cell, and below it")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this visit_id")] = None,
) -> Visits:
    """List visits, newest first; `next` leads to older ones."""
    async with reading(request) as database:
        page = await field.newest_visits(database, limit, before, within)
    return Visits(visits=page, next=here(request, before=page[-1].visit_id) if len(page) == limit else None)


class AskedNorms(field.NormsQuestion):
    """A question, and the form of its answer."""

    f: Literal["json", "csv"] = Field("json", description="csv needs the right `export`")


@router.get("/field/norms", response_model=field.Norms, responses={200: {"content": {"text/csv": _CSV}}})
async def get_norms(request: Request, settings: Configured, question: Annotated[AskedNorms, Query()]) -> Response:
    """Say which grid managers kept the norm of visits in whole weeks, by worker or by cell, and what that means."""
    if question.f == "csv" and "export" not in identity_of(request).rights:
        await refuse(request, "export")
    today = in_city(request, None).date()
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        answer = await field.norms(database, question, today, settings.timezone)
    if question.f == "json":
        return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
    async with writing(request) as database:  # no file leaves that is not written down
        await record_export(database, "field_norms", "csv", len(answer.rows), None)
    headers = {"Content-Disposition": 'attachment; filename="norms.csv"'}
    return Response(field.norms_as_csv(answer), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/field/workers")
async def get_workers(request: Request) -> Workers:
    """List which accounts are which persons of the duty roster."""
    async with reading(request) as database:
        return Workers(workers=await field.workers(database))


@router.put("/field/workers/{name}", responses={404: PROBLEM, 409: PROBLEM})
async def put_worker(request: Request, name: Name, person: field.WorkerPerson) -> field.Worker:
    """Say which person of the duty roster an account is: its compounds and matters are that person's."""
    async with writing(request) as database:
        return await field.name_worker(database, name, person)


@router.get("/incidents/reminders")
async def get_reminders(request: Request) -> field.Reminders:
    """List one's open matters, the most urgent first: overdue, due soon, and what waits to be acknowledged."""
    async with reading(request) as database:
        return await field.reminders(database)


@router.get("/volunteers/teams", responses={404: PROBLEM})
async def get_teams(
    request: Request,
    lon: Annotated[float | None, Query(description="longitude in degrees, or easting")] = None,
    lat: Annotated[float | None, Query(description="latitude in degrees, or northing")] = None,
    source_crs: Annotated[str, Query(max_length=200, description="EPSG code, GCJ-02 or BD-09")] = "EPSG:4490",
    incident: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="from its place instead")] = None,
    skill: Annotated[list[field.Skill], Query(max_length=10, description="teams that have all of these")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 20,
) -> Teams:
    """List volunteer teams by their distance from a place or an incident, with telephone, people and skills."""
    await known_crs(request, source_crs)
    place = None if lon is None or lat is None else coordinates.to_lonlat(lon, lat, source_crs)
    async with reading(request) as database:
        return Teams(teams=await field.nearest_teams(database, place, incident, skill, limit))


@router.put("/volunteers/teams/{facility_code}", responses={404: PROBLEM, 409: PROBLEM})
async def put_team(
    request: Request,
    facility_code: Annotated[LocalCode, Path(min_length=1, max_length=32)],
    given: field.TeamSkills,
) -> field.Team:
    """Say what the team of a facility of the kind volunteer_team can do."""
    async with writing(request) as database:
        return await field.describe_team(database, facility_code, given)


@router.get("/meetings")
async def get_meetings(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this meeting_id")] = None,
) -> Meetings:
    """List joint meetings, newest first; `next` leads to older ones."""
    async with reading(request) as database:
        page = await field.meetings(database, limit, before)
    return Meetings(meetings=page, next=here(request, before=page[-1].meeting_id) if len(page) == limit else None)


@router.post(
    "/meetings",
    status_code=201,
    responses={
        200: {"model": field.Meeting, "description": "The same Idempotency-Key was sent before; the meeting it made"},
        409: PROBLEM | {"description": "The Idempotency-Key was used for different content"},
    },
)
async def post_meeting(
    request: Request, new: field.NewMeeting, response: Response, locations: Located, idempotency_key: Key = None
) -> field.Meeting:
    """Record a joint meeting: each resolution is filed as an incident, all of them or none."""
    for name in {one.source_crs for one in new.resolutions}:
        await known_crs(request, name)
    seen = identity_of(request).seen
    for one in new.resolutions:  # before the transaction, which has a connection already
        place = coordinates.to_lonlat(one.lon, one.lat, one.source_crs)
        await locations.refuse_swapped(lambda: reading(request), seen, *place)
    async with writing(request) as database:
        meeting, is_new = await field.hold(database, new, idempotency_key)
    response.status_code = 201 if is_new else 200
    return meeting


@router.get("/meetings/{meeting_id}", responses={404: PROBLEM})
async def get_meeting(request: Request, meeting_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> field.Meeting:
    """Read one joint meeting with its resolutions."""
    async with reading(request) as database:
        return await field.get_meeting(database, meeting_id)
