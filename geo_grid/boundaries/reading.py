"""Reads divisions from the database: in force, as a draft has them, or of a former edition; and their differences."""

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
    """Read the cells in force, or as a draft has them; unchanged cells are the same objects as in `in_force`."""
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
    """Return a division as a draft has it; unchanged cells are the same objects as in `in_force`. Raises NotFound."""
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
    """Return the cells in force, and the net edits of a draft: steps that cancel each other leave none."""
    before = in_force or read_division(connection)
    return before, difference(before, read_division(connection, draft_id, before))


def zone_changes(connection: Connection, draft_id: int) -> tuple[Zones, Edits]:
    """Return the patrol zones in force, and the net edits of a draft."""
    before = read_zones(connection)
    return before, difference(before, drafted(connection, draft_id, ZONES, before))


def of_edition(connection: Connection, edition: int, layer: str = CELLS) -> Division:
    """Read the cells, or the patrol zones, of an edition. Raises NotFound when there is none with this number."""
    if connection.execute(QUERIES["edition"], {"edition": edition}).fetchone() is None:
        message = f"there is no edition {edition}"
        raise NotFound(message)
    query, kind = ("cells_of_edition", Division) if layer == CELLS else ("zones_of_edition", Zones)
    return kind(_cells(connection.execute(QUERIES[query], {"edition": edition}).fetchall()))


def list_editions(connection: Connection, limit: int = 200) -> list[dict[str, Any]]:
    """List editions, the newest first, with the draft they came from."""
    return connection.execute(QUERIES["editions"], {"limit": limit}).fetchall()


def seen_codes(connection: Connection) -> set[str] | None:
    """Return the codes of the cells that the principal may see; None: all."""
    codes = (connection.execute(QUERIES["seen_cells"]).fetchone() or {})["codes"]
    return None if codes is None else set(codes)


def shown_codes(connection: Connection, before: Division, edits: Edits) -> set[str] | None:
    """Return the codes of a draft's cells that the principal may see; None: all.

    They are the principal's own cells and those that the draft makes; not the neighbours that only got vertices.
    """
    seen = seen_codes(connection)
    return None if seen is None else seen | (edits.keys() - before.cells.keys())


def shown_changes(connection: Connection, draft_id: int, in_force: Division | None = None) -> tuple[Division, Edits]:
    """Return `draft_changes` without what the principal may not see. For display only: publishing needs all edits."""
    before, edits = draft_changes(connection, draft_id, in_force)
    shown = shown_codes(connection, before, edits)
    return before, edits if shown is None else {code: cell for code, cell in edits.items() if code in shown}


def led_codes(connection: Connection) -> set[str]:
    """Return the codes of the cells that have a grid lead in force now."""
    return {row["grid_code"] for row in connection.execute(QUERIES["led"]).fetchall()}


def worked_codes(
    connection: Connection, roles: Sequence[str] = ("grid_manager", "grid_assistant")
) -> dict[str, set[str]]:
    """Return by person (name and phone) the codes of the cells that they are responsible for now, in some roles."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(QUERIES["workers"], {"roles": list(roles)}).fetchall():
        found.setdefault(f"{row['person_name']} {row['phone']}".strip(), set()).add(row["grid_code"])
    return found


def difference(before: Division, after: Division) -> Edits:
    """Return the edits that turn one division into another."""
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
    """Encode the shapes of cells and zones as EWKB for the database."""
    return ewkb([multi(cell.shape) for cell in cells]) if cells else []
