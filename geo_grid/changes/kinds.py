"""Kinds of change and the tables they are about, declared once and compared with the triggers of the database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

import psycopg

from geo_grid.db import load_queries
from geo_grid.errors import SetupError

QUERIES = load_queries("geo_grid.changes", "changes.sql")


class Kind(StrEnum):
    """Kinds of change; each says what its subject is."""

    INCIDENT = "incident"
    """An incident. Subject: incident_id; payload: `IncidentNow`; grid_code: the cell that owns it."""
    INCIDENTS = "incidents"
    """More than 100 incidents in one statement, without a subject: reload them."""
    EDITION = "edition"
    """Boundaries were published. Subject: edition_id."""
    LAYER = "layer"
    """Rows of a table that maps draw. Subject: the table's name."""
    TABLE = "table"
    """Rows of a table that only derived state depends on; not sent to listeners of events. Subject: the table's name."""


class Table(StrEnum):
    """Tables that write changes, so that derived state can depend on them."""

    POLICE_POSTS = "police_posts"
    PATROL_UNITS = "patrol_units"
    FACILITIES = "facilities"
    CAMERAS = "cameras"
    REGISTERED_PLACES = "registered_places"
    ROAD_CLOSURES = "road_closures"
    RESPONSE_CIRCLES = "response_circles"
    EDITIONS = "editions"
    GRID_LEVELS = "grid_levels"
    DUTIES = "duties"
    BASE_FEATURES = "base_features"
    ROADS = "roads"
    PRINCIPALS = "principals"
    PRINCIPAL_CELLS = "principal_cells"
    CREDENTIALS = "credentials"
    ROLES = "roles"
    ROLE_RIGHTS = "role_rights"


LAYERS = frozenset({
    Table.POLICE_POSTS, Table.PATROL_UNITS, Table.FACILITIES, Table.CAMERAS, Table.ROAD_CLOSURES, Table.RESPONSE_CIRCLES,
    Table.REGISTERED_PLACES,
})  # fmt: skip
"""Tables whose changes are of the kind `Kind.LAYER`; those of all others are of `Kind.TABLE`."""


class IncidentNow(TypedDict):
    """An incident after a change, without its private fields; lon and lat in degrees (EPSG:4490). See `workflow.Incident`."""

    incident_id: int
    category: str
    subtype: str
    step: str
    received_at: str
    closed_at: str | None
    lon: float
    lat: float
    grid_code: str | None
    grid_name: str | None
    zone_code: str | None
    zone_name: str | None
    edition_id: int | None
    unassigned: bool
    is_demo: bool
    due_at: str | None
    due_for: str | None


@dataclass(frozen=True)
class Change:
    """One row of the table of changes.

    Attributes
    ----------
    kind, subject
        See `Kind`. Without a subject, any number of them may have changed.
    grid_code
        The cell that owns the incident; None for other kinds.
    payload
        What a screen needs to draw the subject in its new state.
    """

    change_id: int
    kind: str
    subject: str | None = None
    grid_code: str | None = None
    payload: Mapping[str, Any] | None = None

    def is_seen(self, rights: Collection[str], cells: Collection[str] | None) -> bool:
        """Say whether a principal may see the change: the same rule as the policy changes_seen (changes/schema/policies.toml).

        Parameters
        ----------
        rights
            Names of the principal's rights.
        cells
            Codes of the cells the principal is bound to, with all their descendants; None: the whole city.
        """
        if self.kind in (Kind.EDITION, Kind.LAYER):
            return "map" in rights
        if self.kind not in (Kind.INCIDENT, Kind.INCIDENTS) or "incidents.read" not in rights:
            return False
        return self.kind == Kind.INCIDENTS or cells is None or self.grid_code in cells

    def payload_for(self, zones: Collection[str] | None) -> Mapping[str, Any] | None:
        """Return the payload for a principal who sees these patrol zones; None: all. The name of any other zone is blanked."""
        if self.payload is None or zones is None or self.payload.get("zone_code") in zones:
            return self.payload
        return {**self.payload, "zone_name": None}


async def check_kinds(connection: psycopg.AsyncConnection[Any]) -> None:
    """Compare the kinds and tables declared here with those that the database's triggers write.

    Parameters
    ----------
    connection
        Connection of the database's owner.

    Raises
    ------
    SetupError
        The two sets differ.
    """
    declared: set[tuple[str, str | None]] = {
        (kind.value, None) for kind in (Kind.INCIDENT, Kind.INCIDENTS, Kind.EDITION)
    }
    declared |= {((Kind.LAYER if table in LAYERS else Kind.TABLE).value, table.value) for table in Table}
    written = {tuple(row[:2]) for row in await (await connection.execute(QUERIES["sources"])).fetchall()}
    differing = [
        f"{' of '.join(filter(None, source))} is {difference}"
        for sources, difference in (
            (written - declared, "not declared here"),
            (declared - written, "not written by it"),
        )
        for source in sorted(sources, key=str)
    ]
    if differing:
        message = (
            "the triggers of the database and this version of geo_grid declare different kinds of change"
            f" (run geo-grid migrate of the version that serves): {'; '.join(differing)}"
        )
        raise SetupError(message)
