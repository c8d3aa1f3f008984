"""What happened, for those who watch: read from the outbox under the rights of whoever reads."""

from dataclasses import dataclass
from typing import NamedTuple

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import UserError

QUERIES = load_queries("geo_grid.workflow", "events.sql")
_MOST = 500


class Place(NamedTuple):
    """A place in the outbox: the transaction that wrote an event, and its number there (migration 0020)."""

    written_in: str
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
        return cls(str(int(written_in) % 2**64), int(event_id) % 2**63)


@dataclass(frozen=True)
class Event:
    """Something happened.

    Attributes
    ----------
    kind
        incident (`key` is its incident_id), incidents (many: look again), edition (`key` is its number) or layer
        (`key` is its name); without a key: look again, something of this kind happened.
    """

    place: Place
    kind: str
    key: str | None


async def place_now(connection: AsyncConnection) -> Place:
    """Return the place after everything that was told so far: whoever begins to listen there hears nothing old."""
    row = await fetch_one(connection, QUERIES["now"])
    return Place(row["written_in"], 0)


async def events_after(connection: AsyncConnection, after: Place) -> list[Event]:
    """Read the events after a place, in their order; none that an earlier transaction may still come before."""
    rows = await (await connection.execute(QUERIES["after"], {**after._asdict(), "limit": _MOST})).fetchall()
    return [Event(Place(row["written_in"], row["event_id"]), row["kind"], row["key"]) for row in rows]
