"""The kinds of due work of a server, all declared here."""

from collections.abc import Sequence
from dataclasses import dataclass

from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import QUERIES as AUDIT
from geo_grid.boundaries import publish_when_due
from geo_grid.budgets import BULK, DRAFTS, SOLVING
from geo_grid.db import Connection
from geo_grid.due import Kind
from geo_grid.mediation.cases import QUERIES as MEDIATION
from geo_grid.response import Upkeep
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.settings import Settings
from geo_grid.workflow.supervised import QUERIES as SUPERVISED


@dataclass(frozen=True)
class Doing:
    """What the functions below need; the first argument of each."""

    settings: Settings
    upkeep: Upkeep


def _publish(_: Doing, connection: Connection, draft_ids: Sequence[str]) -> float | None:
    """Publish a draft at the moment it was approved for."""
    return publish_when_due(connection, int(draft_ids[0]))


def _draw_circles(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Redraw response circles when posts, roads, rules or closures have changed; closures also begin and end in time."""
    return 0.0 if doing.upkeep.draw(connection) else None


def _tidy(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Delete expired sessions, and callers, unit positions, parties and texts that are older than the settings allow."""
    connection.execute(ACCOUNTS["tidy"], {"callers_days": doing.settings.caller_retention_days})
    connection.execute(POSITIONS["tidy"], {"kept_s": doing.settings.track_retention_h * 3600})
    texts = {"texts_days": doing.settings.text_retention_days}
    connection.execute(MEDIATION["tidy"], {**texts, "parties_days": doing.settings.party_retention_days})
    connection.execute(SUPERVISED["tidy"], texts)


def _sum_up(_: Doing, connection: Connection, __: Sequence[str]) -> None:
    """Write the counts of frequent events of each past minute into the audit."""
    connection.execute(AUDIT["settle"])


KINDS = (
    Kind("publish", _publish, DRAFTS),
    Kind("circles", _draw_circles, SOLVING, every_s=30.0),
    Kind("tidy", _tidy, BULK, every_s=3600.0),
    Kind("audit_sums", _sum_up, BULK, every_s=15.0),
)
