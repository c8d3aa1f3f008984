"""The database as text: what migrate makes of it, and what doctor finds when somebody changed the database by hand."""

import json

import psycopg
import pytest

from geo_grid.db import connect, differences, migrate, read_migrations
from geo_grid.db.as_text import Statement, Text, apply_text, read_text
from geo_grid.db.migrations import Migration
from geo_grid.db.policies import read_policies
from geo_grid.errors import SetupError
from tests.commands import geo_grid


def _with(text: Text, *more: str) -> Text:
    return Text((*text.made, *(Statement("test.sql", one) for one in more)), text.hung)


def test_a_migrated_database_is_as_the_text_says_and_stays_so_untouched(database: str) -> None:
    def rows_of_policies() -> object:
        with connect(database) as connection:
            return connection.execute("select oid from pg_policy order by oid").fetchall()

    before = rows_of_policies()
    migrate(database)
    assert rows_of_policies() == before  # the same digest: nothing was made again
    with connect(database) as connection:
        assert differences(connection) == []


@pytest.mark.parametrize(
    ("by_hand", "told"),
    [
        (
            "create or replace function access.may(wanted text) returns boolean language sql return true",
            "function access.may(text) was changed",
        ),
        ("grant execute on function access.with_right to geo_grid_app", "function access.with_right(text) was changed"),
        ("alter function access.leaf_cell security invoker", "function access.leaf_cell(public.geometry"),
        ("alter function on_lattice leakproof", "function public.on_lattice(public.geometry) was changed"),
        ("alter view incident_cards reset (security_invoker)", "view public.incident_cards was changed"),
        ("grant select on access.asking to public", "view access.asking was changed"),
        ("drop trigger cameras_once on cameras", "trigger cameras_once on public.cameras is missing"),
        ("alter table cameras disable trigger cameras_once", "trigger cameras_once on public.cameras was changed"),
        ("drop policy cameras_seen on cameras", "policy cameras_seen on public.cameras is missing"),
        (
            "alter policy roads_seen on roads using (true)",
            "policy roads_seen on public.roads was changed",
        ),
        ("alter table roads disable row level security", "policy roads_seen on public.roads was changed"),
    ],
)
def test_what_was_changed_by_hand_is_named_and_put_right(database: str, by_hand: str, told: str) -> None:
    with connect(database) as connection:
        connection.execute(by_hand.encode())
        assert [one for one in differences(connection) if one.startswith(told)]
    migrate(database)
    with connect(database) as connection:
        assert differences(connection)  # the same text: it takes to be asked for
    migrate(database, again=True)
    with connect(database) as connection:
        assert differences(connection) == []


def test_doctor_names_what_was_changed_and_what_to_do(database: str) -> None:
    def found() -> dict[str, object]:
        told = json.loads(geo_grid(database, "doctor", "--json", expect=1).stdout)  # other things are wrong here too
        return next(finding for finding in told if finding["what"] == "functions and policies")

    with connect(database) as connection:
        connection.execute("alter policy roads_seen on roads using (true)")
    assert found() == {
        "what": "functions and policies", "ok": False, "is_warning": False,
        "found": "policy roads_seen on public.roads was changed: geo-grid migrate --again makes them as geo_grid has them",
    }  # fmt: skip
    geo_grid(database, "migrate", "--again")
    assert found()["ok"]


def test_a_door_that_somebody_added_is_named(database: str) -> None:
    with connect(database) as connection:
        connection.execute("create policy all_of_it on incidents using (true)")
        connection.execute("create function access.mine() returns int language sql return 1")
        connection.execute("create function public.theirs() returns int language sql return 1")  # not ours to judge
        assert sorted(differences(connection)) == [
            "function access.mine() is not of geo_grid: drop function access.mine()",
            "policy all_of_it on public.incidents is not of geo_grid: drop policy all_of_it on public.incidents",
        ]


def test_what_the_text_names_no_more_goes_and_what_is_somebody_elses_stays(database: str) -> None:
    text = read_text()
    made = "create or replace function public.once() returns int language sql return 1;"
    shown = "create or replace view public.shown as select public.once() as one;"
    with connect(database) as connection:
        connection.execute("create function public.theirs() returns int language sql return 1")
    with connect(database) as connection:
        assert apply_text(connection, _with(text, made, shown))
    with connect(database) as connection:
        assert not apply_text(connection, _with(text, made, shown))  # the last that was applied
        assert apply_text(connection, text)
        found = connection.execute("select to_regproc('once') o, to_regclass('shown') s, to_regproc('theirs') t")
        assert found.fetchone() == {"o": None, "s": None, "t": "theirs"}


def test_nobody_may_call_a_function_unless_the_text_says_who(database: str) -> None:
    made = "create or replace function public.once() returns int language sql return 1;"
    with connect(database) as connection:
        apply_text(connection, _with(read_text(), made))
        found = connection.execute("select has_function_privilege('geo_grid_app', 'once()', 'execute') as may")
        assert found.fetchone() == {"may": False}


def test_after_a_migration_the_text_is_applied_again(database: str) -> None:
    text = read_text()
    dropping = Migration(len(read_migrations()) + 1, "9999_dropping.sql", "drop trigger cameras_once on cameras")
    migrate(database, [*read_migrations(), dropping])
    with connect(database) as connection:
        assert differences(connection) == ["those of this geo_grid were not applied last"]
        assert apply_text(connection, text)
        assert differences(connection) == []


def test_a_text_that_cannot_be_applied_changes_nothing_and_is_named(database: str) -> None:
    broken = "create or replace function public.broken() returns int language sql return no_such_column;"
    with pytest.raises(SetupError, match=r"test\.sql: create or replace function public\.broken.*no_such_column"):
        with connect(database) as connection:
            apply_text(connection, _with(read_text(), broken))
    with connect(database) as connection:
        assert differences(connection) == []


def test_a_function_that_a_table_needs_is_not_dropped(database: str) -> None:
    text = read_text()
    without = Text(
        tuple(one for one in text.made if "function on_lattice" not in one.sql),
        tuple(one for one in text.hung if "function on_lattice" not in one.sql),
    )
    with pytest.raises(SetupError, match=r"on_lattice.*is needed"), connect(database) as connection:
        apply_text(connection, without)


@pytest.mark.parametrize(
    "declared",
    [
        '"select seen" = { right = "map", where = ["aera"] }',
        '"select seen" = { right = "map", wehre = ["area"] }',
        '"see seen" = { right = "map" }',
        '"select" = { right = "map" }',
        '"select seen" = { where = ["area"] }',
        '"select seen" = {}',
        '"update changed" = { check = "true" }',
        '"select seen" = { right = "map", using = "true" }',
    ],
)
def test_a_declaration_that_is_misspelt_is_refused(declared: str) -> None:
    with pytest.raises(SetupError, match=r"policies\.toml: \[roads\]"):
        read_policies(f"[roads]\n{declared}", "policies.toml")


def test_one_declaration_makes_the_policies_of_a_table() -> None:
    declared = (
        '[posts]\n"select seen" = { right = "map", where = ["area", "cell and zone"], or = "draw", and = ["post"] }'
    )
    assert read_policies(declared, "x") == [
        "alter table posts enable row level security;",
        "create policy posts_seen on posts for select using (\n"
        "    ((select access.city_wide('map')) or (select access.may('draw'))"
        " or ST_Covers((select access.my_area('map')), geom)"
        " or (grid_code in (select m.code from access.my_cells('map') m (code)) and zone_code in (select access.my_zones('map'))))"
        " and post_code in (select p.post_code from police_posts p));",
    ]


def test_rows_of_every_table_that_is_asked_about_are_guarded(database: str) -> None:
    """What the application's role may read whole is what tells nothing of a place: lists, and what was applied."""
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
            " and not c.relrowsecurity and has_any_column_privilege('geo_grid_app', c.oid, 'select') order by 1"
        ).fetchall()
    assert {name for (name,) in found} <= {
        "circle_rules", "code_schemes", "grid_levels", "incident_categories", "migrations", "osm_extract",
        "spatial_ref_sys", "table_versions",
    }  # fmt: skip
