"""The schema as text: functions, views, triggers and policies are kept in files beside the rooms that own them.

A room's `schema/*.sql` has only objects that can be created again; each statement begins a line with its first word:

    create or replace function ...; create or replace view ...;     (called by whom GRANT names, and by nobody else)
    grant ...; comment on ...;
    create trigger ...; create constraint trigger ...;

and its `schema/policies.toml` declares who sees and writes which rows (`policies`). `migrate` applies all of it in one
transaction, when its digest differs from the one applied last, and after each migration. Objects that the text has no
longer are dropped then. A function or view whose columns change must be dropped in a migration; the text creates it again.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from geo_grid.db.connections import APPLICATION_ROLE, SERVICE_ROLE, Connection
from geo_grid.db.policies import read_policies
from geo_grid.db.queries import load_queries
from geo_grid.errors import SetupError
from geo_grid.settings import PACKAGE

ROOMS = (
    "db", "changes", "due", "access", "layers", "locate", "cameras", "workflow", "mediation", "boundaries", "field", "response", "indicators",
    "hooks", "feeds",
)  # fmt: skip
"""Rooms in the order in which their files are applied: a function in SQL must come after those that it calls."""

AGAIN = "geo-grid migrate --again"
"""The command that applies the text again."""

_STATEMENT = re.compile(r"^(?=(?:create|grant|comment) )", re.MULTILINE)
_ORDER = (
    ("create or replace function ", "create or replace view "),
    ("grant ", "comment on "),
    ("create trigger ", "create constraint trigger "),
)
_OTHERS = [sql.SQL("public"), sql.Identifier(APPLICATION_ROLE), sql.Identifier(SERVICE_ROLE)]
_QUERIES = load_queries("geo_grid.db", "as_text.sql")


@dataclass(frozen=True)
class Statement:
    """One statement of the text, with its file."""

    file: str
    sql: str


@dataclass(frozen=True)
class Text:
    """All statements, in the order in which they are applied.

    Attributes
    ----------
    made
        Functions and views.
    hung
        Objects that depend on them: grants, triggers, policies.
    """

    made: tuple[Statement, ...]
    hung: tuple[Statement, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the statements, without the names of their files."""
        said = "\0".join(statement.sql for statement in (*self.made, *self.hung))
        return hashlib.sha256(said.encode()).hexdigest()


@cache
def read_text() -> Text:
    """Read the text of all rooms. Raises SetupError when a file has a statement that the text may not have."""
    by_order: tuple[list[Statement], ...] = ([], [], [], [])
    for room in ROOMS:
        for file in sorted((PACKAGE / room / "schema").iterdir()):
            name, text = f"{room}/schema/{file.name}", file.read_text(encoding="utf-8")
            if file.name == "policies.toml":
                by_order[3].extend(Statement(name, policy) for policy in read_policies(text, name))
            elif file.suffix == ".sql":
                for statement in _split(text, name):
                    by_order[_order(statement)].append(statement)
    made, *hung = by_order
    return Text(tuple(made), tuple(statement for order in hung for statement in order))


def _split(text: str, name: str) -> list[Statement]:
    before, *statements = _STATEMENT.split(text)
    if re.search(r"^(?!--|$)", before.rstrip(), re.MULTILINE):
        message = f"{name} begins with what is neither a statement of the text nor a comment"
        raise SetupError(message)
    return [Statement(name, statement) for statement in statements]


def _order(statement: Statement) -> int:
    for order, heads in enumerate(_ORDER):
        if statement.sql.startswith(heads):
            return order
    message = (
        f"{statement.file}: {_head(statement)} ... is not for the text: tables and data are changed by migrations, "
        "functions and views are made with 'create or replace', policies stand in policies.toml"
    )
    raise SetupError(message)


def _head(statement: Statement) -> str:
    return statement.sql.partition("\n")[0]


def apply_text(connection: psycopg.Connection, text: Text, again: bool = False) -> bool:
    """Apply the text in the caller's transaction, which must not have written anything before; return whether it was needed.

    Parameters
    ----------
    again
        Apply it also when its digest is the one applied last, to revert manual changes.

    Raises
    ------
    SetupError
        The text cannot be applied; the message names the statement.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        applied = _ask(cursor, "applied")[0]["digest"]
        if applied == text.digest and not again:
            return False
        cursor.execute("set local search_path = public, pg_temp")
        known = [(row["kind"], row["name"]) for row in _ask(cursor, "known")]
        for kind in ("policy", "trigger"):
            _drop(cursor, [named for named in known if named[0] == kind])
        for statement in text.made:
            _run(cursor, statement)
        made = [(row["kind"], row["name"]) for row in _described(cursor) if row["is_new"]]
        for kind, name in made:
            target = sql.SQL("function " if kind == "function" else "") + sql.SQL(cast("LiteralString", name))
            cursor.execute(sql.SQL("revoke all on {} from {}").format(target, sql.SQL(", ").join(_OTHERS)))
        for statement in text.hung:
            _run(cursor, statement)
        # in the order in which they were first created
        existing = [(row["kind"], row["name"]) for row in _described(cursor)]
        gone = [named for named in existing if named in set(known) and named[0] in ("function", "view")]
        _drop(cursor, [named for named in reversed(gone) if named not in set(made)])
        cursor.execute(_QUERIES["forget"])
        cursor.executemany(_QUERIES["keep"], [row for row in _described(cursor) if row["is_new"]])
        cursor.execute(_QUERIES["note"], {"digest": text.digest})
    return True


def unsettle_text(connection: psycopg.Connection) -> None:
    """Forget the applied digest, in the transaction of a migration, which may have dropped objects of the text."""
    if connection.execute("select from pg_class where oid = to_regclass('public.schema_text')").rowcount:
        connection.execute(_QUERIES["unsettle"])


def _run(cursor: psycopg.Cursor[dict[str, Any]], statement: Statement) -> None:
    try:
        cursor.execute(statement.sql.encode())
    except (psycopg.ProgrammingError, psycopg.DataError) as error:
        message = f"{statement.file}: {_head(statement)}: {error.diag.message_primary}"
        raise SetupError(message) from error


def _drop(cursor: psycopg.Cursor[dict[str, Any]], named: list[tuple[str, str]]) -> None:
    for kind, name in named:
        try:
            cursor.execute(f"drop {kind} if exists {name}".encode())
        except psycopg.errors.DependentObjectsStillExist as error:
            message = f"{kind} {name} is not in the text any more, but is needed: {error.diag.message_detail}"
            raise SetupError(message) from error


def _ask(cursor: psycopg.Cursor[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return cursor.execute(_QUERIES[name]).fetchall()


def _described(cursor: psycopg.Cursor[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read the definitions of all existing objects, in a form that is independent of the session's settings."""
    with cursor.connection.transaction(force_rollback=True):
        cursor.execute(_QUERIES["plainly"])
        return _ask(cursor, "described")


def differences(connection: Connection) -> list[str]:
    """Return sentences about the differences between database and text; empty: there are none.

    These are objects that were changed or are missing, and policies, triggers and functions of the schema access that were
    added. If another text, or none, was applied last, that is the only difference reported.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        if _ask(cursor, "applied")[0]["digest"] != read_text().digest:
            return ["those of this geo_grid were not applied last"]
        known = {(row["kind"], row["name"]): row["digest"] for row in _ask(cursor, "known")}
        existing = {(row["kind"], row["name"]): row["digest"] for row in _described(cursor)}
    sentences = [f"{kind} {name} is missing" for kind, name in known if (kind, name) not in existing]
    for (kind, name), digest in existing.items():
        if (kind, name) not in known:
            if kind in ("policy", "trigger") or name.startswith("access."):
                sentences.append(f"{kind} {name} is not of geo_grid: drop {kind} {name}")
        elif known[kind, name] != digest:
            sentences.append(f"{kind} {name} was changed")
    return sentences
