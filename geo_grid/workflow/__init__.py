"""Incidents and the steps of their workflow, from report to evaluation."""

from geo_grid.workflow.actions import Action, AnyAction
from geo_grid.workflow.categories import (
    Category,
    CategoryCode,
    CategoryRules,
    Unlisted,
    decide,
    list_categories,
    put_category,
    unlisted,
)
from geo_grid.workflow.duplicates import Duplicate, duplicates_of
from geo_grid.workflow.filing import TOGETHER, Filing, file_in
from geo_grid.workflow.incidents import Counts, Incident, NewIncident, counts, get, newest, prepare, report, store
from geo_grid.workflow.steps import Course, course_of, take_step

__all__ = [
    "TOGETHER",
    "Action",
    "AnyAction",
    "Category",
    "CategoryCode",
    "CategoryRules",
    "Counts",
    "Course",
    "Duplicate",
    "Filing",
    "Incident",
    "NewIncident",
    "Unlisted",
    "counts",
    "course_of",
    "decide",
    "duplicates_of",
    "file_in",
    "get",
    "list_categories",
    "newest",
    "prepare",
    "put_category",
    "report",
    "store",
    "take_step",
    "unlisted",
]
