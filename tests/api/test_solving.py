"""Long calculations for planners: in a process beside the server, which ends with whoever asked."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from geo_grid.confined import PROCESS
from geo_grid.db import connect
from tests.api.test_boundaries import begun, draw_uneven_town
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

PATIENCE_S = 60.0


def solvers() -> set[int]:
    """Processes of ours that solve."""
    return {child.pid for child in multiprocessing.active_children() if child.name == PROCESS and child.pid}


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_proposal_ends_with_who_asked_for_it_and_the_next_is_answered(database: str) -> None:
    draw_uneven_town(database)
    key = api_key(database, "planner")
    wish = {"parents": ["A", "B"]}
    with live_server(database) as url, bearing(url, key) as planner:
        draft = begun(planner)
        body = json.dumps(wish).encode()
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as left:
            left.sendall(
                f"POST {draft}/proposals HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            until(solvers)
        until(lambda: not solvers())
        answer = planner.post(f"{draft}/proposals", json=wish, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        assert len(solvers()) == 1  # kept for the next question
    until(lambda: not solvers())
    with live_server(database, solver_timeout_s=0.05) as url, bearing(url, key) as planner:
        refused = planner.post(f"{begun(planner)}/proposals", json=wish, timeout=PATIENCE_S)
        assert refused.status_code == 422
        assert "ask for less" in refused.json()["detail"]


def ends_with_who_asked(host: str, port: int, question: bytes) -> bool:
    """Whether the process that solves ends when whoever asked leaves. It stands still by then, unless it was faster."""
    with socket.create_connection((host, port)) as left:
        left.sendall(question)
        deadline = time.monotonic() + PATIENCE_S
        while not (solving := solvers()):
            assert time.monotonic() < deadline
        for process in solving:
            os.kill(process, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while solvers():
        if time.monotonic() > deadline:  # it had answered before
            for process in solvers():
                os.kill(process, signal.SIGKILL)
            until(lambda: not solvers())
            return False
        time.sleep(0.01)
    return True


def test_siting_ends_with_who_asked_for_it_and_the_next_is_answered(small_city: str) -> None:
    key = api_key(small_city, "planner")
    wish = {"within": "P", "count": 1, "keeps_posts": False}
    with live_server(small_city) as url, bearing(url, key) as planner:
        centre = {
            "type": "Feature", "geometry": {"type": "Point", "coordinates": [WEST + SIDE / 2, SOUTH + SIDE / 2]},
            "properties": {"facility_code": "C", "name": "centre", "facility_kind": "governance_centre"},
        }  # fmt: skip
        made = planner.post("/collections/facilities/items", json=centre)
        assert made.status_code == 201, made.text
        body = json.dumps(wish).encode()
        host, _, port = url.removeprefix("http://").partition(":")
        question = (
            f"POST /response/siting HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert any(ends_with_who_asked(host, int(port), question) for _ in range(4))
        answer = planner.post("/response/siting", json=wish, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text
        assert len(solvers()) == 1
    until(lambda: not solvers())


def test_a_large_shape_is_drawn_in_a_process_that_ends_with_who_asked_for_it(small_city: str) -> None:
    key = api_key(small_city, "planner")
    waved = [[WEST + SIDE * (0.5 + 0.01 * (n % 2)), SOUTH + SIDE * (n / 100 - 0.5)] for n in range(300)]
    step = {"operation": "split", "codes": ["A"], "line": {"type": "LineString", "coordinates": waved}}
    with live_server(small_city) as url, bearing(url, key) as planner:
        draft = begun(planner)
        body = json.dumps(step).encode()
        host, _, port = url.removeprefix("http://").partition(":")
        with connect(small_city) as holding, socket.create_connection((host, int(port))) as left:
            holding.execute("select from drafts for update")  # it waits for this, and could wait for a shape
            left.sendall(
                f"POST {draft}/steps HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            until(solvers)
            left.close()
            until(lambda: not solvers())
        assert planner.get(draft).json()["history"] == []
        small = step | {"line": {"type": "LineString", "coordinates": [waved[0], waved[-1]]}}
        assert planner.post(f"{draft}/steps", json=small | {"codes": ["B"]}).status_code == 422  # refused at once
        assert not solvers()
        done = planner.post(f"{draft}/steps", json=step, timeout=PATIENCE_S)
        assert done.status_code == 201, done.text
        refused = planner.post(f"{draft}/steps", json=step | {"seen": 0}, timeout=PATIENCE_S)
        assert refused.status_code == 412, refused.text  # errors come through as they are
        assert len(solvers()) == 1
        assert planner.post(f"{draft}/rebase", timeout=PATIENCE_S).status_code == 200
    until(lambda: not solvers())


def test_a_check_of_everything_ends_with_who_asked_for_it(small_city: str) -> None:
    """Four accounts that had left by then kept everybody from drafts for minutes."""
    key = api_key(small_city, "planner")
    with live_server(small_city) as url, bearing(url, key) as planner:
        draft = begun(planner)
        host, _, port = url.removeprefix("http://").partition(":")
        with connect(small_city) as holding, socket.create_connection((host, int(port))) as left:
            holding.execute("lock table drafts in access exclusive mode")
            left.sendall(
                f"GET {draft}/check?all=true HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
            )
            until(solvers)
            left.close()
            until(lambda: not solvers())
        found = planner.get(f"{draft}/check?all=true", timeout=PATIENCE_S)
        assert found.status_code == 200, found.text
        assert found.json() == planner.get(f"{draft}/check?all=true", timeout=PATIENCE_S).json()
    until(lambda: not solvers())


def test_a_server_does_not_load_what_few_ask_for() -> None:
    heavy = {
        "pandas",
        "authlib",
        "scipy.stats",
        "scipy.optimize",
        "spopt",
        "pulp",
        "highspy",
        "gerrychain",
        "folium",
        "typst",
    }
    script = f"import sys, geo_grid.api.app; print(*({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == []
