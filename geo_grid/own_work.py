"""What the server does by itself, and when: each kind is declared here, once."""

from collections.abc import Sequence
from dataclasses import dataclass

from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import QUERIES as AUDIT
from geo_grid.boundaries import publish_when_due
from geo_grid.budgets import BULK, DRAFTS, SOLVING
from geo_grid.db import Connection
from geo_grid.due import Kind
from geo_grid.response import Upkeep
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.settings import Settings


@dataclass(frozen=True)
class Doing:
    """What it is done with."""

    settings: Settings
    upkeep: Upkeep


def _publish(_: Doing, connection: Connection, draft_ids: Sequence[str]) -> float | None:
    """Bring into force what was approved for a moment, when it has come."""
    return publish_when_due(connection, int(draft_ids[0]))


def _draw_circles(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Draw circles again when what they depend on has changed; closures also begin and end by themselves."""
    return 0.0 if doing.upkeep.draw(connection) else None


def _tidy(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Purge what is past its time."""
    connection.execute(ACCOUNTS["tidy"], {"callers_days": doing.settings.caller_retention_days})
    connection.execute(POSITIONS["tidy"], {"kept_s": doing.settings.track_retention_h * 3600})


def _sum_up(_: Doing, connection: Connection, __: Sequence[str]) -> None:
    """Write down in the audit, soon after each minute, how often what happened often did."""
    connection.execute(AUDIT["settle"])


KINDS = (
    Kind("publish", _publish, DRAFTS),
    Kind("circles", _draw_circles, SOLVING, every_s=30.0),
    Kind("tidy", _tidy, BULK, every_s=3600.0),
    Kind("audit_sums", _sum_up, BULK, every_s=15.0),
)
