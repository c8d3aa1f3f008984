"""Forward-only migrations: plain SQL files, each applied once in a transaction of its own; then the text (`as_text`).

Written here because the maintained migration tools use a row as their lock, which survives `kill -9`; an advisory lock
does not.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from geo_grid.db.as_text import apply_text, read_text, unsettle_text
from geo_grid.errors import SetupError
from geo_grid.settings import asset_dir

_LOCK = 0x67656F67  # key of the advisory lock ("geog"): any constant that all processes share
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


@dataclass(frozen=True)
class Migration:
    """One file of migrations/."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, to notice a migration edited after it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """Read all migrations in order. Raises SetupError when a number is missing or occurs twice."""
    folder = folder or asset_dir("migrations")
    found = [
        Migration(int(match[1]), path.name, path.read_text())
        for path in sorted(folder.glob("*.sql"))
        if (match := _NAME.match(path.name))
    ]
    if [m.number for m in found] != list(range(1, len(found) + 1)) or not found:
        message = f"migrations in {folder} are not numbered 0001, 0002, ... without gaps"
        raise SetupError(message)
    return found


def migrate(conninfo: str, migrations: list[Migration] | None = None, again: bool = False) -> list[str]:
    """Apply the missing migrations, then the text (`as_text`); return the names of what was applied.

    Safe when several processes start at once: each step takes an advisory lock that ends with its
    transaction, then looks again at what is applied.

    Parameters
    ----------
    migrations
        Apply only these, and not the text, which needs all of them.
    again
        Apply the text even if its digest is the one applied last.
    """
    text = read_text() if migrations is None else None
    migrations = migrations or read_migrations()
    applied: list[str] = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for migration in migrations:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(
                    "create table if not exists migrations (number integer primary key, name text not null,"
                    " digest text not null, applied_at timestamptz not null default now())"
                )
                done = connection.execute(
                    "select digest from migrations where number = %s", (migration.number,)
                ).fetchone()
                if done is None:
                    connection.execute(migration.sql.encode())
                    unsettle_text(connection)
                    connection.execute(
                        "insert into migrations (number, name, digest) values (%s, %s, %s)",
                        (migration.number, migration.name, migration.digest),
                    )
                    applied.append(migration.name)
                elif done[0] != migration.digest:
                    message = (
                        f"migration {migration.name} was changed after it was applied here: "
                        "migrations are forward-only; put the change into a new one"
                    )
                    raise SetupError(message)
        _refuse_newer(connection, len(migrations))
        if text is not None:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                apply_text(connection, text, again)
    return applied


def _refuse_newer(connection: psycopg.Connection, known: int) -> None:
    newest = connection.execute("select max(number) from migrations").fetchone()
    if newest is not None and newest[0] > known:
        message = (
            f"the database is at migration {newest[0]} but this geo_grid knows only {known}: install the newer geo_grid"
        )
        raise SetupError(message)
