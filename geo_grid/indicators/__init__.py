"""Indicators: counts, rates, shares and times of incidents, each with its definition."""

from geo_grid.indicators.answers import Answer, Row, make_answer
from geo_grid.indicators.apart import AreaProperties, areas_apart, figures_apart, report_apart
from geo_grid.indicators.areas import Area, Areas, make_areas, read_shapes
from geo_grid.indicators.definitions import DEFINITIONS, Definition
from geo_grid.indicators.facts import Facts, list_groups, read_facts
from geo_grid.indicators.question import AreaQuestion, Question, read_question
from geo_grid.indicators.report import MonthFacts, as_html, as_pdf, month_report, read_month
from geo_grid.indicators.tables import as_csv

__all__ = [
    "DEFINITIONS",
    "Answer",
    "Area",
    "AreaProperties",
    "AreaQuestion",
    "Areas",
    "Definition",
    "Facts",
    "MonthFacts",
    "Question",
    "Row",
    "areas_apart",
    "as_csv",
    "as_html",
    "as_pdf",
    "figures_apart",
    "list_groups",
    "make_answer",
    "make_areas",
    "month_report",
    "read_facts",
    "read_month",
    "read_question",
    "read_shapes",
    "report_apart",
]
