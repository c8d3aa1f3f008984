"""Key periods and shifts, in the syntax of OpenStreetMap's opening hours.

For example `Mo-Fr 07:00-09:00,17:00-19:00; PH off` or `22:00-06:00`, which crosses midnight. PH are the public holidays
of China (wiki.openstreetmap.org, Key:opening_hours).
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated

from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]
from pydantic import AfterValidator, Field

COUNTRY = "CN"


@lru_cache(maxsize=4096)
def _read(periods: str) -> OpeningHours:
    return OpeningHours(periods, country=COUNTRY)


def check_periods(periods: str) -> str:
    """Return the text if it is valid and matches some time. Raises ValueError."""
    if not periods:
        return periods
    try:
        hours = _read(periods)
    except ParserError as error:
        message = f"{periods!r} are no opening hours as OpenStreetMap writes them, such as Mo-Fr 07:00-19:00: {error}"
        raise ValueError(message.splitlines()[0]) from None
    if not hours.is_open() and hours.next_change() is None:
        message = f"{periods!r} contradicts itself: it never comes"
        raise ValueError(message)
    return periods


def is_within(periods: str, moment: datetime) -> bool:
    """Say whether a moment, in the city's time zone, lies in the periods.

    An empty text means always. So does an invalid one that was written into the database by hand: a typing error must not
    make a post disappear.
    """
    try:
        return not periods or bool(_read(periods).is_open(moment.replace(tzinfo=None)))
    except ParserError:
        return True


Periods = Annotated[
    str,
    Field(max_length=200, description="opening hours as OpenStreetMap writes them; empty: always"),
    AfterValidator(check_periods),
]
