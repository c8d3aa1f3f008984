"""What can change: every kind and every table, declared once and compared with what the database writes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

import psycopg

from geo_grid.db import load_queries
from geo_grid.errors import SetupError

QUERIES = load_queries("geo_grid.changes", "changes.sql")


class Kind(StrEnum):
    """Kinds of change. The subject of one is what changed; without a subject: many did, look again."""

    INCIDENT = "incident"
    """Subject: incident_id; payload: `IncidentNow`; of the cell that owns it."""
    INCIDENTS = "incidents"
    EDITION = "edition"
    """Boundaries were published; subject: edition_id."""
    LAYER = "layer"
    """Rows of a table that maps draw; subject: its name."""
    TABLE = "table"
    """Rows of a table that only this program reads; nobody else is told. Subject: its name."""


class Table(StrEnum):
    """Tables whose changes are told, so that what is held in memory can depend on them."""

    POLICE_POSTS = "police_posts"
    PATROL_UNITS = "patrol_units"
    FACILITIES = "facilities"
    CAMERAS = "cameras"
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
})  # fmt: skip
"""Tables whose changes are of the kind layer."""


class IncidentNow(TypedDict):
    """An incident as it is after a change, without what is private; see `workflow.Incident`."""

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


@dataclass(frozen=True)
class Change:
    """Something changed.

    Attributes
    ----------
    kind, subject
        See `Kind`.
    grid_code
        The cell that owns the incident.
    payload
        What a screen needs to show the subject as it is now.
    """

    change_id: int
    kind: str
    subject: str | None = None
    grid_code: str | None = None
    payload: Mapping[str, Any] | None = None

    def is_seen(self, rights: Collection[str], cells: Collection[str] | None) -> bool:
        """Say whether the policy changes_seen (changes/schema/policies.toml) shows it to somebody.

        Parameters
        ----------
        rights
            What they may.
        cells
            Codes of the cells they are bound to, with all below; None: the whole city.
        """
        if self.kind in (Kind.EDITION, Kind.LAYER):
            return "map" in rights
        if self.kind not in (Kind.INCIDENT, Kind.INCIDENTS) or "incidents.read" not in rights:
            return False
        return self.kind == Kind.INCIDENTS or cells is None or self.grid_code in cells

    def payload_for(self, zones: Collection[str] | None) -> Mapping[str, Any] | None:
        """Return the payload for somebody who sees these patrol zones; None: all. Names of others are left out."""
        if self.payload is None or zones is None or self.payload.get("zone_code") in zones:
            return self.payload
        return {**self.payload, "zone_name": None}


async def check_kinds(connection: psycopg.AsyncConnection[Any]) -> None:
    """Compare what is declared here with what the database's triggers write.

    Parameters
    ----------
    connection
        Of the database's owner.

    Raises
    ------
    SetupError
        The database writes what is not declared here, or does not write what is.
    """
    declared: set[tuple[str, str | None]] = {
        (kind.value, None) for kind in (Kind.INCIDENT, Kind.INCIDENTS, Kind.EDITION)
    }
    declared |= {((Kind.LAYER if table in LAYERS else Kind.TABLE).value, table.value) for table in Table}
    written = {tuple(row[:2]) for row in await (await connection.execute(QUERIES["sources"])).fetchall()}
    differing = [
        f"{' of '.join(filter(None, one))} is {what}"
        for some, what in ((written - declared, "not declared here"), (declared - written, "not written by it"))
        for one in sorted(some, key=str)
    ]
    if differing:
        message = f"the changes that the database tells are not those of this geo_grid: {'; '.join(differing)}"
        raise SetupError(message)
