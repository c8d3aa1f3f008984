"""What is kept of people: callers' numbers and texts until some days after a matter is closed, and nothing that names a person."""

from geo_grid.access.accounts import QUERIES as ACCESS
from geo_grid.db import connect
from geo_grid.settings import Settings
from geo_grid.workflow.steps import QUERIES as STEPS
from tests.identities import as_server

_NAMES_PEOPLE = "id_?card|identity_?(card|number|no)|passport|face|plate|iris|fingerprint|biometr"


def test_a_callers_number_and_words_go_90_days_after_the_end(small_city: str) -> None:
    kept = Settings()
    assert (kept.caller_retention_days, kept.text_retention_days) == (90, 90)
    with connect(small_city) as connection:
        connection.execute(
            "insert into incidents (category, description, address, caller_number, closed_at, geom)"
            " select 'help', 'said', 'lane 3', '13912345678', now() - make_interval(days => days),"
            " ST_SetSRID(ST_MakePoint(114.5, 37), 4490) from unnest(array[91, 89, null]) as days"
        )
    as_server(small_city, ACCESS["tidy"], {"callers_days": kept.caller_retention_days})
    as_server(small_city, STEPS["tidy"], {"texts_days": kept.text_retention_days})
    with connect(small_city) as connection:
        rows = connection.execute(
            "select caller_number, description, address from incidents order by incident_id"
        ).fetchall()
    assert [tuple(row.values()) for row in rows] == [(None, "", ""), *[("13912345678", "said", "lane 3")] * 2]


def test_a_subtype_that_few_have_and_no_group_counts_is_what_somebody_typed_and_goes_too(small_city: str) -> None:
    subtypes = ["quarrel of Mr. Li", "stolen bicycle", *["break-in"] * 5]
    with connect(small_city) as connection:
        connection.execute(
            "insert into category_groups (group_code, name_zh, name_en) values ('bicycles', '自行车', 'Bicycles')"
        )
        connection.execute("insert into category_group_members values ('bicycles', 'public_order', 'stolen bicycle')")
        connection.execute(
            "insert into incidents (category, subtype, closed_at, geom) select 'public_order', subtype, now() - interval '91 days',"
            " ST_SetSRID(ST_MakePoint(114.5, 37), 4490) from unnest(%s::text[]) subtype",
            [subtypes],
        )
    as_server(small_city, STEPS["tidy"], {"texts_days": 90})
    with connect(small_city) as connection:
        rows = connection.execute("select subtype from incidents order by incident_id").fetchall()
    assert [row["subtype"] for row in rows] == ["", *subtypes[1:]]


def test_no_table_has_a_place_for_what_identifies_a_person(database: str) -> None:
    with connect(database) as connection:
        found = connection.execute(
            "select table_name, column_name from information_schema.columns"
            " where table_schema in ('public', 'access') and (column_name ~ %(names)s or table_name ~ %(names)s)",
            {"names": _NAMES_PEOPLE},
        ).fetchall()
        columns = connection.execute(
            "select count(*) as n from information_schema.columns where table_schema = 'public'"
        )
        assert columns.fetchone()["n"] > 200  # type: ignore[index]
    assert found == []
