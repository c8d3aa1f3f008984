"""/boundaries: drafts of grid cells, their check and impact, approval, and former editions."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from geo_grid.api.boundaries.drafting import changed, changed_apart, in_force, name_of, whole
from geo_grid.api.boundaries.models import (
    CHANGING,
    MISSING,
    Agreement,
    Approval,
    CellLoads,
    DraftId,
    DraftInFull,
    Drafts,
    EditionId,
    Editions,
    Findings,
    Going,
    NewDraft,
    Preview,
    Proposals,
    Reason,
    Wish,
)
from geo_grid.api.server.asking import account_of, apart, identity_of, while_wanted, with_rights
from geo_grid.api.server.html import html_page
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.boundaries import draft_findings, draft_impact, draft_restoring, proposals, publish_when_due, reading
from geo_grid.boundaries import drafts as work
from geo_grid.boundaries.agreement import recorded_agreement
from geo_grid.boundaries.apart import all_findings_apart, edit_apart, is_small, rebase_apart
from geo_grid.boundaries.division import Division, Refused
from geo_grid.boundaries.drawing import CellCollection, cells_in_view, changed_cells, zones_in_view
from geo_grid.boundaries.loads import cell_loads
from geo_grid.boundaries.norms import HOUSEHOLDS
from geo_grid.boundaries.preview import preview
from geo_grid.boundaries.steps import AskedStep, SetDuties
from geo_grid.budgets import DRAFTS, REDRAWING, SOLVING
from geo_grid.db import Connection, connect
from geo_grid.errors import Conflict
from geo_grid.exchange import reports

_FILE = {"schema": {"type": "string", "format": "binary"}}
router = APIRouter(prefix="/boundaries", tags=["boundaries"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


@router.get("/drafts", response_model=Drafts)
async def list_drafts(
    request: Request, open: Annotated[bool | None, Query(description="only those at work, or only the others")] = None
) -> object:
    """List drafts."""
    return {"drafts": await with_rights(request, lambda c: work.list_drafts(c, is_open=open))}


@router.post("/drafts", status_code=201, response_model=DraftInFull, responses={409: CHANGING[409]})
async def post_draft(request: Request, new: NewDraft) -> object:
    """Begin a draft on the boundaries in force."""
    return await with_rights(request, lambda c: whole(c, work.make_draft(c, new.title, name_of(request))))


@router.get("/drafts/{draft_id}", response_model=DraftInFull, responses=MISSING)
async def get_draft(request: Request, draft_id: DraftId) -> object:
    """Read a draft with its steps."""
    return await with_rights(request, lambda c: whole(c, draft_id))


@router.delete("/drafts/{draft_id}", status_code=204, responses=CHANGING)
async def delete_draft(request: Request, draft_id: DraftId) -> None:
    """Discard a draft; its steps stay readable."""
    await with_rights(request, lambda c: work.discard(c, draft_id))


@router.post("/drafts/{draft_id}/steps", status_code=201, response_model=DraftInFull, responses=CHANGING)
async def post_step(request: Request, draft_id: DraftId, step: AskedStep) -> object:
    """Add a step: the division stays valid at every level, or the step is refused and changes nothing."""
    if not is_small(step.arguments()):
        return await changed_apart(request, draft_id, REDRAWING, edit_apart, step, name_of(request))
    return await changed(
        request, draft_id, lambda c: work.edit_draft(c, draft_id, step, name_of(request), in_force=in_force(request))
    )


@router.post("/drafts/{draft_id}/preview", response_model=Preview, responses=MISSING)
async def post_preview(request: Request, draft_id: DraftId, step: AskedStep) -> object:
    """Tell what a step would do to the cells it changes, for whoever is drawing it; nothing is stored."""

    def do(connection: Connection) -> dict[str, Any]:
        try:
            return {"parts": preview(connection, draft_id, step, in_force(request)), "refused": None}
        except Refused as refused:  # an answer: a line that is being drawn does not divide a cell yet
            return {"parts": [], "refused": str(refused)}

    if not is_small(step.arguments()):
        message = "this shape is too large to be told of while it is drawn: do the step, and look at the impact"
        return {"parts": [], "refused": message}
    return await with_rights(request, do)


@router.post("/drafts/{draft_id}/undo", response_model=DraftInFull, responses=CHANGING)
async def post_undo(request: Request, draft_id: DraftId, going: Going) -> object:
    """Undo the last step; nothing happens when there is none."""
    return await changed(request, draft_id, lambda c: work.undo(c, draft_id, going.seen))


@router.post("/drafts/{draft_id}/redo", response_model=DraftInFull, responses=CHANGING)
async def post_redo(request: Request, draft_id: DraftId, going: Going) -> object:
    """Redo the step that was undone last; nothing happens when there is none."""
    return await changed(request, draft_id, lambda c: work.redo(c, draft_id, going.seen))


@router.post("/drafts/{draft_id}/rebase", response_model=DraftInFull, responses=CHANGING)
async def post_rebase(request: Request, draft_id: DraftId) -> object:
    """Rebase the draft: apply all its steps to the boundaries now in force, or leave it unchanged."""
    return await changed_apart(request, draft_id, REDRAWING, rebase_apart)


@router.post("/drafts/{draft_id}/submit", response_model=DraftInFull, responses=CHANGING)
async def post_submit(request: Request, draft_id: DraftId, going: Going) -> object:
    """Submit a draft for approval; it cannot be changed until it is withdrawn or returned."""
    return await changed(request, draft_id, lambda c: work.submit(c, draft_id, name_of(request), going.seen))


@router.post("/drafts/{draft_id}/withdraw", response_model=DraftInFull, responses=CHANGING)
async def post_withdraw(request: Request, draft_id: DraftId) -> object:
    """Withdraw a submitted draft, also when it is approved but not yet in force."""
    return await changed(request, draft_id, lambda c: work.withdraw(c, draft_id))


@router.post("/drafts/{draft_id}/return", response_model=DraftInFull, responses=CHANGING)
async def post_return(request: Request, draft_id: DraftId, why: Reason) -> object:
    """Return a submitted draft to its planner, with the reason."""
    return await changed(request, draft_id, lambda c: work.withdraw(c, draft_id, why.reason))


@router.post("/drafts/{draft_id}/publish", response_model=DraftInFull, responses=CHANGING)
async def post_publish(request: Request, draft_id: DraftId, approval: Approval) -> object:
    """Approve a submitted draft as a second person: the server brings it into force at once, or at the time given."""
    await with_rights(
        request, lambda c: work.approve(c, draft_id, name_of(request), approval.note, approval.effective_at)
    )
    return await _brought_into_force(request, draft_id)


async def _brought_into_force(request: Request, draft_id: int) -> dict[str, Any]:
    """Publish a draft that is due at once, not at the next poll of due work. Raises Conflict when that is impossible."""
    await DRAFTS.run(None, _publish_when_due, server_of(request).seeing_all, draft_id)
    found = await with_rights(request, lambda c: whole(c, draft_id))
    if found["approved_at"] is None:
        message = f"draft {draft_id} could not come into force and was returned: {found['returned_because']}"
        raise Conflict(message)
    return found


def _publish_when_due(conninfo: str, draft_id: int) -> None:
    with connect(conninfo) as connection:
        publish_when_due(connection, draft_id)


@router.get("/drafts/{draft_id}/cells", response_model=CellCollection, responses=MISSING)
async def get_cells(
    request: Request,
    draft_id: DraftId,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")],
    level: Annotated[int, Query(ge=1, le=20, description="grid level; areas not divided so far show what they have")],
) -> object:
    """Draw the cells of a level as the draft has them, for a part of the map."""
    return await with_rights(
        request,
        lambda c: cells_in_view(c, reading.draft_changes(c, draft_id, in_force(request)), bbox, level),
    )


@router.get("/drafts/{draft_id}/changes", response_model=CellCollection, responses=MISSING)
async def get_changes(request: Request, draft_id: DraftId) -> object:
    """Return the cells that a draft changes, before and after."""

    def do(connection: Connection) -> dict[str, Any]:
        drawn = changed_cells(*reading.shown_changes(connection, draft_id, in_force(request)))
        drawn["features"] += changed_cells(*reading.zone_changes(connection, draft_id), reading.ZONES)["features"]
        return drawn

    return await with_rights(request, do)


@router.get("/drafts/{draft_id}/zones", response_model=CellCollection, responses=MISSING)
async def get_zones(
    request: Request,
    draft_id: DraftId,
    bbox: Annotated[str, Query(max_length=200, description="west,south,east,north, degrees")],
) -> object:
    """Draw the patrol zones as the draft has them, for a part of the map; as the cells are."""
    return await with_rights(
        request, lambda c: zones_in_view(reading.zone_changes(c, draft_id), work.zone_stops(c, draft_id), bbox)
    )


@router.get("/drafts/{draft_id}/check", response_model=Findings, responses=MISSING)
async def get_check(
    request: Request,
    draft_id: DraftId,
    all: Annotated[bool, Query(description="every cell, not only what the draft changes")] = False,
    limit: Annotated[int, Query(ge=1), AtMost(100_000)] = 500,
) -> object:
    """Check the draft: faults of the division, and peculiarities."""

    if all:
        findings = await apart(request, SOLVING, all_findings_apart, server_of(request).seeing_all, draft_id)
    else:
        findings = await with_rights(request, lambda c: draft_findings(c, draft_id, in_force(request)))
    return {"findings": findings[:limit], "count": len(findings)}


@router.get("/drafts/{draft_id}/impact", responses=MISSING)
async def get_impact(request: Request, draft_id: DraftId) -> dict[str, Any]:
    """Return the impact of the draft: changed cells, owners of objects, households, workloads and duties."""
    return await with_rights(request, lambda c: asdict(draft_impact(c, draft_id, in_force(request))))


@router.get(
    "/drafts/{draft_id}/report",
    response_class=Response,
    responses=MISSING | {200: {"content": dict.fromkeys(("text/html", "application/pdf", "text/csv"), _FILE)}},
)
async def get_report(
    request: Request,
    settings: Configured,
    draft_id: DraftId,
    f: Annotated[Literal["html", "pdf", "csv"], Query()] = "html",
    lang: Annotated[Literal["zh", "en"], Query()] = "zh",
) -> Response:
    """Return a report about the impact of a draft for its approvers: a page, a PDF, or a CSV of all changes."""

    def do(connection: Connection) -> dict[str, Any]:
        cells = in_force(request)
        changes = reading.shown_changes(connection, draft_id, cells)
        findings = draft_findings(connection, draft_id, cells)
        made_at = datetime.now(ZoneInfo(settings.timezone)).strftime("%Y-%m-%d %H:%M")
        impact = draft_impact(connection, draft_id, cells)
        return reports.draft_report(whole(connection, draft_id), impact, findings, changes, made_at, lang)

    report = await with_rights(request, do, SOLVING)
    if f == "html":
        return html_page(request, reports.as_html(report))
    if f == "csv":
        body: bytes | str = reports.as_csv(report)
    else:
        body = await SOLVING.run(account_of(request), reports.as_pdf, report)
    headers = {"Content-Disposition": f'attachment; filename="draft-{draft_id}.{f}"', "Cache-Control": "no-store"}
    return Response(body, headers=headers, media_type="application/pdf" if f == "pdf" else "text/csv; charset=utf-8")


@router.post("/drafts/{draft_id}/proposals", response_model=Proposals, responses=MISSING)
async def post_proposals(request: Request, draft_id: DraftId, wish: Wish) -> object:
    """Propose balanced groupings of the children of some neighbours; nothing is stored."""

    def gather(connection: Connection) -> tuple[Division, dict[str, float], dict[str, int] | None]:
        division = reading.read_division(connection, draft_id, in_force(request))
        seen = reading.seen_codes(connection)
        if seen is not None:  # cells that the principal may not see are treated as if they did not exist
            hidden = in_force(request).cells.keys() - seen
            division = division.without(hidden)
        loads = proposals.read_loads(connection, division, wish.parents, wish.measure)
        blocks = proposals.road_blocks(connection, division, wish.parents) if wish.along_roads else None
        return proposals.just_below(division, wish.parents), loads, blocks

    async def work() -> dict[str, Any]:
        async with server_of(request).solvers.turn() as turn:
            division, loads, blocks = await with_rights(request, gather, SOLVING)
            present, found = await turn.do(
                proposals.propose, division, wish.parents, loads, wish.count, wish.locked, blocks, wish.seed
            )
            return {
                "present": asdict(present),
                "proposals": [asdict(one) for one in found],
                "along_roads": blocks is not None,
            }

    with server_of(request).calculations.held(identity_of(request).principal_id):
        return await while_wanted(request, work())


@router.get("/overloaded", response_model=CellLoads, responses=MISSING)
async def get_overloaded(
    request: Request,
    level: Annotated[int | None, Query(ge=1, le=20, description="the one where most managers are if not given")] = None,
    norm: Annotated[int, Query(ge=1, le=100_000, description="households per grid manager")] = HOUSEHOLDS[1],
    all: Annotated[bool, Query(description="every cell of the level, not only those beyond the norm")] = False,
    draft: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="as this draft has cells and duties")] = None,
    limit: Annotated[int, Query(ge=1), AtMost(10_000)] = 100,
) -> object:
    """List cells where households per grid manager exceed a norm, or all cells of the level, the worst first."""

    def do(connection: Connection) -> dict[str, Any]:
        cells = reading.read_division(connection, draft, in_force(request))
        steps = [] if draft is None else work.attached_steps(connection, draft)
        planned = [step for step in steps if isinstance(step, SetDuties)]
        shown, found = cell_loads(connection, cells, level, norm, planned)
        mine = reading.shown_codes(connection, in_force(request), dict.fromkeys(cells.cells))
        told = [one for one in found if (all or one["state"]) and (mine is None or one["grid_code"] in mine)]
        return {"level": shown, "cells": told[:limit]}

    return await with_rights(request, do, SOLVING)


@router.get("/agreement", response_model=Agreement)
async def get_agreement(request: Request) -> object:
    """Compare the recorded owner of incidents with their owner by the boundaries in force, by cell."""
    return await with_rights(request, recorded_agreement, SOLVING)


@router.get("/editions", response_model=Editions)
async def list_editions(request: Request) -> object:
    """List editions, the newest first."""
    return {"editions": await with_rights(request, reading.list_editions)}


@router.get("/editions/{edition_id}/changes", response_model=CellCollection, responses=MISSING)
async def get_difference(
    request: Request,
    edition_id: EditionId,
    since: Annotated[int, Query(ge=1, le=2**63 - 1, description="the edition it is compared with")],
) -> object:
    """Return the difference of two editions: the cells and zones that changed, before and after."""

    def do(connection: Connection) -> dict[str, Any]:
        drawn: dict[str, Any] = {"features": []}
        for layer in (reading.CELLS, reading.ZONES):
            before = reading.of_edition(connection, since, layer)
            edits = reading.difference(before, reading.of_edition(connection, edition_id, layer))
            drawn["features"] += changed_cells(before, edits, layer)["features"]
        return drawn

    return await with_rights(request, do, SOLVING)


@router.post("/editions/{edition_id}/restore", status_code=201, response_model=DraftInFull, responses=CHANGING)
async def post_restore(request: Request, edition_id: EditionId, approval: Approval) -> object:
    """Restore all cells and zones of a former edition, as a new edition."""
    name = name_of(request)

    def do(connection: Connection) -> int:
        draft_id = draft_restoring(connection, edition_id, name, approval.note, in_force(request))
        work.approve(connection, draft_id, name, approval.note, approval.effective_at)
        return draft_id

    return await _brought_into_force(request, await with_rights(request, do))
