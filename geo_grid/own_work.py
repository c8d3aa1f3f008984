"""The kinds of due work of a server, all declared here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import QUERIES as AUDIT
from geo_grid.boundaries import publish_when_due
from geo_grid.budgets import BULK, DRAFTS, HOOKS, SOLVING
from geo_grid.db import Connection
from geo_grid.due import Kind
from geo_grid.hooks import AreaNow, Sender, deliver, note_areas, wanted
from geo_grid.response import Upkeep
from geo_grid.response.live import Live, LiveGrouping, Snapshot
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.settings import Settings


@dataclass(frozen=True)
class Doing:
    """What the functions below need; the first argument of each."""

    settings: Settings
    upkeep: Upkeep
    live: Live
    sender: Sender


def _publish(_: Doing, connection: Connection, draft_ids: Sequence[str]) -> float | None:
    """Publish a draft at the moment it was approved for."""
    return publish_when_due(connection, int(draft_ids[0]))


def _draw_circles(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Redraw response circles when posts, roads, rules or closures have changed; closures also begin and end in time."""
    return 0.0 if doing.upkeep.draw(connection) else None


def _tidy(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Delete expired sessions, callers and unit positions that are older than the settings allow."""
    connection.execute(ACCOUNTS["tidy"], {"callers_days": doing.settings.caller_retention_days})
    connection.execute(POSITIONS["tidy"], {"kept_s": doing.settings.track_retention_h * 3600})


def _sum_up(_: Doing, connection: Connection, __: Sequence[str]) -> None:
    """Write the counts of frequent events of each past minute into the audit."""
    connection.execute(AUDIT["settle"])


def _deliver_letters(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Send the letters of web hooks that are due; without any hook, look again when one is made."""
    if not wanted(connection).any_hook:
        return _SELDOM_S
    return 0.0 if deliver(connection, doing.sender, doing.settings.webhook_waits) else None


def _watch_areas(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Tell hooks of counties and patrol zones that no free unit reaches any more, and of those reached again."""
    if not wanted(connection).any_area:
        note_areas(connection, ())
        return _SELDOM_S
    snapshot = doing.live.read()
    if snapshot is not None and datetime.now(UTC) - snapshot.as_of < _FRESH:
        note_areas(connection, _areas(snapshot))
    return None


def _areas(snapshot: Snapshot) -> list[AreaNow]:
    groupings: tuple[LiveGrouping, LiveGrouping] = ("county", "zone")
    return [
        AreaNow(
            area_kind="county" if by == "county" else "zone",
            code=group.code,
            name=group.name,
            is_covered=group.tiers[-1].area > 0,
            as_of=snapshot.as_of,
        )
        for by in groupings
        for group in snapshot.groups(by, None)
    ]


_SELDOM_S = 60.0
_FRESH = timedelta(minutes=2)
"""Live coverage is renewed each minute at least while it is asked for; older, and it was not asked for until now."""
KINDS = (
    Kind("publish", _publish, DRAFTS),
    Kind("circles", _draw_circles, SOLVING, every_s=30.0),
    Kind("tidy", _tidy, BULK, every_s=3600.0),
    Kind("audit_sums", _sum_up, BULK, every_s=15.0),
    Kind("hook_letters", _deliver_letters, HOOKS, every_s=2.0),
    Kind("hook_areas", _watch_areas, HOOKS, every_s=5.0),
)
