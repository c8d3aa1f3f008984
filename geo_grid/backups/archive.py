"""The archive: copies of the whole private database, and the log of every change since, in a folder on another disk.

PostgreSQL copies each finished part of its write-ahead log into it (`Cluster`, GEO_GRID_WAL_ARCHIVE), one a minute at least.
From a copy and the log any later moment is brought back: what somebody deleted, or a disk took with it. Nothing here is of
our own but the order of the steps; pg_basebackup, pg_verifybackup and PostgreSQL's recovery do the work.
"""

import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from geo_grid.backups import programs
from geo_grid.backups.making import QUERIES, count_rows
from geo_grid.backups.restoring import verify_audit
from geo_grid.db import Cluster, connect
from geo_grid.errors import Conflict, DatabaseUnavailable, SetupError, UnreadableFile, UserError
from geo_grid.progress import Progress

_ABOUT, _DATA, _LOG = "about.json", "base.tar.gz", "log"
_BASE = re.compile(r"base-\d{8}T\d{6}Z")
_BESIDE, _BEFORE = "_restoring", "_before_restore"
"""Ends of the names of the folder that is filled, and of the one that it replaced."""
_RECOVERY = ("restore_command", "recovery_target_time", "recovery_target_action", "hot_standby")
_NOT_REACHED = re.compile("recovery ended before configured recovery target was reached")  # PostgreSQL, xlogrecovery.c


@dataclass(frozen=True)
class Base:
    """A copy of the whole database.

    Attributes
    ----------
    made_at
        The earliest moment that can be brought back from it.
    begins_with
        Name of the first part of the log that it needs.
    """

    folder: Path
    made_at: datetime
    begins_with: str


@dataclass(frozen=True)
class Reached:
    """What was brought back: the copy it began with, the moment asked for (None: the end of the log), rows by table."""

    base: Base
    moment: datetime | None
    rows: dict[str, int]


def make_base(conninfo: str, archive: Path, progress: Progress, kept: int = 2) -> Base:
    """Copy the whole database into its archive while it is served; the oldest beyond `kept`, and their log, are deleted.

    Raises
    ------
    UserError
        PostgreSQL does not copy its log there: it was started without GEO_GRID_WAL_ARCHIVE.
    SetupError
        A program is missing or failed.
    """
    with connect(conninfo) as connection:
        begun = connection.execute(QUERIES["log"]).fetchone() or {}
    if not begun["is_archived"]:
        message = "the database does not copy its log: set GEO_GRID_WAL_ARCHIVE, and start geo_grid again"
        raise UserError(message)
    fresh = archive / ".base"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    try:
        with progress("copying the database"), (fresh / _DATA).open("wb") as file:
            copying = programs.begin(
                "pg_basebackup", begun["version"], conninfo, "--pgdata=-", "--format=tar", "--wal-method=fetch", "--gzip",
                "--checkpoint=fast", "--no-password", output=file.fileno(),
            )  # fmt: skip
            programs.said_by(copying, "pg_basebackup")
        with connect(conninfo) as connection:
            ended = connection.execute(QUERIES["log"]).fetchone() or {}
            connection.execute("select pg_switch_wal()")
        about = {"made_at": ended["now"].isoformat(), "begins_with": begun["part"]}
        (fresh / _ABOUT).write_text(json.dumps(about))
        folder = archive / f"base-{ended['now'].astimezone(UTC):%Y%m%dT%H%M%SZ}"
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    bases = list_bases(archive)
    for old in bases[:-kept]:
        shutil.rmtree(old.folder)
    cleaning = programs.begin(
        "pg_archivecleanup",
        begun["version"],
        None,
        str(archive / _LOG),
        bases[-kept:][0].begins_with,
        output=subprocess.PIPE,
    )
    programs.said_by(cleaning, "pg_archivecleanup")
    return bases[-1]


def list_bases(archive: Path) -> list[Base]:
    """Return the copies in an archive, the oldest first.

    Raises
    ------
    UnreadableFile
        There is no such folder, or what a copy says of itself cannot be read.
    """
    if not archive.is_dir():
        message = f"there is no archive {archive}"
        raise UnreadableFile(message)
    found = []
    for folder in sorted(archive.iterdir()):
        if _BASE.fullmatch(folder.name):
            try:
                about = json.loads((folder / _ABOUT).read_text())
                found.append(Base(folder, datetime.fromisoformat(about["made_at"]), about["begins_with"]))
            except (OSError, ValueError, KeyError) as error:
                message = f"{folder} is no copy of a database: {error}"
                raise UnreadableFile(message) from None
    return found


def restore_until(cluster: Cluster, archive: Path, moment: datetime | None, progress: Progress) -> Reached:
    """Bring the private database back as it was at a moment; blocks for minutes. Nobody may use it.

    What it was is kept beside it until the next time, and is put back when anything fails. Sessions end; keys and kiosks go on.

    Parameters
    ----------
    moment
        With a zone; None: the end of the log.

    Raises
    ------
    UserError
        No copy is as old, or the log does not reach the moment.
    UnreadableFile
        There is no archive, or a copy in it is damaged.
    Conflict
        The database is in use.
    SetupError
        The audit that was brought back is not whole.
    """
    base = _base_for(archive, moment)
    if cluster.running:
        message = "the database is in use: stop geo_grid first (geo-grid down)"
        raise Conflict(message)
    beside = cluster.data.with_name(cluster.data.name + _BESIDE)
    before = cluster.data.with_name(cluster.data.name + _BEFORE)
    try:
        with progress("reading the copy"):
            _unpack(cluster, base, beside)
        _ask_recovery(beside, archive, moment)
        cluster.adopt(beside)
        had_one = cluster.data.is_dir()
        if had_one:
            shutil.rmtree(before, ignore_errors=True)
            cluster.data.rename(before)
        beside.rename(cluster.data)
        try:
            with progress("bringing it to the moment"), cluster:
                rows = _settle(cluster.conninfo)
        except BaseException as error:
            shutil.rmtree(cluster.data)
            if had_one:
                before.rename(cluster.data)
            if isinstance(error, DatabaseUnavailable) and _NOT_REACHED.search(str(error)):
                message = f"the log in {archive} ends before {moment}: take an earlier moment, or --latest"
                raise UserError(message) from None
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Reached(base, moment, rows)


def _base_for(archive: Path, moment: datetime | None) -> Base:
    bases = list_bases(archive)
    if not bases:
        message = f"there is no copy in {archive} yet: geo-grid archive base makes one"
        raise UserError(message)
    fitting = [base for base in bases if moment is None or base.made_at <= moment]
    if not fitting:
        message = f"the oldest copy in {archive} is of {bases[0].made_at:%Y-%m-%d %H:%M:%S %Z}, after that moment"
        raise UserError(message)
    return fitting[-1]


def _unpack(cluster: Cluster, base: Base, beside: Path) -> None:
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    try:
        with tarfile.open(base.folder / _DATA) as packed:
            packed.extractall(beside, filter="data")
    except (OSError, tarfile.TarError, EOFError) as error:
        message = f"{base.folder} is damaged: nothing was changed ({error})"
        raise UnreadableFile(message) from None
    version = int((beside / "PG_VERSION").read_text())
    verifying = programs.begin(
        "pg_verifybackup", version, None, "--no-parse-wal", "--exit-on-error", str(beside), output=subprocess.PIPE
    )
    try:
        programs.said_by(verifying, "pg_verifybackup")
    except SetupError as error:
        message = f"{base.folder} is damaged: nothing was changed ({error})"
        raise UnreadableFile(message) from None


def _ask_recovery(data: Path, archive: Path, moment: datetime | None) -> None:
    """Write what PostgreSQL shall do at its next start; the settings of an older recovery give way."""
    parts = str(archive.absolute() / _LOG).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    asked = {
        "restore_command": f'cp "{parts}/%f" "%p"',
        "recovery_target_action": "promote",
        "hot_standby": "off",  # so that nobody gets in before it is there
        **({"recovery_target_time": moment.isoformat()} if moment is not None else {}),
    }
    with (data / "postgresql.auto.conf").open("a") as file:
        for name in _RECOVERY:
            quoted = asked.get(name, "").replace("'", "''")
            file.write(f"{name} = '{quoted}'\n" if name in asked else "")
    (data / "recovery.signal").touch()


def _settle(conninfo: str) -> dict[str, int]:
    """Check what was brought back, end its sessions, and leave no setting of the recovery; return the rows by table."""
    faults = verify_audit(conninfo).faults
    if faults:
        message = f"the audit that was brought back is not whole: {'; '.join(faults[:5])}"
        raise SetupError(message)
    with psycopg.connect(conninfo, autocommit=True) as alone:
        for name in _RECOVERY:
            alone.execute(sql.SQL("alter system reset {}").format(sql.Identifier(name)))
    with connect(conninfo) as connection:
        connection.execute(QUERIES["end_sessions"])
        return count_rows(connection)
