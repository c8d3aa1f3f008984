"""What becomes due with a matter, and when: the desk, the units and the supervisor of the demo work by it."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from geo_grid.live_demo.people import DISPATCHERS, SUPERVISOR, UNITS

_SLOW = {"dispute", "fraud", "city_matter"}
"""Categories that take hours; the others are settled within one."""
_MINUTES: dict[str, tuple[float, float]] = {
    "accept": (0.3, 1.5), "assign": (0.2, 1.0), "depart": (0.3, 1.2), "handle": (8.0, 40.0), "verify": (8.0, 60.0),
}  # fmt: skip
_SLOWER = {"handle": 5.0, "verify": 6.0}
_LATE_CHECK_INS = 1 / 8
_LEFT_S = 7200.0
"""Seconds after which the demo goes on with what a person took in hand and left."""


class Due(NamedTuple):
    """What is to be done to a matter next.

    Attributes
    ----------
    at
        Since when it is due, in seconds since 1970; deadlines run by the demo's speed.
    who
        Login name.
    unit
        The unit that does it; None: somebody at the desk.
    """

    at: float
    who: str
    action: str
    incident_id: int
    unit: str | None = None


def next_of(matter: Mapping[str, Any], own: frozenset[int], speed: float, seed: int) -> Due | None:
    """Return what the demo does to an open matter next; None: nothing, or units on their way do it.

    What a person of the desk took in hand stays theirs for two hours; what is not of the demo is never touched.

    Parameters
    ----------
    matter
        As GET /incidents shows it.
    own
        Account numbers of the demo's people.
    """
    if not matter["is_demo"] or matter["suspended_at"]:
        return None
    rng = random.Random(f"{seed} {matter['incident_id']}")  # noqa: S311 (a play, no secret)
    minutes = {action: rng.uniform(*span) for action, span in _MINUTES.items()}
    if matter["category"] in _SLOW:
        minutes = {action: span * _SLOWER.get(action, 1) for action, span in minutes.items()}
    desk = rng.choice(DISPATCHERS)
    step = matter["step"]
    if step == "reported":
        since, action, who = matter["received_at"], "accept", desk
    elif step == "accepted":
        since, action, who = matter["accepted_at"] or matter["received_at"], "assign", desk
    elif step == "assigned":
        if matter["unit_codes"] and matter["arrived_at"] is None:
            return None  # it is on its way
        since, action, who = matter["arrived_at"] or matter["dispatched_at"], "handle", desk
    elif step == "handled":
        is_long = matter["loop_code"] != "six_steps"
        since, action, who = matter["handled_at"], "feed_back" if is_long else "verify", SUPERVISOR
    elif step == "fed_back":
        since, action, who = matter["feedback_at"], "verify", SUPERVISOR
    else:
        return None
    wait_s = 60 * minutes.get(action, 5.0)
    if matter["handler_id"] is not None and matter["handler_id"] not in own:
        wait_s += _LEFT_S
    return Due(_seconds(since) + wait_s / speed, who, action, matter["incident_id"])


def turnout(matter: Mapping[str, Any], unit: str, sent_at: str, speed: float, seed: int) -> Due:
    """Return when a unit that was sent sets out."""
    rng = random.Random(f"{seed} {matter['incident_id']} {unit}")  # noqa: S311 (a play, no secret)
    wait_s = 60 * rng.uniform(*_MINUTES["depart"])
    return Due(_seconds(sent_at) + wait_s / speed, UNITS, "depart", matter["incident_id"], unit)


def check_in(on_scene: Mapping[str, Any], seed: int) -> Due:
    """Return when the desk asks a unit on scene how it is, one time in eight too late.

    Parameters
    ----------
    on_scene
        As GET /shifts/check-ins shows it.
    """
    heard, due = _seconds(on_scene["heard_at"]), _seconds(on_scene["due_at"])
    number, unit = on_scene["incident_id"], on_scene["unit_code"]
    rng = random.Random(f"{seed} {number} {unit} {heard:.0f}")  # noqa: S311 (a play, no secret)
    share = rng.uniform(1.05, 1.3) if rng.random() < _LATE_CHECK_INS else rng.uniform(0.6, 0.95)
    return Due(heard + share * (due - heard), rng.choice(DISPATCHERS), "check_in", number, unit)


def evaluation(matter: Mapping[str, Any], seed: int) -> int:
    """Return how well a matter was dealt with, from 1 to 5; mostly well."""
    rng = random.Random(f"{seed} {matter['incident_id']} score")  # noqa: S311 (a play, no secret)
    return rng.choice([3, 4, 4, 5, 5, 5])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
