"""The private PostGIS: a PostgreSQL cluster of our own in a state folder, on a Unix socket only.

It runs while a program uses it. Programs share it: each holds a shared lock on `users.lock`, and the last one to
release it stops the cluster. The kernel releases the locks of a killed process, so `kill -9` leaves nothing behind.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from geo_grid.errors import DatabaseUnavailable, SetupError
from geo_grid.state_folder import keep_small, open_state_folder

log = logging.getLogger(__name__)

DATABASE = "geo_grid"
OWNER = "geo_grid"
_PROGRAMS, _EXTENSIONS = Path("/usr/lib/postgresql"), Path("/usr/share/postgresql")
"""Folders of Debian with one folder for each version."""
_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.5432")  # sun_path of unix(7), less the name PostgreSQL adds

_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 400             # five servers, each with 8 + 5 + 5 + 38; a connection not in use takes some KB
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
effective_cache_size = 2GB
max_wal_size = 4GB
random_page_cost = 1.1
jit = off                       # PostGIS cost figures trigger it where it only delays
timezone = 'Asia/Shanghai'
log_timezone = 'Asia/Shanghai'
log_min_messages = warning
shared_preload_libraries = '{library}'  # else each new connection links it: 12 ms before its first answer
client_connection_check_interval = 2s  # a statement whose client is gone ends
recovery_init_sync_method = syncfs  # after a crash: one call for the file system, not one for each file
"""


class Cluster:
    """A private PostGIS cluster in a folder.

    Use as a context manager: entering makes it on first use, starts it if needed and joins it;
    leaving stops it when nobody else uses it.

    Parameters
    ----------
    state_dir
        Folder for data, socket, log and locks. When started as root, and the unprivileged user who
        must run PostgreSQL cannot reach the folder, `/var/lib/geo_grid/<digest>` is used instead.
    extra
        More lines for postgresql.conf.
    archive
        Folder that gets each finished part of the write-ahead log, in its folder `log`; None: it is copied nowhere.
    """

    def __init__(self, state_dir: Path, extra: str = "", archive: Path | None = None) -> None:
        self._uid = self._gid = None
        state_dir = state_dir.absolute()
        if os.geteuid() == 0:
            user = _unprivileged_user()
            self._uid, self._gid = user.pw_uid, user.pw_gid
            if not _reachable(state_dir, user):
                digest = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
                state_dir = Path("/var/lib/geo_grid") / digest
        self.state_dir = state_dir
        self.data = state_dir / "postgres"
        self.log = state_dir / "postgres.log"
        self.sockets = state_dir / "socket"
        if len(str(self.sockets)) > _SOCKET_PATH_LIMIT:
            digest = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
            self.sockets = Path(f"/tmp/geo_grid-{digest}")  # noqa: S108 (created 0700 and checked)
        self._extra = extra
        self._archive = None if archive is None else archive.absolute()
        self._joined: IO[bytes] | None = None
        self._programs = _find_programs(self._made_by())

    @property
    def conninfo(self) -> str:
        """libpq connection string of the geo_grid database."""
        return self.conninfo_for(DATABASE)

    def conninfo_for(self, database: str) -> str:
        """libpq connection string of another database of this cluster."""
        return f"host={self.sockets} port=5432 user={OWNER} dbname={database}"

    def __enter__(self) -> Self:
        open_state_folder(self.state_dir)
        joined = (self.state_dir / "users.lock").open("ab")
        try:
            with self._starting():
                fcntl.flock(joined, fcntl.LOCK_SH)
                self._initialise()
                self._start()
                self._make_database()
        except BaseException:
            joined.close()
            raise
        self._joined = joined
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        joined, self._joined = self._joined, None
        if joined is None:
            return
        if (
            not self.data.is_dir()
        ):  # deleted: the postmaster notices within a minute that its lock file is gone, and exits
            joined.close()
            return
        with self._starting(), joined:
            try:
                fcntl.flock(joined, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # others still use it
            self.run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode=fast", "--silent", check=False)

    @property
    def running(self) -> bool:
        """Whether the postmaster runs."""
        # called several times a second in a server: pg_ctl status would fork this large process each time
        postmaster = self._postmaster()
        return postmaster is not None and not self._bury_zombie() and _works_in(postmaster, self.data)

    def _postmaster(self) -> Path | None:
        """Return the folder in /proc of the process that the data folder's lock file names."""
        try:
            process = Path("/proc") / str(int((self.data / "postmaster.pid").read_text().split()[0]))
        except (OSError, ValueError, IndexError):
            return None
        return process if process.is_dir() else None

    def _bury_zombie(self) -> bool:
        """Delete the lock file of a killed postmaster that is a zombie, as in a container without an init; return whether
        it is one.

        PostgreSQL would take it for a running one. Its lock files, of the data and of the socket, go only when none of
        its children is left, since they keep a second postmaster from joining them.
        """
        postmaster = self._postmaster()
        try:
            state = (postmaster / "stat").read_text().rpartition(")")[2].split()[0] if postmaster else ""
        except (OSError, IndexError):
            return False
        if state == "Z" and not any(_works_in(process, self.data) for process in Path("/proc").glob("[0-9]*")):
            for lock in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*.lock")):
                lock.unlink(missing_ok=True)
        return state == "Z"

    def ensure_running(self) -> None:
        """Start the cluster if it is not running. After a crash, recovery replays all commits. Blocks for seconds."""
        if self.running:
            return
        with self._starting():
            if not self.running:
                log.warning("the private PostGIS is down: starting it again")
                self._start()

    @contextlib.contextmanager
    def watched(self, every_s: float = 0.2) -> Iterator[None]:
        """Restart the cluster when it has died, and rotate its log; a background thread checks every `every_s` seconds."""
        done = threading.Event()

        def watch() -> None:
            logged = ""
            while not done.wait(every_s):
                try:
                    self.ensure_running()
                    keep_small(self.log)
                    logged = ""
                except (
                    Exception
                ) as trouble:  # also out of descriptors, memory or disk: that may pass, and the thread must not end
                    if str(trouble) != logged:  # logged once, not five times a second
                        logged = str(trouble)
                        log.error("the private PostGIS is not watched over; trying again: %s", trouble)

        thread = threading.Thread(target=watch, name="watch-postgis", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        with (self.state_dir / "start.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as whoever runs the cluster. Raises SetupError if it fails, unless not `check`."""
        # a file, not a pipe: the postmaster inherits it and would keep a pipe open for ever
        with (self.state_dir / "command.log").open("w+") as output:
            finished = subprocess.run(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                user=self._uid,
                group=self._gid,
                extra_groups=None if self._uid is None else [],
                start_new_session=True,  # Ctrl-C must reach this program only, which shuts the cluster down in order
                text=True,
                check=False,
            )
            output.seek(0)
            said = output.read().strip()
        if check and finished.returncode != 0:
            message = f"{program} failed: {said.splitlines()[-1] if said else 'no message'} (log: {self.log})"
            raise SetupError(message)
        return subprocess.CompletedProcess(finished.args, finished.returncode, said, "")

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._uid is not None and self._gid is not None:
            os.chown(folder, self._uid, self._gid)
        owner = folder.stat()
        if owner.st_uid != (self._uid if self._uid is not None else os.geteuid()) or owner.st_mode & 0o077:
            message = f"{folder} must belong to the user who runs PostgreSQL, with mode 0700"
            raise SetupError(message)

    def adopt(self, folder: Path) -> None:
        """Give a folder, and all that is in it, to whoever runs PostgreSQL."""
        self._own(folder)
        if self._uid is not None and self._gid is not None:
            for path in folder.rglob("*"):
                os.chown(path, self._uid, self._gid, follow_symlinks=False)

    def _initialise(self) -> None:
        self._own(self.sockets)
        if self._archive is not None:
            self._own(self._archive)
            self._own(self._archive / "log")
        if not (self.data / "PG_VERSION").exists():
            unfinished = self.state_dir / "postgres.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            self._own(unfinished)
            self.run(
                "initdb", "--pgdata", str(unfinished), "--username", OWNER, "--auth=trust",
                "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
            )  # fmt: skip
            unfinished.rename(self.data)  # so a killed initdb is never taken for a cluster
        made_by = self._made_by()
        ours = self._programs.parent.name
        if made_by != ours:
            message = (
                f"the database in {self.data} was made by PostgreSQL {made_by} but version {ours} is installed: "
                f"install PostgreSQL {made_by} again, or back up with it and restore into a new folder"
            )
            raise SetupError(message)
        (self.data / "geo_grid.conf").write_text(
            _CONFIGURATION.format(sockets=self.sockets, library=_postgis_library(ours))
            + (_archiving(self._archive / "log") if self._archive is not None else "")
            + self._extra
        )
        configuration = self.data / "postgresql.conf"
        include = "include 'geo_grid.conf'\n"
        if include not in configuration.read_text():
            with configuration.open("a") as opened:
                opened.write(include)

    def _made_by(self) -> str | None:
        """Return the version of PostgreSQL that initialised the cluster; None: it is not initialised yet."""
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except OSError:
            return None

    def _start(self) -> None:
        if self.running:
            return
        keep_small(self.log)
        deadline = time.monotonic() + 30
        is_recovering = (self.data / "recovery.signal").exists()
        while True:
            self._bury_zombie()
            started = self.run(
                "pg_ctl", "start", "--wait", "--timeout=60", "--pgdata", str(self.data),
                "--log", str(self._log_file()), "--silent", check=False,
            )  # fmt: skip
            if started.returncode == 0:
                if is_recovering:
                    self._wait_for_recovery()
                return
            # right after a kill -9 child processes still hold the shared memory for a moment
            if time.monotonic() > deadline:
                last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
                message = f"the private PostGIS does not start: {' / '.join(last)} (log: {self.log})"
                raise DatabaseUnavailable(message)
            time.sleep(0.1)

    def _wait_for_recovery(self) -> None:
        """Wait until the database is at the moment that it is brought to (`geo_grid.backups.archive`): perhaps for hours."""
        asked = ("pg_isready", "--dbname", self.conninfo_for("postgres"))
        while (self.data / "recovery.signal").exists() or self.run(*asked, check=False).returncode:
            if not self.running:
                lines = self.log.read_text(errors="replace").strip().splitlines()[-10:]
                why = next((line for line in reversed(lines) if "FATAL" in line), lines[-1])
                message = f"the database cannot be brought to the moment: {why} (log: {self.log})"
                raise DatabaseUnavailable(message)
            time.sleep(0.2)

    def _log_file(self) -> Path:
        self.log.touch(mode=0o600)
        if self._uid is not None and self._gid is not None:
            os.chown(self.log, self._uid, self._gid)
        return self.log

    def _make_database(self) -> None:
        found = self.run(
            "psql", "--no-psqlrc", "-d", self.conninfo_for("postgres"), "-qAtc",
            f"select 1 from pg_database where datname = '{DATABASE}'",  # noqa: S608 (our own constant)
        )  # fmt: skip
        if found.stdout != "1":
            self.run("createdb", "--maintenance-db", self.conninfo_for("postgres"), DATABASE)


def _archiving(folder: Path) -> str:
    """Return the lines of postgresql.conf that copy the log into a folder: each part appears when it is on the disk."""
    part = shlex.quote(str(folder)).replace("%", "%%") + "/%f"
    copied = f"cp %p {part}.new && sync {part}.new && mv {part}.new {part}"
    command = f"cmp -s %p {part} || {{ test ! -e {part} && {copied}; }}".replace("\\", "\\\\").replace("'", "''")
    return f"archive_mode = on\narchive_timeout = 60\narchive_command = '{command}'\n"


def _works_in(process: Path, folder: Path) -> bool:
    """Whether a process's working directory is the folder; PostgreSQL's are in the data folder."""
    try:
        return (process / "cwd").readlink() == folder.resolve()
    except OSError:
        return False


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    message = "PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it as"
    raise SetupError(message)


def _reachable(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether the user may pass through every existing parent of the folder."""
    for parent in [folder, *folder.parents]:
        if not parent.exists():
            continue
        found = parent.stat()
        bit = (
            stat.S_IXUSR if found.st_uid == user.pw_uid
            else stat.S_IXGRP if found.st_gid == user.pw_gid
            else stat.S_IXOTH
        )  # fmt: skip
        if not found.st_mode & bit:
            return False
    return True


def _postgis_library(version: str) -> str:
    """Return the name of PostGIS's library for a version of PostgreSQL, such as postgis-3."""
    control = (_EXTENSIONS / version / "extension/postgis.control").read_text()
    found = re.search(r"^module_pathname *= *'\$libdir/(.+)'", control, re.MULTILINE)
    if found is None:
        message = f"the PostGIS of PostgreSQL {version} does not say where its library is: install it again"
        raise SetupError(message)
    return found[1]


def _find_programs(made_by: str | None) -> Path:
    """Return the folder of PostgreSQL's programs: of the version `made_by`, or else the newest that has PostGIS."""
    installed = sorted(
        (int(path.parent.parent.name), path.parent)
        for path in _PROGRAMS.glob("*/bin/initdb")
        if path.parent.parent.name.isdigit()
        and (_EXTENSIONS / path.parent.parent.name / "extension/postgis.control").exists()
    )
    if not installed:
        message = (
            "PostgreSQL with PostGIS is not installed: apt-get install postgresql postgresql-15-postgis-3, "
            "or set GEO_GRID_DATABASE_URL to a database that has PostGIS"
        )
        raise SetupError(message)
    return next((folder for version, folder in installed if str(version) == made_by), installed[-1][1])
