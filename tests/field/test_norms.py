"""The norm of visits equals a count by another way, day by day, with holidays, make-up days, absences and newcomers."""

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from geo_grid.db import Cluster, Connection, connect
from geo_grid.field import DEFINITION
from tests.commands import geo_grid
from tests.databases import new_database
from tests.field.city import LI, WANG, ZHAO, Field, served

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, WEEKS = date(2026, 9, 14), 8
"""Until 8 November: Mid-Autumn and National Day are in it, with their make-up days."""
NEWCOMER = ("孙网格员（演示）", "12000000004")
DAYS = [FIRST + timedelta(days=number) for number in range(7 * WEEKS)]


def at(day: date, hour: float = 0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(hours=hour)


def fill(connection: Connection) -> None:
    """Visits at random on three days of four, also at midnight; Wang is away for some days, Sun comes on a Wednesday."""
    rng = random.Random(19)
    connection.execute(
        "insert into duties (grid_code, duty_role, person_name, phone, valid_from)"
        " values ('D', 'grid_manager', %s, %s, %s), ('D', 'grid_assistant', 'x', '', '2026-01-01'), ('P', 'grid_lead', 'y', '', '2026-01-01')",
        (*NEWCOMER, at(FIRST + timedelta(days=16), 9)),
    )
    duties = connection.execute("select duty_id, grid_code, person_name from duties order by duty_id").fetchall()
    wang = next(duty["duty_id"] for duty in duties if duty["person_name"] == WANG[0])
    for begins, ends in (
        (at(FIRST + timedelta(days=7), 8), at(FIRST + timedelta(days=10), 12)),
        (at(date(2026, 11, 6)), None),
    ):
        connection.execute(
            "insert into duty_absences (duty_id, valid_from, valid_to) values (%s, %s, %s)", (wang, begins, ends)
        )
    for duty in duties:
        for day in DAYS:
            if rng.random() < (0.55 if duty["person_name"] == LI[0] else 0.72):
                for hour in rng.sample((0, 8.5, 12, 23.99), rng.randint(1, 2)):
                    connection.execute(
                        "insert into visits (grid_code, duty_id, visited_at, place_from) values (%s, %s, %s, 'cell')",
                        (duty["grid_code"], duty["duty_id"], at(day, hour)),
                    )


@pytest.fixture(scope="module")
def field(cluster: Cluster) -> Iterator[Field]:
    with new_database(cluster, "field_norms") as conninfo, served(conninfo) as found:
        with connect(conninfo) as connection:
            fill(connection)
        yield found


def counted(field: Field) -> dict[tuple[str, date], tuple[str, int, int]]:
    """Person and Monday -> kept, missed or not counted; visits; days. Read row by row, and counted in Python."""
    with connect(field.conninfo) as connection:
        working = {
            row["day"]: row["is_working"]
            for row in connection.execute("select day, is_working from working_days").fetchall()
        }
        duties = connection.execute("select * from duties where duty_role = 'grid_manager'").fetchall()
        absences = connection.execute("select * from duty_absences").fetchall()
        visits = connection.execute(
            "select d.person_name, v.visited_at from visits v join duties d using (duty_id)"
        ).fetchall()
    visited = defaultdict(list)
    for visit in visits:
        visited[visit["person_name"]].append(visit["visited_at"].astimezone(ZONE).date())
    answer = {}
    for person in {duty["person_name"] for duty in duties}:
        own = [duty for duty in duties if duty["person_name"] == person]
        ids = {duty["duty_id"] for duty in own}
        for monday in DAYS[::7]:
            week = [monday + timedelta(days=number) for number in range(7)]
            away = {
                day for day in week for absence in absences
                if absence["duty_id"] in ids and absence["valid_from"] < at(day, 24)
                and (absence["valid_to"] is None or absence["valid_to"] > at(day))
            }  # fmt: skip
            needed = min(4, sum(working[day] and day not in away for day in week))
            days = [day for day in visited[person] if day in week]
            is_whole = all(duty["valid_from"] <= at(monday) for duty in own)
            if needed == 0 or not is_whole or at(week[-1], 24) > datetime.now(UTC):
                state = "not_counted"
            else:
                state = "kept" if len(set(days)) >= needed else "missed"
            answer[person, monday] = (state, len(days), len(set(days)))
    return answer


def asked(field: Field, more: str = "") -> list[dict[str, Any]]:
    answer = field.chief.get(f"/field/norms?from={FIRST}&to={DAYS[-1]}{more}")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["from"], told["to"]) == (str(FIRST), str(DAYS[-1]))
    assert told["definition"] == DEFINITION.model_dump()
    return list(told["rows"])


def test_by_worker_and_week(field: Field) -> None:
    expected = counted(field)
    found = {
        (row["person_name"], date.fromisoformat(row["week"])): (
            next(state for state in ("kept", "missed", "not_counted") if row[state]), row["visits"], row["visit_days"],
        )
        for row in asked(field, "&weekly=true")
    }  # fmt: skip
    assert found == expected
    states = [state for state, _, _ in expected.values()]
    assert min(states.count(state) for state in ("kept", "missed", "not_counted")) >= 3  # the rows show all of it


def test_by_worker_in_all_weeks_with_their_load(field: Field) -> None:
    expected = counted(field)
    rows = {row["person_name"]: row for row in asked(field)}
    assert rows.keys() == {LI[0], WANG[0], ZHAO[0], NEWCOMER[0]}
    for person, row in rows.items():
        own = [told for (name, _), told in expected.items() if name == person]
        for state in ("kept", "missed", "not_counted"):
            assert row[state] == [told[0] for told in own].count(state)
        assert (row["visits"], row["visit_days"]) == (sum(told[1] for told in own), sum(told[2] for told in own))
    assert (rows[LI[0]]["grid_codes"], rows[LI[0]]["household_count"], rows[LI[0]]["compound_count"]) == (
        ["A", "B"],
        430,
        2,
    )
    assert all(row["is_load_kept"] for row in rows.values())


@pytest.mark.parametrize(
    ("more", "cells"),
    [
        ("", {"A": {LI}, "B": {LI}, "C": {WANG}, "D": {ZHAO, NEWCOMER}}),
        ("&level=1", {"P": {LI, WANG, ZHAO, NEWCOMER}}),
        ("&level=2&within=C", {"C": {WANG}}),
    ],
)
def test_by_cell_a_worker_counts_once_in_each_of_theirs(field: Field, more: str, cells: dict[str, set[Any]]) -> None:
    expected = counted(field)
    rows = {row["grid_code"]: row for row in asked(field, f"&by=cell{more}")}
    assert rows.keys() == cells.keys()
    for code, people in cells.items():
        states = [told[0] for (name, _), told in expected.items() if name in {person[0] for person in people}]
        assert [rows[code][state] for state in ("kept", "missed", "not_counted")] == [
            states.count(state) for state in ("kept", "missed", "not_counted")
        ]
        assert rows[code]["worker_count"] == len(people)


def test_the_same_as_csv_and_on_the_command_line(field: Field) -> None:
    answer = field.chief.get(f"/field/norms?from={FIRST}&to={DAYS[-1]}&f=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["person_name"], row["kept"]) for row in rows] == [
        (row["person_name"], str(row["kept"])) for row in asked(field)
    ]
    assert DEFINITION.en in rows[0]["definition"]
    assert field.client("dispatcher").get("/field/norms?f=csv").status_code == 403
    told = geo_grid(
        field.conninfo, "field", "norms", "--by", "cell", "--from", FIRST, "--to", DAYS[-1], "--format", "json"
    )
    assert [row["grid_code"] for row in json.loads(told.stdout)["rows"]] == list("ABCD")
    assert (
        "before from"
        in geo_grid(field.conninfo, "field", "norms", "--from", "2026-09-14", "--to", "2026-09-01", expect=2).stderr
    )


@pytest.mark.parametrize(
    "more", ["from=2020-01-01", "from=2026-11-01&to=2026-10-01", "level=1", "by=person", "from=soon"]
)
def test_what_is_no_question_is_refused(field: Field, more: str) -> None:
    assert field.chief.get(f"/field/norms?{more}").status_code == 422


def test_others_are_as_if_they_did_not_exist(field: Field) -> None:
    local = field.client("dispatcher", ["C"])
    path = f"/field/norms?from={FIRST}&to={DAYS[-1]}"
    assert [row["person_name"] for row in local.get(path).json()["rows"]] == [WANG[0]]
    assert [row["grid_code"] for row in local.get(f"{path}&by=cell").json()["rows"]] == ["C"]
    assert local.get(f"{path}&within=A").json()["rows"] == []
    assert field.client("wall").get(path).status_code == 403
