"""Moments and days that others name: within the part of the calendar that can be reckoned with in every time zone."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

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
Day = Annotated[date, AfterValidator(within_calendar)]
