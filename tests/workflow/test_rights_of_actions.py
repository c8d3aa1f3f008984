"""Every action and every role, in their cells and out of them: done, refused, or not there."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from geo_grid.db import Cluster, connect
from geo_grid.workflow.actions import ACTIONS
from tests.databases import new_database
from tests.identities import api_key, bearing, logged_in, user
from tests.workflow.test_steps import IN_A, Desk, seeded

SETTLE = {"acknowledge", "handle", "feed_back", "return", "escalate", "suspend", "resume"}
DISPATCH = {"accept", "assign", "hand_over", "depart", "arrive", "check_in", "move", "merge", "unmerge"}
JUDGE = {"decide", "send_down", "verify", "reject", "close", "reopen", "evaluate"}
ROLES = {
    "wall": set(),
    "grid_worker": SETTLE,
    "dispatcher": SETTLE | DISPATCH | JUDGE,
    "planner": set(),
    "supervisor": SETTLE | DISPATCH | JUDGE,
    "administrator": set(),
    "auditor": set(),
}
WHY: dict[str, Any] = {"reason": "why"}
CAR: dict[str, Any] = {"unit_code": "car-1"}
ASSIGNED = [("accept", {}), ("assign", {"unit_codes": ["car-1"]})]
HANDLED = [*ASSIGNED, ("handle", {})]
BEFORE: dict[str, tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]] = {
    "accept": ([], {}),
    "acknowledge": (ASSIGNED, {}),
    "assign": ([("accept", {})], {}),
    "hand_over": ([("accept", {})], {}),
    "depart": (ASSIGNED, CAR),
    "arrive": ([*ASSIGNED, ("depart", CAR)], CAR),
    "check_in": ([*ASSIGNED, ("depart", CAR), ("arrive", CAR)], CAR),
    "handle": (ASSIGNED, {}),
    "feed_back": (HANDLED, {}),
    "return": (ASSIGNED, WHY),
    "decide": ([*ASSIGNED, ("return", WHY)], WHY),
    "escalate": (ASSIGNED, WHY),
    "send_down": ([*ASSIGNED, ("escalate", WHY)], WHY),
    "suspend": ([("accept", {})], WHY),
    "resume": ([("accept", {}), ("suspend", WHY)], {}),
    "verify": (HANDLED, {}),
    "reject": (HANDLED, WHY),
    "close": (ASSIGNED, WHY),
    "reopen": ([*HANDLED, ("verify", {})], WHY),
    "evaluate": ([*HANDLED, ("verify", {})], {"score": 4}),
    "move": ([], IN_A),
    "merge": ([], {}),
    "unmerge": ([("merge", {})], {}),
}
"""What others do before each action, so that it can be done, and its arguments."""


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    """Two levels that settle matters, so that there is one above."""
    with new_database(cluster, "rights_of_actions") as conninfo, seeded(conninfo) as url:
        with connect(conninfo) as connection:
            connection.execute("update grid_levels set settles = true")
        yield Desk(url, conninfo)


def client_of(desk: Desk, role: str, cell: str) -> contextlib.AbstractContextManager[httpx.Client]:
    if role in ("administrator", "auditor"):  # who are people, never machines, and bound to no cell
        return logged_in(desk.url, user(desk.conninfo, role))
    return bearing(desk.url, api_key(desk.conninfo, role, [cell]))


@pytest.mark.parametrize("action", BEFORE)
def test_every_action_is_for_whom_it_is(desk: Desk, action: str) -> None:
    assert {str(one.model_fields["action"].default) for one in ACTIONS} == SETTLE | DISPATCH | JUDGE == BEFORE.keys()
    before, given = BEFORE[action]
    other = desk.report()
    if action == "hand_over":
        given = {"handler": user(desk.conninfo, "dispatcher")}
    if action == "merge":
        given = {"into": other}
    for role, may in ROLES.items():
        for cell in ("P", "D"):  # around the matter, which is in A, and beside it
            incident = desk.report("city_matter" if action == "feed_back" else "help")
            for name, said in before:
                who = desk.chief if name == "verify" else desk.lin
                desk.act(who, incident, name, **({"into": other} if name == "merge" else said))
            with client_of(desk, role, cell) as client:
                if may and cell == "P":
                    possible = client.get(f"/incidents/{incident}/steps").json()["possible"]
                    assert possible == [one for one in desk.course(incident)["possible"] if one in may], role
                    assert (action in possible) == (action in may), role
                answer = client.post(f"/incidents/{incident}/steps", json={"action": action, **given})
            expected = 403 if action not in may else 404 if cell == "D" else 201
            assert answer.status_code == expected, (role, cell, answer.text)
            steps = len(desk.course(incident)["steps"])
            assert steps == len(before) + (expected == 201), (role, cell)  # what is refused leaves nothing behind
            with connect(desk.conninfo) as connection:
                connection.execute(
                    "update incident_units set released_at = greatest(now(), assigned_at) where released_at is null"
                )
