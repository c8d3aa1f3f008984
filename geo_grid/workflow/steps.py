"""Taking a step of an incident, in one transaction: locked, checked, stored, and kept with who took it and why."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from pydantic import BaseModel, Field

from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, Outdated, UserError
from geo_grid.locate import locate
from geo_grid.workflow.actions import Action, Assign, Decide, HandOver, Merge, Move, SendBack, SendDown, possible
from geo_grid.workflow.incidents import Incident, get
from geo_grid.workflow.loop import CLOCKS, Loop, Matter, Unit

QUERIES = load_queries("geo_grid.workflow", "steps.sql")
_SAME = ("stage", "handler_id", "handled_by", "return_count", "is_final", "suspended_at", "suspended_s", "outcome",
         "evaluation", "held_level", "merged_into")  # fmt: skip
"""Attributes of a Matter that are columns of the queries `matter` and `store` by the same name."""
_READ = ("assigned_rule", "given_at", "receipt_at")
"""Those that `matter` reads from elsewhere."""
_EVIDENCE: Any = {
    "grid_cells": {"__all__": {"grid_code", "name", "grid_level"}},
    "distance_to_boundary_m": True,
    "patrol_zone": {"zone_code", "name", "responsible_unit"},
    "unassigned": True,
    "alternatives": True,
    "edition": True,
}
"""What is kept of the answer of `locate` with a matter that is sent back: no names of persons, since steps are kept."""
_LOCK = f"{QUERIES['matter']} for update of i"
_CLOSES = "incidents.verify"
"""Right without which nobody closes a matter, by whatever action."""
_LOCK_BOTH = "select from incidents where incident_id = any(%(both)s) order by incident_id for update"
"""Who may not change it gets no row, and nobody else takes a step meanwhile."""
NOBODY: dict[str, Any] = {"assigned_cell": None, "assigned_role": None, "assigned_duty": None, "assigned_rule": None}


class TakenStep(BaseModel):
    """A step that was taken."""

    number: int
    action: str
    stage_before: str
    stage_after: str
    actor_name: str
    done_at: datetime
    lon: float
    lat: float
    note: str
    details: dict[str, Any] = Field(description="arguments of the action, and evidence that was attached")


class LoopStage(BaseModel):
    """A stage of a loop, as the city names it."""

    stage: str
    name_zh: str
    name_en: str


class SentUnit(BaseModel):
    """A patrol unit that has the matter."""

    unit_code: str
    departed_at: datetime | None
    arrived_at: datetime | None
    checked_in_at: datetime | None


class Course(BaseModel):
    """What a matter goes through, and what was done to it, oldest first."""

    stages: list[LoopStage]
    steps: list[TakenStep]
    units: list[SentUnit]
    possible: list[str] = Field(description="actions that whoever asks can do to it now, by their rights")


async def take_step(connection: AsyncConnection, incident_id: int, action: Action, actor_id: int) -> Incident:
    """Do something to an incident.

    Parameters
    ----------
    connection
        The caller's transaction, on behalf of whoever acts: done is what they commit.
    actor_id
        Their account.

    Returns
    -------
    The incident after it.

    Raises
    ------
    NotFound, Forbidden
        They see no such incident; they may not change it, or are not of the level above.
    Outdated
        Others took steps that they had not seen.
    Conflict
        It cannot be done at this stage; the message says what can.
    UserError
        A unit or a person is not there.
    InvalidCoordinates, UnknownCrs
        The place it is moved to cannot be read.
    """
    key = {"incident_id": incident_id, "right": action.right}
    if isinstance(action, Merge):  # in one order, whichever is merged into the other
        await connection.execute(_LOCK_BOTH, {"both": [incident_id, action.into]})
    async with connection.pipeline():  # in one round trip
        locked, holding = await connection.execute(_LOCK, key), await connection.execute(QUERIES["units"], key)
    row = await locked.fetchone()
    if row is None:
        await get(connection, incident_id)
        message = "this incident is not in your grid cells to act on: its command centre does"
        raise Forbidden(message)
    if action.seen is not None and action.seen != row["step_count"]:
        message = f"this matter has {row['step_count']} steps, you saw {action.seen}: look at it again"
        raise Outdated(message)
    before, now = _matter(row, await holding.fetchall()), row["now"]
    after = action.apply(before, actor_id, now)
    _refuse_unless_may(row, action, before, after)
    known = await _look_up(connection, action, row, before)
    if known.handler_id is not None:
        after = replace(after, handler_id=known.handler_id)
    where = known.place or (row["lon"], row["lat"])
    owners = row
    if known.place is not None and after.responsible == "to_find":
        owners = await fetch_one(connection, QUERIES["owners"], {"lon": where[0], "lat": where[1]})
        if before.units and owners["zone_code"] == row["zone_code"]:
            after = before  # the unit of its zone has it, which it still is
    await _move_units(connection, key, before, after, now)
    had = assigned = {name: row[name] for name in NOBODY}
    sent = list(after.units)
    if after.responsible == "nobody":
        assigned = NOBODY
    elif after.responsible == "to_find":
        assigned, sent = await _who_answers(connection, owners, after, key, now, isinstance(action, Assign))
    given = {} if after.responsible == "same" else _given(had, list(before.units), assigned, sent)
    values = _values(row, before, after, action, now) | assigned | {"lon": where[0], "lat": where[1]}
    details = json.dumps(
        {**action.details(), **known.evidence, **given}, ensure_ascii=False
    )  # for ever; texts are in the note
    with _explained(is_moved=known.place is not None):
        async with connection.pipeline():
            # noted before it may be moved out of sight
            await connection.execute(QUERIES["note"], {**values, "details": details})
            await connection.execute(QUERIES["store"], values)
            return await get(connection, incident_id)


async def course_of(connection: AsyncConnection, incident_id: int, rights: Collection[str]) -> Course:
    """Read what an incident goes through, what was done to it and what somebody with these rights can do. Raises NotFound."""
    key = {"incident_id": incident_id, "right": _CLOSES}
    row = await (await connection.execute(QUERIES["matter"], key)).fetchone()
    if row is None:
        message = f"there is no incident {incident_id}"
        raise NotFound(message)
    units = await (await connection.execute(QUERIES["units"], key)).fetchall()
    stages = await (await connection.execute(QUERIES["loop"], key)).fetchall()
    steps = await (await connection.execute(QUERIES["all"], key)).fetchall()
    can_be_done = possible(_matter(row, units), row["now"], rights)
    return Course.model_validate({"stages": stages, "steps": steps, "units": units, "possible": can_be_done})


def _matter(row: dict[str, Any], units: list[dict[str, Any]]) -> Matter:
    """Return what the queries `matter` and `units` read."""
    return Matter(
        loop=Loop(tuple(row["stages"]), row["return_within"], row["most_returns"]),
        clocks={clock: row[clock] for clock in CLOCKS if row[clock] is not None},
        units={
            unit["unit_code"]: Unit(unit["departed_at"], unit["arrived_at"], unit["checked_in_at"]) for unit in units
        },
        levels=(*row["levels"], 0),
        holder_level=row["holder_level"],
        **{name: row[name] for name in (*_SAME, *_READ)},
    )


def _values(row: dict[str, Any], before: Matter, after: Matter, action: Action, now: datetime) -> dict[str, Any]:
    """Return what the queries `note` and `store` write, without who answers for the matter and the step's details."""
    return {
        "incident_id": row["incident_id"], "number": row["step_count"] + 1, "now": now, "lon": row["lon"], "lat": row["lat"],
        **{name: getattr(after, name) for name in _SAME}, **{clock: after.clocks.get(clock) for clock in CLOCKS},
        "action": action.action, "stage_before": before.stage, "note": "\n".join(filter(None, [getattr(action, "reason", ""), action.note])),
    }  # fmt: skip


class Known(NamedTuple):
    """What an action needs beyond the matter: an account, a place (lon, lat in degrees), what is attached to its step."""

    handler_id: int | None = None
    place: tuple[float, float] | None = None
    evidence: Mapping[str, Any] = {}


async def _look_up(connection: AsyncConnection, action: Action, row: dict[str, Any], before: Matter) -> Known:
    match action:
        case HandOver():
            return Known(handler_id=await _handler(connection, action.handler, row["grid_code"]))
        case Move():
            evidence = {"from": [row["lon"], row["lat"]]}
            return Known(place=to_lonlat(action.lon, action.lat, action.source_crs), evidence=evidence)
        case SendBack():  # who owns the place, and how sure that is
            owners = await locate(connection, row["lon"], row["lat"])
            return Known(evidence={"evidence": owners.model_dump(mode="json", include=_EVIDENCE)})
        case Decide():
            level = before.reached if row["returned_by"] is None else min(before.reached, row["returned_by"])
            await _refuse_unless_above(connection, row["grid_code"], level)
        case SendDown():
            await _refuse_unless_above(connection, row["grid_code"], before.at_level(-1, row["now"]).level)
        case Merge():
            await _refuse_unless_open(connection, row["incident_id"], action.into)
    return Known()


def _refuse_unless_may(row: dict[str, Any], action: Action, before: Matter, after: Matter) -> None:
    """Raise Forbidden unless whoever acts has the right to this action, and, where it closes the matter, to close one."""
    is_closing = "closed_at" in after.clocks and "closed_at" not in before.clocks and not isinstance(action, Merge)
    if not row["may"] or (is_closing and not row["may_close"]):
        message = f"this needs the right {action.right if not row['may'] else _CLOSES}, which you do not have"
        raise Forbidden(message)


@contextlib.contextmanager
def _explained(is_moved: bool) -> Iterator[None]:
    """Say in words what the database refuses."""
    try:
        yield
    except psycopg.errors.CheckViolation:  # of keep_stages: the loop was read before somebody changed it
        message = "the loop of this matter was changed at this moment: look at it again"
        raise Conflict(message) from None
    except psycopg.errors.ObjectNotInPrerequisiteState as error:  # of the mediation of a dispute
        raise Conflict(str(error.diag.message_primary)) from None
    except psycopg.errors.InsufficientPrivilege:
        if not is_moved:
            raise
        message = "that place is in none of your grid cells: hand the matter over to the centre that has it, which moves the pin"
        raise Forbidden(message) from None


async def _refuse_unless_above(connection: AsyncConnection, grid_code: str | None, level: int) -> None:
    """Raise Forbidden unless whoever acts is of a level above: bound to a cell around the one that has the matter."""
    row = await fetch_one(connection, QUERIES["is_above"], {"grid_code": grid_code, "level": level})
    if not row["is_above"]:
        message = "that is for the level above: somebody who is bound to a cell around the one that has this matter"
        raise Forbidden(message)


async def _refuse_unless_open(connection: AsyncConnection, own_id: int, incident_id: int) -> None:
    if incident_id == own_id:
        message = "a matter is merged into another one, not into itself"
        raise Conflict(message)
    row = await (await connection.execute(QUERIES["other"], {"incident_id": incident_id})).fetchone()
    if row is None:
        message = f"there is no incident {incident_id} to merge it into"
        raise NotFound(message)
    if row["closed_at"] is not None:
        into = f" (it was merged into {row['merged_into']})" if row["merged_into"] else ""
        message = f"incident {incident_id} is closed{into}: merge into an open one"
        raise Conflict(message)


async def _handler(connection: AsyncConnection, name: str, grid_code: str | None) -> int:
    found = await fetch_one(connection, QUERIES["handler"], {"name": name, "grid_code": grid_code})
    if found["handler_id"] is None:
        message = f"{name!r} is nobody at the desk who may take this matter over: check the login name"
        raise UserError(message)
    return int(found["handler_id"])


async def _move_units(
    connection: AsyncConnection, key: dict[str, Any], before: Matter, after: Matter, now: datetime
) -> None:
    """Send the units that are new, set the clocks of others, and release those whose matter is over or went elsewhere."""
    new = [code for code in after.units if code not in before.units]
    if new:
        await _send_units(connection, key, new, now)
    for code, unit in after.units.items():
        if code in before.units and unit != before.units[code]:
            values = {**key, "unit_code": code, **asdict(unit)}
            await connection.execute(QUERIES["clock_unit"], values)
    is_over = after.stage != "assigned" or "closed_at" in after.clocks
    gone = [code for code in before.units if is_over or code not in after.units]
    if gone:
        await connection.execute(QUERIES["release"], {**key, "unit_codes": gone, "now": now})


async def _send_units(connection: AsyncConnection, key: dict[str, Any], codes: list[str], now: datetime) -> None:
    values = {**key, "unit_codes": codes, "now": now}
    sent = {row["unit_code"] for row in await (await connection.execute(QUERIES["send"], values)).fetchall()}
    if missing := [code for code in codes if code not in sent]:
        message = f"there is no unit {', '.join(missing)}: GET /collections/patrol_units/items lists them"
        raise UserError(message)


async def _who_answers(
    connection: AsyncConnection,
    owners: dict[str, Any],
    after: Matter,
    key: dict[str, Any],
    now: datetime,
    others_are_named: bool,
) -> tuple[dict[str, Any], list[str]]:
    """Say who answers for a matter, which rule decided it, and which units have it: units by name; for the police, the unit of
    the patrol zone that is on patrol; else, and for a matter that rose, beside its units, the person on duty for the cell at the
    level that has it, or the nearest cell above; else the city. Raises Conflict, if `others_are_named`, where units of other zones alone are on patrol: which one leaves its
    zone is for a person to say."""
    if after.units and after.held_level is None:
        return {**NOBODY, "assigned_rule": "units"}, list(after.units)
    if after.held_level is None:
        of_zone = await connection.execute(QUERIES["unit_of_zone"], {**key, "zone_code": owners["zone_code"]})
        unit = await of_zone.fetchone()
        if unit is not None:
            await _send_units(connection, key, [unit["unit_code"]], now)
            return {**NOBODY, "assigned_rule": "zone"}, [unit["unit_code"]]
        if others_are_named and owners["zone_code"] is not None:
            nearest = await fetch_one(connection, QUERIES["nearest_on_patrol"], key)
            if nearest:
                message = (
                    f"no unit of patrol zone {owners['zone_code']} is on patrol: name one in unit_codes; the nearest that is on "
                    f"patrol is {nearest['unit_code']}, {nearest['distance_m']:,.0f} m away"
                )
                raise Conflict(message)
    rows = await connection.execute(
        QUERIES["responsible"], {"grid_code": owners["grid_code"], "level": after.held_level}
    )
    return await rows.fetchone() or {**NOBODY, "assigned_rule": "city"}, list(after.units)


def _given(had: dict[str, Any], units_before: list[str], has: dict[str, Any], units: list[str]) -> dict[str, Any]:
    """Return what is kept with a step that gave a matter to others: who had it and who has it, by cell, duty and rule."""
    both = {"had": had | {"unit_codes": units_before}, "has": has | {"unit_codes": units}}
    return {when: {name: value for name, value in who.items() if value} for when, who in both.items()}
