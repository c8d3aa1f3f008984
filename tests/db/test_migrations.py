import threading
from pathlib import Path

import psycopg
import pytest

from geo_grid.db import Cluster, connect, migrate, read_migrations
from geo_grid.db.migrations import Migration
from geo_grid.errors import SetupError
from tests.databases import new_database


def test_two_processes_may_start_at_once(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as connection:
        connection.execute("create database at_once")
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(cluster.conninfo_for("at_once")))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for names in applied for name in names) == [m.name for m in read_migrations()]


def test_a_failing_migration_changes_nothing(database: str) -> None:
    broken = Migration(len(read_migrations()) + 1, "9999_broken.sql", "create table half (n int); select 1/0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database, [*read_migrations(), broken])
    with connect(database) as connection:
        assert connection.execute("select to_regclass('half') as t").fetchone() == {"t": None}
        assert connection.execute("select max(number) as n from migrations").fetchone() == {"n": len(read_migrations())}


def test_an_edited_migration_is_noticed(database: str) -> None:
    first, *others = read_migrations()
    edited = Migration(first.number, first.name, first.sql + "-- edited")
    with pytest.raises(SetupError, match="changed after it was applied"):
        migrate(database, [edited, *others])


def test_numbers_have_no_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("select 1")
    (tmp_path / "0003_b.sql").write_text("select 1")
    with pytest.raises(SetupError, match="without gaps"):
        read_migrations(tmp_path)


def test_a_database_of_a_test_is_its_own(cluster: Cluster) -> None:
    with new_database(cluster, "alone") as conninfo, connect(conninfo) as connection:
        assert connection.execute("select count(*) as n from editions").fetchone() == {"n": 0}
