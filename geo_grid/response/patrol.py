"""Patrol routes: which unit visits which mandatory stops of a zone, in which order and when.

A vehicle routing problem with time windows (Solomon, 1987) over travel times on roads, solved by VROOM.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.db import Connection
from geo_grid.errors import NotFound, UserError
from geo_grid.layers.response_circles import Why
from geo_grid.moments import Moment
from geo_grid.response.build import closures_in_force
from geo_grid.response.circles import METHOD as ESTIMATED
from geo_grid.response.circles import Place
from geo_grid.response.ranking import reason_of
from geo_grid.response.router import ROUTED, Arrival, Method, Router
from geo_grid.response.stops import QUERIES, Span, due_within
from geo_grid.response.travel import Travel
from geo_grid.response.worker import Ride

if TYPE_CHECKING:
    import vroom

_NO_WAY_S = 10_000_000
_EFFORT = 5
"""VROOM's exploration level, 0 to 5: zones have few stops, and it takes milliseconds."""


class PatrolQuestion(BaseModel):
    """Which stops are to be made, by whom and from when to when."""

    model_config = ConfigDict(extra="forbid")

    zone_code: str = Field(min_length=1, max_length=32)
    unit_codes: list[str] | None = Field(
        None, min_length=1, max_length=50, description="the zone's units that are free, if not given"
    )
    begins_at: Moment | None = Field(None, description="now if not given")
    hours: float = Field(4, gt=0, le=24, description="how long they have")
    stop_minutes: float = Field(5, ge=0, le=240, description="how long each stop takes")


class PlannedStop(BaseModel):
    """A stop on a route."""

    name: str
    arrives_at: datetime
    waits_s: int = Field(description="until the stop is due")
    leaves_at: datetime
    lon: float
    lat: float


class PatrolRoute(BaseModel):
    """The route of one unit."""

    unit_code: str
    name: str
    kind: str
    begins_at: datetime = Field(description="when it must set out to be in time, and wait least")
    stops: list[PlannedStop]
    travel_s: int
    length_m: float | None = Field(description="on the roads; null: estimated")
    method: Method = Field(description="valhalla: the times of all its ways and its line are those of roads")
    estimated_because: Why | None = Field(description="why the first estimated way of it is one; null: none is")
    line: list[Place] = Field(description="lon, lat in degrees")


class LeftOut(BaseModel):
    """A stop that is on no route."""

    name: str
    reason: Literal["made", "not_due", "no_time"] = Field(
        description="somebody was there already; not due in that time; nobody can be there while it is due"
    )


class PatrolPlan(BaseModel):
    """Routes that visit as many stops as possible, in the least time."""

    routes: list[PatrolRoute]
    left_out: list[LeftOut]


class Task(NamedTuple):
    """Input of a plan, as read: stops with their time windows, available units, closures in force.

    Attributes
    ----------
    zone
        Time zone of the moments of the plan.
    left_out
        Stops that need no visit in that time.
    """

    question: PatrolQuestion
    span: Span
    zone: ZoneInfo
    units: list[dict[str, Any]]
    wanted: list[tuple[dict[str, Any], list[Span]]]
    left_out: list[LeftOut]
    closures: list[Any]


def read_task(connection: Connection, question: PatrolQuestion, now: datetime, zone: ZoneInfo) -> Task:
    """Read the input of a plan with the rights of the principal; stops that were visited already are left out.

    Parameters
    ----------
    now
        Current time.
    zone
        The city's time zone.

    Raises
    ------
    NotFound
        The principal sees no mandatory stops in the zone, or no such unit.
    UserError
        No unit is available.
    """
    begins = (question.begins_at or now).astimezone(UTC).replace(microsecond=0)
    span = Span(begins, begins + timedelta(hours=question.hours))
    stops = connection.execute(QUERIES["stops"], {"zone_code": question.zone_code}).fetchall()
    if not stops:
        message = f"there are no mandatory stops in patrol zone {question.zone_code!r}"
        raise NotFound(message)
    units = _units(connection, question, begins.astimezone(zone))
    midnight = begins.astimezone(zone).replace(hour=0, minute=0, second=0, fold=0)
    today = Span(midnight.astimezone(UTC), span.ends)
    made = _check_ins(connection, question.zone_code, today)
    left_out: list[LeftOut] = []
    wanted = []
    for stop in stops:
        windows = [window for window in due_within(stop, today, zone) if window.meets(span)]
        is_made = any(window.begins <= moment <= window.ends for window in windows for moment in made[stop["name"]])
        if is_made or not windows:
            left_out.append(LeftOut(name=stop["name"], reason="made" if is_made else "not_due"))
        else:
            wanted.append((stop, [both for window in windows if (both := window.meets(span))]))
    return Task(question, span, zone, units, wanted, left_out, closures_in_force(connection))


def plan(task: Task, router: Router, travel: Travel) -> PatrolPlan:
    """Plan the routes. Needs no database connection; blocks: call it in a thread."""
    question, span, zone, units, wanted, left_out, closures = task
    if not wanted:
        return PatrolPlan(routes=[], left_out=left_out)
    begins = span.begins
    places = [(row["lon"], row["lat"]) for row in [*units, *(stop for stop, _ in wanted)]]
    rides = {kind: travel.ride(kind, begins.astimezone(zone), closures) for kind in {unit["kind"] for unit in units}}
    arrivals = {kind: router.matrix(places, places, ride) for kind, ride in rides.items()}
    problem = _problem(arrivals, units, wanted, span, question.stop_minutes)
    steps = problem.solve(exploration_level=_EFFORT, nb_threads=1).routes.to_dict("records")
    served = {step["id"] for step in steps if step["type"] == "job"}
    left_out = left_out + [
        LeftOut(name=stop["name"], reason="no_time") for number, (stop, _) in enumerate(wanted) if number not in served
    ]
    routes = [
        _route(
            router,
            rides[unit["kind"]],
            arrivals[unit["kind"]],
            unit,
            [step for step in steps if step["vehicle_id"] == number],
            wanted,
            lambda seconds: (begins + timedelta(seconds=seconds)).astimezone(zone),
        )
        for number, unit in enumerate(units)
        if any(step["vehicle_id"] == number and step["type"] == "job" for step in steps)
    ]
    return PatrolPlan(routes=routes, left_out=left_out)


def _units(connection: Connection, question: PatrolQuestion, moment: datetime) -> list[dict[str, Any]]:
    asked = {"zone_code": question.zone_code, "unit_codes": question.unit_codes}
    units = connection.execute(QUERIES["units"], asked).fetchall()
    if question.unit_codes is not None:
        missing = sorted(set(question.unit_codes) - {unit["unit_code"] for unit in units})
        if missing:
            message = f"there is no unit {missing[0]!r}"
            raise NotFound(message)
        return units
    free = [unit for unit in units if reason_of(unit, moment) in ("free", "silent")]
    if not free:
        message = f"no unit of patrol zone {question.zone_code!r} is free then: name units in unit_codes"
        raise UserError(message)
    return free


def _check_ins(connection: Connection, zone_code: str, span: Span) -> dict[str, list[datetime]]:
    asked = {"since": span.begins, "until": span.ends, "zone_code": zone_code}
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(QUERIES["check_ins"], asked).fetchall():
        found[row["stop_name"]].append(row["checked_at"])
    return found


def _problem(
    arrivals: dict[str, list[list[Arrival]]], units: list[dict[str, Any]],
    wanted: list[tuple[dict[str, Any], list[Span]]], span: Span, stop_minutes: float,
) -> "vroom.Input":  # fmt: skip
    """Make VROOM's input: times in seconds since the start of the span; the places of units, then those of stops."""
    import vroom  # imported here: it loads pandas, which would slow the start of a server

    problem = vroom.Input()
    for kind, rows in arrivals.items():
        seconds = np.array([[arrival.travel_s for arrival in row] for row in rows])
        whole = np.where(np.isfinite(seconds), np.ceil(seconds), _NO_WAY_S).astype(np.uint32)
        np.fill_diagonal(whole, 0)
        problem.set_durations_matrix(profile=kind, matrix_input=whole)
    day = vroom.TimeWindow(0, _since(span, span.ends))
    problem.add_vehicle(
        [
            vroom.Vehicle(number, start=number, profile=unit["kind"], time_window=day)
            for number, unit in enumerate(units)
        ]
    )
    problem.add_job([
        vroom.Job(
            number, location=len(units) + number, default_service=round(stop_minutes * 60),
            time_windows=[vroom.TimeWindow(_since(span, due.begins), _since(span, due.ends)) for due in windows],
        )
        for number, (_, windows) in enumerate(wanted)
    ])  # fmt: skip
    return problem


def _since(span: Span, moment: datetime) -> int:
    return round((moment - span.begins).total_seconds())


def _route(
    router: Router, ride: Ride, arrivals: list[list[Arrival]], unit: dict[str, Any], steps: list[dict[str, Any]],
    wanted: list[tuple[dict[str, Any], list[Span]]], moment: Callable[[int], datetime],
) -> PatrolRoute:  # fmt: skip
    stops = []
    for step in steps:
        if step["type"] != "job":
            continue
        stop, _ = wanted[step["id"]]
        stops.append(PlannedStop(
            name=stop["name"], arrives_at=moment(step["arrival"]), waits_s=step["waiting_time"],
            leaves_at=moment(step["arrival"] + step["waiting_time"] + step["service"]),
            lon=stop["lon"], lat=stop["lat"],
        ))  # fmt: skip
    line = [(unit["lon"], unit["lat"]), *((stop.lon, stop.lat) for stop in stops)]
    way = router.way(line, ride)
    at = [step["location_index"] for step in steps if step["type"] in ("start", "job")]
    estimated = [arrivals[one][other] for one, other in pairwise(at) if arrivals[one][other].method == ESTIMATED]
    why: Why | None = estimated[0].why if estimated else None if way else "no_answer"
    return PatrolRoute(
        unit_code=unit["unit_code"], name=unit["name"], kind=unit["kind"],
        begins_at=moment(steps[0]["arrival"]), stops=stops, travel_s=steps[-1]["duration"],
        length_m=round(way.length_m) if way else None, method=ESTIMATED if why else ROUTED,
        estimated_because=why,
        line=way.line if way else line,
    )  # fmt: skip
