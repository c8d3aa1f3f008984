"""Figures of mediation: taken, settled and the share, by kind, level, organisation, cell and month, in one query."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.defined import Defined

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


DEFINITIONS = (
    Defined(
        code="taken", name_zh="受理", name_en="Taken", unit="cases",
        definition_zh="统计期内受理的纠纷件数（按受理时间）；移交其他组织的仍计一件，计入现由其调解的组织。",
        definition_en="Disputes taken in the period, by the time they were taken; one that was handed on counts once, for who has it now.",
    ),
    Defined(
        code="settled", name_zh="调解成功", name_en="Settled", unit="cases",
        definition_zh="其中至今达成协议的件数，不论何时结束。",
        definition_en="Of these, ended with an agreement so far, whenever that was.",
    ),
    Defined(
        code="not_settled", name_zh="调解不成", name_en="Not settled", unit="cases",
        definition_zh="其中至今未达成协议而结束的件数。",
        definition_en="Of these, ended without an agreement so far.",
    ),
    Defined(
        code="withdrawn", name_zh="撤回", name_en="Withdrawn", unit="cases",
        definition_zh="其中申请人撤回的件数。",
        definition_en="Of these, taken back by who asked for it.",
    ),
    Defined(
        code="open", name_zh="在办", name_en="Open", unit="cases",
        definition_zh="其中尚未结束的件数。",
        definition_en="Of these, not ended so far.",
    ),
    Defined(
        code="settled_percent", name_zh="调解成功率", name_en="Share settled", unit="percent",
        definition_zh="100×调解成功÷受理（在办、撤回的也在分母中），截到两位小数，不四舍五入（23,022 件中 11,854 件为 51.48）。",
        definition_en="Settled for each 100 taken, among which are those still open and withdrawn; cut off after two decimals, not rounded (11,854 of 23,022 is 51.48).",
    ),
)  # fmt: skip
"""In the order of the columns."""


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
