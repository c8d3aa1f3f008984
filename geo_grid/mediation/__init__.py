"""Mediation 调解: organisations, the cases they take, and the figures."""

from geo_grid.mediation.actions import AnyCaseAction, CaseAction, Kind, NewCase
from geo_grid.mediation.cases import Case, CaseCourse, act, cases_as_csv, course, get_case, newest_cases, take
from geo_grid.mediation.figures import DEFINITIONS, Figure, FigureKey, figures
from geo_grid.mediation.organisations import (
    Candidate,
    Description,
    Organisation,
    candidates_for,
    describe,
    list_organisations,
)

__all__ = [
    "DEFINITIONS",
    "AnyCaseAction",
    "Candidate",
    "Case",
    "CaseAction",
    "CaseCourse",
    "Description",
    "Figure",
    "FigureKey",
    "Kind",
    "NewCase",
    "Organisation",
    "act",
    "candidates_for",
    "cases_as_csv",
    "course",
    "describe",
    "figures",
    "get_case",
    "list_organisations",
    "newest_cases",
    "take",
]
