"""Mandatory stops of patrol zones: check-ins of units, and the completion of due stops by zone and shift."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import NotFound, UserError
from geo_grid.moments import Moment

QUERIES = load_queries("geo_grid.response", "patrol.sql")
NEAR_M = 150.0
"""Most metres between a unit that checks in and the stop: allows for the errors of both positions."""
_CLOCK_TOLERANCE = timedelta(minutes=2)
_OLDEST = timedelta(hours=24)
_SHIFT = re.compile(r"([^=|]{1,40})=(\d\d:\d\d)-(\d\d:\d\d)")


class Shift(NamedTuple):
    """A part of the day in the city's time zone; if its end is before its beginning, it ends on the next day."""

    name: str
    begins: time
    ends: time

    def on(self, day: date, zone: ZoneInfo) -> "Span":
        """Return the span of the shift that begins on a day of a time zone."""
        return _span(day, self.begins, self.ends, zone)


class Span(NamedTuple):
    """A span of time, from begin to end, both in UTC: between moments of one time zone, Python counts and compares by the
    clock on the wall, which stands still for an hour or jumps on nights when clocks change."""

    begins: datetime
    ends: datetime

    def meets(self, other: "Span") -> "Span | None":
        """Return the intersection with another span, or None."""
        both = Span(max(self.begins, other.begins), min(self.ends, other.ends))
        return both if both.begins < both.ends else None


def _span(day: date, begins: time, ends: time, zone: ZoneInfo) -> Span:
    """Return the span between two times of the clock; of a time that comes twice, the first counts."""
    last = day + timedelta(days=1) if ends <= begins else day
    return Span(datetime.combine(day, begins, zone).astimezone(UTC), datetime.combine(last, ends, zone).astimezone(UTC))


def read_shifts(text: str) -> list[Shift]:
    """Parse shifts of the settings, such as `day=08:00-20:00|night=20:00-08:00`. Raises UserError."""
    found = []
    for part in text.split("|"):
        matched = _SHIFT.fullmatch(part.strip())
        try:
            name, begins, ends = matched.groups() if matched else ("", "", "")
            found.append(Shift(name.strip(), time.fromisoformat(begins), time.fromisoformat(ends)))
        except ValueError:
            message = f"GEO_GRID_PATROL_SHIFTS: {part!r}: write a name and from when to when, such as day=08:00-20:00"
            raise UserError(message) from None
    names = [shift.name for shift in found]
    if len(set(names)) < len(names):
        message = f"GEO_GRID_PATROL_SHIFTS: {text!r}: two shifts have the same name"
        raise UserError(message)
    return found


class Stop(BaseModel):
    """A mandatory stop of a patrol zone."""

    stop_id: int
    zone_code: str
    name: str
    window_from: time | None = Field(description="in the city's own time; null: any time")
    window_to: time | None
    lon: float
    lat: float


class CheckIn(BaseModel):
    """A unit's report that it is at a stop."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    stop_id: int
    unit_code: str = Field(min_length=1, max_length=32)
    lon: float = Field(ge=-180, le=180, description="degrees, CGCS2000")
    lat: float = Field(ge=-90, le=90, description="degrees, CGCS2000")
    checked_at: Moment | None = Field(None, description="now if not given")


class CheckedIn(BaseModel):
    """A check-in as it was stored."""

    zone_code: str
    stop: str
    checked_at: datetime
    distance_m: float
    is_in_window: bool = Field(description="whether the stop was due then; else it does not count")
    repeated: bool = Field(description="it was known already")


async def stops(connection: AsyncConnection, zone_code: str | None) -> list[Stop]:
    """Return the stops of a zone, or of all zones that the principal sees."""
    rows = await connection.execute(QUERIES["stops"], {"zone_code": zone_code})
    return [Stop.model_validate(row) for row in await rows.fetchall()]


async def check_in(connection: AsyncConnection, given: CheckIn, timezone: str) -> CheckedIn:
    """Store a check-in in the caller's transaction.

    Raises
    ------
    NotFound
        The principal sees no such stop or unit.
    UserError
        The unit is too far from the stop, or the moment is in the future or more than a day past.
    Forbidden
        The principal may not report for this zone.
    """
    now = datetime.now(UTC)
    moment = given.checked_at or now
    if moment > now + _CLOCK_TOLERANCE:
        message = f"checked_at {moment.isoformat()} is in the future: check the unit's clock"
        raise UserError(message)
    if moment < now - _OLDEST:
        message = f"checked_at {moment.isoformat()} is more than a day ago: it is too late to be counted"
        raise UserError(message)
    stop = await (await connection.execute(QUERIES["stop"], given.model_dump())).fetchone()
    if stop is None:
        message = f"there is no mandatory stop {given.stop_id}"
        raise NotFound(message)
    if await (await connection.execute(QUERIES["unit"], given.model_dump())).fetchone() is None:
        message = f"there is no unit {given.unit_code!r}"
        raise NotFound(message)
    if stop["distance_m"] > NEAR_M:
        message = (
            f"lon {given.lon} lat {given.lat} is {stop['distance_m']:.0f} m from the stop: at most {NEAR_M:.0f} m count"
        )
        raise UserError(message)
    made = await connection.execute(QUERIES["check_in"], {**given.model_dump(), **stop, "checked_at": moment})
    day = moment.astimezone(ZoneInfo(timezone))
    windows = _windows(stop, (day.date() - timedelta(days=1), day.date()), ZoneInfo(timezone))
    return CheckedIn(
        zone_code=stop["zone_code"], stop=stop["name"], checked_at=moment, distance_m=round(stop["distance_m"], 1),
        is_in_window=any(window.begins <= moment <= window.ends for window in windows), repeated=made.rowcount == 0,
    )  # fmt: skip


def _windows(stop: dict[str, Any], days: Iterable[date], zone: ZoneInfo) -> list[Span]:
    begins, ends = stop["window_from"] or time(0), stop["window_to"] or time(0)
    return [_span(day, begins, ends, zone) for day in days]


def due_within(stop: dict[str, Any], span: Span, zone: ZoneInfo) -> list[Span]:
    """Return the parts of a span in which a stop is due.

    Parameters
    ----------
    stop
        With window_from and window_to, on the clock of `zone`; None stands for midnight.
    """
    if stop["window_from"] is None and stop["window_to"] is None:
        return [span]
    first, last = span.begins.astimezone(zone).date() - timedelta(days=1), span.ends.astimezone(zone).date()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [both for window in _windows(stop, days, zone) if (both := window.meets(span))]


class Completion(BaseModel):
    """Completion of a zone's mandatory stops in one shift: how many were due, and how many were visited."""

    zone_code: str
    name: str
    shift: str
    due: int
    done: int
    missed: list[str] = Field(description="whose time is over, and nobody was there")
    open: list[str] = Field(description="that can still be made")
    rate: float = Field(description="done of due")


def completion(
    connection: Connection,
    day: date,
    shifts: Sequence[Shift],
    now: datetime,
    zone: ZoneInfo,
    zone_code: str | None = None,
) -> list[Completion]:
    """Return the completion of stops by zone and shift, of the zones that the principal sees.

    Parameters
    ----------
    day
        Day on which the shifts begin.
    now
        Stops whose window is over by then were missed, the others are open.
    zone
        The city's time zone, of the day, the shifts and the windows of stops.
    """
    spans = [(shift.name, shift.on(day, zone)) for shift in shifts]
    until, since = max(span.ends for _, span in spans), min(span.begins for _, span in spans)
    at: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    asked = {"since": since, "until": until, "zone_code": zone_code}
    for row in connection.execute(QUERIES["check_ins"], asked).fetchall():
        at[row["zone_code"], row["stop_name"]].append(row["checked_at"])
    found: dict[tuple[str, str], Completion] = {}
    for stop in connection.execute(QUERIES["stops"], {"zone_code": zone_code}).fetchall():
        for name, span in spans:
            due = due_within(stop, span, zone)
            if not due:
                continue
            empty = Completion(zone_code=stop["zone_code"], name=stop["zone_name"], shift=name, due=0, done=0, missed=[], open=[], rate=0)  # fmt: skip
            one = found.setdefault((stop["zone_code"], name), empty)
            one.due += 1
            if any(
                part.begins <= moment <= part.ends for part in due for moment in at[stop["zone_code"], stop["name"]]
            ):
                one.done += 1
            elif max(part.ends for part in due) < now:
                one.missed.append(stop["name"])
            else:
                one.open.append(stop["name"])
            one.rate = round(one.done / one.due, 4)
    return list(found.values())
