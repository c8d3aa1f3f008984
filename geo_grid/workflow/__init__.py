"""Incidents and the steps of their workflow, from report to evaluation."""

from geo_grid.workflow.incidents import Category, Incident, NewIncident, get, list_categories, newest, report

__all__ = ["Category", "Incident", "NewIncident", "get", "list_categories", "newest", "report"]
