"""An answer about indicators as CSV: one row for each of its rows, a column for each number."""

import dataclasses
from typing import Any

from geo_grid.defined import in_words
from geo_grid.files.formulas import csv_of
from geo_grid.indicators.answers import Answer, Row
from geo_grid.indicators.definitions import DEFINITIONS


def as_csv(answer: Answer) -> str:
    """Write an answer: ranked rows first; what is a formula to a spreadsheet is written so that it is none.

    What the figures mean, and of which edition the cells and zones are, stands in the first row.
    """
    rows = [_flat(answer, row) for row in (*answer.rows, *answer.not_ranked)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [[*(row.get(name) for name in names), "", ""] for row in rows]
    if table:
        table[0][-2:] = [f"{answer.edition} {answer.edition_id or ''}".strip(), in_words(answer.definitions)]
    return csv_of([[*names, "edition", "definitions"], *table])


def _flat(answer: Answer, row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {**row.key}
    if answer.by:
        flat |= {"name_zh": row.name_zh, "name_en": row.name_en}
    if answer.rank:
        flat["rank"] = row.rank
    asked = {one.code for one in answer.definitions}
    if "rate" in asked:
        flat["households"] = row.households
    flat["count"] = row.count
    for code in DEFINITIONS:
        if code not in asked or code == "count":
            continue
        figure = getattr(row, code)
        if dataclasses.is_dataclass(figure):
            flat |= {f"{code}_{one.name}": getattr(figure, one.name) for one in dataclasses.fields(figure)}
        else:
            flat[code] = figure
    return flat
