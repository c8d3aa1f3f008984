"""Moments and days that others name: within the part of the calendar that can be reckoned with in every time zone."""

from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

FIRST_YEAR, LAST_YEAR = 1000, 8999
"""Near the calendar's own ends (years 1 and 9999) the next day, or the same moment elsewhere, cannot be written."""


def within_calendar[T: date | datetime](value: T) -> T:
    """Return a moment or day that lies well within the calendar. Raises ValueError."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        message = f"{value.isoformat()} is not between the years {FIRST_YEAR} and {LAST_YEAR}"
        raise ValueError(message)
    return value


Moment = Annotated[AwareDatetime, AfterValidator(within_calendar)]
"""A moment with its time zone."""


def _no_number(value: object) -> object:
    """Refuse a bare number, which would be read as seconds since 1970. Raises ValueError."""
    if isinstance(value, int | float) or (
        isinstance(value, str) and value.strip().lstrip("+-").replace(".", "").isdigit()
    ):
        message = "write a moment as 2026-01-01 or 2026-01-01T08:00:00+08:00"
        raise ValueError(message)
    return value


AskedMoment = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(within_calendar)]
"""A moment or a day as people write them in a question; `in_zone` says which moment is meant."""


def in_zone(moment: datetime, timezone: str) -> datetime:
    """Return the moment that is meant: one that names no time zone is of this one, a day is its beginning."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))


Day = Annotated[date, AfterValidator(within_calendar)]
