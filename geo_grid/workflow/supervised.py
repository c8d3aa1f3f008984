"""The supervised list 三级挂账督办: what a township, county or the city watches until it is done.

Whoever lists a matter changes and delists it; once that account is disabled, whoever could list it at that level does
(`access.guard_listing`). Everybody at the desk adds progress.
"""

import json
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import psycopg
from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.defined import Defined
from geo_grid.errors import Conflict, Forbidden, NotFound, Outdated, UserError
from geo_grid.layers.layer import LocalCode
from geo_grid.moments import Day

QUERIES = load_queries("geo_grid.workflow", "supervised.sql")
_ONE, _NEWEST = (f"{QUERIES['listings']} {QUERIES[which]}" for which in ("of_listing", "newest"))

Level = Literal["township", "county", "city"]
Unit = Annotated[str, Field(min_length=1, max_length=200, description="who answers for it")]
Text = Annotated[str, Field(max_length=4000)]
Said = Annotated[str, Field(min_length=1, max_length=4000)]


class NewListing(BaseModel):
    """A matter that is to be watched: an incident, or a place of a register."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    incident_id: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    place_code: LocalCode | None = None
    level: Level
    responsible_unit: Unit
    measures: Said
    due_on: Day
    note: Text = ""

    @model_validator(mode="after")
    def _one_matter(self) -> Self:
        if (self.incident_id is None) == (self.place_code is None):
            message = "say which matter: either incident_id or place_code"
            raise ValueError(message)
        return self


class ListingAction(BaseModel):
    """Something done about a listed matter."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    right: ClassVar[str] = "supervised.list"
    action: str
    note: Text = ""
    seen: Annotated[int | None, Field(ge=0, le=10**6)] = Field(
        None, description="how many steps you saw: refused (412) if others came meanwhile"
    )


class Progress(ListingAction):
    """Say how far it is."""

    right: ClassVar[str] = "incidents.write"
    action: Literal["progress"] = "progress"
    note: Said


class Change(ListingAction):
    """Change who answers for it, what is to be done, or until when."""

    action: Literal["change"] = "change"
    responsible_unit: Unit | None = None
    measures: Said | None = None
    due_on: Day | None = None
    note: Annotated[str, Field(min_length=1, max_length=4000, description="why")]

    @model_validator(mode="after")
    def _something(self) -> Self:
        if (self.responsible_unit, self.measures, self.due_on) == (None, None, None):
            message = "say what changes: responsible_unit, measures or due_on"
            raise ValueError(message)
        return self


class Delist(ListingAction):
    """Take it off the list 销号: it is done, or needs no watching any more."""

    action: Literal["delist"] = "delist"
    result: Literal["done", "dropped"]
    note: Said


AnyListingAction = Annotated[Progress | Change | Delist, Field(discriminator="action")]


class Listing(BaseModel):
    """A listed matter."""

    listing_id: int
    incident_id: int | None
    place_code: str | None
    place_name: str | None
    grid_code: str | None
    lon: float
    lat: float
    listed_level: Level
    responsible_unit: str
    measures: str | None = Field(description="read with the right incidents.text")
    due_on: date
    is_overdue: bool
    listed_at: datetime
    listed_by_name: str
    delisted_at: datetime | None
    delisted_by_name: str | None
    result: Literal["done", "dropped"] | None
    step_count: int = Field(description="steps taken: send it as `seen` with the next")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_open(self) -> bool:
        """Whether it is on the list."""
        return self.delisted_at is None


class ListingStep(BaseModel):
    """Something that was done about a listed matter."""

    number: int
    action: str
    measures: str | None
    note: str
    details: dict[str, Any]
    actor_name: str
    done_at: datetime


class ListingCourse(BaseModel):
    """A listed matter with what was done about it, oldest first."""

    listing: Listing
    steps: list[ListingStep] = Field(description="read with the right incidents.text")


class ListingFigure(BaseModel):
    """Counts of matters that were listed in a period, and what became of them so far."""

    listed_level: Level | None = Field(description="null: of all levels")
    listed: int
    done: int
    dropped: int
    open: int
    overdue: int


DEFINITIONS = (
    Defined(
        code="listed", name_zh="挂账", name_en="Listed", unit="listings",
        definition_zh="统计期内列入督办清单的事项数（按列入时间和列入层级）；销账后再次列入的另计一项。",
        definition_en="Matters put on the list in the period, by when and at which level; one that was delisted and listed again counts twice.",
    ),
    Defined(
        code="done", name_zh="办结", name_en="Done", unit="listings",
        definition_zh="其中至今以“办结”销账的项数。",
        definition_en="Of these, delisted as done so far.",
    ),
    Defined(
        code="dropped", name_zh="撤销", name_en="Dropped", unit="listings",
        definition_zh="其中未办结而销账的项数。",
        definition_en="Of these, delisted without being done.",
    ),
    Defined(
        code="open", name_zh="在账", name_en="On the list", unit="listings",
        definition_zh="其中现仍在账的项数。",
        definition_en="Of these, on the list now.",
    ),
    Defined(
        code="overdue", name_zh="超期", name_en="Overdue", unit="listings",
        definition_zh="其中在账且已过办结期限的项数。",
        definition_en="Of these, on the list now and past their due day.",
    ),
)  # fmt: skip
"""In the order of the columns."""


async def put_on_list(connection: AsyncConnection, new: NewListing, today: date) -> Listing:
    """List a matter, in the caller's transaction on behalf of whoever lists it.

    Parameters
    ----------
    today
        Day in the city's time zone.

    Raises
    ------
    NotFound
        They see no such incident or place.
    Conflict
        It is on the list already.
    UserError
        due_on is over.
    Forbidden
        They may not list it at this level.
    """
    if new.due_on < today:
        message = f"due_on {new.due_on} is over: say a day from {today} on"
        raise UserError(message)
    what = f"incident {new.incident_id}" if new.incident_id is not None else f"place {new.place_code}"
    values: dict[str, Any] = {**new.model_dump(), "registered_place_id": None}
    found = await fetch_one(connection, QUERIES["place" if new.incident_id is None else "incident"], values)
    if not found:
        message = f"there is no {what}"
        raise NotFound(message)
    values |= found
    try:
        made = await fetch_one(connection, QUERIES["list"], values)
    except psycopg.errors.UniqueViolation:
        message = f"{what} is on the list already: GET /supervised/listings?open=true shows it"
        raise Conflict(message) from None
    except psycopg.errors.InsufficientPrivilege:
        message = f"you may not list {what} at the level {new.level}: that of the city is for who answers for all of it"
        raise Forbidden(message) from None
    step = {"action": "list", "number": 1, "measures": new.measures, "note": new.note, "details": "{}"}
    await connection.execute(QUERIES["note"], {**made, **step})
    return await get_listing(connection, made["listing_id"], today)


async def act_on_listing(connection: AsyncConnection, listing_id: int, action: ListingAction, today: date) -> Listing:
    """Do something about a listed matter, in the caller's transaction on behalf of whoever does it.

    Raises
    ------
    NotFound, Forbidden
        They see no such listing; it is not theirs to change or delist.
    Outdated
        Others took steps that they had not seen.
    Conflict
        It was delisted already.
    UserError
        due_on is over.
    """
    if not await fetch_one(connection, QUERIES["hold"], {"listing_id": listing_id}):
        await get_listing(connection, listing_id, today)
        message = "this listing is not in your grid cells to act on"
        raise Forbidden(message)
    listing = await get_listing(connection, listing_id, today)
    if action.seen is not None and action.seen != listing.step_count:
        message = f"this listing has {listing.step_count} steps, you saw {action.seen}: look at it again"
        raise Outdated(message)
    if not listing.is_open:
        message = f"this was delisted at {listing.delisted_at}: list the matter again if it is to be watched again"
        raise Conflict(message)
    given = action.model_dump(mode="json", exclude={"action", "note", "seen", "measures"}, exclude_none=True)
    due_on = getattr(action, "due_on", None) or listing.due_on
    if due_on != listing.due_on and due_on < today:
        message = f"due_on {due_on} is over: say a day from {today} on"
        raise UserError(message)
    values = {
        "listing_id": listing_id, "number": listing.step_count + 1, "action": action.action, "note": action.note,
        "measures": getattr(action, "measures", None), "details": json.dumps(given, ensure_ascii=False), "due_on": due_on,
        "responsible_unit": getattr(action, "responsible_unit", None) or listing.responsible_unit,
        "result": getattr(action, "result", None),
    }  # fmt: skip
    await connection.execute(QUERIES["store"], values)
    await connection.execute(QUERIES["note"], values)
    return await get_listing(connection, listing_id, today)


async def get_listing(connection: AsyncConnection, listing_id: int, today: date) -> Listing:
    """Read one listing. Raises NotFound."""
    row = await fetch_one(connection, _ONE, {"listing_id": listing_id, "today": today})
    if not row:
        message = f"there is no listing {listing_id}"
        raise NotFound(message)
    return Listing.model_validate(row)


async def course_of_listing(connection: AsyncConnection, listing_id: int, today: date) -> ListingCourse:
    """Read one listing with what was done about it. Raises NotFound."""
    listing = await get_listing(connection, listing_id, today)
    steps = await (await connection.execute(QUERIES["steps"], {"listing_id": listing_id})).fetchall()
    return ListingCourse.model_validate({"listing": listing, "steps": steps})


async def newest_listings(
    connection: AsyncConnection,
    today: date,
    limit: int = 100,
    open_only: bool = False,
    overdue: bool = False,
    level: Level | None = None,
    before: int | None = None,
) -> list[Listing]:
    """Read listings, newest first; `before` is the last listing_id of the previous page."""
    previous = await get_listing(connection, before, today) if before is not None else None
    values = {
        "limit": limit, "open_only": open_only, "overdue": overdue, "level": level, "today": today,
        "before_at": previous.listed_at if previous else None, "before_id": previous.listing_id if previous else None,
    }  # fmt: skip
    rows = await (await connection.execute(_NEWEST, values)).fetchall()
    return [Listing.model_validate(row) for row in rows]


async def listing_figures(
    connection: AsyncConnection, today: date, since: datetime | None = None, until: datetime | None = None
) -> list[ListingFigure]:
    """Count listings of a half-open period by level; the last row, of level null, is of all."""
    values = {"today": today, "since": since, "until": until}
    rows = await (await connection.execute(QUERIES["figures"], values)).fetchall()
    return [ListingFigure.model_validate(row) for row in rows]
