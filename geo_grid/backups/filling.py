"""Fills a new database from a dump of which nothing but the rows is believed.

A dump is a list of statements that pg_restore runs, and whoever made it may have written others into it. So the tables come
from our own migrations, and the statements of the dump are run by a role that may insert rows into them, and do nothing else.
"""

import contextlib
import re
import secrets
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import filterfalse
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from geo_grid.backups import programs
from geo_grid.db import migrate, read_migrations

_JOBS = 2
_ROLE = "geo_grid_restoring_"
"""How the name of a role begins that rows are restored by."""
OURS = ("migrations", "schema_text", "schema_objects")
"""Tables that say what the database is made of: their rows come from our own migrations."""
_ROWS = re.compile(rf"\d+; \d+ \d+ (TABLE DATA|SEQUENCE SET) (?!public ({'|'.join(OURS)}|spatial_ref_sys) )")
"""A line of the list of what is in a dump: rows of a table, and where a sequence stands."""
_MONTH = re.compile(r"\d+; \d+ \d+ TABLE DATA access audit_log_([1-9]\d{3})_(0[1-9]|1[0-2]) ", re.ASCII)
_DAY = re.compile(r"\d+; \d+ \d+ TABLE DATA public (unit_positions_([1-9]\d{3}_\d\d_\d\d)) ", re.ASCII)
_TEXT = re.compile(r"\d+; \d+ \d+ TRIGGER (?!access audit_log_\d{4}_\d\d )")
"""A trigger, but those of the audit's months, which are made with their tables."""
_PART = sql.SQL("create table {} partition of unit_positions for values from ({}) to ({})")
_MAY_INSERT = sql.SQL(
    "grant usage on schema public, access to {};"
    "grant insert on all tables in schema public, access to {};"
    "grant update on all sequences in schema public, access to {}"
)


def fill(maintenance: psycopg.Connection[dict[str, object]], conninfo: str, dump: Path, migration: int) -> None:
    """Make the database of `conninfo` anew, as the first migrations leave it, and take the rows of a dump into it.

    Triggers and what else is text are missing: `migrate` makes them. Blocks for a minute or more.

    Parameters
    ----------
    maintenance
        Connection to another database of the cluster, as one who may create databases and roles.
    conninfo
        libpq connection string of the database, as its owner.
    migration
        Number of the last migration of the city that was dumped.

    Raises
    ------
    SetupError
        A program is missing, or the dump has other tables than ours, or statements that its role may not run.
    """
    name = str(conninfo_to_dict(conninfo)["dbname"])
    version = maintenance.info.server_version // 10_000
    form = dump.with_suffix(".form")
    parts = _parts(version, dump)
    _remake(maintenance, name)
    migrate(conninfo, read_migrations()[:migration])
    with psycopg.connect(conninfo) as connection:
        for month in filter(None, map(_MONTH.match, parts)):
            first = datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC)
            connection.execute("select access.make_audit_month(%s)", (first,))
        for part, day in _days(parts):
            connection.execute(_PART.format(sql.Identifier(part), day, day + timedelta(days=1)))
    _run("pg_dump", version, conninfo, "--format=custom", f"--file={form}")
    _remake(maintenance, name)
    _restore(version, conninfo, form, "--section=pre-data")
    with _inserting(maintenance, conninfo) as limited:
        _restore(version, limited, dump, _only(dump, filter(_ROWS.match, parts)))
    _restore(version, conninfo, form, "--data-only", "--schema=public", *(f"--table={table}" for table in OURS))
    # pg_restore cannot make triggers that compare geometries: it hides the schema in which their operators are
    hung = _only(form, filterfalse(_TEXT.match, _parts(version, form)))
    _restore(version, conninfo, form, "--section=post-data", hung)


def _remake(maintenance: psycopg.Connection[dict[str, object]], name: str) -> None:
    """Make an empty database in the place of one of this name."""
    drop(maintenance, name)
    maintenance.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def drop(maintenance: psycopg.Connection[dict[str, object]], name: str) -> None:
    """Delete a database, if there is one of this name; whoever is connected to it is not any more."""
    maintenance.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextlib.contextmanager
def _inserting(maintenance: psycopg.Connection[dict[str, object]], conninfo: str) -> Iterator[str]:
    """Yield a connection string of a role of its own, which may insert rows into this database, and then is deleted."""
    name, password = f"{_ROLE}{secrets.token_hex(4)}", secrets.token_hex(16)
    role = sql.Identifier(name)
    _forget_killed(maintenance)
    maintenance.execute(
        sql.SQL(
            "create role {} login password {} nosuperuser nocreatedb nocreaterole noreplication nobypassrls noinherit"
        ).format(role, sql.Literal(password))
    )
    try:
        with psycopg.connect(conninfo) as connection:
            connection.execute(_MAY_INSERT.format(role, role, role))
        yield make_conninfo(conninfo, user=name, password=password)
    finally:
        with psycopg.connect(conninfo) as connection:
            connection.execute(sql.SQL("drop owned by {} cascade").format(role))
        maintenance.execute(sql.SQL("drop role {}").format(role))


def _forget_killed(maintenance: psycopg.Connection[dict[str, object]]) -> None:
    """Delete roles of restores that were killed; one that is at work still has rights, which keep it."""
    found = maintenance.execute("select rolname from pg_roles where starts_with(rolname, %s)", (_ROLE,)).fetchall()
    for row in found:
        with contextlib.suppress(psycopg.errors.DependentObjectsStillExist):
            maintenance.execute(sql.SQL("drop role {}").format(sql.Identifier(str(row["rolname"]))))


def _parts(version: int, dump: Path) -> list[str]:
    return _run("pg_restore", version, None, "--list", str(dump)).splitlines()


def _days(parts: Iterable[str]) -> Iterator[tuple[str, datetime]]:
    """Yield the partitions of tracks that a dump has rows of, each with the day that it begins with."""
    for found in filter(None, map(_DAY.match, parts)):
        with contextlib.suppress(ValueError):  # no day has this name: pg_restore says that there is no such table
            yield found[1], datetime.strptime(found[2], "%Y_%m_%d").replace(tzinfo=UTC)


def _only(dump: Path, parts: Iterable[str]) -> str:
    """Write the list of the parts of a dump that are wanted, and return the argument that names it."""
    chosen = dump.with_suffix(".list")
    chosen.write_text("\n".join(parts))
    return f"--use-list={chosen}"


def _restore(version: int, conninfo: str, dump: Path, *arguments: str) -> None:
    _run(
        "pg_restore", version, conninfo, f"--jobs={_JOBS}", "--exit-on-error", "--no-tablespaces", *arguments, str(dump)
    )


def _run(program: str, version: int, conninfo: str | None, *arguments: str) -> str:
    return programs.said_by(programs.begin(program, version, conninfo, *arguments, output=subprocess.PIPE), program)
