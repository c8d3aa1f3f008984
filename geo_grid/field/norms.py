"""The norm of grid workers: visits on at least 4 days of a week, 300 to 500 households or 1 to 3 compounds each."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.boundaries.findings import COMPOUNDS
from geo_grid.boundaries.norms import HOUSEHOLDS
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import UserError
from geo_grid.files.formulas import csv_of
from geo_grid.moments import Day

QUERIES = load_queries("geo_grid.field", "norms.sql")
VISIT_DAYS = 4
"""Days of a week with a visit (DOMAIN, section 1)."""
_MOST_WEEKS = 53
_WEEKS = 4


class Definition(BaseModel):
    """What the figures mean, in words."""

    zh: str
    en: str


DEFINITION = Definition(
    zh=(
        f"对象为网格管理员（按姓名和值班电话）。一周自星期一零时起（城市时间）；有走访的天数达到 {VISIT_DAYS} 天为达标，"
        f"该周工作日（按工作日历，扣除本人请假日）不足 {VISIT_DAYS} 天的以工作日数为准。未结束的周、无工作日的周和未全周在岗的周不计。"
        f"负荷达标：{HOUSEHOLDS[0]}–{HOUSEHOLDS[1]} 户，或 1–{COMPOUNDS} 个小区。按网格统计时，一人计入其每个责任网格。"
    ),
    en=(
        f"Of grid managers, by name and duty telephone. A week begins on Monday at midnight of the city's time; it is kept with"
        f" visits on at least {VISIT_DAYS} days, or on as many as it has working days (by the calendar, without those on which"
        " the person was away), if those are fewer. Weeks that are not over, that have no such day, or in which the person was"
        f" not on the roster throughout are not counted. The load is kept with {HOUSEHOLDS[0]} to {HOUSEHOLDS[1]} households, or"
        f" 1 to {COMPOUNDS} compounds. By cell, a person counts in each cell of their duties."
    ),
)


class NormsQuestion(BaseModel):
    """Which weeks, of whom, and by what."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    by: Literal["worker", "cell"] = "worker"
    begins: Annotated[
        Day | None, Field(alias="from", description="a day of the first week; four weeks ago if not given")
    ] = None
    ends: Annotated[Day | None, Field(alias="to", description="a day of the last week; the last if not given")] = None
    level: int | None = Field(None, ge=1, le=9, description="level of the cells, when by cell; those of the duties")
    within: str | None = Field(None, max_length=32, description="only duties in this cell, and below it")
    weekly: bool = Field(False, description="one row for each week")

    @model_validator(mode="after")
    def _level_of_cells(self) -> Self:
        if self.level is not None and self.by != "cell":
            message = "level is of the cells: ask by cell"
            raise ValueError(message)
        return self


class Norm(BaseModel):
    """Whether the norm was kept: by a worker, or by the workers of a cell."""

    person_name: str | None = Field(None, description="by worker")
    grid_codes: list[str] | None = Field(None, description="by worker: cells of their duties")
    grid_code: str | None = Field(None, description="by cell")
    grid_name: str | None = None
    week: date | None = Field(None, description="its Monday")
    worker_count: int
    kept: int = Field(description="weeks of workers that kept the norm")
    missed: int
    not_counted: int
    visits: int = Field(description="of these workers, in all weeks")
    visit_days: int
    household_count: int | None = Field(description="of the cells of their duties; null: of none it is known")
    compound_count: int
    is_load_kept: bool | None = Field(None, description="by worker")


class Norms(BaseModel):
    """An answer, with what it means."""

    definition: Definition
    begins: date = Field(alias="from", description="the Monday of the first week")
    ends: date = Field(alias="to", description="the Sunday of the last week")
    rows: list[Norm]

    model_config = ConfigDict(populate_by_name=True)


async def norms(connection: AsyncConnection, question: NormsQuestion, today: date, timezone: str) -> Norms:
    """Say who kept the norm, of those whom the connection's principal may see.

    Parameters
    ----------
    today
        In the city's time zone, `timezone`.

    Raises
    ------
    UserError
        The weeks end before they begin, or are too many.
    """
    last = _monday(question.ends or today - timedelta(days=7))
    first = _monday(question.begins) if question.begins else last - timedelta(days=7 * (_WEEKS - 1))
    if last < first:
        message = f"to ({question.ends or last}) is before from ({question.begins})"
        raise UserError(message)
    after = last + timedelta(days=7)
    if (after - first).days > 7 * _MOST_WEEKS:
        message = f"from {first} to {last} are more than {_MOST_WEEKS} weeks: ask for fewer"
        raise UserError(message)
    values: dict[str, Any] = {
        "first": first, "after": after, "zone": timezone, "most": VISIT_DAYS, "within": question.within,
        "weekly": question.weekly, "level": question.level,
    }  # fmt: skip
    rows = await (await connection.execute(QUERIES[f"by_{question.by}"], values)).fetchall()
    found = [Norm.model_validate(row) for row in rows]
    if question.by == "worker":
        for row in found:
            row.is_load_kept = _is_load_kept(row)
    return Norms(definition=DEFINITION, begins=first, ends=after - timedelta(days=1), rows=found)


def norms_as_csv(answer: Norms) -> str:
    """Write an answer as CSV; what is a formula to a spreadsheet is written so that it is none."""
    rows: list[list[Any]] = [[*Norm.model_fields, "definition"]]
    for number, row in enumerate(answer.rows):
        told = {**row.model_dump(mode="json"), "grid_codes": " ".join(row.grid_codes or [])}
        rows.append([*told.values(), f"{DEFINITION.zh} {DEFINITION.en}" if number == 0 else ""])
    return csv_of(rows)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _is_load_kept(row: Norm) -> bool:
    least, most = HOUSEHOLDS
    has_households = row.household_count is not None and least <= row.household_count <= most
    return has_households or 1 <= row.compound_count <= COMPOUNDS
