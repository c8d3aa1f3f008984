"""Run cards: which kinds of unit, and how many, are sent to a kind of matter, by place and hour; and which are nearest."""

from datetime import datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import psycopg
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.layers.grid_cells import refuse_unknown_cell
from geo_grid.workflow.incidents import get

QUERIES = load_queries("geo_grid.workflow", "run_cards.sql")
type UnitKind = Literal["car", "motorcycle", "foot", "volunteers"]
_EACH = 3
"""Units that are proposed for each one that is wanted."""


class NewRunCard(BaseModel):
    """A run card; the one that says most about category, then cell, then hour holds."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    category_code: str | None = Field(None, max_length=32, description="null: every category without a card of its own")
    grid_code: str | None = Field(None, max_length=64, description="for matters in this cell; null: everywhere")
    hour_from: time | None = Field(None, description="in the city's time; null: at every hour")
    hour_to: time | None = Field(None, description="exclusive; before hour_from: until the next day")
    needs: dict[UnitKind, Annotated[int, Field(ge=1, le=20)]] = Field(min_length=1, description="units of each kind")
    note: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _has_both_hours(self) -> "NewRunCard":
        if (self.hour_from is None) != (self.hour_to is None):
            message = "hour_from and hour_to go together"
            raise ValueError(message)
        return self


class RunCard(NewRunCard):
    """A stored run card."""

    run_card_id: int


class Candidate(BaseModel):
    """A free unit that could be sent."""

    unit_code: str
    name: str
    reported_at: datetime
    distance_m: float = Field(description="metres on the ellipsoid, in a straight line; GET /desk tells arrival times")


class Wanted(BaseModel):
    """Units of one kind that a run card wants."""

    unit_kind: str
    wanted: int
    sent: int = Field(description="of this kind that have the matter")
    candidates: list[Candidate] = Field(description="free ones, the nearest first")


class Run(BaseModel):
    """What should be sent to an incident."""

    card: RunCard | None = Field(description="null: no card says anything of such a matter")
    units: list[Wanted]


async def run_for(connection: AsyncConnection, incident_id: int, zone: ZoneInfo) -> Run:
    """Read which units should be sent to an incident, and which are nearest. Raises NotFound."""
    incident = await get(connection, incident_id)
    hour = incident.received_at.astimezone(zone).time()
    values = {"category": incident.category, "grid_code": incident.grid_code, "hour": hour}
    row = await (await connection.execute(QUERIES["card"], values)).fetchone()
    if row is None:
        return Run(card=None, units=[])
    card = RunCard.model_validate(row)
    units = []
    for kind, count in card.needs.items():
        asked = {
            "kind": kind,
            "lon": incident.lon,
            "lat": incident.lat,
            "limit": count * _EACH,
            "codes": incident.unit_codes,
        }
        found = await (await connection.execute(QUERIES["nearest"], asked)).fetchall()
        sent = await (await connection.execute(QUERIES["sent"], asked)).fetchall()
        units.append(
            Wanted(unit_kind=kind, wanted=count, sent=len(sent), candidates=[Candidate(**one) for one in found])
        )
    return Run(card=card, units=units)


async def run_cards(connection: AsyncConnection) -> list[RunCard]:
    """List all run cards."""
    return [RunCard.model_validate(row) for row in await (await connection.execute(QUERIES["all"])).fetchall()]


async def add_run_card(connection: AsyncConnection, new: NewRunCard) -> RunCard:
    """Add a run card.

    Raises
    ------
    UserError
        There is no such category, or cell.
    Conflict
        There is a card for the same.
    Forbidden
        The caller may not, in the whole city.
    """
    values = new.model_dump(mode="json") | {"needs": Jsonb(new.needs)}
    try:
        row = await (await connection.execute(QUERIES["add"], values)).fetchone()
    except psycopg.errors.UniqueViolation:
        message = "there is a run card for this category, cell and hours: delete it first"
        raise Conflict(message) from None
    except psycopg.errors.ForeignKeyViolation:
        message = f"there is no category {new.category_code!r}: GET /incidents/categories lists them"
        raise UserError(message) from None
    except psycopg.errors.InsufficientPrivilege:
        message = "run cards are the whole city's: somebody with the right workflow.rules in the whole city edits them"
        raise Forbidden(message) from None
    await refuse_unknown_cell(connection, new.grid_code)
    return RunCard.model_validate({**new.model_dump(), **(row or {})})


async def delete_run_card(connection: AsyncConnection, run_card_id: int) -> None:
    """Delete a run card. Raises NotFound."""
    if not (await connection.execute(QUERIES["delete"], {"run_card_id": run_card_id})).rowcount:
        message = f"there is no run card {run_card_id} that you may delete"
        raise NotFound(message)
