"""What somebody who can run SQL as the server's own database role does not get at: others' credentials, the server's."""

import asyncio
import hashlib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from geo_grid.db import Asker, acting, acting_conninfo, connect, open_pool
from geo_grid.db.connections import APPLICATION_ROLE

SERVICE_ROLE = "geo_grid_service"
SERVER = hashlib.sha256(b"the server").hexdigest()
THEIRS = hashlib.sha256(b"somebody else").hexdigest()


@pytest.fixture
def city(small_city: str) -> str:
    """A small city whose server is admitted; the owner's way in."""
    with connect(small_city) as connection:
        connection.execute("select access.settle()")
        connection.execute("select access.admit_server(%s, interval '1 hour')", (SERVER,))
    return small_city


@pytest.fixture
def intruder(city: str) -> Iterator[psycopg.Connection]:
    """Somebody who can run any statement as the server's role."""
    with psycopg.connect(make_conninfo(city, user=APPLICATION_ROLE), autocommit=True) as connection:
        yield connection


def told(intruder: psycopg.Connection) -> str:
    """Everything that PostgreSQL tells them about sessions, statements and settings."""
    views = (
        "pg_stat_activity", "pg_prepared_statements", "pg_prepared_xacts", "pg_cursors", "pg_settings", "pg_locks",
        "pg_stat_user_functions", "pg_stat_replication", "pg_db_role_setting", "pg_stats",
        "pg_listening_channels()", "pg_stat_get_activity(null)",
    )  # fmt: skip
    found = []
    for view in views:
        for row in intruder.execute(f"select t::text from {view} t").fetchall():
            found.append(row[0])
    return "\n".join(found)


@pytest.mark.parametrize("tracked", ["as the database is", "even if activities were tracked"])
def test_nobody_reads_anothers_credential_off_the_server_of_the_database(
    city: str, intruder: psycopg.Connection, tracked: str
) -> None:
    async def ask(read_only: bool) -> str:
        """Look while a transaction is open on behalf of somebody, after a statement has failed, and afterwards."""
        conninfo = make_conninfo(city, user=APPLICATION_ROLE, options=None)
        seen = ""
        async with open_pool(conninfo, 1, 30) as pool:
            for _ in range(8):  # statements that are asked often are prepared
                async with acting(pool, Asker(THEIRS, "10.1.2.3", "r-1"), read_only) as connection:
                    seen += told(intruder)
                    await connection.execute("select 1")
            seen += told(intruder)
        return seen

    if tracked.startswith("even"):
        with connect(city) as owner:
            owner.execute("alter role geo_grid_app set track_activities = on")
    try:
        with (
            psycopg.connect(acting_conninfo(make_conninfo(city, user=APPLICATION_ROLE), Asker(THEIRS))) as other,
            psycopg.connect(acting_conninfo(make_conninfo(city, user=SERVICE_ROLE), Asker(SERVER))) as server,
        ):
            other.execute("select 1")
            server.execute("select 1")
            seen = asyncio.run(ask(True)) + asyncio.run(ask(False)) + told(intruder)
    finally:
        if tracked.startswith("even"):
            with connect(city) as owner:
                owner.execute("alter role geo_grid_app set track_activities = off")
    assert "geo_grid_app" in seen  # it did look
    assert THEIRS not in seen
    assert SERVER not in seen


def test_statements_of_the_role_are_not_shown_and_it_cannot_change_that(intruder: psycopg.Connection) -> None:
    assert intruder.execute("show track_activities").fetchone() == ("off",)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        intruder.execute("set track_activities = on")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        intruder.execute("alter role geo_grid_app set track_activities = on")


def test_the_servers_credential_is_worth_nothing_to_whoever_learns_it(intruder: psycopg.Connection, city: str) -> None:
    intruder.execute("select set_config('geo_grid.credential', %s, false)", (SERVER,))
    assert intruder.execute("select access.city_wide('map'), access.me()").fetchone() == (False, None)
    assert intruder.execute("select count(*) from grid_cells").fetchone() == (0,)
    for statement in (
        "select access.login_facts('admin', null)",
        "select access.note_login('admin', null, 'done', 'x')",
        "select access.open_session(1, repeat('0', 64), interval '1 day', interval '1 day', null, '')",
        "select access.former_passwords(1)",
        "select access.set_password(1, 'x', 1)",
        "select access.confirm_factor(1)",
        "select access.find_oidc('x')",
        "select access.tidy(interval '0')",
        "select access.tidy_positions(interval '0')",
        "select access.tidy_disputes(interval '0', interval '0')",
        "select access.tidy_listings(interval '0')",
        "select access.record('session.login', 'user', 'admin', 'done')",
        "select access.record_refusal('GET /', 'map')",
        "insert into access.credentials (digest, principal_id, credential_kind, expires_at)"
        " values (repeat('0', 64), 1, 'key', now() + interval '1 day')",
        "insert into editions (valid_from, note) values (now(), 'mine')",
        "update grid_cells set valid_to = now()",
        "select assign_again('{}', '{}', null)",
        "set role geo_grid_service",
        "set session authorization geo_grid_service",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            intruder.execute(statement)
    with psycopg.connect(make_conninfo(city, user=SERVICE_ROLE), autocommit=True) as server:
        server.execute("select set_config('geo_grid.credential', %s, false)", (SERVER,))
        assert server.execute("select access.city_wide('map')").fetchone() == (True,)
        assert server.execute("select blocked_s from access.login_facts('admin', null)").fetchone() == (0,)
        server.execute("select set_config('geo_grid.credential', '', false)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):  # the role alone is not enough either
            server.execute("select access.login_facts('admin', null)")


def test_nothing_of_ones_own_can_stand_in_place_of_the_citys_tables(intruder: psycopg.Connection, city: str) -> None:
    for statement in (
        "create temporary table grid_cells (n int)",
        "create temporary view incidents as select 1 as one",
        "create function pg_temp.mine() returns int language sql return 1",
        "create table public.mine (n int)",
        "create schema mine",
        "create temporary table mine (n int); create trigger t after insert on mine"
        " for each statement execute function tell_table('table')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            intruder.execute(statement)
    # nor by way of the table that bulk rows go through
    with intruder.transaction():
        intruder.execute("select access.stage('incidents', array['category', 'geom'])")
        intruder.execute("insert into staged (row_number, category) values (0, 'x')")
        for statement in (
            "create trigger t after insert on staged for each statement execute function tell_table('table')",
            "create rule r as on insert to staged do instead nothing",
            "alter table staged add column more int",
            "create temporary table mine (n int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), intruder.transaction():
                intruder.execute(statement)
    with pytest.raises(psycopg.errors.UndefinedTable):
        intruder.execute("select * from staged")
    with connect(city) as owner:
        owner.execute("create temporary table duties (n int)")
        owner.execute(
            "create trigger t after insert on pg_temp.duties for each statement execute function tell_table('table')"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="own tables"), owner.transaction():
            owner.execute("insert into pg_temp.duties values (1)")


def test_functions_that_work_as_the_owner_look_where_they_should(city: str) -> None:
    with connect(city) as connection:
        ours = connection.execute(
            "select p.oid::regprocedure::text as name, p.prosecdef as is_definer, p.proconfig, p.prorettype = 'trigger'::regtype as is_trigger,"
            "       has_function_privilege('geo_grid_app', p.oid, 'execute') as may_call"
            " from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname in ('public', 'access')"
            "   and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')"
        ).fetchall()
    assert len(ours) > 50
    for function in ours:
        if function["is_definer"]:
            assert "search_path=pg_catalog, public, pg_temp" in (function["proconfig"] or []), function["name"]
        if function["is_trigger"]:
            assert not function["may_call"], function["name"]
