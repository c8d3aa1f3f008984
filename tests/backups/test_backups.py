"""A backup of a city, made while it is served, and brought back on a machine that has never seen it."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from geo_grid.access import audit
from geo_grid.backups import Manifest, make_backup, programs, restore_backup
from geo_grid.backups.making import count_rows
from geo_grid.backups.package import DUMP, MANIFEST, ROADS
from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster, connect
from geo_grid.errors import Conflict, GeoGridError, SetupError, UnreadableFile, UnwritableFile, UserError
from geo_grid.progress import silent
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.databases import FAST, new_database, state_folder
from tests.identities import api_key, bearing, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}


@dataclass
class City:
    """A city of four cells that was served, reported to and backed up."""

    conninfo: str
    key: str
    backup: Path
    manifest: Manifest
    incident: int


@pytest.fixture(scope="module")
def city(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("backup")
    with new_database(cluster, "backed_up") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, geom)"
                " values ('U1', 'x', 'car', ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490))"
            )
        graph = folder / "roads" / "abc"
        graph.mkdir(parents=True)
        (graph / "manifest.json").write_text("{}")
        with connect(conninfo) as connection:
            connection.execute(
                "insert into osm_extract (file_name, sha256, road_count, base_feature_count, is_demo, graph_key)"
                " values ('a.osm.pbf', repeat('a', 64), 0, 0, false, 'abc')"
            )
        key = api_key(conninfo, "dispatcher")
        with live_server(conninfo) as url, bearing(url, key) as client, logged_in(url, user(conninfo, "planner")):
            incident = client.post("/incidents", json={**HERE, "category": "x"}).json()["incident_id"]
            told = [
                {"unit_code": "U1", **HERE, "reported_at": at}
                for at in ("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z")
            ]
            assert client.post("/units/positions", json={"positions": told}).json()["refused"] == []
            manifest = make_backup(conninfo, folder / "roads", folder / "city.backup", silent)
            assert client.get("/readyz").status_code == 200
        yield City(conninfo, key, folder / "city.backup", manifest, incident)


@pytest.fixture(scope="module")
def another_machine() -> Iterator[Cluster]:
    """A cluster that has never had roles or tables of ours."""
    with state_folder() as folder, Cluster(folder, FAST) as running:
        yield running


@pytest.fixture
def empty(another_machine: Cluster) -> Iterator[str]:
    with psycopg.connect(another_machine.conninfo_for("postgres"), autocommit=True) as connection:
        connection.execute("create database elsewhere")
        try:
            yield another_machine.conninfo_for("elsewhere")
        finally:
            for name in ("elsewhere", "elsewhere_before_restore"):
                connection.execute(f"drop database if exists {name} with (force)")


def changed(backup: Path, target: Path, dump: bytes | None = None, **facts: object) -> Path:
    """Copy a backup with another manifest, and perhaps another dump."""
    with zipfile.ZipFile(backup) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == MANIFEST:
                content = json.dumps({**json.loads(content), **facts}).encode()
            if name == DUMP and dump is not None:
                content = dump
            new.writestr(name, content)
    return target


def test_it_is_there_again_on_another_machine(city: City, empty: str, tmp_path: Path) -> None:
    found = restore_backup(empty, tmp_path, tmp_path / "roads", city.backup, silent)
    assert found == city.manifest
    assert (tmp_path / "roads/abc/manifest.json").read_text() == "{}"
    assert as_owner(empty, audit.verify).faults == []
    with connect(empty) as connection:
        facts = connection.execute(
            "select (select proleakproof from pg_proc where oid = 'geometry_overlaps(geometry, geometry)'::regprocedure),"
            " (select count(*) from access.credentials where credential_kind = 'session') as sessions,"
            " (select name from feed) as feed"
        ).fetchone()
    with connect(city.conninfo) as connection:
        before = connection.execute("select name as feed from feed").fetchone()
        assert connection.execute(
            "select count(*) from access.credentials where credential_kind = 'session'"
        ).fetchone()
    with live_server(empty) as url, bearing(url, city.key) as client:  # the key of before is a key here
        assert client.get(f"/incidents/{city.incident}").json()["grid_code"] == "A"
        assert client.get("/locate", params=HERE).json()["grid_cells"][-1]["grid_code"] == "A"
        made = client.post("/incidents", json={**HERE, "category": "x"})
        assert made.status_code == 201
        assert made.json()["incident_id"] > city.incident
    with connect(empty) as connection:
        after = connection.execute(
            "select (select name from feed) as feed,"
            " (select proleakproof from pg_proc where oid = 'geometry_overlaps(geometry, geometry)'::regprocedure) as fast,"
            " (select count(*) from pg_db_role_setting where 'track_activities=off' = any(setconfig)) as silent_roles"
        ).fetchone()
    assert facts is not None
    assert before is not None
    assert after is not None
    assert facts["sessions"] == 0
    tracks = {name: count for name, count in found.rows.items() if name.startswith("public.unit_positions_2026_0")}
    assert tracks == {"public.unit_positions_2026_01_31": 1, "public.unit_positions_2026_02_01": 1}
    assert after["feed"] != before["feed"]  # whoever listened to the city that was backed up looks at everything again
    assert (after["fast"], after["silent_roles"]) == (True, 2)


def schema(conninfo: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        version = connection.info.server_version // 10_000
    # a server makes the audit's next month, and the next days of tracks, when they come
    months = ("--exclude-table=access.audit_log_2*", "--exclude-table=public.unit_positions_2*")
    dumped = programs.begin("pg_dump", version, conninfo, "--schema-only", *months, output=subprocess.PIPE)
    return sorted(line for line in programs.said_by(dumped, "pg_dump").splitlines() if not line.startswith("\\"))


def test_it_is_made_of_what_it_was_made_of(city: City, empty: str, tmp_path: Path) -> None:
    restore_backup(empty, tmp_path, tmp_path / "roads", city.backup, silent)
    assert schema(empty) == schema(city.conninfo)


def test_it_is_of_one_moment_and_holds_every_row(city: City) -> None:
    with connect(city.conninfo) as connection:
        rows = count_rows(connection)
    assert {name for name, count in rows.items() if count} <= city.manifest.rows.keys()
    assert city.manifest.rows["public.incidents"] == rows["public.incidents"] == 1
    assert city.manifest.rows["public.grid_cells"] == rows["public.grid_cells"]
    assert city.backup.stat().st_mode & 0o077 == 0


def test_it_is_not_written_over_and_nothing_half_written_is_left(city: City, tmp_path: Path) -> None:
    with pytest.raises(UnwritableFile, match="exists already"):
        make_backup(city.conninfo, tmp_path, city.backup, silent)
    with pytest.raises(UnwritableFile, match="cannot be written"):
        make_backup(city.conninfo, tmp_path, tmp_path / "missing" / "city.backup", silent)
    with pytest.raises(UserError, match="age refuses"):
        make_backup(city.conninfo, tmp_path, tmp_path / "city.backup", silent, recipients=["age1nobody"])
    assert list(tmp_path.iterdir()) == []


def test_a_city_is_replaced_by_its_own_backup_only_and_only_when_asked(city: City, empty: str, tmp_path: Path) -> None:
    restore_backup(empty, tmp_path, tmp_path, city.backup, silent)
    with connect(empty) as connection:
        connection.execute("delete from duties")
    with pytest.raises(Conflict, match="--replace"):
        restore_backup(empty, tmp_path, tmp_path, city.backup, silent)
    another = changed(city.backup, tmp_path / "another.backup", city="0" * 64)
    with pytest.raises(Conflict, match="another city"):
        restore_backup(empty, tmp_path, tmp_path, another, silent, replaces=True)
    restore_backup(empty, tmp_path, tmp_path, city.backup, silent, only_checks=True)
    with connect(empty) as connection:
        assert connection.execute("select count(*) as n from duties").fetchone() == {"n": 0}
    restore_backup(empty, tmp_path, tmp_path, city.backup, silent, replaces=True)
    with connect(empty) as connection:
        assert connection.execute("select count(*) as n from duties").fetchone() == {
            "n": city.manifest.rows["public.duties"]
        }
        names = [row["datname"] for row in connection.execute("select datname from pg_database order by 1").fetchall()]
    assert "elsewhere_before_restore" in names
    assert "elsewhere_restoring" not in names


def truncated(backup: Path, target: Path) -> Path:
    target.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    return target


def flipped(backup: Path, target: Path) -> Path:
    content = bytearray(backup.read_bytes())
    content[len(content) // 3] ^= 0xFF
    target.write_bytes(content)
    return target


def not_ours(backup: Path, target: Path) -> Path:
    target.write_text("no backup")
    return target


def of_a_later_form(backup: Path, target: Path) -> Path:
    return changed(backup, target, form=99)


def of_a_later_migration(backup: Path, target: Path) -> Path:
    return changed(backup, target, migration=9999)


def with_rows_missing(backup: Path, target: Path) -> Path:
    return changed(backup, target, rows={"public.incidents": 2})


def with_another_audit(backup: Path, target: Path) -> Path:
    return changed(backup, target, audit_hash="0" * 64)


def with_another_dump(backup: Path, target: Path) -> Path:
    return changed(backup, target, dump_sha256="0" * 64)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (truncated, UnreadableFile, "cut off"),
        (flipped, UnreadableFile, "damaged"),
        (not_ours, UnreadableFile, "no backup"),
        (of_a_later_form, UserError, "later geo_grid"),
        (of_a_later_migration, UserError, "install the newer one"),
        (with_rows_missing, SetupError, "1 rows instead of 2"),
        (with_another_audit, SetupError, "the audit ends with row"),
        (with_another_dump, UnreadableFile, "damaged"),
    ],
)
def test_what_is_not_whole_is_refused_and_nothing_is_left(
    city: City, empty: str, tmp_path: Path, spoil, error: type[GeoGridError], said: str
) -> None:
    spoiled = spoil(city.backup, tmp_path / "spoiled.backup")
    with pytest.raises(error, match=said):
        restore_backup(empty, tmp_path, tmp_path / "roads", spoiled, silent)
    with connect(empty) as connection:
        found = connection.execute(
            "select to_regclass('public.incidents') as made,"
            " (select count(*) from pg_database where datname like 'elsewhere\\_%%') as others"
        ).fetchone()
    assert found == {"made": None, "others": 0}
    assert not (tmp_path / "roads").exists()


def test_a_dump_of_another_program_is_refused(city: City, empty: str, another_machine: Cluster, tmp_path: Path) -> None:
    with psycopg.connect(another_machine.conninfo_for("postgres")) as connection:
        version = connection.info.server_version // 10_000
    conninfo = another_machine.conninfo_for("postgres")
    dumped = programs.begin(
        "pg_dump", version, conninfo, "--format=custom", f"--file={tmp_path / 'dump'}", output=subprocess.PIPE
    )
    programs.said_by(dumped, "pg_dump")
    dump = (tmp_path / "dump").read_bytes()
    spoiled = changed(city.backup, tmp_path / "spoiled.backup", dump=dump, dump_sha256=hashlib.sha256(dump).hexdigest())
    with pytest.raises(SetupError, match="not what was backed up"):
        restore_backup(empty, tmp_path, tmp_path / "roads", spoiled, silent)
    with connect(empty) as connection:
        assert connection.execute("select from pg_database where datname like 'elsewhere\\_%%'").fetchall() == []


def with_statement(backup: Path, target: Path, statement: str) -> Path:
    """Copy a backup whose dump has another statement in the place of the one that brings incidents."""
    dump = zipfile.ZipFile(backup).read(DUMP)
    copied = re.search(rb"COPY public[.]incidents [^;]+;", dump)
    assert copied is not None
    dump = dump.replace(copied[0], f"{statement}; --".encode().ljust(len(copied[0])))
    return changed(backup, target, dump=dump, dump_sha256=hashlib.sha256(dump).hexdigest())


def test_a_restore_that_is_stopped_leaves_nothing(city: City, empty: str, tmp_path: Path) -> None:
    """Also what one that was killed left goes with the next."""
    asleep = with_statement(city.backup, tmp_path / "asleep.backup", "select pg_sleep(1000)")
    environment = {**os.environ, "GEO_GRID_DATABASE_URL": empty, "GEO_GRID_STATE_DIR": str(tmp_path)}

    def left() -> list[str]:
        with connect(empty) as connection:
            found = connection.execute(
                "select rolname as name from pg_roles where rolname like 'geo_grid_restoring%%'"
                " union all select datname from pg_database where datname like '%%_restoring'"
            )
            return [row["name"] for row in found.fetchall()]

    sleeping, seen = "select pid from pg_stat_activity where query like 'select pg_sleep(1000)%'", []
    for end in (signal.SIGKILL, signal.SIGTERM):
        command = [sys.executable, "-m", "geo_grid", "restore", str(asleep), "--check"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as restoring:
            deadline = time.monotonic() + 60
            with psycopg.connect(empty, autocommit=True) as connection:
                while not (asleep_now := connection.execute(sleeping).fetchone()) or asleep_now in seen:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            seen.append(asleep_now)
            restoring.send_signal(end)
        assert restoring.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM)  # not 0, which says that it is whole
        is_killed = end == signal.SIGKILL
        assert len(left()) == (2 if is_killed else 0)
        assert (
            tmp_path / "tmp/restoring"
        ).exists() is is_killed  # nobody else may look in there; the next one deletes it
        assert not is_killed or (tmp_path / "tmp/restoring").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_backup_that_is_stopped_leaves_nothing(city: City, tmp_path: Path, end: signal.Signals) -> None:
    environment = {**os.environ, "GEO_GRID_DATABASE_URL": city.conninfo, "GEO_GRID_STATE_DIR": str(tmp_path / "state")}
    (tmp_path / "kept").mkdir()
    with psycopg.connect(city.conninfo) as holder:
        holder.execute("lock table incidents in access exclusive mode")  # pg_dump waits for it
        command = [sys.executable, "-m", "geo_grid", "backup", str(tmp_path / "kept/city.backup")]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as making:
            deadline = time.monotonic() + 60
            with psycopg.connect(city.conninfo, autocommit=True) as connection:
                while not connection.execute("select pid from pg_locks where not granted").fetchone():
                    assert time.monotonic() < deadline or making.kill()
                    time.sleep(0.05)
            making.send_signal(end)
            making.wait(30)
        holder.rollback()
    assert making.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM)
    assert list((tmp_path / "kept").iterdir()) == []


def test_nothing_of_a_strangers_backup_is_run(city: City, cluster: Cluster, empty: str, tmp_path: Path) -> None:
    """Neither what its database is made of, nor what it says that was made of, nor the statements of its dump."""
    run = f"copy (select 1) to program 'touch {tmp_path / 'run'}'"
    with new_database(cluster, "hostile") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(
                f"create function run() returns integer language plpgsql as $$ begin {run}; return 1; end $$"
            )
            connection.execute("create materialized view runs as select run() with no data")
            connection.execute("insert into schema_objects values ('function', %s, '')", (f"no(); {run}",))
        make_backup(conninfo, tmp_path / "roads", tmp_path / "hostile.backup", silent)
    restore_backup(empty, tmp_path, tmp_path / "roads", tmp_path / "hostile.backup", silent)
    with connect(empty) as connection:
        assert connection.execute("select from pg_proc where proname in ('run', 'runs')").fetchall() == []
        assert connection.execute("select from pg_roles where rolname like 'geo_grid_restoring%%'").fetchall() == []
    spoiled = with_statement(city.backup, tmp_path / "spoiled.backup", run)
    with pytest.raises(SetupError, match="COPY to or from an external program"):
        restore_backup(empty, tmp_path, tmp_path / "roads", spoiled, silent, only_checks=True)
    assert not (tmp_path / "run").exists()


def test_a_graph_that_the_manifest_does_not_name_is_refused(city: City, empty: str, tmp_path: Path) -> None:
    spoiled = changed(city.backup, tmp_path / "spoiled.backup", graph_key="0" * 64)
    with pytest.raises(UnreadableFile, match="not the one that its manifest names"):
        restore_backup(empty, tmp_path, tmp_path / "roads", spoiled, silent, only_checks=True)


def test_a_graph_stays_in_the_folder_of_graphs(city: City, empty: str, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.backup"
    shutil.copy(city.backup, spoiled)
    with zipfile.ZipFile(spoiled, "a") as package:
        package.writestr(f"{ROADS}abc/../../escaped", "x")
    with pytest.raises(UnreadableFile, match="not the one that its manifest names"):
        restore_backup(empty, tmp_path, tmp_path / "roads", spoiled, silent)
    assert not (tmp_path / "escaped").exists()


def test_an_encrypted_one_is_for_whoever_has_the_key(city: City, empty: str, tmp_path: Path) -> None:
    keys = {}
    for name in ("ours", "others"):
        subprocess.run(["age-keygen", "-o", tmp_path / name], check=True, capture_output=True)
        keys[name] = subprocess.run(
            ["age-keygen", "-y", tmp_path / name], check=True, capture_output=True, text=True
        ).stdout.strip()
    sealed = tmp_path / "sealed.backup"
    make_backup(city.conninfo, tmp_path / "no_roads", sealed, silent, recipients=[keys["ours"]])
    assert b"PGDMP" in city.backup.read_bytes()
    assert b"PGDMP" not in sealed.read_bytes()
    with pytest.raises(UserError, match="--identity FILE"):
        restore_backup(empty, tmp_path, tmp_path / "roads", sealed, silent)
    with pytest.raises(UserError, match="age refuses"):
        restore_backup(empty, tmp_path, tmp_path / "roads", sealed, silent, identity=tmp_path / "others")
    secret = (tmp_path / "ours").read_text().splitlines()[-1]
    with pytest.raises(UserError, match="secret key of age") as refused:
        make_backup(city.conninfo, tmp_path / "no_roads", tmp_path / "other.backup", silent, recipients=[secret])
    assert secret not in str(refused.value)
    with pytest.raises(UserError, match="leave --identity out"):
        restore_backup(empty, tmp_path, tmp_path / "roads", city.backup, silent, identity=tmp_path / "ours")
    restored = restore_backup(
        empty, tmp_path, tmp_path / "roads", sealed, silent, identity=tmp_path / "ours", only_checks=True
    )
    assert restored.rows["public.incidents"] == 1
    assert {DUMP} == {name for name in zipfile.ZipFile(city.backup).namelist() if name.startswith("data")}
    cut = truncated(sealed, tmp_path / "cut.backup")
    with pytest.raises(GeoGridError):
        restore_backup(empty, tmp_path, tmp_path / "roads", cut, silent, identity=tmp_path / "ours")


def test_the_command_line_says_what_to_do_next(city: City, tmp_path: Path) -> None:
    file = tmp_path / "city.backup"
    said = geo_grid(city.conninfo, "backup", file).stderr
    assert "rows as of" in said
    assert "not encrypted" in said
    assert "exists already" in geo_grid(city.conninfo, "backup", file, expect=2).stderr
    assert "--replace" in geo_grid(city.conninfo, "restore", file, expect=2).stderr
    assert "can be restored" in geo_grid(city.conninfo, "restore", file, "--check").stderr
    missing = geo_grid(city.conninfo, "restore", tmp_path / "missing", expect=2).stderr
    assert "there is no such file" in missing
