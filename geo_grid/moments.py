"""Parsing and validation of moments and days in requests and files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from geo_grid.errors import UserError

FIRST_YEAR, LAST_YEAR = 1000, 8999
"""Years that are accepted. Near the ends of Python's calendar (1 and 9999) adding a day, or converting to another time
zone, overflows."""
FIRST_STORED, LAST_STORED = 1700, 2199
"""Years of stored events (migration 0025): every export format can write them, also as nanoseconds in 64 bits."""
MONTHS, HALF_DAY = 12, 12


def within_calendar[T: date | datetime](value: T) -> T:
    """Return the value if its year is accepted (`FIRST_YEAR` to `LAST_YEAR`). Raises ValueError."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        message = f"{value.isoformat()} is not between the years {FIRST_YEAR} and {LAST_YEAR}"
        raise ValueError(message)
    return value


_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read_moment(text: str) -> datetime:
    """Parse a timestamp of RFC 3339; `t` and `z` may be in either case, and the seconds may be left out.

    A leap second (:60 in the last minute of a month of UTC) becomes the first second of the next month, as in PostgreSQL.

    Raises
    ------
    ValueError
        The text is no timestamp, or only a number.
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
        raise ValueError(message)  # pydantic puts the message into the answer
    return value


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a sender's clock may be before ours."""


def _happened(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + CLOCK_TOLERANCE:
        message = f"{moment.isoformat()} is in the future: check the sender's clock"
        raise ValueError(message)
    return moment


Happened = Annotated[AwareDatetime, AfterValidator(_happened)]
"""Type of a field: when something was that is over."""
Moment = Annotated[AwareDatetime, BeforeValidator(_from_text), AfterValidator(within_calendar)]
"""Type of a field: a timestamp with its time zone, RFC 3339."""


def _asked(value: Any) -> Any:
    """Parse timestamps of RFC 3339 as `Moment` does; a day, or a time without a zone, is left to pydantic."""
    if isinstance(value, str) and len(value) > _LONGEST:
        message = f"{value[:_LONGEST]!r} … is no moment: write 2026-11-25, or 2026-11-25T08:00:00Z"
        raise ValueError(message)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return read_moment(value)
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        message = "a number alone is no moment: write 2026-11-25, or 2026-11-25T08:00:00Z"
        raise ValueError(message)  # pydantic would read it as seconds since 1970
    return value


_LONGEST = 64
"""Most characters of a time: regular expressions may take time quadratic in the length."""
_NUMBER = re.compile(r"[+-]?[\d_]*+(?:\.[\d_]*+)?(?:[eE][+-]?\d++)?")
AskedMoment = Annotated[datetime, BeforeValidator(_asked), AfterValidator(within_calendar)]
"""Type of a parameter: a moment or a day, with or without a time zone; `in_zone` completes it."""


def in_zone(moment: datetime, timezone: str) -> datetime:
    """Return the moment with a time zone: `timezone` (an IANA name) if it names none; a day stands for its beginning."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))


Day = Annotated[date, AfterValidator(within_calendar)]

_TIME = r"(?P<hour>\d{1,2})[:：时点](?P<minute>\d{2})(?:[:：分](?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?[分秒]?"
_CLOCK = rf"(?:[ Tt]+(?P<before>上午|下午)?{_TIME}(?: ?(?P<after>[AaPp])\.?[Mm]\.?)?)?"
_OFFSET = r"(?: ?(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?))?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_CLOCK}{_OFFSET}",
        rf"(?P<year>\d{{4}})年(?P<month>\d{{1,2}})月(?P<day>\d{{1,2}})日(?:[ Tt]*(?P<before>上午|下午)?{_TIME})?",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
        rf"(?:[Tt ]?(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}})?{_OFFSET})?",
        rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}){_CLOCK}",
    )
)
"""Regular expressions of the unambiguous forms of a time."""
_SLASHED = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<mark>[-/])(?P<other>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){_CLOCK}", re.ASCII
)
"""The ambiguous form: day or month first. Other rows of the column, or --datetime-format, decide."""


_DIRECTIVES = re.compile(r"%(.?)", re.DOTALL)
_OF_DAYS_AND_TIMES = "YymdHIMSfpzbBjaA"
_MOST_DIRECTIVES = 10


def check_form(form: str) -> str:
    """Return a format of `datetime.strptime`, such as `%d/%m/%Y %H:%M`, if it can be parsed in bounded time.

    strptime backtracks over adjacent directives without separators, and each one more multiplies the steps.

    Raises
    ------
    UserError
        The format has directives other than those of days and times, one of them twice, or more than ten.
    """
    directives = [letter for letter in _DIRECTIVES.findall(form) if letter != "%"]
    if not directives or not set(_OF_DAYS_AND_TIMES).issuperset(directives):
        known = " ".join(f"%{letter}" for letter in _OF_DAYS_AND_TIMES)
        message = f"{form[:60]!r} is no form of times (--datetime-format): it is made of {known}, as %Y-%m-%d %H:%M:%S"
        raise UserError(message)
    if len(directives) != len(set(directives)) or len(directives) > _MOST_DIRECTIVES:
        message = f"{form[:60]!r} (--datetime-format) says something twice, or more than {_MOST_DIRECTIVES} things"
        raise UserError(message)
    return form


@dataclass(frozen=True)
class Times:
    """How the times of one column of a file are parsed.

    Attributes
    ----------
    zone
        Time zone of values that name none.
    form
        Format of `datetime.strptime` (`%d/%m/%Y %H:%M`); None: the unambiguous forms.
    month_first
        Whether 01/02/2016 is 2 January, as other rows show; None: they show neither, or both.
    """

    zone: ZoneInfo
    form: str | None = None
    month_first: bool | None = None

    def told_by(self, values: Iterable[object]) -> "Times":
        """Return a copy with `month_first` set from all values of the column: 01/29/2016 decides what 01/02/2016 means."""
        found = (_SLASHED.fullmatch(value.strip()) for value in values if isinstance(value, str))
        parts = [(int(match["one"]) > MONTHS, int(match["other"]) > MONTHS) for match in found if match]
        day_first, month_first = (any(column) for column in zip(*parts, strict=True)) if parts else (False, False)
        return self if day_first == month_first else replace(self, month_first=month_first)

    def read(self, value: object) -> datetime:
        """Parse one value; return the moment in UTC.

        Raises
        ------
        ValueError
            The value is no time, is ambiguous, or lies outside the years that can be stored; the message is for the user.
        """
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        else:
            found = self._of_text(str(value).strip())
        if not FIRST_STORED <= found.year <= LAST_STORED:
            message = f"{str(value)[:60]} is not between the years {FIRST_STORED} and {LAST_STORED}"
            raise ValueError(message)
        return (found if found.tzinfo is not None else _located(found, self.zone)).astimezone(UTC)

    def _of_text(self, text: str) -> datetime:
        said = f"{text[:60]!r}"
        if len(text) > _LONGEST:
            message = f"{said} … is no time"
            raise ValueError(message)
        if self.form is not None:
            try:
                return datetime.strptime(text, self.form)
            except (ValueError, re.error):  # re.error: the format itself is not valid, such as one with the day twice
                message = f"{said} is not written as {self.form} (--datetime-format)"
                raise ValueError(message) from None
        match = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
        parts = match.groupdict() if match is not None else self._of_slashes(text, said)
        try:
            return _of_parts(parts)
        except ValueError:
            message = f"{said} is no day and time of the calendar"
            raise ValueError(message) from None

    def _of_slashes(self, text: str, said: str) -> dict[str, str | None]:
        match = _SLASHED.fullmatch(text)
        if match is None:
            message = (
                f"{said} is no time that can be read in one way only: write 2026-11-01 08:30:00, or name its form with "
                "--datetime-format"
            )
            raise ValueError(message)
        parts = match.groupdict()
        one, other = int(match["one"]), int(match["other"])
        if self.month_first is None and one <= MONTHS and other <= MONTHS and one != other:
            message = (
                f"{said} may begin with the month or the day: say --datetime-format %m/%d/%Y, or %d/%m/%Y, and the rest"
            )
            raise ValueError(message)
        month_first = self.month_first if self.month_first is not None else one <= MONTHS
        month, day = (match["one"], match["other"]) if month_first else (match["other"], match["one"])
        return {**parts, "month": month, "day": day}


def _of_parts(parts: dict[str, str | None]) -> datetime:
    year, month, day, hour, minute, second = (
        int(parts.get(name) or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    half = {"上午": "a", "下午": "p"}.get(parts.get("before") or "") or (parts.get("after") or "").lower()
    if half:
        if not (1 <= hour <= HALF_DAY or (parts.get("before") and hour == 0)):
            raise ValueError(hour)
        hour = hour % HALF_DAY + (HALF_DAY if half == "p" else 0)
    micro = int((parts.get("part") or "").ljust(6, "0")[:6] or 0)
    return datetime(year, month, day, hour, minute, second, micro, _offset(parts.get("offset")))


def _offset(said: str | None) -> timezone | None:
    if not said:
        return None
    if said in "Zz":
        return UTC
    digits = said[1:].replace(":", "").ljust(6, "0")
    apart = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return timezone(-apart if said[0] == "-" else apart)


def _located(local: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time as a moment. Raises ValueError when a change of clocks skips it, or makes it occur twice."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        message = f"{local} does not exist in {zone.key}, where clocks were put forward: write its offset from UTC"
        raise ValueError(message)
    message = f"{local} exists twice in {zone.key}, where clocks were put back: write its offset from UTC"
    raise ValueError(message)
