"""Publishing of drafts, in one transaction, and reverting an edition by publishing the one before as a draft."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
import shapely

from geo_grid.boundaries.division import Division, Edits, Refused
from geo_grid.boundaries.drafts import (
    approve,
    attached_steps,
    edit_draft,
    find_draft,
    hold,
    make_draft,
    submit,
    withdraw,
)
from geo_grid.boundaries.drawn import draw_cells
from geo_grid.boundaries.publish import QUERIES as PUBLISH
from geo_grid.boundaries.publish import open_edition
from geo_grid.boundaries.reading import (
    CELL_COLUMNS,
    QUERIES,
    draft_changes,
    stored_shapes,
    zone_changes,
)
from geo_grid.boundaries.steps import Restore, SetDuties, SetStops
from geo_grid.boundaries.zones import AREA, SEGMENT
from geo_grid.coordinates import snap
from geo_grid.db import Connection, insert_rows
from geo_grid.errors import Conflict

log = logging.getLogger(__name__)

_ZONE_COLUMNS = [
    "zone_code", "name", "zone_kind", "zone_type", "responsible_unit", "geom", "valid_from", "edition_id", "is_demo",
]  # fmt: skip


def publish_draft(connection: Connection, draft_id: int, note: str) -> int:
    """Publish a draft in the caller's transaction and return the number of its edition.

    Raises
    ------
    Conflict
        The draft changes nothing, is published already, or its base is no longer in force (rebase it).
    Refused
        The result would not be a valid division.
    """
    connection.execute(PUBLISH["lock"])  # before any read, so that the result of another publisher is visible
    hold(connection, draft_id, may_be_submitted=True)
    attached = attached_steps(connection, draft_id)
    changes = draft_changes(connection, draft_id), zone_changes(connection, draft_id)
    edition = bring_into_force(connection, *changes, note, attached)
    connection.execute(QUERIES["published"], {"draft_id": draft_id, "edition": edition})
    return edition


def publish_when_due(connection: Connection, draft_id: int) -> float | None:
    """Publish an approved draft in the caller's transaction, if its moment has come.

    A draft that cannot be published any more is returned to its planner with the reason.

    Returns
    -------
    Seconds until its moment; None: it is done, or there is nothing to publish.
    """
    connection.execute(PUBLISH["lock"])
    due = connection.execute(QUERIES["due"], {"draft_id": draft_id}).fetchone()
    if due is None:
        return None
    if due["seconds"] > 0:
        seconds: float = due["seconds"]
        return seconds
    try:
        with connection.transaction():
            edition = publish_draft(connection, draft_id, due["note"])
            connection.execute(QUERIES["check_now"])  # deferred constraints now: at the commit the error has no handler
    except (Conflict, Refused) as refused:
        withdraw(connection, draft_id, str(refused))
    except psycopg.errors.IntegrityError as refused:
        withdraw(connection, draft_id, refused.diag.message_primary)
    else:
        log.info("draft %d comes into force as edition %d", draft_id, edition)
    return None


def publish_now(connection: Connection, draft_id: int, by: str, note: str) -> int:
    """Approve a draft and publish it in the caller's transaction; return the number of its edition.

    Parameters
    ----------
    by
        Name of the person who approves it, and submits it if that was not done.

    Raises
    ------
    Conflict
        The draft could not be published; the message says why.
    """
    if find_draft(connection, draft_id)["submitted_at"] is None:
        submit(connection, draft_id, by)
    approve(connection, draft_id, by, note)
    publish_when_due(connection, draft_id)
    published = find_draft(connection, draft_id)
    if published["published_edition_id"] is None:
        message = f"draft {draft_id} cannot come into force: {published['returned_because']}"
        raise Conflict(message)
    return int(published["published_edition_id"])


def draft_restoring(connection: Connection, edition: int, by: str, note: str, in_force: Division | None = None) -> int:
    """Make and submit a draft that restores all cells and zones of a former edition; return its number.

    Raises
    ------
    NotFound
        There is no such edition.
    """
    draft_id = make_draft(connection, note[:200], by)
    edit_draft(connection, draft_id, Restore(edition=edition), by, in_force=in_force)
    submit(connection, draft_id, by)
    return draft_id


def bring_into_force(
    connection: Connection,
    cells: tuple[Division, Edits],
    zones: tuple[Division, Edits],
    note: str,
    attached: Sequence[SetDuties | SetStops] = (),
) -> int:
    """Insert an edition: close and open cells and zones, simplify them for tiles, and reassign open incidents, cameras and registered places.
    Returns the number of the edition.

    Parameters
    ----------
    cells, zones
        The division in force, and its edits.
    attached
        Steps that come into force at the same time: duties and mandatory stops.

    Raises
    ------
    Conflict
        There are no edits.
    Refused
        The cells would not form a valid division.
    """
    if not cells[1] and not zones[1] and not attached:
        message = "nothing would change"
        raise Conflict(message)
    cells[0].proved(cells[1])
    zones[0].proved(zones[1])
    edition, begins = open_edition(connection, note)
    moment = {"valid_from": begins, "edition": edition}
    connection.execute(PUBLISH["close_cells"], {"codes": list(cells[1]), **moment})
    opened = [cell for cell in cells[1].values() if cell is not None]
    rows: Iterable[tuple[Any, ...]] = (
        (cell.grid_code, *(getattr(cell, name) for name in CELL_COLUMNS), geom, begins, edition)
        for cell, geom in zip(opened, stored_shapes(opened), strict=True)
    )
    insert_rows(connection, "grid_cells", ["grid_code", *CELL_COLUMNS, "geom", "valid_from", "edition_id"], rows)
    connection.execute(PUBLISH["close_zones"], {"codes": list(zones[1]), **moment})
    kept = [zone for zone in zones[1].values() if zone is not None]
    kinds = {SEGMENT: "segment", AREA: "area"}
    rows = (
        (
            one.grid_code,
            one.name,
            kinds[one.grid_level],
            one.cell_kind,
            one.responsible_unit,
            geom,
            begins,
            edition,
            one.is_demo,
        )
        for one, geom in zip(kept, stored_shapes(kept), strict=True)
    )
    insert_rows(connection, "patrol_zones", _ZONE_COLUMNS, rows)
    if cells[1]:
        draw_cells(connection, edition, begins)
    for step in attached:
        _attach(connection, step, begins)
    touched = [before.cells[code].shape for before, edits in (cells, zones) for code in edits if code in before.cells]
    touched += [cell.shape for cell in (*opened, *kept)]
    if touched:
        box = dict(zip(("west", "south", "east", "north"), shapely.total_bounds(touched).tolist(), strict=True))
        connection.execute(QUERIES["assign_again"], {"codes": list(cells[1]), "zones": list(zones[1]), **box})
    return edition


def _attach(connection: Connection, step: SetDuties | SetStops, moment: datetime) -> None:
    """Store duties of cells or mandatory stops of zones; the present ones end at `moment`."""
    for code in step.codes:
        if isinstance(step, SetDuties):
            connection.execute(QUERIES["end_duties"], {"code": code, "moment": moment})
            for duty in step.duties:
                connection.execute(QUERIES["give_duty"], {**duty.model_dump(), "code": code, "moment": moment})
        else:
            connection.execute(QUERIES["clear_stops"], {"code": code})
            for stop in step.stops:
                lon, lat = snap(stop.point).tolist()
                given = {**stop.model_dump(exclude={"point"}), "code": code, "lon": lon, "lat": lat}
                connection.execute(QUERIES["put_stop"], given)
