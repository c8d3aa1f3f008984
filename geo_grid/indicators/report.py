"""The report of a month: figures of the city, of groups and categories, and of the cells of a level, with maps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Literal
from zoneinfo import ZoneInfo

import shapely

from geo_grid.db import AsyncConnection
from geo_grid.exchange import typeset
from geo_grid.indicators.answers import Row, make_answer
from geo_grid.indicators.areas import Areas, make_areas, read_shapes
from geo_grid.indicators.definitions import DEFINITIONS, Code
from geo_grid.indicators.facts import Facts, grid_levels, read_facts
from geo_grid.indicators.figures import Times
from geo_grid.indicators.question import LEAST_RANKED, AreaQuestion, Question, month_of

type Lang = Literal["zh", "en"]
_HERE = files("geo_grid.indicators")
_DRAWN: tuple[Code, ...] = ("rate", "year_on_year", "response")
_TOLD: tuple[Code, ...] = ("count", "rate", "year_on_year", "settlement", "on_time", "response")
"""Columns of the tables."""
_COLOURS = ("#ffffb2", "#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")
"""YlOrRd of ColorBrewer, for five classes, which those who do not see some colours tell apart too."""
_NO_VALUE = "#e5e8eb"
_DETAIL = 400
"""Parts of the longer side of a map that are told apart."""
_WORDS: dict[Lang, dict[str, str]] = {
    "zh": {
        "title": "警情与事件月报", "made": "生成时间", "period": "统计期", "until": "至", "edition": "按接报时所属网格统计",
        "city": "全市指标", "groups": "类别组", "categories": "类别", "cells": "网格", "apart": "件数不足，不参与排名",
        "maps": "地图", "definitions": "指标定义", "indicator": "指标", "value": "数值", "meaning": "定义", "none": "没有",
        "rank": "名次", "name": "名称", "excluded": "未计入", "no_value": "无数值", "outside": "网格外", "by": "按{}由高到低排名",
        "no_clock": "缺时钟", "out_of_order": "先后颠倒", "over_a_day": "超过一天", "least": "件数少于 {} 的不参与排名。",
    },
    "en": {
        "title": "Incidents: report of a month", "made": "Made at", "period": "Received", "until": "until",
        "edition": "By the cell stored with each incident", "city": "The whole", "groups": "Groups of categories",
        "categories": "Categories", "cells": "Grid cells", "apart": "Too few incidents to be ranked", "maps": "Maps",
        "definitions": "Definitions", "indicator": "Indicator", "value": "Value", "meaning": "Definition", "none": "None",
        "rank": "Rank", "name": "Name", "excluded": "left out", "no_value": "no value", "outside": "in no cell",
        "by": "ranked by: {}", "no_clock": "a clock is missing", "out_of_order": "out of order",
        "over_a_day": "longer than a day", "least": "Fewer than {} incidents are not ranked.",
    },
}  # fmt: skip


@dataclass(frozen=True)
class MonthFacts:
    """What the report of a month is made of, read in one snapshot."""

    month: str
    parts: dict[str, Facts]
    shapes: dict[str, bytes]

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return sum(len(facts.rows) for facts in self.parts.values())


async def read_month(
    connection: AsyncConnection,
    month: str | None,
    level: int | None,
    now: datetime,
    timezone: str,
    beside: AsyncConnection | None = None,
) -> MonthFacts:
    """Read what the report of a month needs.

    Parameters
    ----------
    connection
        A transaction in one snapshot with the rights of whoever asks.
    month
        Such as 2026-10; None: the last one that is over.
    beside
        See `read_facts`.
    level
        Grid level of the cells; None: the outermost.

    Raises
    ------
    InvalidQuery
        It is no month or one to come, or there is no such level.
    """
    here = now.astimezone(ZoneInfo(timezone))
    month = month or f"{here.replace(day=1) - timedelta(days=1):%Y-%m}"
    begins, ends = month_of(month, timezone, now)
    level = level or min(await grid_levels(connection), default=None)
    span: dict[str, Any] = {"begins": begins, "ends": ends}
    questions = {
        "city": Question(**span),
        "groups": Question(by=["group"], indicators=list(_TOLD), **span),
        "categories": Question(by=["category"], indicators=list(_TOLD), **span),
        "cells": Question(by=["cell"], level=level, indicators=list(_TOLD), rank="rate", **span),
    }
    parts = {name: await read_facts(connection, asked, now, timezone, beside) for name, asked in questions.items()}
    return MonthFacts(month, parts, await read_shapes(connection, parts["cells"]))


def month_report(facts: MonthFacts, city: str, lang: Lang) -> dict[str, Any]:
    """Collect the report of a month in one language; blocks, see `class_bounds`."""
    words = _WORDS[lang]
    answers = {name: make_answer(part) for name, part in facts.parts.items()}
    (whole,) = answers["city"].rows
    cells = answers["cells"]
    zone = facts.parts["city"].begins.tzinfo
    return {
        "lang": lang,
        "words": words,
        "city_name": city,
        "month": facts.month,
        "made_at": f"{cells.as_of.astimezone(zone):%Y-%m-%d %H:%M}",
        "whole": [
            [getattr(one, f"name_{lang}"), _said(whole, one.code, words), getattr(one, f"definition_{lang}")]
            for one in DEFINITIONS.values()
        ],
        "heads": [getattr(DEFINITIONS[code], f"name_{lang}") for code in _TOLD],
        "groups": [_line(row, lang) for row in answers["groups"].rows],
        "categories": [_line(row, lang) for row in answers["categories"].rows],
        "cells": [[str(row.rank), *_line(row, lang)] for row in cells.rows],
        "apart": [_line(row, lang) for row in cells.not_ranked],
        "ranked_by": words["by"].format(getattr(DEFINITIONS["rate"], f"name_{lang}")),
        "least": words["least"].format(LEAST_RANKED),
        "maps": [_map(facts, code, lang) for code in _DRAWN],
    }


def as_html(report: dict[str, Any]) -> str:
    """Render a report as a page without scripts."""
    return typeset.page(_HERE.joinpath("report.html.jinja").read_text(encoding="utf-8"), report)


def as_pdf(report: dict[str, Any]) -> bytes:
    """Render a report as PDF (A4)."""
    return typeset.pdf(_HERE.joinpath("report.typ").read_bytes(), report)


def _line(row: Row, lang: Lang) -> list[str]:
    (code,) = row.key.values()
    name = (row.name_zh if lang == "zh" else row.name_en) or code or _WORDS[lang]["outside"]
    return [name, *(_figure(row.value(one), one) for one in _TOLD)]


def _said(row: Row, code: Code, words: dict[str, str]) -> str:
    """Return the value of an indicator in words; of times n, P50, P90 and what was left out."""
    figure = getattr(row, code)
    if not isinstance(figure, Times):
        return _figure(row.value(code), code)
    left_out = {name: getattr(figure, name) for name in ("no_clock", "out_of_order", "over_a_day")}
    told = ", ".join(f"{words[name]} {count}" for name, count in left_out.items() if count)
    times = f"n {figure.n} · P50 {_seconds(figure.p50_s)} · P90 {_seconds(figure.p90_s)}"
    return f"{times} · {words['excluded']}: {told}" if told else times


def _figure(value: float | None, code: Code) -> str:
    if value is None:
        return "–"
    if code == "count":
        return f"{value:,.0f}"
    if code == "rate":
        return f"{value:,.1f}"
    if code == "year_on_year":
        return f"{value:+.1%}"
    return f"{value:.1%}" if code in ("settlement", "on_time") else _seconds(value)


def _seconds(value: float | None) -> str:
    """Write a time as minutes and seconds, from an hour on with hours."""
    if value is None:
        return "–"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _map(facts: MonthFacts, code: Code, lang: Lang) -> dict[str, Any]:
    asked = AreaQuestion(of=code, classes=len(_COLOURS))
    found = make_areas(facts.parts["cells"], facts.shapes, asked)
    legend = [
        {"colour": _colour(number, found), "text": f"≤ {_figure(bound, code)}"}
        for number, bound in enumerate(found.bounds)
    ]
    if any(area.value is None for area in found.areas):
        legend.append({"colour": _NO_VALUE, "text": _WORDS[lang]["no_value"]})
    return {"title": getattr(DEFINITIONS[code], f"name_{lang}"), "svg": _drawn(found), "legend": legend}


def _colour(number: int | None, found: Areas) -> str:
    """Return the colour of a class; where there are fewer classes, they are spread over all colours."""
    if number is None:
        return _NO_VALUE
    return _COLOURS[round(number * (len(_COLOURS) - 1) / max(len(found.bounds) - 1, 1))]


def _drawn(found: Areas) -> str:
    shapes = [area.shape for area in found.areas]
    if not shapes:
        return typeset.drawing([], [])
    west, south, east, north = shapely.total_bounds(shapes)
    simple = shapely.coverage_simplify(
        shapes, max(east - west, north - south) / _DETAIL
    )  # together: no gaps between them
    looks = [typeset.Look(_colour(area.class_number, found), 1.0, "#5c6b7a", 0.5) for area in found.areas]
    return typeset.drawing(list(zip(simple, looks, strict=True)), shapes)
