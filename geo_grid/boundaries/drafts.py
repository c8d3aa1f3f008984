"""Drafts: steps on an edition that are stored, undone, done again, moved to a newer edition, and sent for approval."""

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
from geo_grid.boundaries.steps import AnyStep, Restore, SetDuties, SetStops, as_step
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
    """List drafts with their state: steps, who sent and approved them, and whether another edition came after their base."""
    return connection.execute(QUERIES["list"], {"draft_id": draft_id, "is_open": is_open}).fetchall()


def find_draft(connection: Connection, draft_id: int) -> dict[str, Any]:
    """Return one draft, as `list_drafts` does. Raises NotFound."""
    found = list_drafts(connection, draft_id)
    if not found:
        message = f"there is no draft {draft_id}"
        raise NotFound(message)
    return found[0]


def draft_steps(connection: Connection, draft_id: int) -> list[dict[str, Any]]:
    """List the steps of a draft, those undone too."""
    find_draft(connection, draft_id)
    return connection.execute(QUERIES["steps"], {"draft_id": draft_id}).fetchall()


def attached_steps(connection: Connection, draft_id: int) -> list[SetDuties | SetStops]:
    """Return the steps that change no boundary and come into force with them: duties, and stops of patrols."""
    kept = [
        as_step(step["operation"], step["arguments"])
        for step in draft_steps(connection, draft_id)
        if step["undone_at"] is None
    ]
    return [step for step in kept if isinstance(step, SetDuties | SetStops)]


def edit_draft(
    connection: Connection, draft_id: int, step: AnyStep, author: str, *, in_force: Division | None = None
) -> Edits:
    """Do a step, and return the cells as they become; what was undone before is forgotten.

    Parameters
    ----------
    in_force
        The cells in force, if the caller has them; read when not given.

    Raises
    ------
    Refused
        It would break the division; the draft is as it was.
    Forbidden
        It would change cells that whoever asks may not redraw.
    Outdated
        Somebody did or undid a step meanwhile.
    Conflict
        The draft is published, discarded, submitted, or stands on an edition that is no longer in force.
    """
    hold(connection, draft_id, seen=step.seen)
    changed = _done(connection, draft_id, step, in_force)
    connection.execute(QUERIES["forget_undone"], {"draft_id": draft_id})
    asked = {"operation": step.operation, "arguments": Jsonb(step.arguments()), "author": author, "reason": step.reason}
    row = connection.execute(QUERIES["put_step"], {**asked, "draft_id": draft_id}).fetchone() or {}
    for layer, before, edits in changed:
        _keep(connection, draft_id, row["step_number"], layer, before, edits)
    return {code: cell for _, _, edits in changed for code, cell in edits.items()}


def _done(
    connection: Connection, draft_id: int, step: AnyStep, in_force: Division | None
) -> list[tuple[str, Division, Edits]]:
    """Return what a step changes: layer, what there is before it, and proved edits; nothing is stored."""
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
    """What somebody who does not answer for the whole city may change, and see; what their draft made is theirs."""

    mine: set[str]
    seen: set[str]

    def check_named(self, codes: Iterable[str]) -> None:
        """Refuse cells that whoever asks may not see, as if they did not exist."""
        for code in codes:
            if code not in self.seen:
                message = f"there is no grid cell {code} in this draft"
                raise Refused(message)

    def check_changed(self, before: Division, edits: Edits) -> None:
        """Refuse what changes cells of others; that their border gets a corner where a line ends is no change."""
        for code in sorted(edits.keys() & before.cells.keys() - self.mine):
            new = edits[code]
            if new is None or not operations.is_only_bent(before.cells[code], new):
                self.refuse(code)

    def veiled(self, message: str, division: Division) -> str:
        """Return a message without the codes and names of cells that whoever asks may not see."""
        for code in dict.fromkeys(word.strip(".-") for word in _CODE.findall(message)):
            hidden = division.cells.get(code) if code not in self.seen else None
            if hidden is not None:
                message = re.sub(rf"(?<![\w.-]){re.escape(code)}( {re.escape(hidden.name)})?(?!\w)", _HIDDEN, message)
        return message

    def refuse(self, code: str) -> None:
        """Say that a cell is not theirs, by its code if they may see it."""
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
    """Undo the last step and return its operation; None when there is none. Raises as `edit_draft`."""
    hold(connection, draft_id, seen=seen)
    row = connection.execute(QUERIES["undo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def redo(connection: Connection, draft_id: int, seen: int | None = None) -> str | None:
    """Do again the step that was undone last and return its operation; None when there is none."""
    hold(connection, draft_id, seen=seen)
    row = connection.execute(QUERIES["redo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def discard(connection: Connection, draft_id: int) -> None:
    """Give a draft up; its steps stay readable."""
    hold(connection, draft_id, may_be_stale=True)
    connection.execute(QUERIES["discard"], {"draft_id": draft_id})


def rebase(connection: Connection, draft_id: int, in_force: Division | None = None) -> int:
    """Do a draft's steps again on the edition now in force, and return how many.

    Raises
    ------
    Refused
        A step cannot be done there; the draft is as it was.
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
                changed = _done(connection, draft_id, as_step(step["operation"], step["arguments"]), in_force)
            except Refused as refused:
                message = (
                    f"step {step['step_number']} ({step['operation']}) cannot be done on the newer edition: {refused}"
                )
                raise Refused(message) from None
            for layer, before, edits in changed:
                _keep(connection, draft_id, step["step_number"], layer, before, edits)
    return len(steps)


def submit(connection: Connection, draft_id: int, by: str, seen: int | None = None) -> None:
    """Send a draft for approval; nobody changes it until it is withdrawn or returned. Raises Conflict when it is empty."""
    found = hold(connection, draft_id, seen=seen)
    if not found["steps"]:
        message = f"draft {draft_id} changes nothing yet"
        raise Conflict(message)
    connection.execute(QUERIES["submit"], {"draft_id": draft_id, "by": by})


def withdraw(connection: Connection, draft_id: int, reason: str | None = None) -> None:
    """Take a draft back from approval, or return it with a reason. Raises Conflict when it is not submitted."""
    _submitted(connection, draft_id)
    connection.execute(QUERIES["withdraw"], {"draft_id": draft_id, "reason": reason})


def approve(connection: Connection, draft_id: int, by: str, note: str, effective_at: datetime | None = None) -> None:
    """Approve a submitted draft, as a second person; the server brings it into force at once, or at a time.

    Raises
    ------
    Conflict
        It is not submitted, or another edition came into force meanwhile.
    Forbidden
        Whoever asks drew or submitted it (migration 0017).
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
    """Return the mandatory stops of each patrol zone, as a draft has them; points are lon, lat."""
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
    """Hold a draft against others until the transaction ends, if it can still be changed, and return it."""
    connection.execute(QUERIES["lock"], {"draft_id": draft_id})
    found = require_current(connection, draft_id, may_be_stale)
    if found["submitted_at"] is not None and not may_be_submitted:
        message = f"draft {draft_id} is submitted: withdraw it before changing it"
        raise Conflict(message)
    if seen is not None and seen != found["steps"]:
        message = (
            f"somebody changed draft {draft_id} meanwhile: it has {found['steps']} steps, you saw {seen}; look again"
        )
        raise Outdated(message)
    return found


def require_current(connection: Connection, draft_id: int, may_be_stale: bool = False) -> dict[str, Any]:
    """Return a draft that is neither published nor discarded nor behind the boundaries in force. Raises Conflict."""
    found = find_draft(connection, draft_id)
    if found["published_edition_id"] is not None or found["discarded_at"] is not None:
        message = (
            f"draft {draft_id} was {'published' if found['published_edition_id'] else 'discarded'}: make a new one"
        )
        raise Conflict(message)
    if found["is_stale"] and not may_be_stale:
        message = f"another edition came into force after draft {draft_id} was made: rebase it first"
        raise Conflict(message)
    return found


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
