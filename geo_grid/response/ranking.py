"""Ranking of posts and units by arrival time at a place, with the reason why each can be sent or not."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import shapely
from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection
from geo_grid.layers.periods import is_within
from geo_grid.layers.response_circles import Why
from geo_grid.response.build import QUERIES
from geo_grid.response.circles import Place
from geo_grid.response.router import Arrival, Method, Router
from geo_grid.response.travel import ON_FOOT, Travel, closures_near

type Reason = Literal["free", "on_the_way", "on_scene", "off_duty", "off_shift", "silent", "cut_off"]
SILENT_S = 1800
"""Seconds without a position report after which a unit counts as silent."""
_BUSY: dict[str | None, Reason] = {"dispatched": "on_the_way", "on_scene": "on_scene", "off_duty": "off_duty"}


class Responder(BaseModel):
    """A post or unit that could go, and when it would be there."""

    code: str
    name: str
    kind: str = Field(description="police_station, police_post, standby_post, car, motorcycle, foot or volunteers")
    status: str | None = None
    skills: str = ""
    arrival_s: float | None = Field(description="seconds of travel from where it is; null: the roads do not lead here")
    method: Method = Field(description="how that is known: on roads, or estimated in a straight line")
    on_foot_s: float = Field(
        description="seconds of it on foot: to the nearest road, and from there to the place, where these are far from one"
    )
    on_foot_m: float = Field(description="metres of that, by the detour factor from the straight line")
    estimated_because: Why | None = Field(None, description="why it is an estimate; null: it is none")
    is_free: bool = Field(description="whether it can be sent now")
    reason: Reason = Field(
        description="why it can be sent or cannot; silent: not heard of for half an hour; cut_off: roads are closed"
    )
    distance_m: float
    lon: float
    lat: float


async def closures_around(connection: AsyncConnection, place: Place) -> list[Any]:
    """Read the closures in force near enough to affect a route to a place."""
    rows = await connection.execute(QUERIES["closures_around"], {"lon": place[0], "lat": place[1]})
    return closures_near([shapely.from_wkb(row["geom"]) for row in await rows.fetchall()], place)


async def rank(
    router: Router,
    travel: Travel,
    place: Place,
    candidates: Sequence[dict[str, Any]],
    closures: Sequence[Any],
    now: datetime,
) -> list[Responder]:
    """Rank candidates by arrival time at a place; those that can be sent come first.

    Parameters
    ----------
    candidates
        Rows with code, name, kind, lon, lat, distance_m, and for units status, skills, shift and reported_at,
        for posts key_periods.
    now
        Current time in the city's time zone.
    """
    asked = []
    for is_on_foot in (False, True):
        some = [row for row in candidates if (row["kind"] in ON_FOOT) == is_on_foot]
        ride = travel.ride("foot" if is_on_foot else "car", now, closures)
        asked.append((some, ride))
    answers = await asyncio.gather(
        *(
            router.matrix_async([(row["lon"], row["lat"]) for row in some], [place], ride)
            for some, ride in asked
            if some
        )
    )
    rows = [row for some, _ in asked for row in some]
    arrivals: list[Arrival] = [line[0] for answer in answers for line in answer]
    ranked = [_responder(row, arrival, now) for row, arrival in zip(rows, arrivals, strict=True)]
    return sorted(
        ranked, key=lambda one: (not one.is_free, math.inf if one.arrival_s is None else one.arrival_s, one.code)
    )


def _responder(row: dict[str, Any], arrival: Arrival, now: datetime) -> Responder:
    is_reached = math.isfinite(arrival.travel_s)
    reason = reason_of(row, now) if is_reached else "cut_off"
    return Responder.model_validate({
        **{name: row[name] for name in ("code", "name", "kind", "distance_m", "lon", "lat")},
        "status": row.get("status"), "skills": row.get("skills") or "", "arrival_s": round(arrival.travel_s, 1) if is_reached else None,
        "method": arrival.method, "estimated_because": arrival.why,
        "on_foot_s": round(arrival.on_foot_s, 1), "on_foot_m": round(arrival.on_foot_m, 1),
        "is_free": reason in ("free", "silent"), "reason": reason,
    })  # fmt: skip


def reason_of(row: dict[str, Any], now: datetime) -> Reason:
    """Return why a post or unit can be sent or cannot; rows and `now` as for `rank`."""
    if row.get("status") in _BUSY:
        return _BUSY[row["status"]]
    if not is_within(row.get("shift") or row.get("key_periods") or "", now):
        return "off_shift"
    if row.get("reported_at") is not None and (now - row["reported_at"]).total_seconds() > SILENT_S:
        return "silent"
    return "free"
