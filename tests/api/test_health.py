"""Ready means: it can store what it accepts; and what is wrong with clocks is said."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from geo_grid.clocks import clock_trouble
from geo_grid.db import connect
from geo_grid.state_folder import storage_trouble
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.identities import api_key, bearing


def test_a_full_disk_is_not_ready_and_says_so(database: str) -> None:
    everything = 1 << 40  # MB: no disk has so much
    with live_server(database, least_free_mb=everything) as url:
        answer = httpx.get(f"{url}/readyz")
        assert answer.status_code == 507
        assert answer.headers["content-type"] == "application/problem+json"
        assert "the state folder: its disk is full" in answer.json()["detail"]
        assert httpx.get(f"{url}/healthz").status_code == 200
    os.environ["GEO_GRID_LEAST_FREE_MB"] = str(everything)
    try:
        findings = json.loads(geo_grid(database, "doctor", "--json", expect=1).stdout)
    finally:
        del os.environ["GEO_GRID_LEAST_FREE_MB"]
    (room,) = [finding for finding in findings if finding["what"].startswith("room in")]
    assert not room["ok"]
    assert "free some space" in room["found"]


@pytest.fixture
def small_disk(state_dir: Path) -> Iterator[Path]:
    """A disk of one megabyte; only root of a machine that allows it makes one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", state_dir], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield state_dir
    finally:
        subprocess.run(["umount", "--lazy", state_dir], check=True)


def test_a_disk_that_takes_nothing_is_an_answer_not_a_fault_of_ours(small_city: str, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(900 << 10))
    key = api_key(small_city, "supervisor")
    with live_server(small_city, state_dir=small_disk, tile_disk_mb=0) as url, bearing(url, key) as client:
        assert "its disk is full: 0 MB" in client.get("/readyz").json()["detail"]
        (small_disk / "more").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
        answer = client.get("/collections/cameras/export", params={"f": "csv"})
        assert answer.status_code == 507, answer.text
        assert "No space left" in answer.json()["detail"]
        (small_disk / "ballast").unlink()
        assert client.get("/collections/cameras/export", params={"f": "csv"}).status_code == 200
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "read-only" in str(storage_trouble(small_disk, 0))


def test_times_that_are_stored_in_the_future_are_named(small_city: str) -> None:
    with live_server(small_city) as url:
        assert httpx.get(f"{url}/readyz").json()["warnings"] == []
        with connect(small_city) as connection:  # as if the clock was set an hour back since
            connection.execute("update changes set happened_at = now() + interval '1 hour'")
        answer = httpx.get(f"{url}/readyz")
        assert answer.status_code == 200  # whoever asks is answered
        (warning,) = answer.json()["warnings"]
        assert "set the clock right" in warning
    findings = json.loads(geo_grid(small_city, "doctor", "--json", expect=1).stdout)
    assert {"what": "clocks", "ok": False, "found": warning, "is_warning": False} in [
        {**finding, "found": warning} if finding["what"] == "clocks" else finding for finding in findings
    ]


def test_clocks_of_two_machines_are_compared() -> None:
    now = datetime.now(UTC)
    assert clock_trouble(now, now + timedelta(minutes=2)) is None  # units' own clocks
    assert clock_trouble(now, None) is None
    assert "3,600 s apart" in str(clock_trouble(now, None, now + timedelta(hours=1)))


def test_what_is_kept_in_memory_is_told_to_those_it_may_be_told(small_city: str) -> None:
    keys = {role: api_key(small_city, role) for role in ("supervisor", "dispatcher")}
    bound = api_key(small_city, "planner", ["A"])
    with live_server(small_city) as url:
        assert httpx.get(f"{url}/readyz").json()["derived"] is None
        for key in (keys["dispatcher"], bound):
            with bearing(url, key) as client:
                assert client.get("/readyz").json()["derived"] is None
        with bearing(url, keys["supervisor"]) as client:
            told = {state["name"]: state for state in client.get("/readyz").json()["derived"]}
    assert told.keys() == {
        "identities",
        "division_in_force",
        "unions",
        "point_snapshot",
        "coverage",
        "live_ground",
        "names",
        "names_of_cameras",
    }
    assert told["point_snapshot"]["reads"] == 1
    assert told["point_snapshot"]["age_s"] >= 0
    assert told["coverage"]["age_s"] is None  # nobody asked
