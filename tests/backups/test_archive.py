"""The archive: a copy and the log of every change, from which the database of any moment is brought back."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geo_grid.backups import list_bases, make_base, restore_until
from geo_grid.db import Cluster, Connection, connect, migrate
from geo_grid.errors import Conflict, UnreadableFile, UserError
from geo_grid.progress import silent
from tests.commands import run
from tests.databases import FAST, state_folder
from tests.squares import SIDE, SOUTH, WEST, two_by_two


@pytest.fixture
def folder() -> Iterator[Path]:
    with state_folder() as made:  # which the archive beside it goes with
        state = made / "state"
        state.mkdir(mode=0o755)
        yield state


def _report(connection: Connection, number: str) -> datetime:
    """Report an incident; return the moment after its commit."""
    connection.execute(
        "insert into incidents (incident_number, category, geom) values (%s, 'help', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
        (number, WEST + SIDE / 2, SOUTH + SIDE / 2),
    )
    connection.commit()
    row = connection.execute("select clock_timestamp() as now").fetchone() or {}
    connection.commit()
    return datetime.fromisoformat(str(row["now"]))


def _numbers(conninfo: str) -> list[str]:
    with connect(conninfo) as connection:
        return [
            row["incident_number"] for row in connection.execute("select incident_number from incidents order by 1")
        ]


def test_what_was_deleted_is_there_again_and_what_came_after_is_not(folder: Path) -> None:
    archive = folder.with_name(f"{folder.name}_archive %'x")  # a name that a shell and PostgreSQL read in their own way
    cluster = Cluster(folder, FAST, archive=archive)
    with cluster:
        migrate(cluster.conninfo)
        with connect(cluster.conninfo) as connection:
            two_by_two(connection)
        with connect(cluster.conninfo) as connection:
            _report(connection, "before-the-copy")
            made = make_base(cluster.conninfo, archive, silent)
            moment = _report(connection, "after-the-copy")
            time.sleep(0.1)
            _report(connection, "after-the-moment")
            connection.execute("truncate incidents cascade")
            connection.commit()
            finished = connection.execute("select pg_walfile_name(pg_switch_wal()) as part").fetchone() or {}
        _until_archived(cluster, finished["part"])
        with pytest.raises(Conflict, match="in use"):
            restore_until(cluster, archive, moment, silent)
    with pytest.raises(UserError, match="the oldest copy in"):
        restore_until(cluster, archive, made.made_at - timedelta(hours=1), silent)
    with pytest.raises(UserError, match="ends before"):
        restore_until(cluster, archive, datetime.now(UTC) + timedelta(hours=1), silent)
    with cluster:
        assert _numbers(cluster.conninfo) == []  # what failed has left it as it was

    reached = restore_until(cluster, archive, moment, silent)
    assert (reached.base.folder, reached.moment, reached.rows["public.incidents"]) == (made.folder, moment, 2)
    with cluster:
        assert _numbers(cluster.conninfo) == ["after-the-copy", "before-the-copy"]
        with connect(cluster.conninfo) as connection:
            _report(connection, "afterwards")  # and life goes on, also in the archive
            again = make_base(cluster.conninfo, archive, silent, kept=1)
            left = connection.execute(
                "select name, setting from pg_settings where name = 'recovery_target_time'"
            ).fetchall()
            assert [row["setting"] for row in left] == [""]
    assert list_bases(archive) == [again]
    parts = sorted(
        path.name[8:] for path in (archive / "log").iterdir() if len(path.name) == 24
    )  # without the timeline
    assert parts[0] >= again.begins_with[8:]  # what only the older copy needed is gone
    assert restore_until(cluster, archive, None, silent).rows["public.incidents"] == 3


def test_a_damaged_copy_changes_nothing(folder: Path) -> None:
    archive = folder.with_name(f"{folder.name}_archive")
    cluster = Cluster(folder, FAST, archive=archive)
    with cluster:
        made = make_base(cluster.conninfo, archive, silent)
    whole = (made.folder / "base.tar.gz").read_bytes()
    (made.folder / "base.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="damaged: nothing was changed"):
        restore_until(cluster, archive, None, silent)
    assert (cluster.data / "PG_VERSION").exists()
    assert not cluster.data.with_name("postgres_restoring").exists()


def test_without_an_archive_the_commands_say_what_to_do(folder: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name != "GEO_GRID_WAL_ARCHIVE"}
    bare["GEO_GRID_STATE_DIR"] = str(folder)
    named = {**bare, "GEO_GRID_WAL_ARCHIVE": str(folder / "archive")}
    for environment, arguments, said in (
        (bare, ("base",), "GEO_GRID_WAL_ARCHIVE names no folder"),
        (bare, ("restore", "--latest"), "GEO_GRID_WAL_ARCHIVE names no folder"),
        (named, ("list",), "there is no archive"),
        (named, ("restore", "yesterday"), "is no moment"),
        (named, ("restore",), "say a moment, or --latest"),
    ):
        done = run(environment, "archive", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr


def _until_archived(cluster: Cluster, part: str) -> None:
    """Wait until PostgreSQL has copied a finished part of its log."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with connect(cluster.conninfo) as connection:
            row = connection.execute("select last_archived_wal as part from pg_stat_archiver").fetchone() or {}
        if (row["part"] or "") >= part:
            return
        time.sleep(0.1)
    message = "PostgreSQL does not copy its log"
    raise TimeoutError(message)
