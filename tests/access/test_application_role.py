"""What the server's own database role cannot do, whatever a request smuggles into a statement."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from geo_grid.db import application_conninfo, connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.errors import UserError
from geo_grid.settings import Settings


@pytest.fixture(scope="module")
def city(four_cells: str) -> str:
    """The role's way into a small city, where it can change nothing."""
    with connect(four_cells) as connection:
        connection.execute("insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_lead', 'x')")
        connection.execute(
            "insert into incidents (category, geom) values ('x', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
    return make_conninfo(four_cells, user=APPLICATION_ROLE)


@pytest.mark.parametrize(
    "statement",
    [
        "update grid_cells set name = 'mine'",
        "insert into editions (valid_from, note) values (now(), 'mine')",
        "delete from grid_cells",
        "truncate incidents",
        "delete from incidents",
        "update incidents set caller_number = '1'",
        "update incidents set received_at = now()",
        "update incident_steps set note = 'mine'",
        "delete from incident_steps",
        "update mediation_steps set note = ''",
        "delete from mediation_parties",
        "update mediation_parties set initials = 'Q'",
        "delete from mediation_cases",
        "update supervised_listings set listed_by = null",
        "update listing_steps set note = ''",
        "update risk_assessments set risk_level = 'low'",
        "delete from supervised_listings",
        "delete from mediators",
        "update duties set person_name = 'me'",
        "update changes set kind = 'table'",
        "insert into changes (kind) values ('incidents')",
        "select payload from changes",
        "select * from change_sources",
        "select * from access.feed_now()",
        "update feed set purged_to = '0'",
        "delete from migrations",
        "delete from idempotency_keys",
        "select secret from hooks",
        "update hooks set url = 'https://mine.example/'",
        "select * from access.due_letters(1)",
        "select access.letters_taken('{1}')",
        "select access.note_areas('[]')",
        "insert into hook_letters (hook_id, kind) values (1, 'area.covered')",
        "delete from hook_letters",
        "drop table incidents",
        "alter table incidents disable trigger all",
        "alter table grid_cells owner to geo_grid_app",
        "drop trigger grid_cells_no_delete on grid_cells",
        "create table mine (n int)",
        "create function mine() returns int language sql return 1",
        "create extension dblink",
        "create role mine",
        "alter role geo_grid_app superuser",
        "alter role geo_grid_app bypassrls",
        "set session_replication_role = replica",
        "set role geo_grid",
        "set session authorization geo_grid",
        "copy incidents to program 'cat'",
        "copy (select 1) to '/tmp/mine'",
        "copy idempotency_keys from '/etc/passwd'",
        "select pg_read_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'geo_grid'",
        "select rolpassword from pg_authid",
        "alter system set log_connections = on",
    ],
)
def test_postgresql_refuses(city: str, statement: str) -> None:
    with psycopg.connect(city, autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_it_owns_nothing_and_belongs_to_nobody(database: str) -> None:
    with connect(database) as connection:
        role = connection.execute(
            "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication as mighty,"
            " (select count(*) from pg_auth_members where member = r.oid) as memberships,"
            " (select count(*) from pg_class where relowner = r.oid) as tables,"
            " (select count(*) from pg_proc where proowner = r.oid) as functions"
            " from pg_roles r where rolname = %s",
            (APPLICATION_ROLE,),
        ).fetchone()
    assert role == {"mighty": False, "memberships": 0, "tables": 0, "functions": 0}


def test_without_a_credential_no_step_is_taken(city: str) -> None:
    with psycopg.connect(city) as connection:
        assert connection.execute("update incidents set step = 'accepted'").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "insert into incident_steps (incident_id, number, action, stage_before, stage_after, actor_name, done_at, lon, lat)"
                " values (1, 1, 'accept', 'reported', 'accepted', 'me', now(), 114.5, 37)"
            )


def test_without_a_credential_it_sees_nothing(city: str) -> None:
    with psycopg.connect(city) as connection:
        for table in ("grid_cells", "patrol_zones", "duties", "police_posts", "response_circles", "patrol_units",
                      "incidents", "incident_cards", "cameras", "facilities", "roads", "mandatory_stops",
                      "idempotency_keys", "incident_steps", "incident_units", "mediation_organisations", "mediators",
                      "mediation_places", "mediation_cases", "mediation_steps", "mediation_parties", "registered_places",
                      "risk_assessments", "supervised_listings", "listing_steps", "camera_platforms", "camera_states",
                      "camera_positions",
                      "camera_state_log", "camera_proposals", "camera_views", "camera_coverage",
                      "platform_links", "platform_door", "platform_refusals"):  # fmt: skip
            assert connection.execute(f"select count(*) from {table}").fetchone() == (0,), table
        assert connection.execute("select count(change_id) from changes").fetchone() == (0,)


def test_with_a_database_of_ones_own_the_way_must_be_said(database: str) -> None:
    with pytest.raises(UserError, match="GEO_GRID_APP_DATABASE_URL"):
        application_conninfo(Settings(database_url=database), database)
    with pytest.raises(UserError, match="GEO_GRID_APP_DATABASE_URL is not a libpq"):
        application_conninfo(Settings(database_url=database, app_database_url="nonsense://"), database)
