"""Drafts: stored steps on top of an edition, which can be undone, redone, rebased, submitted and approved."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from geo_grid.boundaries import operations
from geo_grid.boundaries.division import Division, Edits, Refused
from geo_grid.boundaries.reading import (
    CELL_COLUMNS,
    CELLS,
    QUERIES,
    ZONES,
    difference,
    of_edition,
    read_division,
    read_zones,
    seen_codes,
    stored_shapes,
)
from geo_grid.boundaries.steps import AnyStep, Note, Restore, SetDuties, SetStops, as_step
from geo_grid.db import Connection, insert_rows
from geo_grid.errors import Conflict, Forbidden, NotFound, Outdated

_HIDDEN = "a neighbouring cell"
_CODE = re.compile(r"[\w.-]+", re.ASCII)


def make_draft(connection: Connection, title: str, author: str) -> int:
    """Begin a draft on the newest edition. Raises Conflict when there is none."""
    newest = connection.execute(QUERIES["newest"]).fetchone()
    if newest is None:
        message = "there are no boundaries yet: import some first"
        raise Conflict(message)
    made = connection.execute(
        QUERIES["make"], {"title": title, "author": author, "base": newest["edition_id"]}
    ).fetchone()
    return int((made or {})["draft_id"])


def list_drafts(
    connection: Connection, draft_id: int | None = None, is_open: bool | None = None
) -> list[dict[str, Any]]:
    """List drafts with their number of steps, who submitted and approved them, and whether their base is outdated."""
    return connection.execute(QUERIES["list"], {"draft_id": draft_id, "is_open": is_open}).fetchall()


def find_draft(connection: Connection, draft_id: int) -> dict[str, Any]:
    """Return one draft, as `list_drafts` does. Raises NotFound."""
    drafts = list_drafts(connection, draft_id)
    if not drafts:
        message = f"there is no draft {draft_id}"
        raise NotFound(message)
    return drafts[0]


def draft_steps(connection: Connection, draft_id: int) -> list[dict[str, Any]]:
    """List the steps of a draft, with those that were undone."""
    find_draft(connection, draft_id)
    return connection.execute(QUERIES["steps"], {"draft_id": draft_id}).fetchall()


def attached_steps(connection: Connection, draft_id: int) -> list[SetDuties | SetStops]:
    """Return the steps that change no boundary but come into force with the draft: duties and mandatory stops."""
    kept = [
        as_step(step["operation"], step["arguments"])
        for step in draft_steps(connection, draft_id)
        if step["undone_at"] is None
    ]
    return [step for step in kept if isinstance(step, SetDuties | SetStops)]


def edit_draft(
    connection: Connection, draft_id: int, step: AnyStep, author: str, *, in_force: Division | None = None
) -> Edits:
    """Add a step to a draft, and return the new states of cells; steps that were undone are deleted.

    Parameters
    ----------
    in_force
        The cells in force, if the caller has them; None: they are read.

    Raises
    ------
    Refused
        The result would not be a valid division; the draft is unchanged.
    Forbidden
        The step would change cells that the principal may not redraw.
    Outdated
        The draft has other steps than the client saw (`Step.seen`).
    Conflict
        The draft is published, discarded, submitted, or based on an edition that is no longer in force.
    """
    hold(connection, draft_id, seen=step.seen)
    changed = tried(connection, draft_id, step, in_force)
    connection.execute(QUERIES["forget_undone"], {"draft_id": draft_id})
    asked = {"operation": step.operation, "arguments": Jsonb(step.arguments()), "author": author, "reason": step.reason}
    row = connection.execute(QUERIES["put_step"], {**asked, "draft_id": draft_id}).fetchone() or {}
    for layer, before, edits in changed:
        _keep(connection, draft_id, row["step_number"], layer, before, edits)
    return {code: cell for _, _, edits in changed for code, cell in edits.items()}


def tried(
    connection: Connection, draft_id: int, step: AnyStep, in_force: Division | None
) -> list[tuple[str, Division, Edits]]:
    """Apply a step in memory: return layer, division before the step, and checked edits. Nothing is stored.

    Raises Refused, Forbidden as `edit_draft`.
    """
    base = in_force or read_division(connection)
    cells = read_division(connection, draft_id, base)
    scope = _scope(connection, cells, base)
    if scope is not None:
        if step.layer == ZONES or step.needs_city:
            message = (
                "patrol zones and former boundaries are changed for the whole city: ask somebody who answers for it"
            )
            raise Forbidden(message)
        scope.check_named(step.named())
    match step:
        case SetDuties() | SetStops():
            known = cells if step.layer == CELLS else read_zones(connection, draft_id)
            for code in step.codes:
                known.cell(code)
                if scope is not None and code not in scope.mine:
                    scope.refuse(code)
            return []
        case Note():
            return []
        case Restore():
            changed: list[tuple[str, Division, Edits]] = []
            for layer, now in ((CELLS, cells), (ZONES, read_zones(connection, draft_id))):
                edits = difference(now, of_edition(connection, step.edition, layer))
                now.proved(edits)
                changed.append((layer, now, edits))
            return changed
    before = cells if step.layer == CELLS else read_zones(connection, draft_id)
    try:
        edits = step.edits(before)
        if scope is not None:
            scope.check_changed(before, edits)
        before.proved(edits)
    except Refused as refused:
        if scope is None:
            raise
        raise Refused(scope.veiled(str(refused), before)) from None
    return [(step.layer, before, edits)]


@dataclass(frozen=True)
class _Scope:
    """What a principal who is bound to some cells may change and see; cells that the draft made belong to it too."""

    mine: set[str]
    seen: set[str]

    def check_named(self, codes: Iterable[str]) -> None:
        """Refuse cells that the principal may not see, as if they did not exist."""
        for code in codes:
            if code not in self.seen:
                message = f"there is no grid cell {code} in this draft"
                raise Refused(message)

    def check_changed(self, before: Division, edits: Edits) -> None:
        """Refuse edits that change cells of others; a new vertex where a line ends on their border is allowed."""
        for code in sorted(edits.keys() & before.cells.keys() - self.mine):
            new = edits[code]
            if new is None or not operations.is_only_bent(before.cells[code], new):
                self.refuse(code)

    def veiled(self, message: str, division: Division) -> str:
        """Return a message with the codes and names of cells blanked that the principal may not see."""
        for code in dict.fromkeys(word.strip(".-") for word in _CODE.findall(message)):
            hidden = division.cells.get(code) if code not in self.seen else None
            if hidden is not None:
                message = re.sub(rf"(?<![\w.-]){re.escape(code)}( {re.escape(hidden.name)})?(?!\w)", _HIDDEN, message)
        return message

    def refuse(self, code: str) -> None:
        """Raise Forbidden for a cell; the message has its code only if the principal may see it."""
        which = code if code in self.seen else _HIDDEN
        message = f"{which} is not yours to change: ask whoever answers for it, or the city"
        raise Forbidden(message)


def _scope(connection: Connection, drafted: Division, base: Division) -> _Scope | None:
    mine = (connection.execute(QUERIES["mine"]).fetchone() or {})["codes"]
    if mine is None:
        return None
    made = drafted.cells.keys() - base.cells.keys()
    return _Scope({*mine, *made}, {*(seen_codes(connection) or ()), *made})


def undo(connection: Connection, draft_id: int, seen: int | None = None) -> str | None:
    """Undo the last step and return its operation; None: there is none. Raises as `edit_draft`."""
    hold(connection, draft_id, seen=seen)
    row = connection.execute(QUERIES["undo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def redo(connection: Connection, draft_id: int, seen: int | None = None) -> str | None:
    """Redo the step that was undone last and return its operation; None: there is none. Raises as `edit_draft`."""
    hold(connection, draft_id, seen=seen)
    row = connection.execute(QUERIES["redo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def discard(connection: Connection, draft_id: int) -> None:
    """Discard a draft; its steps stay readable."""
    hold(connection, draft_id, may_be_stale=True)
    connection.execute(QUERIES["discard"], {"draft_id": draft_id})


def rebase(connection: Connection, draft_id: int, in_force: Division | None = None) -> int:
    """Rebase a draft: apply its steps to the edition now in force, and return their number.

    Raises
    ------
    Refused
        A step cannot be applied there; the draft is unchanged.
    """
    hold(connection, draft_id, may_be_stale=True)
    steps = [step for step in draft_steps(connection, draft_id) if step["undone_at"] is None]
    in_force = in_force or read_division(connection)
    with connection.transaction():
        connection.execute(QUERIES["forget_undone"], {"draft_id": draft_id})
        connection.execute(QUERIES["forget_cells"], {"draft_id": draft_id})
        connection.execute(QUERIES["rebased"], {"draft_id": draft_id})
        for step in steps:
            try:
                changed = tried(connection, draft_id, as_step(step["operation"], step["arguments"]), in_force)
            except Refused as refused:
                message = (
                    f"step {step['step_number']} ({step['operation']}) cannot be done on the newer edition: {refused}"
                )
                raise Refused(message) from None
            for layer, before, edits in changed:
                _keep(connection, draft_id, step["step_number"], layer, before, edits)
    return len(steps)


def submit(connection: Connection, draft_id: int, by: str, seen: int | None = None) -> None:
    """Submit a draft for approval; it cannot be changed until it is withdrawn or returned. Raises Conflict when empty."""
    hold(connection, draft_id, seen=seen)
    if all(step["undone_at"] or step["operation"] == "note" for step in draft_steps(connection, draft_id)):
        message = f"draft {draft_id} changes nothing yet"
        raise Conflict(message)
    connection.execute(QUERIES["submit"], {"draft_id": draft_id, "by": by})


def withdraw(connection: Connection, draft_id: int, reason: str | None = None) -> None:
    """Withdraw a submitted draft, or return it with a reason. Raises Conflict when it is not submitted."""
    _submitted(connection, draft_id)
    connection.execute(QUERIES["withdraw"], {"draft_id": draft_id, "reason": reason})


def approve(connection: Connection, draft_id: int, by: str, note: str, effective_at: datetime | None = None) -> None:
    """Approve a submitted draft, as a second person; due work publishes it at once, or at `effective_at`.

    Raises
    ------
    Conflict
        The draft is not submitted, or another edition has come into force since.
    Forbidden
        The principal drew or submitted it (migration 0017).
    """
    _submitted(connection, draft_id)
    require_current(connection, draft_id)
    asked = {"draft_id": draft_id, "by": by, "note": note, "effective_at": effective_at}
    connection.execute(QUERIES["approve"], asked)


def _submitted(connection: Connection, draft_id: int) -> None:
    found = hold(connection, draft_id, may_be_stale=True, may_be_submitted=True)
    if found["submitted_at"] is None:
        message = f"draft {draft_id} was not submitted"
        raise Conflict(message)


def zone_stops(connection: Connection, draft_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return the mandatory stops by patrol zone, as a draft has them; points are lon, lat in degrees."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(QUERIES["stops"]).fetchall():
        found.setdefault(row.pop("zone_code"), []).append(row)
    for step in attached_steps(connection, draft_id):
        if isinstance(step, SetStops):
            stops = [stop.model_dump(mode="json") for stop in step.stops]
            found |= dict.fromkeys(step.codes, stops)
    return found


def hold(
    connection: Connection,
    draft_id: int,
    *,
    may_be_stale: bool = False,
    may_be_submitted: bool = False,
    seen: int | None = None,
) -> dict[str, Any]:
    """Lock a draft until the transaction ends, if it can still be changed, and return it. Raises as `edit_draft`."""
    connection.execute(QUERIES["lock"], {"draft_id": draft_id})
    draft = require_current(connection, draft_id, may_be_stale)
    if draft["submitted_at"] is not None and not may_be_submitted:
        message = f"draft {draft_id} is submitted: withdraw it before changing it"
        raise Conflict(message)
    if seen is not None and seen != draft["steps"]:
        message = (
            f"somebody changed draft {draft_id} meanwhile: it has {draft['steps']} steps, you saw {seen}; look again"
        )
        raise Outdated(message)
    return draft


def require_current(connection: Connection, draft_id: int, may_be_stale: bool = False) -> dict[str, Any]:
    """Return a draft. Raises Conflict when it is published, discarded, or based on an edition no longer in force."""
    draft = find_draft(connection, draft_id)
    if draft["published_edition_id"] is not None or draft["discarded_at"] is not None:
        message = (
            f"draft {draft_id} was {'published' if draft['published_edition_id'] else 'discarded'}: make a new one"
        )
        raise Conflict(message)
    if draft["is_stale"] and not may_be_stale:
        message = f"another edition came into force after draft {draft_id} was made: rebase it first"
        raise Conflict(message)
    return draft


def _keep(connection: Connection, draft_id: int, step: int, layer: str, division: Division, edits: Edits) -> None:
    kept = [cell for cell in edits.values() if cell is not None]
    shapes = dict(zip((cell.grid_code for cell in kept), stored_shapes(kept), strict=True))
    told = (*CELL_COLUMNS, "responsible_unit")
    columns = ["draft_id", "step_number", "layer", "grid_code", "is_retired", *told, "geom"]
    rows = []
    for code, cell in edits.items():
        one = cell or division.cells[code]
        rows.append(
            (draft_id, step, layer, code, cell is None, *(getattr(one, name) for name in told), shapes.get(code))
        )
    insert_rows(connection, "draft_cells", columns, rows)
