"""`geo-grid up` as a service: what dies is started again, and nothing is left when all of it is told to end."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from drills.every import with_platforms
from drills.kit import PATIENCE_S, City, alive, free_port, until
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.state_folder import keep_small, open_state_folder, swept
from geo_grid.supervising import ServerLock
from tests.cameras.door import PLATFORM
from tests.cameras.lower import Lower
from tests.commands import run
from tests.databases import state_folder


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    """A city for all, made once: a first start takes 14 s of a core, another 9."""
    with state_folder() as place:
        made = City(place, with_platforms(place))
        try:
            yield made
        finally:
            made.done("down")


@pytest.fixture
def server(city: City) -> City:
    """The city, served; started where a test before left nothing that runs."""
    city.start()
    return city


@pytest.mark.timeout(600)
def test_a_killed_server_is_started_again_and_a_killed_supervisor_takes_all_with_it(server: City) -> None:
    supervisor, serving, database = server.supervisor, server.serving, server.postmaster
    os.kill(serving, signal.SIGKILL)
    until(lambda: not alive(serving), "it lives")
    assert server.is_ready()  # whoever asks meanwhile waits: the socket stays bound
    assert server.serving != serving
    assert (server.supervisor, server.postmaster) == (supervisor, database)
    assert "was killed by SIGKILL" in " ".join(server.log.read_text().split())

    serving = server.serving
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not alive(serving) and not alive(database), "the server or PostgreSQL stayed behind")
    assert not (server.state_dir / "postgres/postmaster.pid").exists()  # stopped in order

    before = server.log.read_text()
    said = server.start()
    assert "Ctrl-C" not in said
    assert said.count("stop") == 1
    assert f"127.0.0.1:{server.port}/" in said  # --port
    assert server.is_ready()
    assert server.log.read_text().startswith(before)  # the words of the crash are still there


def test_a_new_start_waits_for_what_a_killed_supervisor_leaves(server: City) -> None:
    os.kill(server.supervisor, signal.SIGKILL)
    assert "already running" not in server.start()
    assert server.is_ready()


@pytest.mark.timeout(600)
def test_the_door_of_platforms_runs_beside_and_is_opened_again(server: City) -> None:
    port = int(server.environment["GEO_GRID_SIP_PORT"])
    server.run("cameras", "platform", "P1", "P1", "--source-crs", "EPSG:4490", "--gb28181-id", PLATFORM, "--enable")

    def registers() -> bool:
        with contextlib.suppress(OSError, queue.Empty), Lower(port, PLATFORM, patience_s=1.0) as lower:
            return lower.register().startswith(b"SIP/2.0 200")
        return False

    until(registers, "the door was not opened")
    for number in (signal.SIGKILL, signal.SIGTERM):
        (door,) = server.doors
        os.kill(door, number)
        until(lambda ended=door: not alive(ended), "the door did not end")
        until(registers, "the door was not opened again")
        assert server.doors != [door]
    assert server.is_ready()
    supervisor, (door,) = server.supervisor, server.doors
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not alive(door), "the door stayed behind")


def test_what_cannot_serve_is_said_and_not_tried_again(state_dir: Path, database: str) -> None:
    """Before anything is started, where the settings show it; else once, by the server that could not begin."""
    common = {**os.environ, "GEO_GRID_STATE_DIR": str(state_dir), "GEO_GRID_DATABASE_URL": database,
              "GEO_GRID_PORT": str(free_port())}  # fmt: skip
    common.pop("GEO_GRID_APP_DATABASE_URL", None)
    application = make_conninfo(database, user=APPLICATION_ROLE)
    nobody = {"GEO_GRID_APP_DATABASE_URL": make_conninfo(database, user="nobody_known")}
    owner = {"GEO_GRID_APP_DATABASE_URL": database}
    service = {"GEO_GRID_APP_DATABASE_URL": application, "GEO_GRID_SERVICE_DATABASE_URL": application}
    shifts = {
        "GEO_GRID_APP_DATABASE_URL": application,
        "GEO_GRID_PATROL_SHIFTS": "x",
    }
    for arguments, more, code, said in (
        (["up", "--empty"], {}, 2, "GEO_GRID_APP_DATABASE_URL"),
        (["up", "--empty", "--detach"], {}, 2, "GEO_GRID_APP_DATABASE_URL"),
        (["up", "--empty"], nobody, 2, "cannot log in to the database as nobody_known"),
        (["up", "--empty"], owner, 2, "must not work as geo_grid"),
        (["up", "--empty"], service, 2, "must not work as geo_grid_app"),
        (["serve"], owner, 2, "must not work as geo_grid"),
        (["up", "--empty", "--detach"], shifts, 1, "GEO_GRID_PATROL_SHIFTS"),
    ):
        done = run({**common, **more}, *arguments)
        assert done.returncode == code, done.stderr
        assert done.stderr.count(said) == 1
        assert "Traceback" not in done.stderr
        assert (state_dir / "server.log").exists() is (code == 1)


def test_a_database_that_does_not_start_leaves_no_process_and_no_lock(state_dir: Path) -> None:
    """What is to prepare is started before the database, and holds the lock of the folder as long as it runs."""
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres/PG_VERSION").write_text("9\n")
    environment = {**os.environ, "GEO_GRID_STATE_DIR": str(state_dir), "NUMBA_CACHE_DIR": str(state_dir / "compiled")}
    began = time.monotonic()
    command = [sys.executable, "-m", "geo_grid", "up", "--port", str(free_port())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode != 0
    assert "PostgreSQL 9" in done.stderr
    assert ServerLock(state_dir).holder() is None
    assert time.monotonic() - began < 15  # not until all is compiled


def test_what_killed_servers_left_is_removed_by_the_next_alone(tmp_path: Path) -> None:
    def leave() -> tuple[Path, Path]:
        export, edition = tmp_path / "spool/export", tmp_path / "editions/.new-1"
        for folder in (export, edition):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "half.csv").write_text("half")
        os.utime(edition, (0, 0))
        return export, edition

    whole = tmp_path / "editions/1"
    left = leave()
    whole.mkdir()
    with swept(tmp_path):
        assert [folder.exists() for folder in (*left, whole)] == [False, False, True]
        leave()
        with swept(tmp_path):  # of another server: what is there may be in use
            assert all(folder.exists() for folder in left)
    with swept(tmp_path):
        assert not any(folder.exists() for folder in left)


def test_the_state_folder_is_closed_to_others(state_dir: Path) -> None:
    folder = state_dir / "state"
    open_state_folder(folder)
    assert folder.stat().st_mode & 0o066 == 0
    state_dir.chmod(0o1777)
    open_state_folder(state_dir)  # everybody's: not ours to close
    assert state_dir.stat().st_mode & 0o7777 == 0o1777


def test_a_log_stays_small_under_those_who_write_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("a") as writer:
        for number in range(30):
            writer.write(f"line {number}\n")
            writer.flush()
            keep_small(log, 100)
    kept = (tmp_path / "server.log.1").read_text() + log.read_text()
    assert kept.endswith("line 29\n")
    assert log.stat().st_size <= 110
    assert (tmp_path / "server.log.1").stat().st_mode & 0o077 == 0


def test_a_server_whose_state_folder_was_removed_says_so_and_ends(city: City) -> None:
    """It tried to start its database again for ever, with all of a core. The last of these tests: the city is gone."""
    city.run("down")
    server = subprocess.Popen(
        [sys.executable, "-m", "geo_grid", "up", "--empty", "--port", str(city.port)],
        env={**os.environ, "GEO_GRID_STATE_DIR": str(city.state_dir)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        assert any("geo_grid is ready" in line for line in server.stderr)
        shutil.rmtree(city.state_dir, ignore_errors=True)
        _, said = server.communicate(timeout=PATIENCE_S)
    finally:
        server.kill()
    assert server.returncode == 1
    assert said.splitlines()[-1].endswith("was removed while it was in use: what it held is lost")
