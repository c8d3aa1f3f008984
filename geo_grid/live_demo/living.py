"""The demo's days: a loop that moves units, brings calls and works on matters, as long as the server's supervisor lives."""

import logging
import math
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from geo_grid.live_demo.calls import Call, calls_of
from geo_grid.live_demo.matters import Due, check_in, evaluation, next_of, turnout
from geo_grid.live_demo.people import DISPATCHERS, SUPERVISOR, UNITS
from geo_grid.live_demo.roads import Roads
from geo_grid.live_demo.speaking import Away, Refused, Speaker
from geo_grid.live_demo.units import Fleet, Moving
from geo_grid.live_demo.works import Works

log = logging.getLogger(__name__)

_EVERY_S, _EVERY_FAST_S = 8.0, 4.0
"""Seconds between two looks; the shorter ones where time runs faster."""
_MOST_AT_ONCE = 500
_LONGEST_GAP_S = 300.0
"""Seconds of the demo's clock that are made up for after the server was away; the calls of more are left out."""


@dataclass(frozen=True)
class Pace:
    """How the demo runs.

    Attributes
    ----------
    speed
        Seconds of the demo in a second.
    """

    speed: float
    seed: int
    timezone: str


class Living:
    """The demo at work.

    Parameters
    ----------
    plan
        What `Plan.as_json` gave.
    begins
        Now, in seconds since 1970: the demo's clock begins there.

    Attributes
    ----------
    fleet
        Its units.
    """

    def __init__(self, plan: Mapping[str, Any], url: str, pace: Pace, begins: float) -> None:
        self._pace, self._plan, self._zone = pace, plan, ZoneInfo(pace.timezone)
        self._speaker = Speaker(url, plan["keys"])
        roads = Roads([tuple(place) for place in plan["nodes"]], plan["roads"])
        self.fleet = Fleet(plan["units"], roads, pace.seed, begins)
        self._works = Works(self._speaker, plan["cameras"], plan["places"], roads, pace.seed)
        self._own = frozenset(plan["numbers"].values())
        self._begins, self._now = begins, begins
        self._waiting: list[Call] = []
        self._run = "" if pace.speed == 1 else f"{begins:.0f}-"
        self._refused: dict[int, float] = {}
        self._has_put_right = False

    def step(self, now: float) -> None:
        """Do what became due until now (seconds since 1970 on the demo's clock). Raises Away, NoKey."""
        if not self._has_put_right:
            self._works.put_right()
            self._has_put_right = True
        before, self._now = max(self._now, now - _LONGEST_GAP_S * max(1.0, self._pace.speed / 60)), now
        self._waiting += calls_of(
            before, now, self._pace.seed, self._plan["places"], self._plan["calls_a_day"], self._zone
        )
        self._report(list(self.fleet.move(now, now - before, time.time())))
        self._bring_calls()
        self._work_on_matters()
        self._hear_of_units()
        self._works.do(now - self._begins)
        self._speaker.hang_up()

    def _report(self, moved: list[Moving]) -> None:
        now = time.time()
        at = datetime.fromtimestamp(now, UTC).isoformat()
        for first in range(0, len(moved), _MOST_AT_ONCE):
            some = moved[first : first + _MOST_AT_ONCE]
            positions = [
                {
                    "unit_code": unit.code, "lon": unit.place[0], "lat": unit.place[1], "reported_at": at,
                    **({"unit_status": "on_patrol"} if unit.frees else {}),
                }
                for unit in some
            ]  # fmt: skip
            self._speaker.ask(UNITS, "POST", "/units/positions", {"positions": positions})
            self.fleet.heard(some, now)

    def _bring_calls(self) -> None:
        while self._waiting:
            call = self._waiting[0]
            said = call._asdict()
            del said["at"], said["name"]
            who = DISPATCHERS[len(call.description) % len(DISPATCHERS)]
            key = f"demo-live-{self._pace.seed}-{self._run}{call.name}"
            try:
                self._speaker.ask(who, "POST", "/incidents", said, Idempotency_Key=key)
            except Refused as refused:
                log.warning("%s", refused)
            self._waiting.pop(0)

    def _work_on_matters(self) -> None:
        open_now = self._speaker.ask(SUPERVISOR, "GET", "/incidents?open=true&limit=1000")["incidents"]
        self._send_units(open_now)
        now = time.time()
        due = [
            one
            for matter in open_now
            if self._refused.get(matter["incident_id"], 0) < now
            and (one := next_of(matter, self._own, self._pace.speed, self._pace.seed)) is not None
            and one.at <= now
        ]
        by_id = {matter["incident_id"]: matter for matter in open_now}
        for one in sorted(due)[: math.ceil(2 * self._pace.speed)]:
            self._take(one, by_id[one.incident_id])
        self._refused = {number: until for number, until in self._refused.items() if until > now}

    def _hear_of_units(self) -> None:
        """Ask units on scene how they are: most of them before they must be heard of, some when they are late."""
        for one in self._speaker.ask(SUPERVISOR, "GET", "/shifts/check-ins")["check_ins"]:
            due = check_in(one, self._pace.seed)
            if one["unit_code"] in self.fleet.units and due.at <= time.time():
                self._act(due.who, due.incident_id, {"action": due.action, "unit_code": due.unit})

    def _send_units(self, open_now: list[dict[str, Any]]) -> None:
        """Let units drive where somebody sent them, a person or the demo's own desk, and home when they are released."""
        sent = {
            code: matter
            for matter in open_now
            if matter["step"] == "assigned"
            for code in matter["unit_codes"]
            if code in self.fleet.units
        }
        for code, unit in self.fleet.units.items():
            if unit.mission is not None and (code not in sent or sent[code]["incident_id"] != unit.mission):
                self.fleet.release(code)
        for code, matter in sent.items():
            if matter["suspended_at"]:
                continue
            unit = self.fleet.units[code]
            is_on_the_way = unit.mission == matter["incident_id"]
            if is_on_the_way and not self.fleet.has_arrived(code):
                continue
            if matter["arrived_at"] and is_on_the_way and len(matter["unit_codes"]) == 1:
                continue
            self._set_out_or_arrive(code, matter, is_on_the_way)

    def _set_out_or_arrive(self, code: str, matter: dict[str, Any], is_on_the_way: bool) -> None:
        number = matter["incident_id"]
        course = self._speaker.ask(UNITS, "GET", f"/incidents/{number}/steps")
        told = next((one for one in course["units"] if one["unit_code"] == code), None)
        if told is None or told["arrived_at"]:
            return
        if told["departed_at"] is None:
            since = matter["dispatched_at"]
            if turnout(matter, code, since, self._pace.speed, self._pace.seed).at <= time.time():
                self._act(UNITS, number, {"action": "depart", "unit_code": code})
                self.fleet.send(code, number, (matter["lon"], matter["lat"]))
        elif is_on_the_way:
            self._act(UNITS, number, {"action": "arrive", "unit_code": code})
        else:
            self.fleet.send(code, number, (matter["lon"], matter["lat"]))

    def _take(self, due: Due, matter: dict[str, Any]) -> None:
        action: dict[str, Any] = {"action": due.action}
        if due.action == "assign":
            action["unit_codes"] = self._nearest_unit(due.who, due.incident_id)
        if due.action == "handle":
            action["note"] = "已到场处置（演示）"
        self._act(due.who, due.incident_id, action)
        if due.action == "verify":
            self._act(SUPERVISOR, due.incident_id, {"action": "evaluate", "score": evaluation(matter, self._pace.seed)})

    def _nearest_unit(self, who: str, incident_id: int) -> list[str]:
        """Return the free unit that is there first; none: the matter goes to who answers for its cell."""
        card = self._speaker.ask(who, "GET", f"/desk?incident={incident_id}")
        free = (
            one["code"] for one in card["responders"] if one["reason"] == "free" and one["code"] in self.fleet.units
        )
        return list(free)[:1]

    def _act(self, who: str, incident_id: int, action: dict[str, Any]) -> None:
        try:
            self._speaker.ask(who, "POST", f"/incidents/{incident_id}/steps", action)
        except Refused as refused:  # somebody else took a step meanwhile, or it is theirs: look at it again later
            log.info("%s", refused)
            self._refused[incident_id] = time.time() + 120


def live(plan: Mapping[str, Any], url: str, pace: Pace, lifeline: int | None) -> None:
    """Let the demo live until the process ends.

    Parameters
    ----------
    lifeline
        Descriptor of a socket that is closed when whoever started this has ended; None: nobody watches.

    Raises
    ------
    NoKey
        The server takes the keys no longer.
    """
    began, begins = time.monotonic(), time.time()
    living = Living(plan, url, pace, begins)
    every_s, is_away = _EVERY_S if pace.speed <= 1 else _EVERY_FAST_S, False
    while True:
        looked, wait_s = time.monotonic(), every_s
        try:
            living.step(begins + (looked - began) * pace.speed)
            is_away = False
        except Away as away:
            wait_s = away.wait_s
            if not is_away:
                log.warning("%s does not answer, or has no time: it is asked again until it has", url)
            is_away = True
        rest_s = max(0.5, wait_s - (time.monotonic() - looked))
        if _has_ended(lifeline, rest_s):
            return


def _has_ended(lifeline: int | None, seconds: float) -> bool:
    """Wait some seconds; True as soon as the other end of the lifeline is closed."""
    if lifeline is None:
        time.sleep(seconds)
        return False
    readable, _, _ = select.select([lifeline], [], [], seconds)
    return bool(readable)
