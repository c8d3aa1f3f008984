"""Databases for tests, each a copy of a template, in a private PostGIS; the demo city's is made once for all processes.

An empty, migrated database is copied from the template of the process's own cluster. The demo city takes more than a
minute to load, so a whole cluster with it is made once, kept in .cache/tests under a digest of all it is made from, and
copied file by file by each process that needs it. The city stands at the moment it was loaded: what is older than an
hour is made again. `python -m tests.databases` makes it beside other work; who needs it meanwhile waits.
"""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from geo_grid.cameras.coverage import update_coverage
from geo_grid.cameras.views import update_views
from geo_grid.db import Cluster, Connection, connect, migrate
from geo_grid.demo import load_demo
from geo_grid.own_work import usual_sight
from geo_grid.progress import silent
from geo_grid.settings import Settings
from geo_grid.workflow.working_time import begin_calendar
from tests.owners import admin

ROOT = Path(__file__).parents[1]
TEMPLATE, DEMO_TEMPLATE = "template_geo_grid", "template_demo"
ZONE = "Asia/Shanghai"
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n"
"""Tests of durability run their own cluster. A database of a test is gone before its dead rows matter, and the demo city
is analysed once, by whoever makes it."""
_LEAN = "max_wal_size = 64MB\nmin_wal_size = 32MB\n"  # a log is copied too
_KEPT = ROOT / ".cache/tests"
_KEPT_FOR_S = 3600
_MEMORY, _MEMORY_NEEDED = "/dev/shm", 6 << 30
_MADE_FROM = ("geo_grid", "migrations", "data", "requirements.txt", "tests/databases.py")


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """A folder that the unprivileged user of PostgreSQL can reach; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="geo_grid_test_", dir=_place()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def new_database(cluster: Cluster, name: str, template: str = TEMPLATE) -> Iterator[str]:
    admin(cluster).execute(f"create database {name} template {template} strategy file_copy")
    try:
        yield cluster.conninfo_for(name)
    finally:
        admin(cluster).execute(f"drop database {name} with (force)")


def make_template(cluster: Cluster) -> None:
    """Make the empty, migrated database that others are copied from."""
    admin(cluster).execute(f"create database {TEMPLATE}")
    migrate(cluster.conninfo_for(TEMPLATE))
    with connect(cluster.conninfo_for(TEMPLATE)) as connection:  # as the first start of a server leaves it
        begin_calendar(connection, ZONE)
        connection.execute("set constraints all immediate")
        connection.execute("delete from due_work where kind = 'reckon'")


@contextlib.contextmanager
def demo_cluster() -> Iterator[Cluster]:
    """A cluster of this process alone, with both templates."""
    with state_folder() as folder:
        with _locked():
            _copy(_prepared(), folder / "postgres")
        with Cluster(folder, FAST) as running:
            yield running


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    _KEPT.mkdir(parents=True, exist_ok=True)
    with (_KEPT / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepared() -> Path:
    """Return the data folder of a stopped cluster with both templates, made when none is kept; the lock is held."""
    kept = _KEPT / f"demo-{_digest()}"
    if kept.is_dir() and time.time() - kept.stat().st_mtime < _KEPT_FOR_S:
        return kept
    for old in _KEPT.glob("demo-*"):
        shutil.rmtree(old)
    unfinished = kept.with_suffix(".new")
    with state_folder() as folder:
        with Cluster(folder, FAST + _LEAN) as running:
            make_template(running)
            admin(running).execute(f"create database {DEMO_TEMPLATE} template {TEMPLATE}")
            with connect(running.conninfo_for(DEMO_TEMPLATE)) as connection:
                load_demo(connection, silent, datetime.now(UTC), incidents=20_000)
                _see(connection)
                connection.execute("analyze")
        _copy(folder / "postgres", unfinished)
    unfinished.touch()
    unfinished.rename(kept)  # so what a killed process leaves is never taken for a cluster
    return kept


def _see(connection: Connection) -> None:
    """Work out what the cameras see, as a server does after its start: 22 s of a core, else for each server of the demo."""
    update_views(connection, usual_sight(Settings()))
    update_coverage(connection)
    connection.execute("set constraints all immediate")
    connection.execute("delete from due_work where kind in ('camera_views', 'camera_coverage')")


def _place() -> str:
    """Memory, where there is enough: to copy and drop a database of 1,000 files takes 0.15 s of a core there, 0.9 s on a disk."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED:
            return _MEMORY
    return "/tmp"


def _copy(source: Path, target: Path) -> None:
    subprocess.run(
        ["cp", "-a", "--reflink=auto", source, target], check=True
    )  # with its owner, whom PostgreSQL asks for


def _digest() -> str:
    """Return what a kept cluster is named by: of everything that it is made from and run by."""
    told = hashlib.sha256(platform.python_version().encode())
    extensions = Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    ours = (
        path
        for name in _MADE_FROM
        for path in (sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name])
        if path.is_file() and "__pycache__" not in path.parts
    )
    for path in (*sorted(extensions), *ours):
        told.update(f"{path}\0".encode())
        told.update(hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()[:16]


if __name__ == "__main__":
    with _locked():
        _prepared()
