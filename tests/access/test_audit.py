"""What the audit keeps, how it notices every change, and how whole months leave it."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from geo_grid.access.audit import check_chain, read_lines, verify
from geo_grid.cli.access import as_owner
from geo_grid.db import Connection, connect
from tests import commands
from tests.access.test_log_in import log_in
from tests.conftest import live_server
from tests.identities import PASSWORD, logged_in, user


@pytest.fixture
def url(database: str) -> Iterator[str]:
    with live_server(database) as address:
        yield address


@pytest.fixture
def run(database: str) -> Callable[..., tuple[int, str]]:
    """`geo-grid audit …`: its exit code and what it said."""

    def run(*arguments: str) -> tuple[int, str]:
        done = commands.run({**os.environ, "GEO_GRID_DATABASE_URL": database}, "audit", *arguments)
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_audit_names_who_changed_their_own_password(url: str, database: str) -> None:
    name = user(database, "planner")
    with logged_in(url, name) as client:
        assert client.put("/session/password", json={"old": PASSWORD, "new": f"{PASSWORD}-2"}).status_code == 204
    with connect(database) as connection:
        row = connection.execute(
            "select actor_name from access.audit_log where action = 'account.password' order by audit_id desc limit 1"
        ).fetchone()
    assert row == {"actor_name": name}


def test_the_audit_tells_who_and_notices_every_change(url: str, database: str) -> None:
    name = user(database, "planner")
    log_in(url, name, "wrong")
    with logged_in(url, name) as client:
        client.get("/audit")  # refused
        client.get("/collections/grid_cells/export")
    with logged_in(url, user(database, "auditor")) as auditor:
        told = auditor.get("/audit", params={"actor": name}).json()["entries"]
        assert [(e["action"], e["result"]) for e in told] == [
            ("layer.export", "done"), ("request.refused", "refused"), ("session.login", "done"), ("session.login", "failed"),
        ]  # fmt: skip
        assert all(re.fullmatch(r"[0-9a-f]{32}", e["request_id"]) and e["address"] == "127.0.0.1" for e in told)
        lines = auditor.get("/audit/export").text
        assert auditor.get("/audit/verification").json()["faults"] == []
    assert check_chain(read_lines(lines.splitlines())).faults == []
    for edited in (
        lines.replace('\\"failed\\"', '\\"done\\"', 1),
        "\n".join(lines.splitlines()[:2] + lines.splitlines()[3:]),
    ):
        assert check_chain(read_lines(edited.splitlines())).faults
    with psycopg.connect(database) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("delete from access.audit_log")
    with connect(database) as owner:  # whoever switches the triggers off is still found out
        owner.execute("alter table access.audit_log disable trigger all")
        partition = owner.execute("select min(tableoid::regclass::text) as name from access.audit_log").fetchone()[
            "name"
        ]
        owner.execute(f"alter table {partition} disable trigger all")
        owner.execute("update access.audit_log set actor_name = 'somebody else' where audit_id = 3")
        owner.execute("delete from access.audit_log where audit_id = (select max(audit_id) from access.audit_log)")
    faults = as_owner(database, verify).faults
    assert "row 3 was changed" in faults
    assert "missing at the end" in faults[-1]


def age(connection: Connection, month: str) -> None:
    """Make all rows of the audit as if they had been written in a month gone by: only its owner's superuser can."""
    rows = connection.execute(
        "select audit_id, access.audit_text(a) as body, previous_hash from access.audit_log a order by 1"
    ).fetchall()
    partition, previous = f"access.audit_log_{month.replace('-', '_')}", rows[0]["previous_hash"]
    connection.execute("set local session_replication_role = replica")  # the triggers that forbid it are silent
    connection.execute("select access.make_audit_month(%s)", (f"{month}-15T00:00Z",))
    moved = connection.execute(
        "update access.audit_log set occurred_at = %s returning audit_id", (f"{month}-15T08:00Z",)
    ).fetchall()
    assert len(moved) == len(rows)
    for row in rows:
        body = connection.execute(
            "select access.audit_text(a) as body from access.audit_log a where audit_id = %s", (row["audit_id"],)
        ).fetchone()["body"]
        digest = hashlib.sha256(f"{previous}|{body}".encode()).hexdigest()
        connection.execute(
            "update access.audit_log set previous_hash = %s, hash = %s where audit_id = %s",
            (previous, digest, row["audit_id"]),
        )
        previous = digest
    connection.execute("update access.audit_head set hash = %s", (previous,))
    assert connection.execute(f"select count(*) as n from {partition}").fetchone()["n"] == len(rows)


def test_the_month_that_runs_is_kept(database: str, run, tmp_path: Path) -> None:
    user(database, "planner")
    month = f"{datetime.now(UTC):%Y-%m}"
    code, said = run("drop", month)
    assert (code, "is kept until" in said) == (2, True)
    assert run("export", str(tmp_path / "month.jsonl"), "--month", month)[0] == 0
    assert run("verify", "--file", str(tmp_path / "month.jsonl"))[0] == 0
    code, said = run("verify", "--json")
    assert (code, json.loads(said.splitlines()[0])["faults"]) == (0, [])


def test_a_month_past_retention_is_dropped_whole_once_it_was_exported(database: str, run, tmp_path: Path) -> None:
    user(database, "planner")
    now = datetime.now(UTC)
    old = f"{now.year - 2}-{now.month:02d}"
    with connect(database) as connection:
        age(connection, old)
        rows = connection.execute("select count(*) as n from access.audit_log").fetchone()["n"]
    assert rows > 2
    code, said = run("drop", old)
    assert (code, "export it first" in said) == (2, True)
    assert run("export", str(tmp_path / "old.jsonl"), "--month", old)[0] == 0
    assert len((tmp_path / "old.jsonl").read_text().splitlines()) == rows
    code, said = run("drop", old)
    assert (code, f"{rows} rows of {old} dropped" in said) == (0, True)
    code, said = run("verify", "--json")  # the chain goes on from the last row that was dropped
    assert (code, json.loads(said.splitlines()[0])["faults"]) == (0, [])
    with connect(database) as connection:
        kept = connection.execute("select action from access.audit_log order by audit_id").fetchall()
    assert [row["action"] for row in kept] == ["audit.export", "audit.drop"]
    assert run("drop", old)[0] == 2
