"""Mediation organisations 调解组织: facilities with what only they have; and which of them a dispute goes to."""

from typing import Annotated, Any, Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, UserError
from geo_grid.layers.facilities import find_facility
from geo_grid.layers.grid_cells import refuse_unknown_cell
from geo_grid.layers.layer import LocalCode
from geo_grid.mediation.actions import Kind

QUERIES = load_queries("geo_grid.mediation", "organisations.sql")
_Facility = Annotated[LocalCode | None, Field(description="facility_code")]
_Person = Annotated[str, Field(min_length=1, max_length=100)]


class Description(BaseModel):
    """What only a mediation organisation has; its name, level and place are those of its facility."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    mediation_kind: Kind
    grid_code: str | None = Field(None, max_length=32, description="cell that it serves; null: the whole city")
    centre: _Facility = None
    room: _Facility = None
    studio_of: str = Field("", max_length=100, description="mediator that its studio is named after; empty: none")
    takes_cases: bool = True
    mediators: Annotated[
        list[_Person], Field(max_length=500, description="names of officials; who is not named, leaves")
    ]


class Organisation(BaseModel):
    """A mediation organisation."""

    facility_id: Annotated[int, Field(exclude=True)]
    facility_code: str
    name: str
    division_level: Literal["city", "county", "township", "village"]
    mediation_kind: Kind
    phone: str
    grid_code: str | None = Field(description="cell that it serves; null: the whole city")
    centre_code: str | None
    centre_name: str | None
    room_code: str | None
    room_name: str | None
    studio_of: str
    takes_cases: bool
    mediator_count: int
    is_demo: bool
    lon: float
    lat: float


class Candidate(Organisation):
    """An organisation that a dispute could go to."""

    distance_m: float = Field(description="metres from the dispute, on the ellipsoid")


async def candidates_for(
    connection: AsyncConnection,
    incident_id: int,
    kind: Kind | None = None,
    facility_code: str | None = None,
    without: int | None = None,
    limit: int = 10,
) -> list[Candidate]:
    """List the suitable organisations for a dispute, the one that it goes to first.

    Suitable is what serves the cell of the incident or one above it (or the whole city), takes cases, and has a mediator;
    lower levels (village, township, county, city) come first, and of one level the nearest in metres on the ellipsoid.

    Parameters
    ----------
    kind, facility_code
        Only those of a kind; only the one of a code.
    without
        facility_id of one that is left out.

    Raises
    ------
    NotFound
        There is no such incident.
    """
    key = {"incident_id": incident_id}
    if not await fetch_one(connection, QUERIES["place"], key):
        message = f"there is no incident {incident_id}"
        raise NotFound(message)
    values = {**key, "kind": kind, "facility_code": facility_code, "without": without, "limit": limit}
    rows = await (await connection.execute(QUERIES["candidates"], values)).fetchall()
    return [Candidate.model_validate(row) for row in rows]


async def list_organisations(
    connection: AsyncConnection,
    limit: int,
    after: str | None = None,
    kind: Kind | None = None,
    level: str | None = None,
) -> list[Organisation]:
    """List organisations by code; `after` is the last code of the previous page."""
    values = {"limit": limit, "after": after, "kind": kind, "level": level}
    rows = await (await connection.execute(QUERIES["list"], values)).fetchall()
    return [Organisation.model_validate(row) for row in rows]


async def describe(connection: AsyncConnection, facility_code: str, given: Description) -> Organisation:
    """Say what a facility of the kind mediation_organisation has besides its place; its roster is replaced.

    Raises
    ------
    NotFound
        There is no such facility.
    UserError
        It is of another kind, has no level, or a cell, centre or room is not there.
    Conflict
        The code is that of two facilities.
    Forbidden
        It, or the cell, is not the principal's to write.
    """
    facility = await find_facility(connection, facility_code)
    if facility["facility_kind"] != "mediation_organisation" or facility["division_level"] is None:
        message = (
            f"facility {facility_code} is a {facility['facility_kind']} of level {facility['division_level']}: set its "
            "facility_kind to mediation_organisation, and its division_level, first"
        )
        raise UserError(message)
    values: dict[str, Any] = given.model_dump(include={"mediation_kind", "grid_code", "studio_of", "takes_cases"})
    values |= {
        "facility_id": facility["facility_id"],
        "centre_id": await _part(connection, given.centre, "governance_centre"),
        "room_id": await _part(connection, given.room, "mediation_room"),
        "names": list(dict.fromkeys(given.mediators)),
    }
    await refuse_unknown_cell(connection, given.grid_code)
    try:
        await connection.execute(QUERIES["describe"], values)
        await connection.execute(QUERIES["end_mediators"], values)
        await connection.execute(QUERIES["add_mediators"], values)
    except psycopg.errors.InsufficientPrivilege:
        message = "this facility, or the cell that it would serve, is none of yours: its command centre describes it"
        raise Forbidden(message) from None
    return Organisation.model_validate(await fetch_one(connection, QUERIES["one"], values))


async def _part(connection: AsyncConnection, code: str | None, kind: str) -> int | None:
    if code is None:
        return None
    try:
        found = await find_facility(connection, code)
    except (NotFound, Conflict):
        found = {}
    if found.get("facility_kind") != kind:
        message = f"there is no facility {code} of the kind {kind}"
        raise UserError(message)
    return int(found["facility_id"])
