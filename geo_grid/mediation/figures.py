"""Figures of mediation: taken, settled and the share, by kind, level, organisation, cell and month, in one query."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries

QUERIES = load_queries("geo_grid.mediation", "figures.sql")

FigureKey = Literal["kind", "level", "organisation", "cell", "month"]


class Figure(BaseModel):
    """Counts of cases taken in a period, for one value of each key that was asked for; the other keys are null."""

    mediation_kind: str | None
    division_level: str | None
    facility_code: str | None
    organisation: str | None
    grid_code: str | None
    month: str | None = Field(description="when they were taken, in the city's time: 2026-11")
    taken: int
    settled: int
    not_settled: int
    withdrawn: int
    open: int = Field(description="not ended so far")
    settled_percent: float = Field(description="100 x settled / taken, cut off after two decimals (not rounded)")


async def figures(
    connection: AsyncConnection,
    timezone: str,
    by: Collection[FigureKey] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    grid_level: int = 1,
    within: str | None = None,
) -> list[Figure]:
    """Count the cases that were taken in a period, and how they ended so far.

    Parameters
    ----------
    timezone
        IANA name, for months.
    since, until
        Half-open period of taking them; None: no bound.
    grid_level
        Level of the cells, if by cell; cases outside it have none.
    within
        Only those in this cell, or below it.
    """
    values = {
        "by": list(by), "since": since, "until": until, "timezone": timezone, "grid_level": grid_level, "within": within,
    }  # fmt: skip
    rows = await (await connection.execute(QUERIES["figures"], values)).fetchall()
    return [Figure.model_validate(row) for row in rows]
