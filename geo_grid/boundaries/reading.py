"""Cells and patrol zones as they are stored: in force, in a draft, in a former edition; and what differs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import shapely

from geo_grid.boundaries.division import Cell, Division, Edits, multi, same_corners, single
from geo_grid.boundaries.zones import Zones
from geo_grid.db import Connection, ewkb, load_queries
from geo_grid.errors import NotFound

QUERIES = load_queries("geo_grid.boundaries", "drafts.sql")
CELLS: Literal["grid_cells"] = "grid_cells"
ZONES: Literal["patrol_zones"] = "patrol_zones"
CELL_COLUMNS = (
    "grid_level",
    "parent_code",
    "name",
    "code_scheme",
    "cell_kind",
    "household_count",
    "households_estimated",
    "is_demo",
)


def read_division(connection: Connection, draft_id: int | None = None, in_force: Division | None = None) -> Division:
    """Read the cells in force, or as a draft has them; cells that it leaves alone are the same objects."""
    if in_force is None:
        used = connection.execute(QUERIES["used_codes"]).fetchall()
        cells = _cells(connection.execute(QUERIES["cells"]).fetchall())
        in_force = Division(cells, (row["grid_code"] for row in used))
    if draft_id is None:
        return in_force
    return drafted(connection, draft_id, CELLS, in_force)


def read_zones(connection: Connection, draft_id: int | None = None) -> Zones:
    """Read the patrol zones in force, or as a draft has them."""
    used = connection.execute(QUERIES["used_zone_codes"]).fetchall()
    zones = Zones(_cells(connection.execute(QUERIES["zones"]).fetchall()), (row["grid_code"] for row in used))
    return zones if draft_id is None else drafted(connection, draft_id, ZONES, zones)


def drafted[D: Division](connection: Connection, draft_id: int, layer: str, in_force: D) -> D:
    """Return a division as a draft has it; cells that it leaves alone are the same objects. Raises NotFound."""
    if connection.execute(QUERIES["draft"], {"draft_id": draft_id}).fetchone() is None:
        message = f"there is no draft {draft_id}"
        raise NotFound(message)
    asked = {"draft_id": draft_id, "layer": layer}
    rows = connection.execute(QUERIES["draft_cells"], asked).fetchall()
    kept = _cells(row for row in rows if not row["is_retired"])
    gone: Edits = {row["grid_code"]: None for row in rows if row["is_retired"] and row["grid_code"] in in_force.cells}
    used = connection.execute(QUERIES["codes_of_draft"], asked).fetchall()
    edits = gone | {cell.grid_code: cell for cell in kept}
    return in_force.edited(edits, (row["grid_code"] for row in used))


def draft_changes(connection: Connection, draft_id: int, in_force: Division | None = None) -> tuple[Division, Edits]:
    """Return the cells in force, and what a draft makes of them in the end: steps that cancel out leave nothing."""
    before = in_force or read_division(connection)
    return before, difference(before, read_division(connection, draft_id, before))


def zone_changes(connection: Connection, draft_id: int) -> tuple[Zones, Edits]:
    """Return the patrol zones in force, and what a draft makes of them in the end."""
    before = read_zones(connection)
    return before, difference(before, drafted(connection, draft_id, ZONES, before))


def of_edition(connection: Connection, edition: int, layer: str = CELLS) -> Division:
    """Read the cells, or the patrol zones, as a former edition had them. Raises NotFound."""
    if connection.execute(QUERIES["edition"], {"edition": edition}).fetchone() is None:
        message = f"there is no edition {edition}"
        raise NotFound(message)
    query, kind = ("cells_of_edition", Division) if layer == CELLS else ("zones_of_edition", Zones)
    return kind(_cells(connection.execute(QUERIES[query], {"edition": edition}).fetchall()))


def list_editions(connection: Connection, limit: int = 200) -> list[dict[str, Any]]:
    """List editions, the newest first, with the draft they came from."""
    return connection.execute(QUERIES["editions"], {"limit": limit}).fetchall()


def seen_codes(connection: Connection) -> set[str] | None:
    """Return the codes of the cells that whoever asks may see; None: all."""
    codes = (connection.execute(QUERIES["seen_cells"]).fetchone() or {})["codes"]
    return None if codes is None else set(codes)


def shown_codes(connection: Connection, before: Division, edits: Edits) -> set[str] | None:
    """Return the codes of a draft's cells that whoever asks may see: theirs, and those that it makes; None: all.

    Neighbours that a border only touches are among its edits, and stay out of sight.
    """
    seen = seen_codes(connection)
    return None if seen is None else seen | (edits.keys() - before.cells.keys())


def shown_changes(connection: Connection, draft_id: int, in_force: Division | None = None) -> tuple[Division, Edits]:
    """Return `draft_changes` as far as whoever asks may see them: what is told of a draft, not what is done by it."""
    before, edits = draft_changes(connection, draft_id, in_force)
    shown = shown_codes(connection, before, edits)
    return before, edits if shown is None else {code: cell for code, cell in edits.items() if code in shown}


def led_codes(connection: Connection) -> set[str]:
    """Return the codes of the cells that have a grid lead now."""
    return {row["grid_code"] for row in connection.execute(QUERIES["led"]).fetchall()}


def worked_codes(
    connection: Connection, roles: Sequence[str] = ("grid_manager", "grid_assistant")
) -> dict[str, set[str]]:
    """Return the codes of the cells that each person in some roles answers for now, by name and phone."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(QUERIES["workers"], {"roles": list(roles)}).fetchall():
        found.setdefault(f"{row['person_name']} {row['phone']}".strip(), set()).add(row["grid_code"])
    return found


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


def _cells(rows: Iterable[dict[str, Any]]) -> list[Cell]:
    rows = list(rows)
    shapes = shapely.from_wkb([bytes(row["geom"]) for row in rows])
    told = (
        {name: row[name] for name in ("grid_code", *CELL_COLUMNS)}
        | {"responsible_unit": row.get("responsible_unit", "")}
        for row in rows
    )
    return [Cell(**values, shape=single(shape)) for values, shape in zip(told, shapes, strict=True)]


def stored_shapes(cells: list[Cell]) -> Any:
    """Encode the shapes of cells and zones as they are stored."""
    return ewkb([multi(cell.shape) for cell in cells]) if cells else []
