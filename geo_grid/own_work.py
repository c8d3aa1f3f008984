"""The kinds of due work of a server, all declared here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import QUERIES as AUDIT
from geo_grid.boundaries import publish_when_due
from geo_grid.budgets import BULK, CLOCKS, DRAFTS, HOOKS, SOLVING
from geo_grid.cameras.coverage import QUERIES as COVERAGE
from geo_grid.cameras.coverage import update_coverage_apart
from geo_grid.cameras.positions import QUERIES as CAMERA_POSITIONS
from geo_grid.cameras.sight import Usual
from geo_grid.cameras.states import QUERIES as CAMERA_STATES
from geo_grid.cameras.views import update_views_apart
from geo_grid.db import Connection
from geo_grid.due import Kind
from geo_grid.feeds.addresses import QUERIES as FEEDS
from geo_grid.field.visits import QUERIES as VISITS
from geo_grid.forking import apart, politely
from geo_grid.hooks import AreaNow, Sender, deliver, note_areas, wanted
from geo_grid.mediation.cases import QUERIES as MEDIATION
from geo_grid.response import Upkeep
from geo_grid.response.live import Live, LiveGrouping, Snapshot
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.settings import Settings
from geo_grid.workflow.deadlines import sweep
from geo_grid.workflow.steps import QUERIES as STEPS
from geo_grid.workflow.supervised import QUERIES as SUPERVISED
from geo_grid.workflow.working_time import keep_calendar, reckon


@dataclass(frozen=True)
class Doing:
    """What the functions below need; the first argument of each."""

    settings: Settings
    upkeep: Upkeep
    live: Live
    sender: Sender
    seeing_all: str
    """How work in a process of its own connects: as the server itself."""


def _publish(_: Doing, connection: Connection, draft_ids: Sequence[str]) -> float | None:
    """Publish a draft at the moment it was approved for."""
    return publish_when_due(connection, int(draft_ids[0]))


def _draw_circles(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Redraw response circles when posts, roads, rules or closures have changed; closures also begin and end in time."""
    return 0.0 if doing.upkeep.draw(connection) else None


def _tidy(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Delete expired sessions, and callers, unit positions, parties, texts and states of cameras that are older than the settings allow; and
    positions of cameras that are older than a day."""
    connection.execute(ACCOUNTS["tidy"], {"callers_days": doing.settings.caller_retention_days})
    texts = {"texts_days": doing.settings.text_retention_days}
    connection.execute(MEDIATION["tidy"], {**texts, "parties_days": doing.settings.party_retention_days})
    connection.execute(SUPERVISED["tidy"], texts)
    connection.execute(STEPS["tidy"], texts)
    connection.execute(VISITS["tidy"], texts)
    connection.execute(CAMERA_STATES["tidy"], {"kept_days": doing.settings.camera_state_days})
    connection.execute(CAMERA_POSITIONS["tidy"])
    # last, since nobody writes positions from here to the commit
    connection.execute(POSITIONS["tidy"], {"kept_s": doing.settings.track_retention_h * 3600})


def _draw_views(doing: Doing, connection: Connection, _: Sequence[str]) -> float | None:
    """Work out what cameras see, some at a time; then how much of each cell they see."""
    if apart(politely, update_views_apart, doing.seeing_all, usual_sight(doing.settings), _VIEWS_AT_ONCE):
        return 0.0
    connection.execute(COVERAGE["ask"])
    return None


def _cover(doing: Doing, _: Connection, __: Sequence[str]) -> None:
    """Work out how much of each innermost cell cameras see."""
    apart(politely, update_coverage_apart, doing.seeing_all)


def usual_sight(settings: Settings) -> Usual:
    """Return what is taken for the opening angle and the range of cameras whose register does not say them."""
    return Usual(settings.camera_fov_deg, settings.camera_range_m)


def _end_lost_pictures(_: Doing, connection: Connection, __: Sequence[str]) -> None:
    """Record the end of pictures whose server was killed."""
    connection.execute(FEEDS["end_lost"])


def _sum_up(_: Doing, connection: Connection, __: Sequence[str]) -> None:
    """Write the counts of frequent events of each past minute into the audit."""
    connection.execute(AUDIT["settle"])


def _sweep_deadlines(_: Doing, connection: Connection, __: Sequence[str]) -> float:
    """Note warnings and breaches of deadlines that have come."""
    return sweep(connection, datetime.now(UTC))[1]


def _keep_calendar(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Fill in the working days of this year and the next, and follow the city's time zone."""
    zone = doing.settings.timezone
    keep_calendar(connection, zone, datetime.now(ZoneInfo(zone)).date())


def _reckon_deadlines(doing: Doing, connection: Connection, _: Sequence[str]) -> None:
    """Move the deadlines of open incidents when working days, hours or policies have changed."""
    reckon(connection, doing.settings.timezone)


def _rise(_: Doing, connection: Connection, incident_ids: Sequence[str]) -> float | None:
    """Give an incident that was not settled in time to the level above."""
    row = connection.execute(STEPS["rise"], {"incident_id": int(incident_ids[0])}).fetchone()
    return row["again_s"] if row else None


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


_VIEWS_AT_ONCE = 16_000
"""Each time the register is read as a whole, to see which views are other than they should be."""
_SELDOM_S = 60.0
_FRESH = timedelta(minutes=2)
"""Live coverage is renewed each minute at least while it is asked for; older, and it was not asked for until now."""
KINDS = (
    Kind("publish", _publish, DRAFTS),
    Kind("circles", _draw_circles, SOLVING, every_s=30.0),
    Kind("tidy", _tidy, BULK, every_s=3600.0),
    Kind("camera_views", _draw_views, SOLVING),
    Kind("camera_coverage", _cover, SOLVING),
    Kind("audit_sums", _sum_up, BULK, every_s=15.0),
    Kind("lost_pictures", _end_lost_pictures, BULK, every_s=60.0),
    Kind("deadlines", _sweep_deadlines, CLOCKS, every_s=5.0),
    Kind("calendar", _keep_calendar, CLOCKS, every_s=3600.0),
    Kind("reckon", _reckon_deadlines, CLOCKS),
    Kind("rise", _rise, CLOCKS),
    Kind("hook_letters", _deliver_letters, HOOKS, every_s=2.0),
    Kind("hook_areas", _watch_areas, HOOKS, every_s=5.0),
)
