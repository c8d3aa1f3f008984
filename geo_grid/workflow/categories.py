"""Categories of incidents 警情类别: a catalogue that the city edits, and names that came in and are none of them yet."""

from typing import Annotated, Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError

QUERIES = load_queries("geo_grid.layers", "incident_categories.sql")
_NOT_YOURS = "categories are the whole city's: somebody with the right workflow.rules in the whole city edits them"

CategoryCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class CategoryRules(BaseModel):
    """What is said of a category."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name_zh: str = Field(min_length=1, max_length=100)
    name_en: str = Field(min_length=1, max_length=100)
    loop_code: str = Field(
        "six_steps", max_length=32, description="stages that its matters go through; those open keep theirs"
    )
    urgency: Literal["red", "yellow", "blue", "normal"] = "normal"
    answered_by: Literal["police", "grid", "mediation"] = "police"
    icon: str = Field("", max_length=40, description="a letter or two beside the sign of its incidents on a map")
    rises: bool = Field(False, description="whether its matters rise a level by themselves when settled too late")
    check_in_minutes: int | None = Field(None, ge=1, le=1440, description="how often a unit on scene must be heard of")


class Category(CategoryRules):
    """A category of incidents 警情类别."""

    category_code: str


class Unlisted(BaseModel):
    """A name that incidents came with and that is no category."""

    category: str
    count: int


async def list_categories(connection: AsyncConnection) -> list[Category]:
    """List the categories of incidents."""
    rows = await connection.execute(QUERIES["all"])
    return [Category.model_validate(row) for row in await rows.fetchall()]


async def unlisted(connection: AsyncConnection) -> list[Unlisted]:
    """List names of categories that wait for a decision, the most frequent first."""
    rows = await connection.execute(QUERIES["unlisted"])
    return [Unlisted.model_validate(row) for row in await rows.fetchall()]


async def put_category(connection: AsyncConnection, code: str, rules: CategoryRules) -> Category:
    """Add a category or change one.

    Raises
    ------
    UserError
        There is no such loop.
    Conflict
        Another category has one of the names.
    Forbidden
        The caller may not, in the whole city.
    """
    loops = [row["loop_code"] for row in await (await connection.execute(QUERIES["loops"])).fetchall()]
    if rules.loop_code not in loops:
        message = f"there is no loop {rules.loop_code!r} in use: there are {', '.join(loops)}"
        raise UserError(message)
    category = Category(category_code=code, **rules.model_dump())
    try:
        await connection.execute(QUERIES["put"], category.model_dump())
    except psycopg.errors.UniqueViolation:
        message = f"another category is called {rules.name_zh} or {rules.name_en}"
        raise Conflict(message) from None
    except psycopg.errors.InsufficientPrivilege:
        raise Forbidden(_NOT_YOURS) from None
    return category


async def decide(connection: AsyncConnection, name: str, code: str) -> int:
    """Say which category a name means; return how many incidents had it.

    Raises
    ------
    NotFound
        There is no such category.
    Conflict
        A category is called so.
    Forbidden
        The caller may not, in the whole city.
    """
    if not (await connection.execute(QUERIES["known"], {"category_code": code})).rowcount:
        message = f"there is no category {code!r}: GET /incidents/categories lists them"
        raise NotFound(message)
    try:
        row = await fetch_one(connection, QUERIES["decide"], {"name": name, "category_code": code})
    except psycopg.errors.InsufficientPrivilege:
        raise Forbidden(_NOT_YOURS) from None
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise Conflict(str(error.diag.message_primary)) from None
    return int(row["renamed"])
