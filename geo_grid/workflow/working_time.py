"""Working time: which days are worked, and which hours of them. Both are data that people may change.

The days come from the package chinesecalendar, which knows the years that the State Council has announced; of other years
Monday to Friday are taken, provisionally. `schema/working_time.sql` makes spans of them, in which the database counts.
"""

import csv
import io
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from chinese_calendar import get_holiday_detail, is_workday
from chinese_calendar.constants import Holiday
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geo_grid.db import AsyncConnection, Connection, load_queries
from geo_grid.errors import InvalidRows, UnreadableFile, UserError, told
from geo_grid.moments import FIRST_STORED, LAST_STORED

QUERIES = load_queries("geo_grid.workflow", "working_time.sql")
_KEPT = range(-2, 3)
"""Years whose days are kept, counted from this one: of those before, for incidents of the past that are imported."""
_SATURDAY = 5
_SOON_DAYS = 90
"""A provisional day within so many days is a fault: deadlines of today lie beyond it, and a year is announced by November."""
_MAKE_UP = ("调休上班", "make-up day")
_HOLIDAYS = {holiday.value: (holiday.chinese, holiday.value) for holiday in Holiday}
Name = Annotated[str, Field(max_length=100)]
Clock = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:30"])]
"""Hour and minute in the city's time; the times of JSON Schema and RFC 3339 have an offset from UTC."""


class WorkingDay(BaseModel):
    """What a day is: worked or not, and why."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    is_working: bool
    name_zh: Name = ""
    name_en: Name = ""


class KeptDay(WorkingDay):
    """A day of the table."""

    day: date
    is_provisional: bool = Field(description="its year is not announced: only the weekday says whether it is worked")
    is_edited: bool = Field(description="somebody set it")


class Hours(BaseModel):
    """Working hours of one weekday, in the city's time."""

    model_config = ConfigDict(extra="forbid")

    weekday: Annotated[int, Field(ge=1, le=7, description="1: Monday")]
    begins_at: Clock
    ends_at: Annotated[Clock, Field(description="not later than begins_at: on the next day")]


class Schedule(BaseModel):
    """Working hours 工作时间 by weekday; a make-up day on a weekday without hours has those of Monday."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name_zh: Annotated[str, Field(min_length=1, max_length=100)]
    name_en: Annotated[str, Field(min_length=1, max_length=100)]
    every_day: bool = Field(False, description="its hours count on days off too")
    is_confirmed: bool = Field(False, description="whether the city said that it works so")
    hours: Annotated[list[Hours], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _begin_once(self) -> "Schedule":
        begun = [(span.weekday, span.begins_at) for span in self.hours]
        if len(set(begun)) < len(begun):
            message = "two spans of one weekday begin at the same time"
            raise ValueError(message)
        return self


class KeptSchedule(Schedule):
    """Working hours of the table; one that has none yet never works."""

    schedule_code: str
    hours: list[Hours]


class KeptYear(BaseModel):
    """A year of the table."""

    year: int
    days: int
    working: int
    is_provisional: bool


def is_announced(year: int) -> bool:
    """Say whether the package knows the holidays of a year."""
    try:
        is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


def known_days(year: int) -> list[KeptDay]:
    """Return all days of a year; if it is not announced, Monday to Friday are worked, provisionally."""
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]
    if is_announced(year):
        return [_known(day) for day in days]
    return [
        KeptDay(day=day, is_working=day.weekday() < _SATURDAY, is_provisional=True, is_edited=False) for day in days
    ]


def _known(day: date) -> KeptDay:
    _, holiday = get_holiday_detail(day)
    is_working = bool(is_workday(day))
    zh, en = _HOLIDAYS.get(holiday, ("", ""))
    if is_working and holiday is not None:  # a day off that is worked for a holiday
        zh, en = f"{zh}{_MAKE_UP[0]}", f"{en}, {_MAKE_UP[1]}"
    return KeptDay(day=day, is_working=is_working, name_zh=zh, name_en=en, is_provisional=False, is_edited=False)


def fill_year(connection: Connection, year: int, over: bool = False) -> int:
    """Write the days of a year as they are known; return how many changed.

    Parameters
    ----------
    over
        Whether days that somebody set are written too.

    Raises
    ------
    UserError
        Moments of that year are not stored.
    """
    if not FIRST_STORED <= year <= LAST_STORED:
        message = f"{year} is not between the years {FIRST_STORED} and {LAST_STORED}"
        raise UserError(message)
    days = known_days(year)
    values: dict[str, Any] = {
        "days": [day.day for day in days],
        "working": [day.is_working for day in days],
        "provisional": [day.is_provisional for day in days],
        "names_zh": [day.name_zh for day in days],
        "names_en": [day.name_en for day in days],
        "over": over,
    }
    return len(connection.execute(QUERIES["fill"], values).fetchall())


def keep_calendar(connection: Connection, timezone: str, today: date) -> None:
    """Fill in the years around this one that are missing, or were announced since; follow the city's time zone.

    Deadlines are reckoned again by the server, where this changes something.
    """
    kept = {one.year: one for one in years(connection)}
    for year in (today.year + apart for apart in _KEPT):
        if year not in kept or (kept[year].is_provisional and is_announced(year)):
            fill_year(connection, year)
    connection.execute(QUERIES["keep_timezone"], {"timezone": timezone})


def begin_calendar(connection: Connection, timezone: str) -> None:
    """Fill in the calendar of a database that has none, before incidents come into it."""
    if not years(connection):
        keep_calendar(connection, timezone, datetime.now(ZoneInfo(timezone)).date())
        reckon(connection, timezone)


def reckon(connection: Connection, timezone: str) -> int:
    """Make the working time again, and the deadlines of all open incidents; return how many there are."""
    row = connection.execute(QUERIES["reckon"], {"timezone": timezone}).fetchone() or {}
    return int(row["reckoned"])


async def days_of(connection: AsyncConnection, year: int) -> list[KeptDay]:
    """Read the days of a year that are in the table."""
    rows = await connection.execute(QUERIES["days"], {"first": date(year, 1, 1), "last": date(year, 12, 31)})
    return [KeptDay.model_validate(row) for row in await rows.fetchall()]


def years(connection: Connection) -> list[KeptYear]:
    """Read which years are in the table."""
    return [KeptYear.model_validate(row) for row in connection.execute(QUERIES["years"]).fetchall()]


def exceptions(connection: Connection, year: int) -> list[KeptDay]:
    """Read the days of a year that are not what their weekday says."""
    rows = connection.execute(QUERIES["days"], {"first": date(year, 1, 1), "last": date(year, 12, 31)}).fetchall()
    days = [KeptDay.model_validate(row) for row in rows]
    return [day for day in days if day.is_working != (day.day.weekday() < _SATURDAY) or day.name_zh or day.is_edited]


async def set_day(connection: AsyncConnection, day: date, what: WorkingDay) -> KeptDay:
    """Say what a day is; the deadlines of open incidents follow it within seconds.

    Raises
    ------
    UserError
        Moments of that year are not stored.
    """
    if not FIRST_STORED <= day.year <= LAST_STORED:
        message = f"{day} is not between the years {FIRST_STORED} and {LAST_STORED}"
        raise UserError(message)
    await connection.execute(QUERIES["set"], {**what.model_dump(), "day": day})
    return KeptDay(**what.model_dump(), day=day, is_provisional=False, is_edited=True)


class _Named(WorkingDay):
    day: Annotated[date, Field(ge=date(FIRST_STORED, 1, 1), le=date(LAST_STORED, 12, 31))]


def import_days(connection: Connection, content: bytes) -> list[int]:
    """Set days from CSV (UTF-8 or GB 18030) with the columns day, is_working and maybe name_zh, name_en.

    A year that has days in the file is announced by it: its other days stay as they are, and are not provisional any more.

    Returns
    -------
    The years that have days in the file.

    Raises
    ------
    UnreadableFile
        It is no text, or lacks a column.
    InvalidRows
        Rows cannot be read; nothing was written.
    """
    rows = list(csv.DictReader(io.StringIO(_text(content))))
    if not rows or not {"day", "is_working"} <= rows[0].keys():
        message = "the file needs a header with day and is_working (name_zh and name_en may follow), and rows below it"
        raise UnreadableFile(message)
    days, bad = [], []
    for number, row in enumerate(rows, start=1):
        try:
            days.append(_Named.model_validate({name: value for name, value in row.items() if value}))
        except ValidationError as error:
            fault = error.errors()[0]
            bad.append((number, f"{'.'.join(map(str, fault['loc']))}: {told(fault)}"))
    if bad:
        message = f"{len(bad)} of {len(rows)} rows are not days; nothing was imported"
        raise InvalidRows(message, bad)
    found = sorted({day.day.year for day in days})
    for year in found:
        fill_year(connection, year)
    for day in days:
        connection.execute(QUERIES["set"], day.model_dump())
    for year in found:
        connection.execute(QUERIES["announce"], {"year": year})
    return found


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    message = "the file is no text in UTF-8 or GB 18030"
    raise UnreadableFile(message)


async def schedules(connection: AsyncConnection) -> list[KeptSchedule]:
    """Read all working hours."""
    rows = await connection.execute(QUERIES["schedules"])
    return [KeptSchedule.model_validate(row) for row in await rows.fetchall()]


async def set_schedule(connection: AsyncConnection, schedule_code: str, schedule: Schedule) -> KeptSchedule:
    """Make working hours, or replace them; the deadlines of open incidents follow within seconds."""
    key = {"schedule_code": schedule_code}
    await connection.execute(QUERIES["set_schedule"], {**schedule.model_dump(exclude={"hours"}), **key})
    await connection.execute(QUERIES["clear_hours"], key)
    spans = schedule.hours
    values: dict[str, Any] = {
        "weekdays": [span.weekday for span in spans],
        "begins": [span.begins_at for span in spans],
        "ends": [span.ends_at for span in spans],
    }
    await connection.execute(QUERIES["set_hours"], {**key, **values})
    return KeptSchedule(**schedule.model_dump(), **key)


def examine_calendar(connection: Connection) -> tuple[bool, str]:
    """Return whether the coming three months are announced, and a sentence for `geo-grid doctor` that names provisional years."""
    kept = years(connection)
    if not kept:
        return True, "not filled in yet: the server does it when it starts"
    found = connection.execute(QUERIES["provisional"]).fetchall()
    announced = f"{kept[0].year} to {kept[-1].year}"
    if not found:
        return True, announced
    named = ", ".join(str(row["year"]) for row in found)
    advice = "Monday to Friday are taken, until chinesecalendar knows it or geo-grid calendar import FILE.csv says"
    return found[0]["in_days"] > _SOON_DAYS, f"{announced}; not announced: {named}, {advice}"
