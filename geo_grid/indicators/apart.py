"""Answers made in a process beside the server: of all cells they take hundreds of thousands of objects, whose memory Python
would keep.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, fetch_one, in_utc, translated_errors
from geo_grid.indicators.answers import Row, make_answer
from geo_grid.indicators.areas import make_areas, read_shapes
from geo_grid.indicators.facts import read_facts
from geo_grid.indicators.question import AreaQuestion, Question
from geo_grid.indicators.report import Lang, as_html, as_pdf, month_report, read_month
from geo_grid.indicators.tables import as_csv
from geo_grid.layers.geojson import feature_text


@contextlib.asynccontextmanager
async def _connected(conninfo: str) -> AsyncIterator[AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(in_utc(conninfo), row_factory=dict_row) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        yield connection


class AreaProperties(BaseModel):
    """Figures of one cell, and the class of the one that is drawn."""

    grid_code: str
    value: float | None
    class_number: int | None = Field(description="from 0; null: there is no value")
    figures: Row


def figures_apart(
    conninfo: str, question: Question, now: datetime, timezone: str, form: Literal["json", "csv"]
) -> tuple[str, int]:
    """Answer a question with the rights of the principal that `conninfo` names; return the answer, and how many rows it has.

    Raises
    ------
    InvalidQuery
        See `facts.read_facts`.
    """
    answer = make_answer(
        _read(conninfo, lambda connection, beside: read_facts(connection, question, now, timezone, beside))
    )
    rows = len(answer.rows) + len(answer.not_ranked)
    return as_csv(answer) if form == "csv" else answer.model_dump_json(by_alias=True, exclude_unset=True), rows


def areas_apart(
    conninfo: str, question: AreaQuestion, now: datetime, timezone: str, shift: str
) -> tuple[list[str], list[float]]:
    """Draw the cells of a question; return the text of each GeoJSON feature, and the bounds of the classes.

    Parameters
    ----------
    shift
        What shifts the coordinates; see `layers.geojson.geojson_text`.

    Raises
    ------
    InvalidQuery
        See `facts.read_facts` and `areas.read_shapes`.
    """

    async def read(connection: AsyncConnection, beside: AsyncConnection) -> tuple[list[str], list[float]]:
        facts = await read_facts(connection, question.figures(), now, timezone, beside)
        found = make_areas(facts, await read_shapes(connection, facts), question)
        features = [
            feature_text(
                area.shape,
                AreaProperties(
                    grid_code=area.grid_code, value=area.value, class_number=area.class_number, figures=area.row
                ),
                shift,
            )
            for area in found.areas
        ]
        return features, found.bounds

    return _read(conninfo, read)


def report_apart(
    conninfo: str,
    month: str | None,
    level: int | None,
    now: datetime,
    timezone: str,
    city: str,
    lang: Lang,
    form: Literal["html", "pdf"],
) -> tuple[str | bytes, str, int]:
    """Make the report of a month; return it, the month, and how many rows were read. Raises as `report.read_month` does."""
    facts = _read(conninfo, lambda connection, beside: read_month(connection, month, level, now, timezone, beside))
    made = month_report(facts, city, lang)
    return as_html(made) if form == "html" else as_pdf(made), facts.month, facts.rows


def _read[T](conninfo: str, read: Callable[[AsyncConnection, AsyncConnection], Awaitable[T]]) -> T:
    """Read by two connections in one snapshot."""

    async def run() -> T:
        async with _connected(conninfo) as connection, _connected(conninfo) as beside:
            exported = await fetch_one(connection, "select pg_export_snapshot() as name", {})
            await beside.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(exported["name"])))
            return await read(connection, beside)

    with translated_errors():
        return asyncio.run(run())
