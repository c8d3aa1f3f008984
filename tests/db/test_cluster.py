import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from geo_grid.db import Cluster, connect, connection_string, database, migrate, read_migrations
from geo_grid.errors import DatabaseUnavailable, SetupError, UserError
from geo_grid.settings import Settings
from geo_grid.state_folder import keep_small


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().splitlines()[0])


def test_it_is_made_on_first_use_listens_on_no_port_and_stops_with_its_last_user(state_dir: Path) -> None:
    with Cluster(state_dir) as first:
        with psycopg.connect(first.conninfo) as connection:
            assert connection.execute("show listen_addresses").fetchone() == ("",)
            assert connection.execute("show fsync").fetchone() == ("on",)
        pid = postmaster(first)
        with Cluster(state_dir) as second:
            assert postmaster(second) == pid
        assert first.running
    assert not first.running


def test_postgres_does_not_run_as_root(state_dir: Path) -> None:
    with Cluster(state_dir) as cluster:
        owner = Path(f"/proc/{postmaster(cluster)}").stat().st_uid
    assert owner != 0
    assert owner == os.geteuid() or os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_run_it(state_dir: Path) -> None:
    state_dir.chmod(0o777)
    script = (
        "import os, sys; from pathlib import Path; os.setgid(65534); os.setuid(65534)\n"
        "from geo_grid.db import Cluster\n"
        "import psycopg\n"
        f"with Cluster(Path({str(state_dir / 'mine')!r})) as cluster:\n"
        "    with psycopg.connect(cluster.conninfo) as c: print(c.execute('select 41 + 1').fetchone()[0])\n"
        "    print(Path(f'/proc/{(cluster.data / \"postmaster.pid\").read_text().split()[0]}').stat().st_uid)\n"
    )
    # modules are imported before the change of user: the interpreter may lie where nobody may read
    script = "import geo_grid.db, psycopg, encodings.idna\n" + script
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["42", "65534"], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hides a folder from the user who runs PostgreSQL")
def test_a_folder_hidden_from_the_database_user_is_replaced(state_dir: Path) -> None:
    state_dir.chmod(0o700)
    assert str(Cluster(state_dir / "hidden").state_dir).startswith("/var/lib/geo_grid/")


def test_committed_rows_survive_kill_9_of_postgres_and_it_comes_back_by_itself(state_dir: Path) -> None:
    with Cluster(state_dir) as cluster, cluster.watched(0.2):
        with psycopg.connect(cluster.conninfo) as connection:
            connection.execute("create table kept as select 7 as n")
        os.kill(postmaster(cluster), signal.SIGKILL)
        deadline = time.monotonic() + 90
        while True:
            try:
                with psycopg.connect(cluster.conninfo) as connection:
                    assert connection.execute("select n from kept").fetchone() == (7,)
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL did not come back"
                time.sleep(0.2)


def test_a_killed_postmaster_that_nobody_reaps_does_not_hinder_the_next(state_dir: Path) -> None:
    with Cluster(state_dir) as cluster, subprocess.Popen(["true"], user=cluster.data.stat().st_uid) as dead:
        while Path(f"/proc/{dead.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        killed = postmaster(cluster)
        os.kill(killed, signal.SIGKILL)
        for lock in (cluster.data / "postmaster.pid", *cluster.sockets.glob("*.lock")):
            lock.write_text(lock.read_text().replace(str(killed), str(dead.pid), 1))
        cluster.ensure_running()
        assert "already exists" not in cluster.log.read_text()
        with psycopg.connect(cluster.conninfo) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_the_watcher_survives_a_time_without_files(state_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Cluster(state_dir) as cluster, cluster.watched(0.05):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # nobody here opens anything
        try:
            time.sleep(0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len([record for record in caplog.records if "not watched over" in record.message]) == 1
        killed = postmaster(cluster)
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 90
        while not cluster.running or postmaster(cluster) == killed:
            assert time.monotonic() < deadline, "nobody watches any more"
            time.sleep(0.1)


def test_an_existing_cluster_is_run_by_the_version_that_made_it(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(state_dir) as cluster:
        made_by = cluster.data.joinpath("PG_VERSION").read_text().strip()
    programs, extensions = state_dir / "programs", state_dir / "extensions"
    for folder, source in ((programs, Path("/usr/lib/postgresql")), (extensions, Path("/usr/share/postgresql"))):
        folder.mkdir()
        (folder / made_by).symlink_to(source / made_by)
    (programs / "99/bin").mkdir(parents=True)
    (programs / "99/bin/initdb").touch()
    (extensions / "99/extension").mkdir(parents=True)
    (extensions / "99/extension/postgis.control").touch()
    monkeypatch.setattr("geo_grid.db.cluster._PROGRAMS", programs)
    monkeypatch.setattr("geo_grid.db.cluster._EXTENSIONS", extensions)
    with Cluster(state_dir) as cluster:
        assert cluster.running


def test_the_log_of_postgres_stays_small(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo_grid.db.cluster.keep_small", lambda log: keep_small(log, 4096))
    with Cluster(state_dir) as cluster, cluster.watched(0.05):
        with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
            for _ in range(200):
                with pytest.raises(psycopg.errors.UndefinedTable):
                    connection.execute("select * from nothing_of_this_name")
        deadline = time.monotonic() + 90
        while cluster.log.stat().st_size > 4096:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "nothing_of_this_name" in (state_dir / "postgres.log.1").read_text()


def test_kill_9_of_the_program_leaves_nothing_that_hinders_the_next(state_dir: Path) -> None:
    script = (
        "import sys, time, psycopg; from pathlib import Path; from geo_grid.db import Cluster\n"
        f"with Cluster(Path({str(state_dir)!r})) as cluster:\n"
        "    with psycopg.connect(cluster.conninfo) as c: c.execute('create table kept as select 7 as n')\n"
        "    print('ready', flush=True); time.sleep(60)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.kill()
    program.wait()
    with Cluster(state_dir) as cluster, psycopg.connect(cluster.conninfo) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)
    assert not cluster.running


def test_a_long_path_gets_a_short_socket(state_dir: Path) -> None:
    cluster = Cluster(state_dir / ("x" * 120))
    assert len(str(cluster.sockets)) < 60


def test_an_interrupted_first_start_is_begun_again(state_dir: Path) -> None:
    unfinished = state_dir / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("15\n")
    with Cluster(state_dir) as cluster:
        assert cluster.running


def test_a_cluster_of_another_postgres_version_is_refused_with_the_way_out(state_dir: Path) -> None:
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres/PG_VERSION").write_text("9.6\n")
    with pytest.raises(SetupError, match=r"made by PostgreSQL 9\.6"), Cluster(state_dir):
        pass


def test_a_database_url_replaces_the_private_cluster(database: str, state_dir: Path) -> None:
    from geo_grid.db import database as open_database

    with open_database(Settings(database_url=database, state_dir=state_dir)) as conninfo, connect(conninfo) as found:
        assert found.execute("select count(*) as n from migrations").fetchone() == {"n": len(read_migrations())}
    assert list(state_dir.iterdir()) == []


def test_a_database_that_vanishes_from_the_network_is_noticed_in_seconds() -> None:
    """Questions hung until TCP gave up, a quarter of an hour later; `make drill-cut_network` takes the network away."""
    found = conninfo_to_dict(connection_string(Settings(database_url="host=db dbname=city tcp_user_timeout=5000")))
    assert (found["host"], found["tcp_user_timeout"], found["keepalives_idle"]) == ("db", "5000", "10")
    assert conninfo_to_dict(connection_string(Settings(database_url="host=db")))["tcp_user_timeout"] == "10000"


def test_an_unreachable_database_is_said_plainly() -> None:
    settings = Settings(database_url="host=/nowhere dbname=x")
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"), database(settings):
        pass


def test_a_database_url_that_is_none_is_the_users_error() -> None:
    with pytest.raises(UserError, match="GEO_GRID_DATABASE_URL"), database(Settings(database_url="nonsense nonsense")):
        pass


def test_migrating_needs_the_newest_program(database: str) -> None:
    with connect(database) as connection:
        connection.execute("insert into migrations values (999, '0999_future.sql', 'x')")
    with pytest.raises(SetupError, match="install the newer geo_grid"):
        migrate(database)
