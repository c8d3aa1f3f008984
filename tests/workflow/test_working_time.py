"""Working time: the database counts as a plain implementation does, in any zone; years that are announced and those that are not."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo_grid.db import Cluster, Connection, connect
from geo_grid.doctor import examine
from geo_grid.settings import Settings
from geo_grid.workflow.working_time import fill_year, import_days, is_announced, keep_calendar, known_days, reckon
from tests.commands import geo_grid
from tests.databases import new_database

type Spans = list[tuple[datetime, datetime]]
type Hours = list[tuple[int, time, time]]
FIRST = date(2026, 3, 23)
DAYS = 14
EVER = datetime(1600, 1, 1, tzinfo=UTC), datetime(2400, 1, 1, tzinfo=UTC)


def in_utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A time of the city; one that the clocks skip or show twice is read as the database does: the later of both."""
    local = datetime.combine(day, clock)
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def plain_spans(worked: dict[date, bool], hours: Hours, every_day: bool, zone: ZoneInfo) -> Spans:
    found: Spans = [(EVER[0], in_utc(min(worked), time(0), zone))]
    found.append((in_utc(max(worked) + timedelta(days=1), time(0), zone), EVER[1]))
    for day, is_working in worked.items():
        weekday = day.isoweekday()
        if weekday > 5 and not every_day and weekday not in {one for one, _, _ in hours}:
            weekday = 1
        for of, begins, ends in hours:
            if of == weekday and (is_working or every_day):
                last = day + timedelta(days=ends <= begins)
                found.append((in_utc(day, begins, zone), in_utc(last, ends, zone)))
    return found


def plain_between(spans: Spans, a: datetime, b: datetime) -> float:
    """Seconds from a to b that lie in any span, by going through all their ends."""
    edges = sorted({a, b, *(edge for span in spans for edge in span if a < edge < b)})
    pieces = pairwise(edges)
    return sum((y - x).total_seconds() for x, y in pieces if any(s <= x and y <= e for s, e in spans))


class Schedules:
    """A database whose days and hours a test sets, and asks."""

    def __init__(self, conninfo: str) -> None:
        self.connection: psycopg.Connection[tuple[object, ...]] = psycopg.connect(conninfo)

    def set(self, worked: dict[date, bool], hours: Hours, every_day: bool, zone: str) -> None:
        self.connection.rollback()
        cursor = self.connection.cursor()
        cursor.execute("delete from working_days; delete from working_hours; delete from working_spans")
        cursor.execute("update working_schedules set every_day = %s where schedule_code = 'office'", (every_day,))
        cursor.executemany("insert into working_days values (%s, %s)", list(worked.items()))
        cursor.executemany("insert into working_hours values ('office', %s, %s, %s)", hours)
        cursor.execute("select access.make_working_spans(%s)", (zone,))

    def ask(self, question: str, *values: object) -> object:
        row = self.connection.execute(f"select {question}", values).fetchone()
        return row[0] if row else None


@pytest.fixture(scope="module")
def schedules(cluster: Cluster) -> Iterator[Schedules]:
    with new_database(cluster, "working_time") as conninfo:
        asked = Schedules(conninfo)
        yield asked
        asked.connection.close()


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
some_hours = st.lists(st.tuples(st.integers(1, 7), clocks, clocks), max_size=6, unique_by=lambda one: one[:2])
moments = st.datetimes(
    datetime(2026, 3, 20), datetime(2026, 4, 9), timezones=st.just(UTC)
)  # the clocks of Berlin are put forward on 29 March


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flags=st.lists(st.booleans(), min_size=DAYS, max_size=DAYS), hours=some_hours, every_day=st.booleans(),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"]),
    one=moments, other=moments, seconds=st.integers(0, 20 * 86400),
)  # fmt: skip
def test_the_database_counts_as_a_plain_implementation(
    schedules: Schedules, flags: list[bool], hours: Hours, every_day: bool, zone: str, one: datetime, other: datetime,
    seconds: int,
) -> None:  # fmt: skip
    worked = {FIRST + timedelta(days=number): flag for number, flag in enumerate(flags)}
    schedules.set(worked, hours, every_day, zone)
    spans = plain_spans(worked, hours, every_day, ZoneInfo(zone))
    early, late = min(one, other), max(one, other)
    between = schedules.ask("working_between('office', %s, %s)", early, late)
    assert between == pytest.approx(plain_between(spans, early, late), abs=1e-4)
    end = schedules.ask("add_working('office', %s, %s)", one, seconds)
    assert isinstance(end, datetime)
    assert end >= one
    assert plain_between(spans, one, end) == pytest.approx(seconds, abs=1e-4)
    if seconds:  # and no earlier moment would do
        assert plain_between(spans, one, end - timedelta(milliseconds=1)) < seconds
    assert schedules.ask("add_working(null, %s, %s)", one, seconds) == one + timedelta(seconds=seconds)


def test_a_day_off_for_a_holiday_and_the_sunday_worked_for_it(database: str) -> None:
    with connect(database) as connection:
        fill_year(connection, 2026)
        assert fill_year(connection, 2026, over=True) == 0
        reckon(connection, "Asia/Shanghai")

        def end(received: str, hours: float) -> str:
            zone = "at time zone 'Asia/Shanghai'"
            asked = f"select add_working('office', timestamp '{received}' {zone}, {hours * 3600}) {zone} as end"
            return str((connection.execute(asked.encode()).fetchone() or {})["end"])

        # National Day 2026: off from Thursday 1 to Wednesday 7 October, Sunday 20 September and Saturday 10 October worked
        assert end("2026-09-30 16:30", 2) == "2026-10-08 09:30:00"
        assert end("2026-10-09 16:30", 2) == "2026-10-10 09:30:00"
        assert end("2026-09-18 17:00", 7) == "2026-09-20 17:00:00"
        assert end("2026-09-19 12:00", 1) == "2026-09-20 09:30:00"  # a Saturday, off as usual
        assert end("2026-03-02 11:30", 1) == "2026-03-02 14:30:00"  # over noon
        row = connection.execute("select name_zh, name_en from working_days where day = '2026-10-10'").fetchone()
    assert row == {"name_zh": "国庆节调休上班", "name_en": "National Day, make-up day"}


def test_clocks_that_change_shorten_and_lengthen_a_night_shift(schedules: Schedules) -> None:
    worked = {date(2026, 3, 1) + timedelta(days=number): True for number in range(300)}
    schedules.set(worked, [(weekday, time(22), time(6)) for weekday in range(1, 8)], True, "Europe/Berlin")
    night = "working_between('office', %s, %s)"
    assert schedules.ask(night, "2026-03-28 12:00+01", "2026-03-29 12:00+02") == 7 * 3600
    assert schedules.ask(night, "2026-03-29 12:00+02", "2026-03-30 12:00+02") == 8 * 3600
    assert schedules.ask(night, "2026-10-24 12:00+02", "2026-10-25 12:00+01") == 9 * 3600


def test_a_year_that_is_not_announced_is_provisional_until_somebody_says(database: str, tmp_path: Path) -> None:
    assert not is_announced(2050)
    assert len(known_days(2050)) == 365
    with connect(database) as connection:
        keep_calendar(connection, "Asia/Shanghai", date(2050, 12, 20))  # by then the package may know other years
        found = years_of(connection, 2050)
        assert found == {"working": 260, "provisional": 365}
        connection.execute("update working_days set is_provisional = (day = current_date + 3)")
    told = {one.what: one for one in examine(database, Settings(database_url=database, state_dir=tmp_path))}
    assert (told["working days"].ok, told["working days"].sign) == (True, "warn")
    assert "not announced" in told["working days"].found
    with connect(database) as connection:
        connection.execute("update working_days set is_provisional = true where day >= '2050-01-01'")
        content = "day,is_working,name_zh\n2050-01-03,0,元旦\n2050-01-08,1,元旦调休\n".encode("gb18030")
        assert import_days(connection, content) == [2050]
        assert years_of(connection, 2050) == {"working": 260, "provisional": 0}
        keep_calendar(connection, "Asia/Shanghai", date(2050, 12, 20))  # what was said stays
        assert years_of(connection, 2050) == {"working": 260, "provisional": 0}
        row = connection.execute("select is_working, name_zh from working_days where day = '2050-01-03'").fetchone()
    assert row == {"is_working": False, "name_zh": "元旦"}


def years_of(connection: Connection, year: int) -> dict[str, int]:
    row = connection.execute(
        "select count(*) filter (where is_working) as working, count(*) filter (where is_provisional) as provisional"
        " from working_days where extract(year from day) = %s",
        (year,),
    ).fetchone()
    assert row is not None
    return row


def test_the_command_line_lists_seeds_and_imports(database: str, tmp_path: Path) -> None:
    geo_grid(database, "calendar", "seed", 2026)
    assert '"year": 2026' in geo_grid(database, "calendar", "list", "--json").stdout
    assert "春节" in geo_grid(database, "calendar", "list", "2026").stdout
    assert "not announced" in geo_grid(database, "calendar", "seed", "2060").stderr
    good, bad = tmp_path / "days.csv", tmp_path / "bad.csv"
    good.write_text("day,is_working\n2060-01-01,false\n", encoding="utf-8")
    bad.write_text("day,is_working\n2060-02-30,false\n2060-03-01,perhaps\n", encoding="utf-8")
    assert "2060 are set" in geo_grid(database, "calendar", "import", good).stderr
    said = geo_grid(database, "calendar", "import", bad, expect=2).stderr
    assert "row 1: day" in said
    assert "row 2: is_working" in said
    assert "header" in geo_grid(database, "calendar", "import", Path(__file__), expect=2).stderr
    assert "cannot be read" in geo_grid(database, "calendar", "import", tmp_path / "none", expect=2).stderr


def test_another_time_zone_of_the_city_moves_the_working_time(database: str) -> None:
    asked = "select starts_at from working_spans where schedule_code = 'desk' and starts_at > '2026-06-01' order by 1 limit 1"
    with connect(database) as connection:
        keep_calendar(connection, "Asia/Shanghai", date(2026, 6, 1))
        connection.execute("set constraints all immediate")
        assert connection.execute("select from due_work where kind = 'reckon'").fetchall() == []
        keep_calendar(connection, "Europe/Berlin", date(2026, 6, 1))
        assert connection.execute("select from due_work where kind = 'reckon'").fetchall() != []
        reckon(connection, "Europe/Berlin")
        assert connection.execute(asked).fetchall() == [{"starts_at": datetime(2026, 6, 1, 6, tzinfo=UTC)}]
