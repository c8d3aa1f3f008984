"""The supervised list, and the assessments of major projects."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from geo_grid.api.server.asking import identity_of, reading, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import At, AtMost, in_city, moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute, refuse
from geo_grid.api.server.tables import AS_CSV, Form, as_csv, refuse_export
from geo_grid.defined import Defined
from geo_grid.layers.layer import LocalCode
from geo_grid.workflow import assessments, supervised

router = APIRouter(tags=["supervised list"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

ListingId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Listings(BaseModel):
    """A page of listings, newest first."""

    listings: list[supervised.Listing]
    next: str | None


class ListingFigures(BaseModel):
    """Counts of listings by level, and of all."""

    definitions: list[Defined]
    figures: list[supervised.ListingFigure]


class Projects(BaseModel):
    """A page of projects, by code."""

    projects: list[assessments.Project]
    next: str | None


@router.get("/supervised/listings")
async def list_listings(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    open: Annotated[bool, Query(description="only what is on the list now")] = False,
    overdue: Annotated[bool, Query(description="only what is on the list and past its day")] = False,
    level: Annotated[supervised.Level | None, Query()] = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this listing_id")] = None,
) -> Listings:
    """List what is or was watched, newest first; `next` leads to older ones."""
    today = in_city(request, None).date()
    async with reading(request) as database:
        page = await supervised.newest_listings(database, today, limit, open, overdue, level, before)
    return Listings(listings=page, next=here(request, before=page[-1].listing_id) if len(page) == limit else None)


@router.post(
    "/supervised/listings",
    status_code=201,
    responses={404: PROBLEM, 409: PROBLEM | {"description": "It is on the list already"}},
)
async def post_listing(request: Request, new: supervised.NewListing) -> supervised.Listing:
    """Put an incident, or a place of a register, on the list of a township, a county or the city."""
    async with writing(request) as database:
        return await supervised.put_on_list(database, new, in_city(request, None).date())


@router.get("/supervised/listings/{listing_id}", responses={404: PROBLEM})
async def get_listing(request: Request, listing_id: ListingId) -> supervised.ListingCourse:
    """Read one listing, and, with the right incidents.text, what was done about it."""
    async with reading(request) as database:
        return await supervised.course_of_listing(database, listing_id, in_city(request, None).date())


@router.post(
    "/supervised/listings/{listing_id}/steps",
    status_code=201,
    responses={
        404: PROBLEM,
        409: PROBLEM | {"description": "It was delisted"},
        412: PROBLEM | {"description": "Others took steps that were not seen"},
    },
)
async def post_listing_step(
    request: Request, listing_id: ListingId, action: supervised.AnyListingAction
) -> supervised.Listing:
    """Do something about a listed matter: progress; change and delist (by whoever listed it)."""
    if action.right not in identity_of(request).rights:
        await refuse(request, action.right)
    async with writing(request) as database:
        return await supervised.act_on_listing(database, listing_id, action, in_city(request, None).date())


@router.get("/supervised/figures", response_model=ListingFigures, responses=AS_CSV)
async def get_listing_figures(request: Request, since: At = None, until: At = None, f: Form = "json") -> object:
    """Count what was listed in a period (until: exclusive) by level, and what became of it."""
    await refuse_export(request, f)
    today = in_city(request, None).date()
    between = moment_of(request, since), moment_of(request, until)
    async with reading(request) as database:
        found = await supervised.listing_figures(database, today, *between)
    if f == "csv":
        return await as_csv(request, "supervised_figures", found, supervised.ListingFigure, supervised.DEFINITIONS)
    return ListingFigures(definitions=list(supervised.DEFINITIONS), figures=found)


@router.get("/supervised/projects")
async def list_projects(
    request: Request,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    due: Annotated[bool, Query(description="only those whose assessment is missing or out of date")] = True,
    after: Annotated[str | None, Query(max_length=32, description="continue after this place_code")] = None,
) -> Projects:
    """List major projects that should be assessed, with their newest assessment."""
    async with reading(request) as database:
        page = await assessments.projects(database, in_city(request, None).date(), due, limit, after)
    return Projects(projects=page, next=here(request, after=page[-1].place_code) if len(page) == limit else None)


@router.post("/supervised/projects/{place_code}/assessments", status_code=201, responses={404: PROBLEM})
async def post_assessment(
    request: Request, place_code: Annotated[LocalCode, Path(max_length=32)], given: assessments.Assessment
) -> assessments.Project:
    """Record an assessment of a major project; the newest counts."""
    async with writing(request) as database:
        return await assessments.assess(database, place_code, given, in_city(request, None).date())
