"""What happens to an incident, from report to evaluation."""

from geo_grid.workflow.incidents import Incident, NewIncident, get, newest, report

__all__ = ["Incident", "NewIncident", "get", "newest", "report"]
