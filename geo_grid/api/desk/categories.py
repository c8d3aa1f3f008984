"""GET, PUT and POST /incidents/categories: the catalogue of categories, and names that are none of them yet."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.workflow import (
    Category,
    CategoryCode,
    CategoryRules,
    Unlisted,
    decide,
    list_categories,
    put_category,
    unlisted,
)

router = APIRouter(tags=["incidents"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
Code = Annotated[CategoryCode, Path()]


class Categories(BaseModel):
    """The categories of incidents."""

    categories: list[Category]


class UnlistedNames(BaseModel):
    """Names of categories that wait for a decision, the most frequent first."""

    unlisted: list[Unlisted]


class Meaning(BaseModel):
    """A name that means a category."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=100)


class Decided(BaseModel):
    """What a decision changed."""

    renamed: int = Field(description="incidents that came with this name")


@router.get("/incidents/categories")
async def get_categories(request: Request) -> Categories:
    """List the categories of incidents: code, names, loop, urgency, who answers."""
    async with reading(request) as database:
        return Categories(categories=await list_categories(database))


@router.get("/incidents/categories/unlisted")
async def get_unlisted(request: Request) -> UnlistedNames:
    """List names that incidents came with and that are no category: decide what each means."""
    async with reading(request) as database:
        return UnlistedNames(unlisted=await unlisted(database))


@router.put("/incidents/categories/{category_code}", responses={409: PROBLEM})
async def put_one(request: Request, category_code: Code, rules: CategoryRules) -> Category:
    """Add a category, or change one."""
    async with writing(request) as database:
        return await put_category(database, category_code, rules)


@router.post(
    "/incidents/categories/{category_code}/names",
    status_code=201,
    responses={404: PROBLEM, 409: PROBLEM},
)
async def post_name(request: Request, category_code: Code, meaning: Meaning) -> Decided:
    """Say that a name means this category, for incidents that came with it and for those to come."""
    async with writing(request) as database:
        return Decided(renamed=await decide(database, meaning.name, category_code))
