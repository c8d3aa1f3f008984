"""What the home page tells whoever logs in: the state of the city in a few numbers, and what waits for them."""

from collections import Counter
from datetime import datetime

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.response import reason_of

QUERIES = load_queries("geo_grid", "overview.sql")
_SOON_MIN = 30
_LAST = 2**63 - 1


class CityNow(BaseModel):
    """The city within one's own grid cells; null: one has no right to see it."""

    open: int | None = Field(None, description="incidents that are not closed")
    unsent: int | None = Field(None, description="those of them that nobody was given to yet")
    overdue: int | None = Field(None, description="those of them whose deadline has passed")
    free_units: int | None = Field(
        None, description="patrol units that can be sent and were heard of in the last half hour"
    )
    silent_units: int | None = Field(
        None, description="units that would be free, but were not heard of for half an hour"
    )
    busy_units: int | None = Field(None, description="units on their way or on scene")
    reached: float | None = Field(None, description="share of households that free units reach in 5 minutes")
    is_reckoned: bool = Field(False, description="whether `reached` is known: the first question begins to reckon it")
    heard_at: datetime | None = Field(None, description="when a unit last said where it is")


class Waiting(BaseModel):
    """What waits for one; null: one has no right to it."""

    mine: int | None = Field(None, description="open incidents that one handles")
    due_soon: int | None = Field(None, description=f"open incidents whose deadline comes within {_SOON_MIN} minutes")
    to_verify: int | None = Field(None, description="handled incidents that are to be verified")
    to_approve: int | None = Field(None, description="drafts of boundaries that wait for approval")
    imports: int | None = Field(None, description="checked files that one has yet to confirm")
    notes: int | None = Field(None, description="notes of other shifts that nobody acknowledged")


class Behind(BaseModel):
    """A fact about what is behind a door; null: one has no right to it."""

    closures: int | None = Field(None, description="road closures in force")
    drafts: int | None = Field(None, description="drafts of boundaries at work")
    edition: int | None = Field(None, description="edition of the boundaries in force; null: the city is empty")
    edition_from: datetime | None = None
    accounts: int | None = Field(None, description="people who can log in")
    audited_at: datetime | None = Field(None, description="of the last entry of the audit")


class Overview(BaseModel):
    """What the home page shows beside its doors."""

    as_of: datetime
    city: CityNow
    waiting: Waiting
    behind: Behind


async def overview(connection: AsyncConnection, rights: frozenset[str], now: datetime) -> Overview:
    """Read the overview with the rights of the principal, in one snapshot; `reached` and `imports` are left to the caller.

    Parameters
    ----------
    now
        Current time in the city's time zone, which shifts of units are in.
    """
    told = Overview(as_of=now, city=CityNow(), waiting=Waiting(), behind=Behind())

    async def read(name: str, right: str, *parts: BaseModel, **values: object) -> None:
        if right not in rights:
            return
        row = await (await connection.execute(QUERIES[name], values)).fetchone() or {}
        for part in parts:
            for field in type(part).model_fields.keys() & row.keys():
                setattr(part, field, row[field])

    await read("matters", "incidents.read", told.city, told.waiting, soon_min=_SOON_MIN)
    if "incidents.write" not in rights:
        told.waiting.mine = told.waiting.due_soon = None
    if "incidents.verify" not in rights:
        told.waiting.to_verify = None
    await read("closures", "map", told.behind)
    await read("drafts", "boundaries.draft", told.behind, told.waiting)
    if "boundaries.approve" not in rights:
        told.waiting.to_approve = None
    await read("notes", "incidents.text", told.waiting)
    await read("accounts", "accounts", told.behind)
    await read("audit", "audit", told.behind, before=_LAST)
    edition = await (await connection.execute(QUERIES["edition"])).fetchone() or {}
    told.behind.edition, told.behind.edition_from = edition.get("edition"), edition.get("edition_from")
    if "map" in rights:
        await _units(connection, told.city, now)
    return told


async def _units(connection: AsyncConnection, city: CityNow, now: datetime) -> None:
    units = await (await connection.execute(QUERIES["units"])).fetchall()
    reasons = Counter(reason_of(unit, now) for unit in units)
    city.free_units, city.silent_units = reasons["free"], reasons["silent"]
    city.busy_units = reasons["on_the_way"] + reasons["on_scene"]
    city.heard_at = max((unit["reported_at"] for unit in units), default=None)
