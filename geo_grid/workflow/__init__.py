"""What happens to an incident, from report to evaluation."""

from geo_grid.workflow.events import MOST, Event, Place, events_after
from geo_grid.workflow.feed import Feed
from geo_grid.workflow.incidents import Incident, NewIncident, get, newest, report

__all__ = ["MOST", "Event", "Feed", "Incident", "NewIncident", "Place", "events_after", "get", "newest", "report"]
