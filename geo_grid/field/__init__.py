"""Work in the field: visits and their norm, one's open matters, volunteer teams, joint meetings."""

from geo_grid.field.meetings import Meeting, NewMeeting, get_meeting, hold, meetings
from geo_grid.field.norms import DEFINITION, Norms, NormsQuestion, norms, norms_as_csv
from geo_grid.field.reminders import Reminders, reminders
from geo_grid.field.rounds import Rounds, rounds
from geo_grid.field.teams import Skill, Team, TeamSkills, describe_team, nearest_teams
from geo_grid.field.visits import NewVisit, Visit, newest_visits, record_visit
from geo_grid.field.workers import Worker, WorkerPerson, name_worker, workers

__all__ = [
    "DEFINITION",
    "Meeting",
    "NewMeeting",
    "NewVisit",
    "Norms",
    "NormsQuestion",
    "Reminders",
    "Rounds",
    "Skill",
    "Team",
    "TeamSkills",
    "Visit",
    "Worker",
    "WorkerPerson",
    "describe_team",
    "get_meeting",
    "hold",
    "meetings",
    "name_worker",
    "nearest_teams",
    "newest_visits",
    "norms",
    "norms_as_csv",
    "record_visit",
    "reminders",
    "rounds",
    "workers",
]
