"""What happens to an incident, from report to evaluation."""

from geo_grid.workflow.events import MOST, Event, Place, events_after
from geo_grid.workflow.feed import Feed
from geo_grid.workflow.incidents import Category, Incident, NewIncident, get, list_categories, newest, report

__all__ = [
    "MOST", "Category", "Event", "Feed", "Incident", "NewIncident", "Place", "events_after", "get", "list_categories",
    "newest", "report",
]  # fmt: skip
