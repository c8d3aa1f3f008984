"""Answers about indicators: rows with their figures, ranked where that means something, beside the definitions."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter

from geo_grid.indicators.definitions import CLOCKS, DEFINITIONS, Code, Definition
from geo_grid.indicators.facts import Facts
from geo_grid.indicators.figures import OnTime, Settlement, Times, YearOnYear
from geo_grid.indicators.measuring import FLAGS
from geo_grid.indicators.question import PERIODS

_WRITTEN: dict[str, Callable[[date], str]] = {
    "day": date.isoformat,
    "week": lambda day: f"{day:%G-W%V}",
    "month": lambda day: f"{day:%Y-%m}",
    "year": lambda day: f"{day:%Y}",
}


class Row(BaseModel):
    """Figures of one group of incidents. What nobody asked for is left out."""

    key: dict[str, str | None] = Field(description="what it is of; null: in no cell, or in no zone")
    name_zh: str = Field("", description="of the cell, zone, unit, category or group; of several, in this order")
    name_en: str = ""
    rank: int | None = Field(None, description="1 is the first; equal values share a rank")
    households: int | None = None
    count: int = 0
    rate: float | None = None
    year_on_year: YearOnYear | None = None
    settlement: Settlement | None = None
    on_time: OnTime | None = None
    first_contact: Times | None = None
    dispatch: Times | None = None
    turnout: Times | None = None
    travel: Times | None = None
    response: Times | None = None

    def value(self, code: Code) -> float | None:
        """Return what the row is ranked and drawn by: a count, rate, share or change, or the P90 of a time in seconds."""
        if code in ("count", "rate"):
            return self.count if code == "count" else self.rate
        figure = getattr(self, code)
        if figure is None or isinstance(figure, YearOnYear):
            return figure.change if figure else None
        found: float | None = figure.p90_s if isinstance(figure, Times) else figure.share
        return found

    def n(self, code: Code) -> int:
        """Return how many incidents that value is of."""
        figure = None if code in ("count", "rate") else getattr(self, code)
        if isinstance(figure, Times):
            return figure.n
        if isinstance(figure, YearOnYear):
            return figure.before
        return figure.due if isinstance(figure, OnTime) else self.count


_ROWS = TypeAdapter(list[Row])
_NOTHING = dict.fromkeys(("count", *FLAGS), 0) | {stage: Times(0, None, None, 0, 0, 0) for stage in CLOCKS}
"""What `measure` would say of no incident."""


class Answer(BaseModel):
    """An answer about indicators."""

    begins: datetime = Field(serialization_alias="from")
    ends: datetime = Field(serialization_alias="to", description="not included")
    as_of: datetime = Field(description="what was closed later does not count")
    edition: str = Field(description="then: cells and zones as stored with each incident; now: of the edition below")
    edition_id: int | None = Field(description="whose names and households are told; null: there are no boundaries yet")
    by: list[str]
    level: int | None
    rank: str | None
    min_n: int = Field(description="rows of fewer incidents are not ranked")
    definitions: list[Definition]
    rows: list[Row]
    not_ranked: list[Row] = Field(description="rows that are no part of the ranking: too few incidents, or no value")


def make_answer(facts: Facts) -> Answer:
    """Make the answer to a question of what was read for it."""
    question, codes = facts.question, facts.question.codes
    before = {_key(facts, row): row["count"] for row in facts.before}
    measured = {_key(facts, row): row for row in facts.rows}
    homes = _households(facts) if "rate" in codes else {}
    cells = {row["grid_code"]: (row["name"], row["name"]) for row in facts.cells}
    made, by, has_rates = [], question.by, "rate" in codes and question.area in (None, "cell")
    names = [
        (place, cells if one == "cell" else facts.named[one]) for place, one in enumerate(by) if one not in PERIODS
    ]
    for key in keys_of(facts):
        named = dict(zip(by, key, strict=True))
        told = [known.get(code := key[place] or "", (code, code)) for place, known in names]
        row: dict[str, Any] = {
            "key": named, "name_zh": " ".join([zh for zh, _ in told]), "name_en": " ".join([en for _, en in told]),
            **_figures(codes, measured.get(key, _NOTHING), before.get(key, 0)),
        }  # fmt: skip
        place = named.get("cell", question.within)
        if has_rates and (place is not None or "cell" not in named):
            row["households"] = homes.get(place)
            row["rate"] = 10_000 * row["count"] / row["households"] if row["households"] else None
        made.append(row)
    rows = _ROWS.validate_python(made)  # all at once, compiled
    ranked, others = _ranked(rows, question.rank, question.min_n, question.lowest_first, question.area)
    return Answer(
        begins=facts.begins, ends=facts.ends, as_of=facts.as_of, edition=question.edition, edition_id=facts.edition_id,
        by=list(question.by), level=question.level, rank=question.rank, min_n=question.min_n,
        definitions=[DEFINITIONS[code] for code in codes], rows=ranked, not_ranked=others,
    )  # fmt: skip


def keys_of(facts: Facts) -> list[tuple[str | None, ...]]:
    """Return the keys of all rows of the answer in their order: what has incidents, this year or the year before, or is there."""
    found = {*(_key(facts, row) for row in (*facts.rows, *facts.before)), *_every(facts)}
    if len(facts.question.by) > 1:
        return sorted(found, key=lambda key: [(part is None, part or "") for part in key])
    return sorted(key for key in found if None not in key) + [key for key in found if None in key]


def _key(facts: Facts, row: dict[str, Any]) -> tuple[str | None, ...]:
    return tuple([_WRITTEN[one](row[one]) if one in _WRITTEN else row[one] for one in facts.question.by])


def _every(facts: Facts) -> Iterator[tuple[str | None, ...]]:
    """Yield the keys of what has no incident too, where one thing alone is grouped by that is no period."""
    question = facts.question
    if not question.by:
        yield ()
    if len(question.by) != 1 or question.by[0] in PERIODS:
        return
    if question.area != "cell":
        yield from ((code,) for code in facts.chosen.get(question.by[0]) or facts.named[question.by[0]])
        return
    below = _below(facts) if question.within is not None else set()
    in_force = {row["grid_code"]: row for row in facts.cells if row["is_in_force"]}
    parents = {row["parent_code"] for row in in_force.values()}
    for code, row in in_force.items():
        is_leaf = code not in parents
        if question.within is not None and code not in below:
            continue
        is_deepest = is_leaf and (question.level is None or row["grid_level"] < question.level)
        if is_deepest or row["grid_level"] == question.level:
            yield (code,)


def _below(facts: Facts) -> set[str]:
    """Return the cells in force within the one that was asked for, and itself."""
    children: dict[str | None, list[str]] = {}
    for row in facts.cells:
        if row["is_in_force"]:
            children.setdefault(row["parent_code"], []).append(row["grid_code"])
    found: set[str] = set()
    waiting = [facts.question.within] if facts.question.within else []
    while waiting:
        code = waiting.pop()
        found.add(code)
        waiting += children.get(code, [])
    return found


def _households(facts: Facts) -> dict[str | None, int | None]:
    """Return the households of each cell, and under None of all: the sum of its leaf cells in force; null: none is known.

    Of a cell that is in force no more, those that it had.
    """
    by_code = {row["grid_code"]: row for row in facts.cells}
    parents = {row["parent_code"] for row in facts.cells if row["is_in_force"]}
    found: dict[str | None, int | None] = {
        code: row["household_count"] for code, row in by_code.items() if not row["is_in_force"]
    }
    for code, row in by_code.items():
        count = row["household_count"]
        if not row["is_in_force"] or code in parents or count is None:
            continue
        above: str | None = code
        while above is not None and above in by_code:
            found[above] = (found.get(above) or 0) + count
            above = by_code[above]["parent_code"]
        found[None] = (found.get(None) or 0) + count
    return found


def _figures(codes: tuple[Code, ...], measured: dict[str, Any], before: int) -> dict[str, Any]:
    count = measured["count"]
    found: dict[str, Any] = {"count": count}
    if "year_on_year" in codes:
        found["year_on_year"] = YearOnYear(before, _share(count - before, before))
    if "settlement" in codes:
        closed = measured["closed"]
        found["settlement"] = Settlement(count, closed, measured["not_solved"], _share(closed, count))
    if "on_time" in codes:
        due, on_time = measured["due"], measured["on_time"]
        found["on_time"] = OnTime(due, on_time, _share(on_time, due))
    for stage in CLOCKS:
        if stage in codes:
            found[stage] = measured[stage]
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ranked(
    rows: list[Row], by: Code | None, min_n: int, lowest_first: bool, area: str | None
) -> tuple[list[Row], list[Row]]:
    """Return the rows by rank, and those that are no part of it; without `by`, all as they are."""
    if by is None:
        return rows, []
    values = [(row, row.value(by)) for row in rows if row.n(by) >= min_n and not (area and row.key[area] is None)]
    inside = sorted(
        ((row, value) for row, value in values if value is not None), key=lambda one: one[1], reverse=not lowest_first
    )
    last: float | None = None
    for number, (row, value) in enumerate(inside, start=1):
        row.rank = number if value != last else inside[number - 2][0].rank
        last = value
    ranked = [row for row, _ in inside]
    return ranked, [row for row in rows if row.rank is None]
