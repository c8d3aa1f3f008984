"""What happened, for those who watch: read from the outbox under the rights of whoever reads, or once for all."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import UserError

QUERIES = load_queries("geo_grid.workflow", "events.sql")
MOST = 500
"""Events read at once."""


class Place(NamedTuple):
    """A place in the outbox: the transaction that wrote an event, and its number there (migration 0020)."""

    written_in: int
    event_id: int

    def __str__(self) -> str:
        """Write it as an event's id."""
        return f"{self.written_in}-{self.event_id}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read an event's id. Raises UserError."""
        written_in, _, event_id = text.partition("-")
        if (
            not (written_in + event_id).isascii()
            or not written_in.isdigit()
            or not event_id.isdigit()
            or len(text) > 40
        ):
            message = f"{text[:60]!r} is not the id of an event"
            raise UserError(message)
        return cls(int(written_in) % 2**64, int(event_id) % 2**63)


@dataclass(frozen=True)
class Event:
    """Something happened.

    Attributes
    ----------
    kind
        incident (`key` is its incident_id), incidents (many: look again), edition (`key` is its number) or layer
        (`key` is its name); without a key: look again, something of this kind happened.
    grid_code
        The cell that owns the incident.
    """

    place: Place
    kind: str
    key: str | None
    grid_code: str | None

    def is_seen(self, rights: Collection[str], cells: Collection[str] | None) -> bool:
        """Say whether the policy events_seen (migration 0013) shows it to somebody.

        Parameters
        ----------
        rights
            What they may.
        cells
            Codes of the cells they are bound to, with all below; None: the whole city.
        """
        if self.kind in ("edition", "layer"):
            return "map" in rights
        if "incidents.read" not in rights:
            return False
        return self.kind == "incidents" or cells is None or self.grid_code in cells


async def place_now(connection: AsyncConnection) -> Place:
    """Return the place after everything that was told so far: whoever begins to listen there hears nothing old."""
    row = await fetch_one(connection, QUERIES["now"])
    return Place(int(row["told_in"]), 0)


async def events_after(connection: AsyncConnection, after: Place) -> list[Event]:
    """Read the events after a place that whoever asks may see, in their order, at most `MOST`; none that an earlier
    transaction may still come before.
    """
    return await _read(connection, "after", after)


async def all_events_after(connection: AsyncConnection, after: Place) -> list[Event]:
    """Read all events after a place, whoever may see them, asked by the server itself; else as `events_after`."""
    return await _read(connection, "all_after", after)


async def _read(connection: AsyncConnection, name: str, after: Place) -> list[Event]:
    values = {"written_in": str(after.written_in), "event_id": after.event_id, "limit": MOST}
    rows = await (await connection.execute(QUERIES[name], values)).fetchall()
    return [
        Event(Place(int(row["told_in"]), row["event_id"]), row["kind"], row["key"], row["grid_code"]) for row in rows
    ]
