"""Reading what indicators are made of: one set-based statement for a period, under the rights of whoever asks."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import InvalidQuery
from geo_grid.indicators.definitions import Code
from geo_grid.indicators.measuring import measure
from geo_grid.indicators.question import Question, span_of, year_before
from geo_grid.indicators.statement import QUERIES, statement
from geo_grid.layers.grid_levels import QUERIES as LEVELS
from geo_grid.moments import in_zone

CATEGORIES = load_queries("geo_grid.layers", "incident_categories.sql")
NEWEST = "infinity"
"""The moment of the newest edition, whose names and households are told unless another is asked about."""
MOST_ROWS = 50_000
"""Most rows of an answer."""
MOST_INCIDENTS = 5_000_000
"""Most incidents that one answer is made of: their records take 46 bytes each, and for a moment several times as much."""
_AT_ONCE = 1_000
"""Rows that are read between two turns of the event loop."""


@dataclass(frozen=True)
class Facts:
    """What was read for one question, in one snapshot.

    Attributes
    ----------
    rows
        Of the period: by `key` columns named as in `Question.by`, with a column for each measure.
    before
        Counts of the same dates a year before, by the same keys; empty where nobody asked for them.
    cells
        The last state of each cell that is seen: code, name, level, parent, households, whether it is in force.
    chosen
        Codes of the categories and groups that were asked for, by what is grouped by; empty: all.
    named
        Names in Chinese and English of zones, units, categories and groups, by what is grouped by and code.
    """

    question: Question
    begins: datetime
    ends: datetime
    as_of: datetime
    moment: datetime | str
    edition_id: int | None
    rows: list[dict[str, Any]]
    before: list[dict[str, Any]]
    cells: list[dict[str, Any]] = field(default_factory=list)
    chosen: dict[str, list[str]] = field(default_factory=dict)
    named: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)


async def read_facts(
    connection: AsyncConnection,
    question: Question,
    now: datetime,
    timezone: str,
    beside: AsyncConnection | None = None,
) -> Facts:
    """Read what a question needs.

    Parameters
    ----------
    connection
        A transaction in one snapshot with the rights of whoever asks; their sums are of what they see.
    beside
        Another one with the same snapshot and rights, which reads half of the incidents at the same time.
    now
        When it is asked; what is closed or due later does not count.
    timezone
        Of the city, by whose days periods are made.

    Raises
    ------
    InvalidQuery
        A level, cell, category or group is not there; the period is none; the answer has too many rows, or is of too many incidents.
    """
    begins, ends = span_of(question, now, timezone)
    moment = in_zone(question.at, timezone) if question.at else NEWEST
    edition = (await fetch_one(connection, QUERIES["moment"], {"at": moment}))["edition_id"]
    chosen = {"category": await _categories(connection, question), "group": await _groups(connection, question)}
    values: dict[str, Any] = {
        "begins": begins, "ends": ends, "as_of": now, "timezone": timezone, "at": moment, "edition": edition,
        "level": await _level(connection, question), "within": question.within,
        "categories": chosen["category"], "groups": chosen["group"], "most": MOST_INCIDENTS + 1, "most_rows": MOST_ROWS + 1,
    }  # fmt: skip
    needs_cells = question.area == "cell" or question.within is not None or "rate" in question.codes
    cells = await read_all(connection, QUERIES["cells"], {"moment": moment}) if needs_cells else []
    if question.within is not None and all(row["grid_code"] != question.within for row in cells):
        message = (
            f"within: there is no cell {question.within!r} that you see: GET /collections/grid_cells/items lists them"
        )
        raise InvalidQuery(message)
    readers = [connection, *([beside] if beside else [])]
    rows = await _measured(readers, question, question.codes, values, cells)
    before: list[dict[str, Any]] = []
    if "year_on_year" in question.codes:
        former = {"begins": year_before(begins, timezone), "ends": year_before(ends, timezone)}
        before = await _measured(readers, question, ("count",), values | former, cells, years=1)
    named: dict[str, dict[str, tuple[str, str]]] = {
        one: await _names(connection, one, moment)
        for one in question.by
        if one in ("zone", "unit", "category", "group")
    }
    return Facts(question, begins, ends, now, moment, edition, rows, before, cells, chosen, named)


async def _measured(
    readers: Sequence[AsyncConnection],
    question: Question,
    codes: tuple[Code, ...],
    values: dict[str, Any],
    cells: list[dict[str, Any]],
    years: int = 0,
) -> list[dict[str, Any]]:
    """Read incidents, an equal part of the time by each connection, and measure them by what is grouped by."""
    wanted, begins = statement(question, codes, years), values["begins"]
    lasts = (values["ends"] - begins) / len(readers)
    bounds = [*(begins + number * lasts for number in range(len(readers))), values["ends"]]
    parts = [
        read_all(reader, wanted, values | {"begins": since, "ends": until})
        for reader, (since, until) in zip(readers, itertools.pairwise(bounds), strict=True)
    ]
    records = list(itertools.chain(*await asyncio.gather(*parts)))
    numbered = {0: None, **{row["number"]: row["grid_code"] for row in cells}}
    rows = await asyncio.to_thread(measure, records, question.by, codes, numbered, MOST_ROWS)
    if sum(row["count"] for row in rows) > MOST_INCIDENTS:
        message = (
            f"this is of more than {MOST_INCIDENTS:,} incidents: ask for a shorter time, or for one cell or category"
        )
        raise InvalidQuery(message)
    return rows


async def read_all(
    connection: AsyncConnection, wanted: str | sql.Composed, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """Run a statement and return its rows; others have their turn on the event loop while they are read."""
    cursor = await connection.execute(wanted, values, prepare=False, binary=True)
    rows: list[dict[str, Any]] = []
    while some := await cursor.fetchmany(_AT_ONCE):
        rows += some
        await asyncio.sleep(0)
    return rows


async def _level(connection: AsyncConnection, question: Question) -> int | None:
    if question.level is None:
        return None
    levels = await grid_levels(connection)
    if question.level not in levels:
        message = f"level: there is no grid level {question.level}, but {', '.join(map(str, levels)) or 'none'}"
        raise InvalidQuery(message)
    return question.level


async def _categories(connection: AsyncConnection, question: Question) -> list[str]:
    """Return the codes of the categories that are asked for; a name that is not listed, but that incidents have, is kept."""
    if not question.category:
        return []
    listed = await read_all(connection, CATEGORIES["all"], {})
    codes = {
        name.lower(): row["category_code"]
        for row in listed
        for name in (row["category_code"], row["name_zh"], row["name_en"])
    }
    found = []
    for name in question.category:
        code = codes.get(name.lower(), name)
        is_listed = code in codes.values()
        if not is_listed and not (await fetch_one(connection, QUERIES["unlisted"], {"category": name}))["is_there"]:
            message = f"category: there is no {name!r} among {', '.join(row['category_code'] for row in listed)}, nor among the incidents"
            raise InvalidQuery(message)
        found.append(code)
    return found


async def _groups(connection: AsyncConnection, question: Question) -> list[str]:
    if not question.group:
        return []
    known = [row["group_code"] for row in await list_groups(connection)]
    for code in question.group:
        if code not in known:
            message = f"group: there is no group of categories {code!r}, but {', '.join(known) or 'none'}"
            raise InvalidQuery(message)
    return question.group


async def _names(connection: AsyncConnection, grouping: str, moment: datetime | str) -> dict[str, tuple[str, str]]:
    """Return the names of what is grouped by, of all that is there: what has no incident is in the answer too."""
    if grouping == "category":
        rows = await read_all(connection, CATEGORIES["all"], {})
        return {row["category_code"]: (row["name_zh"], row["name_en"]) for row in rows}
    if grouping == "group":
        rows = await list_groups(connection)
        return {row["group_code"]: (row["name_zh"], row["name_en"]) for row in rows}
    rows = await read_all(connection, QUERIES[f"{grouping}s"], {"moment": moment})
    return {row["code"]: (row["name"], row["name"]) for row in rows if row.get("is_in_force", True)}


async def list_groups(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return the groups of categories that are counted together, with their members."""
    return await read_all(connection, QUERIES["groups"], {})


async def grid_levels(connection: AsyncConnection) -> list[int]:
    """Return the numbers of the levels of the grid, from the outermost."""
    return [row["grid_level"] for row in await read_all(connection, LEVELS["all"], {})]
