"""Connection strings, connections and pools: synchronous for the command line and threads, asynchronous for requests."""

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from geo_grid.db.cluster import Cluster
from geo_grid.errors import DatabaseUnavailable, Forbidden, UserError
from geo_grid.settings import Settings

APPLICATION_ROLE = "geo_grid_app"
"""Role of requests: owns no objects and is subject to row policies (migration 0007)."""
SERVICE_ROLE = "geo_grid_service"
"""Role of the server's own work, which requests have no right to (migration 0020)."""

_NOTICED = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}
"""How soon it is noticed that a database on a network has vanished, without a word, unless the connection string says
otherwise: within ten seconds of a question, and twenty of none. TCP alone goes on trying for a quarter of an hour."""
_THREAD_IDLE_S = 900.0
"""Seconds that a transaction of a thread may stand idle: it may calculate, or write a file, meanwhile, and waits for nobody."""
_RESTART_S, _TRY_S = 4.0, 0.2
"""Seconds for which a pool tries to connect before the attempt fails, and seconds between two tries."""

type Connection = psycopg.Connection[DictRow]
type AsyncConnection = psycopg.AsyncConnection[DictRow]
type AsyncPool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]
type ThreadPool = ConnectionPool[psycopg.Connection[DictRow]]


@contextlib.contextmanager
def database(settings: Settings, is_watched: bool = True) -> Iterator[str]:
    """Make the database available and yield its libpq connection string.

    It is the database of GEO_GRID_DATABASE_URL, or the private PostGIS, which is started if needed.

    Parameters
    ----------
    is_watched
        Whether this process restarts the private PostGIS when it dies; False: another process does.

    Raises
    ------
    DatabaseUnavailable
        The database does not answer.
    UserError
        GEO_GRID_DATABASE_URL is no connection string.
    """
    if settings.database_url is None:
        private = Cluster(settings.state_dir, archive=settings.wal_archive)
        with private as cluster, cluster.watched() if is_watched else contextlib.nullcontext():
            yield cluster.conninfo
        return
    conninfo = connection_string(settings)
    with connect(conninfo):
        pass
    yield conninfo


def connection_string(settings: Settings) -> str:
    """Return the libpq connection string that `database` will yield, without making it available."""
    if settings.database_url is None:
        return Cluster(settings.state_dir).conninfo
    return _read_url("GEO_GRID_DATABASE_URL", settings.database_url)


def storage(settings: Settings) -> dict[str, Path]:
    """Return the folders that geo_grid stores data in, by a name for messages."""
    found = {"the state folder": settings.state_dir}
    if settings.database_url is None:
        found["PostgreSQL's data"] = Cluster(settings.state_dir).data
    return found


def application_conninfo(settings: Settings, conninfo: str) -> str:
    """Return the connection string of the application's role (`APPLICATION_ROLE`) for the database of `conninfo`.

    Raises
    ------
    UserError
        GEO_GRID_DATABASE_URL is set, and GEO_GRID_APP_DATABASE_URL is not.
    """
    if settings.app_database_url is not None:
        return _read_url("GEO_GRID_APP_DATABASE_URL", settings.app_database_url)
    if settings.database_url is None:
        return make_conninfo(conninfo, user=APPLICATION_ROLE)
    message = (
        f"the server must not work as the owner of the database: give the role {APPLICATION_ROLE} a password and set "
        "GEO_GRID_APP_DATABASE_URL to the same database with that user"
    )
    raise UserError(message)


def service_conninfo(settings: Settings, conninfo: str) -> str:
    """Return the connection string of the service role, which may call the functions for log-in and publishing.

    Parameters
    ----------
    conninfo
        Connection string of the application's role (`application_conninfo`). Without GEO_GRID_SERVICE_DATABASE_URL the
        result differs from it in the user only.

    Raises
    ------
    UserError
        GEO_GRID_SERVICE_DATABASE_URL is no connection string.
    """
    if settings.service_database_url is not None:
        return _read_url("GEO_GRID_SERVICE_DATABASE_URL", settings.service_database_url)
    return make_conninfo(conninfo, user=SERVICE_ROLE)


def replica_conninfo(replicas: str, conninfo: str) -> str:
    """Return the connection string of the replicas that GEO_GRID_REPLICA_URL names.

    Parameters
    ----------
    conninfo
        Connection string of the application's role (`application_conninfo`), whose user it has.

    Raises
    ------
    UserError
        GEO_GRID_REPLICA_URL is no connection string, or names another user, for whom row security might not hold.
    """
    url, user = _read_url("GEO_GRID_REPLICA_URL", replicas), conninfo_to_dict(conninfo).get("user")
    if conninfo_to_dict(url).get("user", user) != user:
        message = f"GEO_GRID_REPLICA_URL must name the user {user}, as whom the server works"
        raise UserError(message)
    return make_conninfo(url, user=user)


def refuse_wrong_roles(settings: Settings, owner: str) -> None:
    """Connect as the server will to a database of one's own, once.

    Parameters
    ----------
    owner
        libpq connection string of the database's owner, when it is migrated.

    Raises
    ------
    UserError
        A connection string is none, its role cannot log in, or row security does not hold for it.
    """
    if settings.database_url is None:
        return  # the private PostGIS, whose roles are ours
    application = application_conninfo(settings, owner)
    for conninfo, role in (
        (application, APPLICATION_ROLE), (service_conninfo(settings, application), SERVICE_ROLE),
    ):  # fmt: skip
        who = conninfo_to_dict(conninfo).get("user")
        try:
            with psycopg.connect(conninfo) as connection:
                found = connection.execute(_IS_CONFINED, {"role": role}).fetchone()
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            message = f"the server cannot log in to the database as {who}, its role {role}: {reason}"
            raise UserError(message) from None
        if found is None or not found[0]:
            message = f"the server must not work as {who}: give it the role {role}, for which row security holds"
            raise UserError(message)


_IS_CONFINED = """
select pg_has_role(%(role)s, 'usage') and not r.rolsuper and not r.rolbypassrls
       and not pg_has_role(c.relowner, 'usage')
from pg_roles r, pg_class c where r.rolname = current_user and c.oid = 'public.incidents'::regclass"""


def _read_url(name: str, url: str) -> str:
    try:
        said = conninfo_to_dict(url)
        ours: dict[str, Any] = {name: value for name, value in _NOTICED.items() if name not in said}
        return make_conninfo(url, application_name="geo_grid", **ours)
    except psycopg.Error as error:
        message = f"{name} is not a libpq connection string: {error}".strip()
        raise UserError(message) from None


def limited(conninfo: str, statement_s: float, idle_s: float | None = None) -> str:
    """Return a libpq connection string with a time-out in seconds for statements, and one for idle transactions (None: no
    limit).
    """
    wanted = {"statement_timeout": statement_s, "idle_in_transaction_session_timeout": idle_s}
    return _with_options(conninfo, {name: f"{limit * 1000:.0f}" for name, limit in wanted.items() if limit is not None})


def named(conninfo: str, actor: str) -> str:
    """Return a libpq connection string of the owner whose sessions have a name in the audit; it has no spaces."""
    return _with_options(conninfo, {"geo_grid.actor": actor})


def in_utc(conninfo: str) -> str:
    """Return a libpq connection string whose sessions have the time zone UTC. Offsets of other zones may have seconds, as
    Shanghai's had before 1901; RFC 3339 has no form for them, and each export format would round them in its own way.
    """
    return _with_options(conninfo, {"timezone": "UTC"})


def _alone(conninfo: str) -> str:
    """Return a libpq connection string whose statements are worked on by one process, unless they ask for more: of short
    ones, such as that of a tile, more would take longer to begin than the statement, and the cores are for everybody.
    """
    return _with_options(conninfo, {"max_parallel_workers_per_gather": "0"})


def _with_options(conninfo: str, wanted: dict[str, str]) -> str:
    before = conninfo_to_dict(conninfo).get("options") or ""
    options = [f"-c {name}={value}" for name, value in wanted.items()]
    return make_conninfo(conninfo, options=" ".join([str(before), *options]).strip())


@contextlib.contextmanager
def connect(conninfo: str) -> Iterator[Connection]:
    """Connect, run one transaction, and commit it; roll back on an error. Blocks."""
    with translated_errors(), psycopg.connect(in_utc(conninfo), row_factory=dict_row) as connection:
        yield connection


class _Patient(psycopg.AsyncConnection[DictRow]):
    """Retries every 0.2 s while the database restarts: the back-off of the pool (1, 2, 4 s) would lose seconds."""

    @classmethod
    async def connect(cls, *arguments: Any, **more: Any) -> Self:
        deadline = time.monotonic() + _RESTART_S
        while True:
            try:
                return await super().connect(*arguments, **more)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_TRY_S)


class _LivingPool(AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]):
    """Lends no connection that the database has closed. The pool's own `check` waits 1, 2 and 4 s after each one of them."""

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the library passes it
    ) -> psycopg.AsyncConnection[DictRow]:
        """Lend a connection; see `AsyncConnectionPool.getconn`."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            connection = await super().getconn(deadline - time.monotonic())
            try:
                await _check(connection)
            except psycopg.Error:
                await self.putconn(connection)  # which replaces it
            except BaseException:
                await self.putconn(connection)
                raise
            else:
                return connection


class _LivingThreadPool(ConnectionPool[psycopg.Connection[DictRow]]):
    """Lends no connection that the database has closed, as `_LivingPool` does."""

    def getconn(self, timeout: float | None = None) -> psycopg.Connection[DictRow]:
        """Lend a connection; see `ConnectionPool.getconn`."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            connection = super().getconn(deadline - time.monotonic())
            try:
                self.check_connection(connection)
            except psycopg.Error:
                self.putconn(connection)
            else:
                return connection


@contextlib.asynccontextmanager
async def open_pool(conninfo: str, size: int, longest_s: float, least: int = 1) -> AsyncIterator[AsyncPool]:
    """Open a connection pool of the server, in autocommit mode: transactions are begun explicitly.

    It opens even while the database does not answer, and reconnects by itself.

    Parameters
    ----------
    size
        Most connections.
    longest_s
        Time-out in seconds of a statement, and of an idle transaction.
    least
        Connections that are opened at once and kept; the others are opened on demand, which takes some 20 ms of a core
        each, and closed after being idle for ten minutes.
    """
    pool = _LivingPool(
        _alone(in_utc(limited(conninfo, longest_s, longest_s))),
        connection_class=_Patient,
        kwargs={"row_factory": dict_row, "autocommit": True},
        min_size=min(least, size),
        max_size=size,
        timeout=5,
        reconnect_timeout=30,
        open=False,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()


@contextlib.contextmanager
def open_thread_pool(conninfo: str, size: int, longest_s: float) -> Iterator[ThreadPool]:
    """Open a connection pool for threads; connections are opened on demand, and closed after being idle for long.

    Parameters
    ----------
    size
        Most connections: the number of threads, so that none waits for a connection.
    longest_s
        Time-out in seconds of a statement.
    """
    pool = _LivingThreadPool(
        _alone(in_utc(limited(conninfo, longest_s, _THREAD_IDLE_S))),
        kwargs={"row_factory": dict_row},
        min_size=0,
        max_size=size,
        timeout=5,
        max_idle=60,
        reconnect_timeout=30,
        open=False,
    )
    pool.open()
    try:
        yield pool
    finally:
        pool.close()


async def _check(connection: AsyncConnection) -> None:
    """Check an idle connection that has unread data: mostly the server's message that it closed the connection."""
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def fetch_one(
    connection: AsyncConnection, statement: str, values: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Run a statement and return its row; an empty dictionary when there is none."""
    return await (await connection.execute(statement, values)).fetchone() or {}


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Convert the driver's errors about rights, connection, disk space and time-outs to our classes; others pass."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        # messages of our own functions are written for users; PostgreSQL's own name tables and policies
        ours = error.diag.source_function == "exec_stmt_raise"
        raise Forbidden(str(error.diag.message_primary) if ours else "you have no right to this") from error
    except psycopg.errors.DiskFull as error:
        message = "the database's disk is full: nothing was changed; free some space and try again"
        raise DatabaseUnavailable(message) from error
    except psycopg.errors.QueryCanceled as error:
        message = "the database took too long and was stopped; ask for less at once, or try again"
        raise DatabaseUnavailable(message) from error
    except psycopg.errors.IdleInTransactionSessionTimeout as error:
        message = "the database waited too long for the rest of this and gave it up; try again"
        raise DatabaseUnavailable(message) from error
    except (psycopg.OperationalError, PoolTimeout) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
        message = f"the database cannot be reached: {reason}"
        raise DatabaseUnavailable(message) from error
