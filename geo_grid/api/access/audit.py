"""Routes of the audit; only an auditor may use them."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from geo_grid.access import audit
from geo_grid.api.server.asking import account_of, reading_much, writing
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import BULK

router = APIRouter(tags=["audit"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)


class AuditPage(BaseModel):
    """Rows of the audit, newest first; `next` leads to older ones."""

    entries: list[audit.Entry]
    next: int | None


class AuditVerdict(BaseModel):
    """Result of a verification of the chain; `faults` is empty when no row was changed or is missing."""

    rows: int
    last_hash: str | None
    faults: list[str]


@router.get("/audit")
async def search_audit(
    request: Request,
    wanted: Annotated[audit.Wanted, Query()],
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="continue before this audit_id")] = None,
) -> AuditPage:
    """Search the audit: by time, who, what (the beginning of an action), object and result. The search is recorded."""
    async with writing(request) as database:
        await audit.note_look(database, "search")
        found = await audit.search(database, wanted, limit, before)
    return AuditPage(entries=found, next=found[-1].audit_id if len(found) == limit else None)


@router.get("/audit/verification")
async def verify_audit(request: Request) -> AuditVerdict:
    """Check the chain from its first row to its last."""
    async with BULK.turn(account_of(request)), reading_much(request) as database:
        verdict = await audit.verify(database)
    return AuditVerdict(rows=verdict.rows, last_hash=verdict.last_hash, faults=verdict.faults[:100])


@router.get(
    "/audit/export",
    response_class=StreamingResponse,
    responses={200: {"description": "JSON lines: what was hashed, letter for letter, with both hashes",
                     "content": {"application/jsonl": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def export_audit(
    request: Request,
    settings: Configured,
    month: Annotated[
        str | None, Query(pattern=r"^[1-8][0-9]{3}-(0[1-9]|1[0-2])$", description="of one month: 2026-11")
    ] = None,
) -> StreamingResponse:
    """Export the audit; `geo-grid audit verify --file` checks it anywhere. The export itself is recorded."""
    first = date.fromisoformat(f"{month}-01") if month else None
    rows = 0
    with LongAnswer.begun(request, settings) as answer:
        async with BULK.turn(account_of(request)), reading_much(request) as database:
            async for link in audit.read_links(database, first):
                rows += 1
                await answer.write(audit.as_line(link))

    async def note() -> None:  # after the last row was sent: an incomplete export does not count
        async with writing(request) as database:
            await audit.note_export(database, first, rows)

    name = f"geo_grid-audit-{month or 'all'}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answer.sent("application/jsonl", headers, note)
