"""Incidents and the steps of their workflow, from report to evaluation."""

from geo_grid.workflow.actions import Action, AnyAction
from geo_grid.workflow.incidents import Category, Incident, NewIncident, get, list_categories, newest, report
from geo_grid.workflow.steps import Course, course_of, take_step

__all__ = [
    "Action",
    "AnyAction",
    "Category",
    "Course",
    "Incident",
    "NewIncident",
    "course_of",
    "get",
    "list_categories",
    "newest",
    "report",
    "take_step",
]
