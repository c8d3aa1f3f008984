"""Cells with one indicator and its classes, for a choropleth map."""

from dataclasses import dataclass
from typing import Any

import shapely

from geo_grid.db import AsyncConnection
from geo_grid.errors import InvalidQuery
from geo_grid.indicators.answers import Row, keys_of, make_answer
from geo_grid.indicators.classes import class_bounds, class_of
from geo_grid.indicators.facts import Facts, read_all
from geo_grid.indicators.question import AreaQuestion
from geo_grid.indicators.statement import QUERIES

MOST_AREAS = 10_000
"""Most cells of one map, as of one page of features: a map of a whole city by building block is 36 MB that nobody can see."""


@dataclass(frozen=True)
class Area:
    """A cell: its figures, what of them is drawn, its class (from 0; None: no value), and its shape in EPSG:4490."""

    grid_code: str
    row: Row
    value: float | None
    class_number: int | None
    shape: Any


@dataclass(frozen=True)
class Areas:
    """Cells in the order of their codes, and the greatest value of each class."""

    areas: list[Area]
    bounds: list[float]


async def read_shapes(connection: AsyncConnection, facts: Facts) -> dict[str, bytes]:
    """Read the shapes, as WKB, of the cells by which facts are grouped.

    Raises
    ------
    InvalidQuery
        They are more than `MOST_AREAS`.
    """
    codes = [code for (code,) in keys_of(facts) if code is not None]
    if len(codes) > MOST_AREAS:
        message = f"a map shows at most {MOST_AREAS:,} cells, these are {len(codes):,}: ask within a cell, or for a higher level"
        raise InvalidQuery(message)
    rows = await read_all(connection, QUERIES["shapes"], {"moment": facts.moment, "codes": codes})
    return {row["grid_code"]: bytes(row["geom"]) for row in rows}


def make_areas(facts: Facts, shapes: dict[str, bytes], asked: AreaQuestion) -> Areas:
    """Make the areas of a question; blocks, see `class_bounds`."""
    answer = make_answer(facts)
    rows = [(row.key["cell"], row) for row in (*answer.rows, *answer.not_ranked)]
    drawn = [(code, row, row.value(asked.of)) for code, row in rows if code in shapes]
    bounds = class_bounds([value for _, _, value in drawn], asked.scheme, asked.classes)
    return Areas(
        [
            Area(code or "", row, value, class_of(value, bounds), shapely.from_wkb(shapes[code or ""]))
            for code, row, value in drawn
        ],
        bounds,
    )
