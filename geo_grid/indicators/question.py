"""What may be asked of indicators, checked once for every way in."""

import calendar
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geo_grid.errors import InvalidQuery, told
from geo_grid.indicators.classes import Scheme
from geo_grid.indicators.definitions import DEFINITIONS, Code
from geo_grid.moments import FIRST_STORED, LAST_STORED, AskedMoment, in_zone

type Grouping = Literal["cell", "zone", "unit", "category", "group", "day", "week", "month", "year"]
PERIODS = ("day", "week", "month", "year")
_FAMILIES = (("cell", "zone", "unit"), ("category", "group"), PERIODS)
LEAST_RANKED = 20
"""Least number of incidents for which a row is ranked, where none is said: the US National Center for Health Statistics
publishes no rates of fewer events, whose relative standard error exceeds 23 %."""


class Choice(BaseModel):
    """Which incidents, and by which boundaries."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    level: Annotated[
        int | None, Field(ge=1, le=9, description="grid level of the cells; the leaf cells if not given")
    ] = None
    begins: Annotated[
        AskedMoment | None,
        Field(alias="from", description="received then or later; the first of this month if not given"),
    ] = None
    ends: Annotated[AskedMoment | None, Field(alias="to", description="received before this; now if not given")] = None
    edition: Annotated[
        Literal["then", "now"],
        Field(
            description="then: the cell and zone stored with each incident; now: those that own its place in the"
            " boundaries in force (or at `at`)"
        ),
    ] = "then"
    at: Annotated[AskedMoment | None, Field(description="with edition=now: in force at this moment")] = None
    within: Annotated[str | None, Field(max_length=32, description="code of a cell: only it and what it contains")] = (
        None
    )
    category: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(max_length=50, description="codes or names; all if not given"),
    ] = []
    group: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=32)]],
        Field(max_length=20, description="codes of groups of categories: only what belongs to one of them"),
    ] = []

    @model_validator(mode="after")
    def _has_one_edition(self) -> Self:
        if self.at is not None and self.edition != "now":
            message = "at names the boundaries of edition=now: with edition=then each incident has its own"
            raise ValueError(message)
        return self


class Question(Choice):
    """Which indicators, of which incidents, grouped by what."""

    indicators: Annotated[
        list[Code], Field(max_length=20, description="codes of GET /indicators; all if not given")
    ] = []
    by: Annotated[
        list[Grouping],
        Field(
            max_length=3,
            description="what to group by: at most one of cell, zone, unit; of category, group; of day, week, month, year",
        ),
    ] = []
    rank: Annotated[Code | None, Field(description="rank the rows by this, the highest first")] = None
    lowest_first: Annotated[bool, Field(description="rank the lowest first")] = False
    min_n: Annotated[
        int, Field(ge=0, le=1_000_000, description="rows of fewer incidents are listed apart and not ranked")
    ] = LEAST_RANKED

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for family in _FAMILIES:
            if len([one for one in self.by if one in family]) > 1:
                message = f"by: at most one of {', '.join(family)}"
                raise ValueError(message)
        if self.level is not None and "cell" not in self.by:
            message = "level is of cells: ask by=cell with it"
            raise ValueError(message)
        if self.rank is not None and self.indicators and self.rank not in self.indicators:
            message = f"rows cannot be ranked by {self.rank}, which is not among the indicators"
            raise ValueError(message)
        return self

    @property
    def codes(self) -> tuple[Code, ...]:
        """The indicators that are asked for, in the order of their definitions."""
        return tuple(code for code in DEFINITIONS if not self.indicators or code in self.indicators)

    @property
    def area(self) -> str | None:
        """What is grouped by among cell, zone and unit."""
        return next((one for one in self.by if one in _FAMILIES[0]), None)


class AreaQuestion(Choice):
    """Which indicator of which cells, for a map."""

    of: Annotated[Code, Field(description="what is drawn; of times the P90, of shares and changes the share")] = "count"
    scheme: Annotated[Scheme, Field(description="how values are divided into classes")] = "quantiles"
    classes: Annotated[int, Field(ge=2, le=9, description="at most as many; fewer where values are equal")] = 5

    def figures(self) -> Question:
        """Return the question whose answer is drawn."""
        chosen = self.model_dump(include=set(Choice.model_fields))
        return Question(indicators=[self.of], by=["cell"], **chosen)


def read_question[Q: Choice](kind: type[Q], given: dict[str, Any]) -> Q:
    """Check a question from the command line. Raises InvalidQuery."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{'.'.join(str(part) for part in first['loc'] if not isinstance(part, int)) or 'indicators'}: {told(first)}"
        raise InvalidQuery(message) from None


def span_of(question: Choice, now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Return the moments between which incidents were received, the second not included.

    Raises
    ------
    InvalidQuery
        It ends before it begins, or is of years in which nothing can be stored.
    """
    here = now.astimezone(ZoneInfo(timezone))
    begins = (
        in_zone(question.begins, timezone)
        if question.begins
        else datetime(here.year, here.month, 1, tzinfo=here.tzinfo)
    )
    ends = in_zone(question.ends, timezone) if question.ends else now
    for name, moment in (("from", begins), ("to", ends)):
        if not FIRST_STORED < moment.year < LAST_STORED:
            message = f"{name}: {moment.date()} is not between the years {FIRST_STORED + 1} and {LAST_STORED - 1}, of which incidents are stored"
            raise InvalidQuery(message)
    if ends <= begins:
        message = (
            f"the period ends ({ends.isoformat()}) before it begins ({begins.isoformat()}), or is empty: from < to"
        )
        raise InvalidQuery(message)
    return begins, ends


def year_before(moment: datetime, timezone: str) -> datetime:
    """Return the same local date and time a year before; of 29 February, the 28th, as PostgreSQL and pandas do."""
    local = moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    day = min(local.day, calendar.monthrange(local.year - 1, local.month)[1])
    return local.replace(year=local.year - 1, day=day, tzinfo=ZoneInfo(timezone))


def month_of(text: str, timezone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of a month written as 2026-10, and of the next. Raises InvalidQuery: it is none, or to come."""
    try:
        first = date.fromisoformat(f"{text}-01") if len(text) == len("2026-10") else None
    except ValueError:
        first = None
    if first is None or not FIRST_STORED < first.year < LAST_STORED:
        message = f"{text[:20]!r} is no month: write 2026-10, of the years {FIRST_STORED + 1} to {LAST_STORED - 1}"
        raise InvalidQuery(message)
    after = (first + timedelta(days=31)).replace(day=1)
    begins, ends = (datetime(one.year, one.month, 1, tzinfo=ZoneInfo(timezone)) for one in (first, after))
    if begins > now:
        message = f"{text} has not begun: nothing is to be reported of it"
        raise InvalidQuery(message)
    return begins, ends
