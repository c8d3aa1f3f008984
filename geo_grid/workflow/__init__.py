"""What happens to an incident, from report to evaluation."""

from geo_grid.workflow.events import Event, Place, events_after, place_now
from geo_grid.workflow.incidents import Incident, NewIncident, get, newest, report

__all__ = ["Event", "Incident", "NewIncident", "Place", "events_after", "get", "newest", "place_now", "report"]
