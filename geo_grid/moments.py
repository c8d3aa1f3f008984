"""Moments and days that others name: within the part of the calendar that can be reckoned with in every time zone."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

FIRST_YEAR, LAST_YEAR = 1000, 8999
"""Near the calendar's own ends (years 1 and 9999) the next day, or the same moment elsewhere, cannot be written."""


def within_calendar[T: date | datetime](value: T) -> T:
    """Return a moment or day that lies well within the calendar. Raises ValueError."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        message = f"{value.isoformat()} is not between the years {FIRST_YEAR} and {LAST_YEAR}"
        raise ValueError(message)
    return value


_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_moment(text: str) -> datetime:
    """Read a moment as RFC 3339 writes it, with `t` and `z` in either case; seconds may be left out.

    A leap second, :60 in the last minute of a month of UTC, is the first second of the next month, as for PostgreSQL.

    Raises
    ------
    ValueError
        It is none; a number alone is none either.
    OverflowError
        A leap second at the end of the calendar.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        message = f"{text[:80]!r} is not a moment: write 2026-11-25T08:00:00Z, with a time zone"
        raise ValueError(message)
    day, minute, second, fraction, zone = found.groups()
    is_leap = second == "60"
    moment = datetime.fromisoformat(
        f"{day}T{minute}:{'59' if is_leap else second or '00'}{fraction or ''}{zone.upper()}"
    )
    if not is_leap:
        return moment
    after = moment.replace(microsecond=0) + timedelta(seconds=1)
    in_utc = after.astimezone(UTC)
    if (in_utc.day, in_utc.hour, in_utc.minute, in_utc.second) != (1, 0, 0, 0):
        message = f"{text[:80]!r} is not a moment: leap seconds are at the end of a month of UTC"
        raise ValueError(message)
    return after


def _from_text(value: Any) -> Any:
    if isinstance(value, str):
        return read_moment(value)
    if isinstance(value, int | float):
        message = f"{value} is not a moment: write 2026-11-25T08:00:00Z, with a time zone"
        raise ValueError(message)  # what pydantic tells whoever asked
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_from_text), AfterValidator(within_calendar)]
"""A moment with its time zone, RFC 3339."""
Day = Annotated[date, AfterValidator(within_calendar)]
