"""Drafts: steps on an edition that are stored, undone, done again, moved to a newer edition, and brought into force."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import shapely
from psycopg import sql
from psycopg.types.json import Jsonb

from geo_grid.boundaries import operations
from geo_grid.boundaries.division import Cell, Division, Edits, Refused, same_corners
from geo_grid.boundaries.drawn import draw_cells
from geo_grid.boundaries.publish import QUERIES as PUBLISH
from geo_grid.boundaries.publish import open_edition
from geo_grid.db import Connection, copy_rows, ewkb, load_queries
from geo_grid.errors import Conflict, NotFound
from geo_grid.layers import REGISTRY
from geo_grid.locate import assign

QUERIES = load_queries("geo_grid.boundaries", "drafts.sql")
_COLUMNS = ("grid_level", "parent_code", "name", "code_scheme", "cell_kind", "household_count", "is_demo")


def _geometry(arguments: dict[str, Any], name: str) -> Any:
    return shapely.from_geojson(json.dumps(arguments[name]))


OPERATIONS: dict[str, Callable[[Division, dict[str, Any]], Edits]] = {
    "split": lambda d, a: operations.split(d, a["codes"][0], _geometry(a, "line")),
    "merge": lambda d, a: operations.merge(d, a["codes"], a.get("keep")),
    "move_border": lambda d, a: operations.move_border(d, a["codes"][0], a["codes"][1], _geometry(a, "line")),
    "carve": lambda d, a: operations.carve(
        d, a["codes"], _geometry(a, "area"), a["name"], a.get("cell_kind", "dedicated")
    ),
    "transfer": lambda d, a: operations.transfer(d, a["codes"][0], a["parent_code"]),
    "describe": lambda d, a: operations.describe(
        d, a["codes"][0], a.get("name"), a.get("household_count"), a.get("cell_kind")
    ),
}
"""By name, with arguments as a step keeps them: codes, and what else it needs; geometries as GeoJSON."""
NEEDS = {
    "split": (1, "line"), "merge": (2, None), "move_border": (2, "line"), "carve": (1, "area"), "transfer": (1, "parent_code"),
    "describe": (1, None),
}  # fmt: skip
"""How many codes an operation takes at least, and what it cannot do without."""


def make_draft(connection: Connection, title: str, author: str) -> int:
    """Begin a draft on the newest edition. Raises Conflict when there is none."""
    made = connection.execute(QUERIES["make"], {"title": title, "author": author}).fetchone()
    if made is None:
        message = "there are no boundaries yet: import some first"
        raise Conflict(message)
    return int(made["draft_id"])


def list_drafts(connection: Connection, draft_id: int | None = None) -> list[dict[str, Any]]:
    """List drafts with their state: steps, and whether another edition came after their base."""
    return connection.execute(QUERIES["list"], {"draft_id": draft_id}).fetchall()


def draft_steps(connection: Connection, draft_id: int) -> list[dict[str, Any]]:
    """List the steps of a draft, those undone too."""
    _find(connection, draft_id)
    return connection.execute(QUERIES["steps"], {"draft_id": draft_id}).fetchall()


def edit_draft(
    connection: Connection, draft_id: int, operation: str, arguments: dict[str, Any], author: str, reason: str = ""
) -> Edits:
    """Do a step, and return the cells as they become; what was undone before is forgotten.

    Raises
    ------
    Refused
        It would break the division; the draft is as it was.
    Conflict
        The draft is published, discarded, or stands on an edition that is no longer in force.
    """
    _hold(connection, draft_id)
    count, needed = NEEDS[operation]
    if len(arguments.get("codes", ())) < count or (needed is not None and arguments.get(needed) is None):
        message = f"{operation} needs {count} cell{'s' if count > 1 else ''}{f' and {needed}' if needed else ''}"
        raise Refused(message)
    division = read_division(connection, draft_id)
    edits = OPERATIONS[operation](division, arguments)
    division.proved(edits)
    connection.execute(QUERIES["forget_undone"], {"draft_id": draft_id})
    asked = {"operation": operation, "arguments": Jsonb(arguments), "author": author, "reason": reason}
    row = connection.execute(QUERIES["put_step"], {**asked, "draft_id": draft_id}).fetchone() or {}
    _keep(connection, draft_id, row["step_number"], division, edits)
    return edits


def undo(connection: Connection, draft_id: int) -> str | None:
    """Undo the last step and return its operation; None when there is none."""
    _hold(connection, draft_id)
    row = connection.execute(QUERIES["undo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def redo(connection: Connection, draft_id: int) -> str | None:
    """Do again the step that was undone last and return its operation; None when there is none."""
    _hold(connection, draft_id)
    row = connection.execute(QUERIES["redo"], {"draft_id": draft_id}).fetchone()
    return None if row is None else str(row["operation"])


def discard(connection: Connection, draft_id: int) -> None:
    """Give a draft up; its steps stay readable."""
    _hold(connection, draft_id, may_be_stale=True)
    connection.execute(QUERIES["discard"], {"draft_id": draft_id})


def rebase(connection: Connection, draft_id: int) -> int:
    """Do a draft's steps again on the edition now in force, and return how many.

    Raises
    ------
    Refused
        A step cannot be done there; the draft is as it was.
    """
    _hold(connection, draft_id, may_be_stale=True)
    steps = [step for step in draft_steps(connection, draft_id) if step["undone_at"] is None]
    with connection.transaction():
        connection.execute(QUERIES["forget_undone"], {"draft_id": draft_id})
        connection.execute(QUERIES["forget_cells"], {"draft_id": draft_id})
        connection.execute(QUERIES["rebased"], {"draft_id": draft_id})
        division = read_division(connection, draft_id)
        for step in steps:
            try:
                edits = OPERATIONS[step["operation"]](division, step["arguments"])
                after = division.proved(edits)
            except Refused as refused:
                message = (
                    f"step {step['step_number']} ({step['operation']}) cannot be done on the newer edition: {refused}"
                )
                raise Refused(message) from None
            _keep(connection, draft_id, step["step_number"], division, edits)
            division = after
    return len(steps)


def read_division(connection: Connection, draft_id: int | None = None) -> Division:
    """Read the cells in force, or as a draft has them."""
    used = connection.execute(QUERIES["used_codes"], {"draft_id": draft_id}).fetchall()
    cells = _cells(connection.execute(QUERIES["cells"]).fetchall())
    in_force = Division(cells, (row["grid_code"] for row in used))
    return in_force if draft_id is None else _as_drafted(connection, draft_id, in_force)


def _as_drafted(connection: Connection, draft_id: int, in_force: Division) -> Division:
    """Return a division as a draft has it; cells that it leaves alone are the same objects."""
    rows = connection.execute(QUERIES["draft_cells"], {"draft_id": draft_id}).fetchall()
    kept = _cells(row for row in rows if not row["is_retired"])
    gone: Edits = {row["grid_code"]: None for row in rows if row["is_retired"] and row["grid_code"] in in_force.cells}
    return in_force.edited(gone | {cell.grid_code: cell for cell in kept})


def draft_changes(connection: Connection, draft_id: int) -> tuple[Division, Edits]:
    """Return the division in force, and what a draft makes of it in the end: steps that cancel out leave nothing."""
    before = read_division(connection)
    return before, difference(before, _as_drafted(connection, draft_id, before))


def led_codes(connection: Connection) -> set[str]:
    """Return the codes of the cells that have a grid lead now."""
    return {row["grid_code"] for row in connection.execute(QUERIES["led"]).fetchall()}


def difference(before: Division, after: Division) -> Edits:
    """Return what turns one division into another."""
    edits: Edits = dict.fromkeys(before.cells.keys() - after.cells.keys())
    for code, cell in after.cells.items():
        old = before.cells.get(code)
        if old is cell:
            continue
        if (
            old is None
            or replace(old, shape=None) != replace(cell, shape=None)
            or not same_corners(old.shape, cell.shape)
        ):
            edits[code] = cell
    return edits


def publish_draft(connection: Connection, draft_id: int, note: str) -> int:
    """Bring a draft into force in the caller's transaction and return the edition.

    Raises
    ------
    Conflict
        It changes nothing, was published before, or another edition came after its base: rebase it.
    Refused
        It no longer divides the city.
    """
    _hold(connection, draft_id)
    before, edits = draft_changes(connection, draft_id)
    edition = bring_into_force(connection, before, edits, note)
    connection.execute(QUERIES["published"], {"draft_id": draft_id, "edition": edition})
    return edition


def roll_back(connection: Connection, edition: int, note: str) -> int:
    """Bring the cells of a former edition into force again, as a new edition, and return it.

    Raises
    ------
    NotFound
        There is no such edition.
    Conflict
        Its cells are in force already.
    """
    if connection.execute(QUERIES["edition"], {"edition": edition}).fetchone() is None:
        message = f"there is no edition {edition}"
        raise NotFound(message)
    rows = connection.execute(QUERIES["cells_of_edition"], {"edition": edition}).fetchall()
    before = read_division(connection)
    return bring_into_force(connection, before, difference(before, Division(_cells(rows))), note)


def bring_into_force(connection: Connection, before: Division, edits: Edits, note: str) -> int:
    """Close cells, open others, draw them, and give what is open in them to its owner; return the edition.

    Raises
    ------
    Conflict
        There is nothing to bring into force.
    Refused
        The cells would not divide the city.
    """
    if not edits:
        message = "nothing would change"
        raise Conflict(message)
    before.proved(edits)
    edition, begins = open_edition(connection, note)
    connection.execute(PUBLISH["close_cells"], {"codes": list(edits), "valid_from": begins, "edition": edition})
    opened = [cell for cell in edits.values() if cell is not None]
    rows = (
        (cell.grid_code, *(getattr(cell, name) for name in _COLUMNS), geom, begins, edition)
        for cell, geom in zip(opened, _multi(opened), strict=True)
    )
    copy_rows(connection, "grid_cells", ["grid_code", *_COLUMNS, "geom", "valid_from", "edition_id"], rows)
    draw_cells(connection, edition, begins)
    _assign_again(connection, before, edits)
    return edition


def _assign_again(connection: Connection, before: Division, edits: Edits) -> None:
    touched = [before.cells[code].shape for code in edits if code in before.cells]
    touched += [cell.shape for cell in edits.values() if cell is not None]
    west, south, east, north = shapely.total_bounds(touched)
    asked = {"codes": list(edits), "west": west, "south": south, "east": east, "north": north}
    assigned = [layer for layer in REGISTRY.values() if layer.is_assigned]
    tables = sql.SQL(", ").join(sql.Identifier(layer.name) for layer in assigned)
    connection.execute(sql.SQL(QUERIES["hold_points"]).format(tables=tables))
    for layer in assigned:
        statement = sql.SQL(QUERIES["affected"]).format(
            key=sql.Identifier(layer.id_column),
            table=sql.Identifier(layer.name),
            # what is closed keeps the owner it had then
            is_open=sql.SQL("closed_at is null" if layer.name == "incidents" else "true"),
        )
        ids = [row["id"] for row in connection.execute(statement, asked).fetchall()]
        if ids:
            assign(connection, layer, ids)


def _cells(rows: Iterable[dict[str, Any]]) -> list[Cell]:
    rows = list(rows)
    shapes = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    told = ({name: row[name] for name in ("grid_code", *_COLUMNS)} for row in rows)
    return [Cell(**values, shape=_single(shape)) for values, shape in zip(told, shapes, strict=True)]


def _single(shape: Any) -> Any:
    return shapely.get_geometry(shape, 0) if shapely.get_num_geometries(shape) == 1 else shape


def _multi(cells: list[Cell]) -> Any:
    return ewkb([shapely.multipolygons(shapely.get_parts(cell.shape)) for cell in cells]) if cells else []


def _keep(connection: Connection, draft_id: int, step: int, division: Division, edits: Edits) -> None:
    kept = [cell for cell in edits.values() if cell is not None]
    shapes = dict(zip((cell.grid_code for cell in kept), _multi(kept), strict=True))
    columns = ["draft_id", "step_number", "grid_code", "is_retired", *_COLUMNS, "geom"]
    rows = []
    for code, cell in edits.items():
        told = cell or division.cells[code]
        rows.append((draft_id, step, code, cell is None, *(getattr(told, name) for name in _COLUMNS), shapes.get(code)))
    copy_rows(connection, "draft_cells", columns, rows)


def _find(connection: Connection, draft_id: int) -> dict[str, Any]:
    found = list_drafts(connection, draft_id)
    if not found:
        message = f"there is no draft {draft_id}"
        raise NotFound(message)
    return found[0]


def _hold(connection: Connection, draft_id: int, may_be_stale: bool = False) -> None:
    """Hold a draft against others until the transaction ends, if it can still be changed."""
    connection.execute(QUERIES["lock"], {"draft_id": draft_id})
    found = _find(connection, draft_id)
    if found["published_edition_id"] is not None or found["discarded_at"] is not None:
        message = (
            f"draft {draft_id} was {'published' if found['published_edition_id'] else 'discarded'}: make a new one"
        )
        raise Conflict(message)
    if found["is_stale"] and not may_be_stale:
        message = f"another edition came into force after draft {draft_id} was made: rebase it first (boundaries rebase {draft_id})"
        raise Conflict(message)
