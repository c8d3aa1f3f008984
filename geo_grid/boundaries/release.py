"""Drafts come into force: in one transaction, taken back by publishing what was before."""

import shapely

from geo_grid.boundaries.division import Division, Edits, Refused
from geo_grid.boundaries.drafts import (
    CELL_COLUMNS,
    QUERIES,
    cells_of_edition,
    difference,
    draft_changes,
    hold,
    read_division,
    stored_shapes,
    withdraw,
)
from geo_grid.boundaries.drawn import draw_cells
from geo_grid.boundaries.publish import QUERIES as PUBLISH
from geo_grid.boundaries.publish import open_edition
from geo_grid.db import Connection, insert_rows
from geo_grid.errors import Conflict


def publish_draft(connection: Connection, draft_id: int, note: str) -> int:
    """Bring a draft into force in the caller's transaction and return the edition.

    Raises
    ------
    Conflict
        It changes nothing, was published before, or another edition came after its base: rebase it.
    Refused
        It no longer divides the city.
    """
    connection.execute(PUBLISH["lock"])  # before anything is read: what another publisher did is seen
    hold(connection, draft_id, may_be_submitted=True)
    before, edits = draft_changes(connection, draft_id)
    edition = bring_into_force(connection, before, edits, note)
    connection.execute(QUERIES["published"], {"draft_id": draft_id, "edition": edition})
    return edition


def publish_due(connection: Connection) -> list[int]:
    """Bring into force what was approved and is due, each draft in a transaction of its own; return the editions.

    What cannot come into force any more is returned to its planner with the reason.

    Parameters
    ----------
    connection
        Outside a transaction.
    """
    published: list[int] = []
    while True:
        with connection.transaction():
            connection.execute(PUBLISH["lock"])
            due = connection.execute(QUERIES["due"]).fetchone()
            if due is None:
                return published
            try:
                with connection.transaction():
                    published.append(publish_draft(connection, due["draft_id"], due["note"]))
            except (Conflict, Refused) as refused:
                withdraw(connection, due["draft_id"], str(refused))


def roll_back(connection: Connection, edition: int, note: str) -> int:
    """Bring the cells of a former edition into force again, as a new edition, and return it.

    Raises
    ------
    NotFound
        There is no such edition.
    Conflict
        Its cells are in force already.
    """
    connection.execute(PUBLISH["lock"])
    before = read_division(connection)
    return bring_into_force(connection, before, difference(before, cells_of_edition(connection, edition)), note)


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
        (cell.grid_code, *(getattr(cell, name) for name in CELL_COLUMNS), geom, begins, edition)
        for cell, geom in zip(opened, stored_shapes(opened), strict=True)
    )
    insert_rows(connection, "grid_cells", ["grid_code", *CELL_COLUMNS, "geom", "valid_from", "edition_id"], rows)
    draw_cells(connection, edition, begins)
    touched = [before.cells[code].shape for code in edits if code in before.cells] + [cell.shape for cell in opened]
    west, south, east, north = shapely.total_bounds(touched)
    asked = {"codes": list(edits), "west": west, "south": south, "east": east, "north": north}
    connection.execute(QUERIES["assign_again"], asked)
    return edition
