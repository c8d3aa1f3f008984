"""Mediation: organisations, cases of disputes, figures."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from geo_grid import mediation
from geo_grid.access.audit import record_export
from geo_grid.api.desk.incidents import IncidentId
from geo_grid.api.server.asking import account_of, identity_of, reading, reading_much, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import At, AtMost, Configured, moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.api.server.tables import AS_CSV, Form, as_csv, refuse_export
from geo_grid.budgets import BULK
from geo_grid.defined import Defined
from geo_grid.layers.layer import LocalCode
from geo_grid.mediation import Kind

router = APIRouter(tags=["mediation"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

CaseId = Annotated[int, Path(ge=1, le=2**63 - 1)]
FacilityCode = Annotated[LocalCode, Path(min_length=1, max_length=32)]
OfKind = Annotated[Kind | None, Query(description="only of this kind")]


class Organisations(BaseModel):
    """A page of mediation organisations, by code."""

    organisations: list[mediation.Organisation]
    next: str | None


class Candidates(BaseModel):
    """Organisations that a dispute could go to, the first one first."""

    organisations: list[mediation.Candidate]


class Cases(BaseModel):
    """A page of cases, newest first."""

    cases: list[mediation.Case]
    next: str | None


class Figures(BaseModel):
    """Counts of cases by the keys that were asked for."""

    definitions: list[Defined]
    figures: list[mediation.Figure]


@router.get("/mediation/organisations")
async def list_mediation_organisations(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    kind: OfKind = None,
    level: Annotated[Literal["city", "county", "township", "village"] | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=32, description="continue after this facility_code")] = None,
) -> Organisations:
    """List mediation organisations that serve one's grid cells, or those above them."""
    async with reading(request) as database:
        page = await mediation.list_organisations(database, limit, after, kind, level)
    more = here(request, after=page[-1].facility_code) if len(page) == limit else None
    return Organisations(organisations=page, next=more)


@router.put("/mediation/organisations/{facility_code}", responses={404: PROBLEM, 409: PROBLEM})
async def put_organisation(
    request: Request, facility_code: FacilityCode, given: mediation.Description
) -> mediation.Organisation:
    """Say what a facility of the kind mediation_organisation has besides its place: kind, cell, room, studio, mediators."""
    async with writing(request) as database:
        return await mediation.describe(database, facility_code, given)


@router.get("/incidents/{incident_id}/mediation/organisations", responses={404: PROBLEM})
async def list_candidates(request: Request, incident_id: IncidentId, kind: OfKind = None) -> Candidates:
    """List the suitable organisations for a dispute: the lowest level first, and of one level the nearest."""
    async with reading(request) as database:
        return Candidates(organisations=await mediation.candidates_for(database, incident_id, kind))


@router.post(
    "/incidents/{incident_id}/mediation",
    status_code=201,
    responses={404: PROBLEM, 409: PROBLEM | {"description": "It cannot be taken, or was taken"}},
)
async def take_dispute(request: Request, incident_id: IncidentId, new: mediation.NewCase) -> mediation.Case:
    """Take a dispute into mediation: it goes to the nearest suitable organisation of its cell chain."""
    async with writing(request) as database:
        return await mediation.take(database, incident_id, new, identity_of(request).principal_id)


@router.get("/mediation/cases")
async def list_cases(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    open: Annotated[bool, Query(description="only cases that have not ended")] = False,
    kind: OfKind = None,
    incident: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="only the one of this incident")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this case_id")] = None,
) -> Cases:
    """List cases, newest first; `next` leads to older ones."""
    async with reading(request) as database:
        page = await mediation.newest_cases(database, limit, open, kind, before, incident)
    return Cases(cases=page, next=here(request, before=page[-1].case_id) if len(page) == limit else None)


@router.get(
    "/mediation/cases/export",
    response_class=StreamingResponse,
    responses={200: {"description": "CSV, newest first", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_cases(
    request: Request,
    settings: Configured,
    parties: Annotated[bool, Query(description="with roles and initials; needs the right incidents.text")] = False,
) -> StreamingResponse:
    """Export the cases one may see, without their parties unless asked for; the export is recorded in the audit."""
    if parties and "incidents.text" not in identity_of(request).rights:
        await refuse(request, "incidents.text")
    rows = 0
    with LongAnswer.begun(request, settings) as answer:
        async with BULK.turn(account_of(request)), reading_much(request) as database:
            async for part, count in mediation.cases_as_csv(database, parties):
                await answer.write(part)
                rows += count
        async with writing(request) as database:  # no file leaves that is not written down
            await record_export(database, "mediation_cases", "csv with parties" if parties else "csv", rows, None)
    headers = {"Content-Disposition": 'attachment; filename="mediation_cases.csv"'}
    return answer.sent("text/csv; charset=utf-8", headers)


@router.get("/mediation/cases/{case_id}", responses={404: PROBLEM})
async def get_case(request: Request, case_id: CaseId) -> mediation.CaseCourse:
    """Read one case, and, with the right incidents.text, what was done in it and its parties."""
    async with reading(request) as database:
        return await mediation.course(database, case_id)


@router.post(
    "/mediation/cases/{case_id}/steps",
    status_code=201,
    responses={
        404: PROBLEM,
        409: PROBLEM | {"description": "It cannot be done now"},
        412: PROBLEM | {"description": "Others took steps that were not seen"},
    },
)
async def post_case_step(request: Request, case_id: CaseId, action: mediation.AnyCaseAction) -> mediation.Case:
    """Do something in a case: hand_on, settle, not_settled, withdraw, reopen."""
    async with writing(request) as database:
        return await mediation.act(database, case_id, action, identity_of(request).principal_id)


@router.get("/mediation/figures", response_model=Figures, responses=AS_CSV)
async def get_figures(
    request: Request,
    settings: Configured,
    by: Annotated[
        list[mediation.FigureKey], Query(max_length=5, description="keys to count by; none: one row of all")
    ] = [],  # noqa: B006
    since: At = None,
    until: At = None,
    level: Annotated[int, Query(ge=1, le=9, description="level of the cells, when by cell")] = 1,
    within: Annotated[str | None, Query(max_length=32, description="only in this cell, and below it")] = None,
    f: Form = "json",
) -> object:
    """Count the cases taken in a period (until: exclusive), how they ended, and the share that was settled."""
    await refuse_export(request, f)
    between = moment_of(request, since), moment_of(request, until)
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        found = await mediation.figures(database, settings.timezone, by, *between, level, within)
    if f == "csv":
        return await as_csv(request, "mediation_figures", found, mediation.Figure, mediation.DEFINITIONS)
    return Figures(definitions=list(mediation.DEFINITIONS), figures=found)
