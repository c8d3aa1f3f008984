"""Volunteer teams 群防群治队伍: facilities with a number of people, a duty telephone and skills; nearest first."""

from typing import Annotated, Any, Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Forbidden, UserError
from geo_grid.layers.facilities import find_facility
from geo_grid.workflow import get

QUERIES = load_queries("geo_grid.field", "teams.sql")
_NEAREST, _ONE = (f"{QUERIES['teams']} {QUERIES[which]}" for which in ("nearest", "of_facility"))
Skill = Literal["patrol", "first_aid", "fire", "flood", "search", "mediation", "traffic"]


class TeamSkills(BaseModel):
    """What a team can do; its name, telephone, people and place are those of its facility."""

    model_config = ConfigDict(extra="forbid")

    skills: Annotated[list[Skill], Field(max_length=20)]


class Team(BaseModel):
    """A volunteer team; lon, lat in degrees (EPSG:4490)."""

    facility_code: str
    name: str
    phone: str = Field(description="duty telephone")
    member_count: int | None
    skills: list[Skill]
    lon: float
    lat: float
    distance_m: float | None = Field(description="metres from what was asked about, on the ellipsoid")
    is_demo: bool


async def nearest_teams(
    connection: AsyncConnection,
    place: tuple[float, float] | None,
    incident_id: int | None,
    skills: list[Skill],
    limit: int,
) -> list[Team]:
    """List the teams that have all of these skills, nearest first.

    Parameters
    ----------
    place
        lon, lat in degrees (EPSG:4490), on the lattice; None: the place of an incident.
    incident_id
        Instead of a place.

    Raises
    ------
    NotFound
        There is no such incident.
    UserError
        Neither or both are given.
    """
    if (place is None) == (incident_id is None):
        message = "say from where: either lon and lat, or incident"
        raise UserError(message)
    if incident_id is not None:
        incident = await get(connection, incident_id)
        place = incident.lon, incident.lat
    lon, lat = place or (0.0, 0.0)
    values = {"lon": lon, "lat": lat, "skills": list(dict.fromkeys(skills)), "limit": limit}
    rows = await (await connection.execute(_NEAREST, values)).fetchall()
    return [Team.model_validate(row) for row in rows]


async def describe_team(connection: AsyncConnection, facility_code: str, given: TeamSkills) -> Team:
    """Say what the team of a facility can do.

    Raises
    ------
    NotFound
        There is no such facility.
    UserError
        It is of another kind.
    Conflict
        The code is that of two facilities.
    Forbidden
        It is not the principal's to write.
    """
    facility = await find_facility(connection, facility_code)
    if facility["facility_kind"] != "volunteer_team":
        message = (
            f"facility {facility_code} is a {facility['facility_kind']}: set its facility_kind to volunteer_team first"
        )
        raise UserError(message)
    values: dict[str, Any] = {
        "facility_id": facility["facility_id"], "skills": list(dict.fromkeys(given.skills))
    }  # fmt: skip
    try:
        await connection.execute(QUERIES["describe"], values)
    except psycopg.errors.InsufficientPrivilege:
        message = "this team is none of yours: its command centre describes it"
        raise Forbidden(message) from None
    return Team.model_validate(await fetch_one(connection, _ONE, {**values, "lon": None, "lat": None}))
