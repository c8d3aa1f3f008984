"""Cases of mediation: a dispute is taken, handed on with a reason, and ends; each in one transaction, and kept.

What becomes of its incident is done by the actions of the workflow alone (`geo_grid.workflow.take_step`).
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, computed_field

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import Conflict, Forbidden, NotFound, Outdated
from geo_grid.files.formulas import csv_of
from geo_grid.layers.incidents import Step
from geo_grid.mediation.actions import CaseAction, HandOn, Kind, NewCase, Outcome, Party, ReopenCase, Settle
from geo_grid.mediation.organisations import Candidate, candidates_for
from geo_grid.workflow import get, take_step
from geo_grid.workflow.actions import Accept, Assign, Handle

QUERIES = load_queries("geo_grid.mediation", "cases.sql")
_ONE, _NEWEST = (f"{QUERIES['cases']} {QUERIES[which]}" for which in ("of_case", "newest"))
_BATCH = 5_000
_CSV = (
    "case_id", "incident_id", "grid_code", "mediation_kind", "division_level", "facility_code", "organisation", "taken_at",
    "ended_at", "outcome",
)  # fmt: skip


class Case(BaseModel):
    """A dispute in mediation."""

    case_id: int
    incident_id: int
    grid_code: str | None
    incident_step: Step
    facility_id: int = Field(exclude=True)
    facility_code: str | None = Field(
        description="organisation that has it; null: it does not serve the place any more"
    )
    organisation: str | None
    centre_name: str | None
    room_name: str | None
    studio_of: str | None
    mediation_kind: Kind
    division_level: Literal["city", "county", "township", "village"]
    chosen_by: Literal["nearest", "named"]
    taken_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    step_count: int = Field(description="steps taken: send it as `seen` with the next")
    is_demo: bool

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    @computed_field(description="actions that can be done in it now, by those who have the right")  # type: ignore[prop-decorator]
    @property
    def possible(self) -> list[str]:
        """What can be done: an open case goes on or ends, one that ended is reopened."""
        return ["hand_on", "settle", "not_settled", "withdraw"] if self.is_open else ["reopen"]


class CaseStep(BaseModel):
    """Something that was done in a case."""

    number: int
    action: str
    facility_code: str | None = Field(description="organisation that had it afterwards")
    organisation: str | None
    distance_m: float | None = Field(description="of it from the dispute, metres, when it got the case")
    note: str
    actor_name: str
    done_at: datetime


class CaseCourse(BaseModel):
    """A case with what was done in it, oldest first, and its parties."""

    case: Case
    steps: list[CaseStep] = Field(description="read with the right incidents.text")
    parties: list[Party] = Field(description="read with the right incidents.text; deleted after closing")


async def take(connection: AsyncConnection, incident_id: int, new: NewCase, actor_id: int) -> Case:
    """Take a dispute into mediation: it goes to the nearest suitable organisation of its cell chain, or to one by name.

    Its incident is accepted and assigned first, where that was not done. The connection is in a transaction on behalf of
    the actor.

    Raises
    ------
    NotFound, Forbidden
        They see no such incident; they may not change it.
    Conflict
        It is no dispute, was taken already, is handled or closed, or no suitable organisation serves it.
    """
    dispute = await _hold(connection, incident_id)
    if dispute["answered_by"] != "mediation":
        message = (
            f"incident {incident_id} is of the category {dispute['category']}, which mediation does not answer: only "
            "disputes are taken into mediation"
        )
        raise Conflict(message)
    if dispute["case_id"] is not None:
        message = f"this dispute was taken already: look at case {dispute['case_id']}, and hand it on, or reopen it"
        raise Conflict(message)
    if dispute["closed_at"] is not None or dispute["step"] not in {"reported", "accepted", "assigned"}:
        message = (
            f"incident {incident_id} is {dispute['step']}: only what is not dealt with yet is taken into mediation"
        )
        raise Conflict(message)
    kind = None if new.organisation else new.kind
    chosen = await _choose(connection, dispute, kind, new.organisation)
    if dispute["step"] == "reported":
        await take_step(connection, incident_id, Accept(), actor_id)
    if dispute["step"] != "assigned":
        await take_step(connection, incident_id, Assign(), actor_id)
    made = await fetch_one(
        connection, QUERIES["take"], {"incident_id": incident_id, **_chosen(chosen, new.organisation)}
    )
    key = {"case_id": made["case_id"]}
    await connection.execute(QUERIES["note"], {**key, "number": 1, "action": "take", "note": new.note, **_at(chosen)})
    parties = {"roles": [one.role for one in new.parties], "initials": [one.initials for one in new.parties]}
    await connection.execute(QUERIES["name_parties"], {**key, **parties})
    return await get_case(connection, made["case_id"])


async def act(connection: AsyncConnection, case_id: int, action: CaseAction, actor_id: int) -> Case:
    """Do something in a case, in the caller's transaction on behalf of the actor.

    Raises
    ------
    NotFound, Forbidden
        They see no such case; they may not change it.
    Outdated
        Others took steps that they had not seen.
    Conflict
        It cannot be done now; the message says what can.
    """
    incident_id = (await get_case(connection, case_id)).incident_id
    dispute = await _hold(connection, incident_id)  # nobody else changes incident or case from here on
    case = await get_case(connection, case_id)
    if action.seen is not None and action.seen != case.step_count:
        message = f"this case has {case.step_count} steps, you saw {action.seen}: look at it again"
        raise Outdated(message)
    if isinstance(action, ReopenCase):
        _refuse_reopening(case, dispute)
    elif not case.is_open:
        message = f"this case ended {case.outcome}: reopen it first"
        raise Conflict(message)
    key: dict[str, Any] = {"case_id": case_id, "number": case.step_count + 1}
    at: dict[str, Any] = {"facility_id": case.facility_id, "distance_m": None}
    if isinstance(action, HandOn):
        chosen = await _choose(connection, dispute, action.kind, action.organisation, case.facility_id)
        at = _at(chosen)
        await connection.execute(QUERIES["hand_on"], {**key, **_chosen(chosen, action.organisation)})
    else:
        await connection.execute(QUERIES["end"], {**key, "outcome": action.outcome})
        if isinstance(action, Settle):  # once the case has ended: a dispute in mediation is handled in no other way
            await take_step(connection, incident_id, Handle(note=f"mediation case {case_id}: settled"), actor_id)
    await connection.execute(QUERIES["note"], {**key, **at, "action": action.action, "note": action.text})
    return await get_case(connection, case_id)


async def get_case(connection: AsyncConnection, case_id: int) -> Case:
    """Read one case. Raises NotFound."""
    row = await fetch_one(connection, _ONE, {"case_id": case_id})
    if not row:
        message = f"there is no mediation case {case_id}"
        raise NotFound(message)
    return Case.model_validate(row)


async def course(connection: AsyncConnection, case_id: int) -> CaseCourse:
    """Read one case with its steps and parties. Raises NotFound."""
    case = await get_case(connection, case_id)
    steps = await (await connection.execute(QUERIES["steps"], {"case_id": case_id})).fetchall()
    parties = (await _parties(connection, [case_id]))[case_id]
    return CaseCourse.model_validate({"case": case, "steps": steps, "parties": parties})


async def newest_cases(
    connection: AsyncConnection,
    limit: int = 100,
    open_only: bool = False,
    kind: Kind | None = None,
    before: int | None = None,
    incident_id: int | None = None,
) -> list[Case]:
    """Read cases, newest first; `before` is the last case_id of the previous page."""
    previous = await get_case(connection, before) if before is not None else None
    rows = await connection.execute(
        _NEWEST,
        {
            "limit": limit,
            "open_only": open_only,
            "kind": kind,
            "incident_id": incident_id,
            "before_at": previous.taken_at if previous else None,
            "before_id": previous.case_id if previous else None,
        },
    )
    return [Case.model_validate(row) for row in await rows.fetchall()]


async def cases_as_csv(connection: AsyncConnection, with_parties: bool = False) -> AsyncIterator[tuple[str, int]]:
    """Read all cases as parts of a CSV file with their numbers of rows; parties are left out by default."""
    before: int | None = None
    is_first = True
    while True:
        page = await newest_cases(connection, _BATCH, before=before)
        parties = await _parties(connection, [case.case_id for case in page]) if with_parties else {}
        rows: list[list[Any]] = [[*_CSV, *(["parties"] if with_parties else [])]] if is_first else []
        for case in page:
            row = case.model_dump(mode="json")
            named = "; ".join(f"{one.role} {one.initials}" for one in parties[case.case_id]) if with_parties else ""
            rows.append([row[name] for name in _CSV] + ([named] if with_parties else []))
        yield csv_of(rows), len(page)
        if len(page) < _BATCH:
            return
        before, is_first = page[-1].case_id, False


async def _hold(connection: AsyncConnection, incident_id: int) -> dict[str, Any]:
    """Lock an incident, and read what there is to know of it as a dispute. Raises NotFound, Forbidden."""
    key = {"incident_id": incident_id}
    if not await fetch_one(connection, QUERIES["hold"], key):
        await get(connection, incident_id)
        message = "this dispute is not in your grid cells to act on: its command centre does"
        raise Forbidden(message)
    return await fetch_one(connection, QUERIES["dispute"], key)


async def _choose(
    connection: AsyncConnection,
    dispute: dict[str, Any],
    kind: Kind | None,
    facility_code: str | None,
    without: int | None = None,
) -> Candidate:
    found = await candidates_for(connection, dispute["incident_id"], kind, facility_code, without, limit=1)
    if found:
        return found[0]
    which = f"the organisation {facility_code} does not take" if facility_code else f"no {kind} mediation takes"
    message = (
        f"{which} cases of cell {dispute['grid_code']} or one above, has no mediator, or has this one already: "
        f"GET /incidents/{dispute['incident_id']}/mediation/organisations lists those that do"
    )
    raise Conflict(message)


def _chosen(chosen: Candidate, facility_code: str | None) -> dict[str, Any]:
    by = "named" if facility_code else "nearest"
    return {
        **chosen.model_dump(include={"mediation_kind", "division_level"}),
        "facility_id": chosen.facility_id,
        "chosen_by": by,
    }


def _at(chosen: Candidate) -> dict[str, Any]:
    return {"facility_id": chosen.facility_id, "distance_m": chosen.distance_m}


def _refuse_reopening(case: Case, dispute: dict[str, Any]) -> None:
    if case.is_open:
        message = "this case is open"
        raise Conflict(message)
    if dispute["closed_at"] is not None:
        message = "the incident of this case is closed: reopen the incident first (action reopen)"
        raise Conflict(message)
    if dispute["step"] != "assigned":
        message = (
            f"the incident of this case is {dispute['step']}: whoever verifies it rejects it (action reject) before the case "
            "is reopened"
        )
        raise Conflict(message)


async def _parties(connection: AsyncConnection, case_ids: list[int]) -> dict[int, list[Party]]:
    found: dict[int, list[Party]] = defaultdict(list)
    for row in await (await connection.execute(QUERIES["parties"], {"case_ids": case_ids})).fetchall():
        found[row["case_id"]].append(Party(role=row["role"], initials=row["initials"]))
    return found
