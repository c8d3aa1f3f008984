"""Taking a step of an incident, in one transaction: locked, checked, stored, and kept with who took it and why."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from geo_grid.coordinates import to_lonlat
from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Forbidden, NotFound, Outdated, UserError
from geo_grid.locate import locate
from geo_grid.workflow.actions import Action, Assign, Decide, HandOver, Move, SendBack, possible
from geo_grid.workflow.incidents import Incident, get
from geo_grid.workflow.loop import CLOCKS, Loop, Matter, Unit

QUERIES = load_queries("geo_grid.workflow", "steps.sql")
_LOCK = f"{QUERIES['matter']} for update of i"
"""Who may not change it gets no row, and nobody else takes a step meanwhile."""
_NOBODY = {"assigned_cell": None, "assigned_role": None, "assigned_rule": None}


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


class Course(BaseModel):
    """What a matter goes through, and what was done to it, oldest first."""

    stages: list[LoopStage]
    steps: list[TakenStep]
    possible: list[str] = Field(description="actions that can be done to it now, by those who have the right")


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
        They see no such incident; they may not change it.
    Outdated
        Others took steps that they had not seen.
    Conflict
        It cannot be done at this stage; the message says what can.
    UserError
        A unit or a person is not there.
    InvalidCoordinates, UnknownCrs
        The place it is moved to cannot be read.
    """
    key = {"incident_id": incident_id}
    row = await (await connection.execute(_LOCK, key)).fetchone()
    if row is None:
        await get(connection, incident_id)
        message = "this incident is not in your grid cells to act on: its command centre does"
        raise Forbidden(message)
    if action.seen is not None and action.seen != row["step_count"]:
        message = f"this matter has {row['step_count']} steps, you saw {action.seen}: look at it again"
        raise Outdated(message)
    units = await (await connection.execute(QUERIES["units"], key)).fetchall()
    before, now = _matter(row, units), row["now"]
    after = action.apply(before, actor_id, now)
    place, details = {"lon": row["lon"], "lat": row["lat"]}, action.details()
    if isinstance(action, HandOver):
        after = replace(after, handler_id=await _handler(connection, action.handler, row["grid_code"]))
    if isinstance(action, Move):
        place["lon"], place["lat"] = to_lonlat(action.lon, action.lat, action.source_crs)
        details["from"] = [row["lon"], row["lat"]]
    if isinstance(action, SendBack):  # who owns the place, and how sure that is
        owners = await locate(connection, row["lon"], row["lat"])
        details["evidence"] = owners.model_dump(mode="json", include={"grid_cells", "alternatives", "edition"})
    await _move_units(connection, key, before, after, now)
    assigned = await _assigned(connection, action, row, after)
    values: dict[str, Any] = {
        **key, **place, **assigned, **{clock: after.clocks.get(clock) for clock in CLOCKS}, "stage": after.stage,
        "handler_id": after.handler_id, "handled_by": after.handled_by, "return_count": after.return_count,
        "is_final": after.is_final, "suspended_at": after.suspended_at, "suspended_s": after.suspended_s,
        "outcome": after.outcome, "evaluation": after.evaluation, "number": row["step_count"] + 1, "now": now,
        "action": action.action, "stage_before": before.stage, "note": action.note or details.pop("reason", ""),
        "details": json.dumps(details, ensure_ascii=False),
    }  # fmt: skip
    await connection.execute(QUERIES["note"], values)  # before it may be moved out of sight
    await connection.execute(QUERIES["store"], values)
    return await get(connection, incident_id)


async def course_of(connection: AsyncConnection, incident_id: int) -> Course:
    """Read what an incident goes through, what was done to it and what can be. Raises NotFound."""
    key = {"incident_id": incident_id}
    row = await (await connection.execute(QUERIES["matter"], key)).fetchone()
    if row is None:
        message = f"there is no incident {incident_id}"
        raise NotFound(message)
    units = await (await connection.execute(QUERIES["units"], key)).fetchall()
    stages = await (await connection.execute(QUERIES["loop"], key)).fetchall()
    steps = await (await connection.execute(QUERIES["all"], key)).fetchall()
    can_be_done = possible(_matter(row, units), row["now"])
    return Course.model_validate({"stages": stages, "steps": steps, "possible": can_be_done})


def _matter(row: dict[str, Any], units: list[dict[str, Any]]) -> Matter:
    return Matter(
        loop=Loop(tuple(row["stages"]), row["return_within"], row["most_returns"]),
        stage=row["stage"],
        handler_id=row["handler_id"],
        handled_by=row["handled_by"],
        clocks={clock: row[clock] for clock in CLOCKS if row[clock] is not None},
        units={unit["unit_code"]: Unit(unit["departed_at"], unit["arrived_at"]) for unit in units},
        return_count=row["return_count"],
        is_final=row["is_final"],
        suspended_at=row["suspended_at"],
        suspended_s=row["suspended_s"],
        outcome=row["outcome"],
        evaluation=row["evaluation"],
    )


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
        values = {**key, "unit_codes": new, "now": now}
        sent = {row["unit_code"] for row in await (await connection.execute(QUERIES["send"], values)).fetchall()}
        if missing := [code for code in new if code not in sent]:
            message = f"there is no unit {', '.join(missing)}: GET /collections/patrol_units/items lists them"
            raise UserError(message)
    for code, unit in after.units.items():
        if code in before.units and unit != before.units[code]:
            values = {**key, "unit_code": code, "departed_at": unit.departed_at, "arrived_at": unit.arrived_at}
            await connection.execute(QUERIES["clock_unit"], values)
    is_over = after.stage != "assigned" or "closed_at" in after.clocks
    gone = [code for code in before.units if is_over or code not in after.units]
    if gone:
        await connection.execute(QUERIES["release"], {**key, "unit_codes": gone, "now": now})


async def _assigned(connection: AsyncConnection, action: Action, row: dict[str, Any], after: Matter) -> dict[str, Any]:
    """Say who answers for the matter now, and which rule decided it."""
    if isinstance(action, SendBack):
        return _NOBODY
    if not isinstance(action, Assign | Decide):
        return {name: row[name] for name in _NOBODY}
    if after.units:
        return {**_NOBODY, "assigned_rule": "units"}
    rows = await connection.execute(QUERIES["responsible"], {"grid_code": row["grid_code"]})
    found = await rows.fetchone()
    if found is None:
        return {**_NOBODY, "assigned_rule": "none"}
    rule = "leaf" if found["is_leaf"] else "ancestor"
    return {"assigned_cell": found["grid_code"], "assigned_role": found["duty_role"], "assigned_rule": rule}
