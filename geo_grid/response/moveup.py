"""Move-up: patrol zones without a free unit, and free units of other zones that could move there."""

from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from geo_grid.db import Connection, load_queries
from geo_grid.layers.periods import is_within
from geo_grid.layers.response_circles import Why
from geo_grid.response.build import closures_in_force
from geo_grid.response.circles import distances_m
from geo_grid.response.router import Method, Router
from geo_grid.response.travel import Travel
from geo_grid.response.worker import Ride

QUERIES = load_queries("geo_grid.response", "moveup.sql")
_NEAREST = 6
"""Number of nearest units (in a straight line) for each zone whose travel times over the roads are compared."""
_FORBIDDEN = 1e9


class MoveUp(BaseModel):
    """A unit that could move up."""

    unit_code: str
    name: str
    from_zone: str
    arrival_s: float
    method: Method
    estimated_because: Why | None = Field(description="why the time is an estimate; null: it is none")
    on_foot_s: float = Field(description="seconds of it on foot, where a place is far from a road")


class BareZone(BaseModel):
    """A zone with units on duty, none of them free."""

    zone_code: str
    name: str
    lon: float = Field(description="of its post, or of a place inside")
    lat: float
    open_incidents: int
    suggestion: MoveUp | None = Field(description="null: no zone has a unit to spare that could get there")


class Bare(NamedTuple):
    """The bare zones, the free units that other zones can spare, and the closures in force."""

    zones: list[dict[str, Any]]
    spare: list[dict[str, Any]]
    closures: list[Any]


def read_zones(connection: Connection, now: datetime) -> Bare:
    """Read the bare zones that the principal sees, those with most open incidents first; `now` in the city's time zone."""
    units = [
        unit
        for unit in connection.execute(QUERIES["units"]).fetchall()
        if unit["unit_status"] != "off_duty" and is_within(unit["shift"], now)
    ]
    zones = {zone["zone_code"]: zone for zone in connection.execute(QUERIES["zones"]).fetchall()}
    free: dict[str, list[dict[str, Any]]] = {}
    for unit in units:
        if unit["unit_status"] == "on_patrol":
            free.setdefault(unit["zone_code"], []).append(unit)
    manned = {unit["zone_code"] for unit in units}
    bare = sorted(
        (zone for code, zone in zones.items() if code in manned and code not in free),
        key=lambda zone: (-zone["open_incidents"], zone["zone_code"]),
    )
    spare = [unit for of_zone in free.values() for unit in of_zone[1:]]  # the first stays
    return Bare(bare, spare, closures_in_force(connection))


def bare_zones(found: Bare, router: Router, travel: Travel, now: datetime) -> list[BareZone]:
    """Suggest units for the bare zones. Needs no database connection; blocks: call it in a thread.

    Each unit is suggested at most once, no zone gives its last free unit, and the sum of arrival times is minimal.
    """
    bare = found.zones
    chosen = _suggest(bare, found.spare, router, travel.ride("car", now, found.closures))
    return [BareZone.model_validate({**zone, "suggestion": chosen.get(number)}) for number, zone in enumerate(bare)]


def _suggest(bare: list[dict[str, Any]], spare: list[dict[str, Any]], router: Router, ride: Ride) -> dict[int, MoveUp]:
    if not bare or not spare:
        return {}
    places = [(zone["lon"], zone["lat"]) for zone in bare]
    straight = distances_m([(unit["lon"], unit["lat"]) for unit in spare], places)
    near = np.unique(np.argsort(straight, axis=0)[:_NEAREST])
    some = [spare[index] for index in near]
    found = router.matrix([(unit["lon"], unit["lat"]) for unit in some], places, ride)
    seconds = np.array([[arrival.travel_s for arrival in row] for row in found])
    from scipy.optimize import linear_sum_assignment  # imported here: a slow import for a rare request

    rows, columns = linear_sum_assignment(np.where(np.isfinite(seconds), seconds, _FORBIDDEN))
    return {
        int(column): MoveUp(
            unit_code=some[row]["unit_code"], name=some[row]["name"], from_zone=some[row]["zone_code"],
            arrival_s=round(float(seconds[row, column]), 1), method=found[row][column].method,
            estimated_because=found[row][column].why,
            on_foot_s=round(found[row][column].on_foot_s, 1),
        )
        for row, column in zip(rows, columns, strict=True)
        if np.isfinite(seconds[row, column])
    }  # fmt: skip
