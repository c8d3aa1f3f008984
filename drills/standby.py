"""kill -9 of the primary of two databases: its synchronous standby takes over, while incidents are filed.

The server knows both by one connection string (several hosts and target_session_attrs, libpq), and is not started again.
In full, the old primary is rewound afterwards, and is the synchronous standby of the new one (docs/operations.md, A standby).
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from drills.filing import compare, filing
from drills.kit import City, city, folder, say, until
from drills.verdict import Verdict
from geo_grid.access import digest_of
from geo_grid.db import APPLICATION_ROLE, Cluster, connect
from geo_grid.state_folder import open_state_folder

_BEFORE_S, _AFTER_S = 8.0, 20.0
_KEPT = "wal_keep_size = 1GB\n"  # what pg_rewind reads, and a standby that was away for a while
_AGAIN_S = 30.0
"""Longest time until incidents are taken again after the promotion."""


def copied(primary: Cluster, state_dir: Path, name: str, extra: str = "") -> Cluster:
    """Make a streaming standby of a cluster, which calls itself by a name; it is not started."""
    made = Cluster(state_dir, extra)
    open_state_folder(made.state_dir)
    made.adopt(made.data)
    source = make_conninfo(primary.conninfo_for("postgres"), application_name=name)
    made.run(
        "pg_basebackup", f"--dbname={source}", f"--pgdata={made.data}", "--write-recovery-conf", "--checkpoint=fast"
    )
    return made


def commits_wait_for(primary: Cluster, name: str) -> None:
    """Let no commit of a primary be answered before the standby of this name has it on its disk."""
    with psycopg.connect(primary.conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("alter system set synchronous_standby_names = {}").format(sql.Literal(name)))
        connection.execute("select pg_reload_conf()")
        until(
            lambda: connection.execute("select 1 from pg_stat_replication where sync_state = 'sync'").fetchone(),
            f"{name} does not follow",
        )


def at_any(*clusters: Cluster, wanted: str = "read-write") -> str:
    """Connection string of whichever of them is as wanted (target_session_attrs)."""
    each = [conninfo_to_dict(one.conninfo) for one in clusters]
    hosts, ports = (",".join(str(one[part]) for one in each) for part in ("host", "port"))
    return make_conninfo(clusters[0].conninfo, host=hosts, port=ports, target_session_attrs=wanted)


@contextlib.contextmanager
def _pair(place: Path) -> Iterator[tuple[Cluster, Cluster]]:
    with Cluster(place / "a", _KEPT) as primary, copied(primary, place / "b", "b", _KEPT) as standby:
        commits_wait_for(primary, "b")
        yield primary, standby


def _kill(cluster: Cluster) -> None:
    os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    until(lambda: not cluster.running, "the primary was not killed")


def _promote(standby: Cluster) -> None:
    with psycopg.connect(standby.conninfo_for("postgres"), autocommit=True) as connection:
        done = connection.execute("select pg_promote()").fetchone()
        assert done == (True,), "the standby was not promoted"


def _rewind(old: Cluster, primary: Cluster) -> None:
    """Make a standby of an old primary that was killed; it is not started."""
    until(lambda: not old.running, "the old primary runs")
    with psycopg.connect(primary.conninfo_for("postgres"), autocommit=True) as connection:
        connection.execute("checkpoint")  # before it, pg_rewind 15 takes both for one timeline, and rewinds nothing
    old.adopt(old.data)
    source = make_conninfo(primary.conninfo_for("postgres"), application_name="a")
    old.run("pg_rewind", f"--target-pgdata={old.data}", f"--source-server={source}", "--write-recovery-conf")


def _until_replayed(old: Cluster, primary: Cluster) -> None:
    with psycopg.connect(primary.conninfo) as here, psycopg.connect(old.conninfo, autocommit=True) as there:
        end = here.execute("select pg_current_wal_flush_lsn()::text").fetchone()
        asked = "select 1 where pg_last_wal_replay_lsn() >= %s::text::pg_lsn"
        until(lambda: there.execute(asked, end).fetchone(), "the old primary does not replay")


def _refused_after_s(made: City) -> float:
    """Revoke a key that the server knows; return after how many seconds it is refused: the server hears of changes again."""
    key = made.new_key()
    with made.client(key) as client:
        assert client.get("/collections").status_code == 200
        with connect(made.conninfo) as connection:
            connection.execute("update access.credentials set revoked_at = now() where digest = %s", (digest_of(key),))
        return until(lambda: client.get("/collections").status_code == 401, "a revoked key is still taken")


def drill(share: float = 1.0) -> Verdict:
    verdict = Verdict()
    with folder() as place, _pair(place) as (primary, standby):
        database = at_any(primary, standby)
        known = {
            "GEO_GRID_DATABASE_URL": database,
            "GEO_GRID_APP_DATABASE_URL": make_conninfo(database, user=APPLICATION_ROLE),
        }
        with city(more=known) as made:
            key, serving = made.new_key(), made.serving
            with filing(made.url, key) as told:
                time.sleep(max(1.5, _BEFORE_S * share))
                say("the primary is killed ...")
                count = len(told.answered_at)
                _kill(primary)
                killed = time.monotonic()
                _promote(standby)
                promoted_s = time.monotonic() - killed
                again_s = until(lambda: len(told.answered_at) > count + 50, "nothing is taken by the standby")
                time.sleep(max(1.5, _AFTER_S * share))
            compare(verdict, standby.conninfo, told)
            verdict.figures |= {"promoted_after_s": round(promoted_s, 2), "taken_again_after_s": again_s}
            verdict.expect(made.serving == serving, "the server was started again")
            verdict.expect(made.is_ready(), "the server is not ready afterwards")
            verdict.expect(made.audit_is_whole(), "the audit is not whole")
            verdict.expect(again_s < _AGAIN_S, f"incidents were taken again after {again_s} s only")
            verdict.figures["revoked_key_refused_after_s"] = _refused_after_s(made)
            if share < 1.0:
                return verdict
            say("the old primary follows the new one ...")
            began = time.monotonic()
            _rewind(primary, standby)
            with Cluster(place / "a", _KEPT) as old:
                commits_wait_for(standby, "a")
                verdict.figures["two_again_after_s"] = round(time.monotonic() - began, 2)
                with filing(made.url, key) as later:
                    time.sleep(max(1.0, _BEFORE_S * share))
                _until_replayed(old, standby)
                compare(after := Verdict(), old.conninfo, later)
                verdict.faults += after.faults
    return verdict
