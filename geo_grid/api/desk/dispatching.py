"""/run-cards and /shifts: what is sent to what, units on scene that must be heard of, notes for the next shift."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from geo_grid.api.desk.incidents import IncidentId
from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.workflow.run_cards import NewRunCard, Run, RunCard, add_run_card, delete_run_card, run_cards, run_for
from geo_grid.workflow.shifts import (
    CheckInDue,
    NewShiftNote,
    ShiftDesk,
    ShiftNote,
    acknowledge,
    add_shift_note,
    check_ins,
    shift_desks,
    shift_notes,
)

router = APIRouter(tags=["dispatching"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class RunCards(BaseModel):
    """All run cards."""

    run_cards: list[RunCard]


class CheckIns(BaseModel):
    """Units on scene that must be heard of, those that are overdue longest first."""

    check_ins: list[CheckInDue]


class ShiftNotes(BaseModel):
    """Notes for the next shift, the newest first."""

    notes: list[ShiftNote]
    desks: list[ShiftDesk] = Field(
        description="cells that one may name in a note; empty: the whole city's is one's own"
    )


@router.get("/run-cards")
async def get_run_cards(request: Request) -> RunCards:
    """List which kinds of unit, and how many, are sent to what."""
    async with reading(request) as database:
        return RunCards(run_cards=await run_cards(database))


@router.post("/run-cards", status_code=201, responses={409: PROBLEM})
async def post_run_card(request: Request, new: NewRunCard) -> RunCard:
    """Add a run card."""
    async with writing(request) as database:
        return await add_run_card(database, new)


@router.delete("/run-cards/{run_card_id}", status_code=204, responses={404: PROBLEM})
async def remove_run_card(request: Request, run_card_id: Number) -> None:
    """Delete a run card."""
    async with writing(request) as database:
        await delete_run_card(database, run_card_id)


@router.get("/incidents/{incident_id}/run-card", responses={404: PROBLEM})
async def get_run(request: Request, settings: Configured, incident_id: IncidentId) -> Run:
    """Read which units should be sent to an incident, how many of them were, and which are nearest."""
    async with reading(request) as database:
        return await run_for(database, incident_id, ZoneInfo(settings.timezone))


@router.get("/shifts/check-ins")
async def get_check_ins(request: Request) -> CheckIns:
    """List units on scene, and until when each must be heard of; the step check_in begins its time anew."""
    async with reading(request) as database:
        return CheckIns(check_ins=await check_ins(database))


@router.get("/shifts/notes")
async def get_notes(
    request: Request,
    open: Annotated[bool, Query(description="only notes that nobody acknowledged")] = False,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
) -> ShiftNotes:
    """List notes for the next shift."""
    async with reading(request) as database:
        return ShiftNotes(notes=await shift_notes(database, open, limit), desks=await shift_desks(database))


@router.post("/shifts/notes", status_code=201)
async def post_note(request: Request, new: NewShiftNote) -> ShiftNote:
    """Leave a note for the next shift."""
    async with writing(request) as database:
        return await add_shift_note(database, new)


@router.post(
    "/shifts/notes/{shift_note_id}/acknowledgement",
    status_code=201,
    responses={404: PROBLEM, 409: PROBLEM},
)
async def post_acknowledgement(request: Request, shift_note_id: Number) -> ShiftNote:
    """Acknowledge a note of the shift before."""
    async with writing(request) as database:
        return await acknowledge(database, shift_note_id)
