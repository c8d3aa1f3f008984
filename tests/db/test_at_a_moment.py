"""What is in force at a moment, which cells are innermost then, and what lies above a cell: each said once, in SQL."""

import re
from pathlib import Path

import geo_grid
from geo_grid.db import connect
from tests.squares import SIDE, SOUTH, WEST


def test_a_row_is_in_force_from_its_beginning_until_just_before_its_end(database: str) -> None:
    asked = "select in_force('2026-01-01', %s, m::timestamptz) as is_so from unnest(%s::text[]) m"
    moments = ["2025-12-31 23:59:59Z", "2026-01-01Z", "2026-05-31 23:59:59Z", "2026-06-01Z", "infinity"]
    with connect(database) as connection:
        ended = connection.execute(asked, ("2026-06-01", moments)).fetchall()
        lasting = connection.execute(asked, (None, moments)).fetchall()
    assert [row["is_so"] for row in ended] == [False, True, True, False, False]
    assert [row["is_so"] for row in lasting] == [False, True, True, True, True]


def test_innermost_cells_and_ancestors_are_told_by_parent_now_and_in_the_past(small_city: str) -> None:
    """The codes of these cells say nothing of their parents."""
    with connect(small_city) as connection:
        (edition,) = connection.execute(
            "insert into editions (valid_from, note) values (now(), 'A is given up') returning edition_id, valid_from"
        ).fetchall()
        connection.execute(
            "update grid_cells set valid_to = %(valid_from)s, closed_by = %(edition_id)s where grid_code = 'A'", edition
        )

    def codes(asked: str, *values: object) -> list[str]:
        with connect(small_city) as connection:
            return [row["grid_code"] for row in connection.execute(asked.encode(), values).fetchall()]

    before = "(%s::timestamptz - interval '1 us')"
    given_up = edition["valid_from"]
    leaves = "select grid_code from leaf_cells({}) order by 1"
    assert codes(leaves.format(before), given_up) == ["A", "B", "C", "D"]
    assert codes(leaves.format("%s"), given_up) == codes(leaves.format("'infinity'")) == ["B", "C", "D"]
    assert codes("select grid_code from cells_of_level(1, now())") == ["P"]
    assert codes("select grid_code from cells_of_level(5, now()) order by 1") == ["B", "C", "D"]
    chain = "select grid_code from cell_chain(%s, now()) order by grid_level"
    assert codes(chain, "B") == ["P", "B"]
    assert codes(chain, "A") == ["P", "A"]  # as it last was
    assert codes(chain, "none") == codes("select grid_code from cell_chain('B', '1900-01-01')") == []


def test_they_are_put_into_the_statement_that_asks_so_that_indexes_serve_it(small_city: str) -> None:
    box = f"ST_MakeEnvelope({WEST}, {SOUTH}, {WEST + SIDE}, {SOUTH + SIDE}, 4490)"
    with connect(small_city) as connection:
        connection.execute("set local enable_seqscan = off")
        connection.execute("set local role geo_grid_app")
        for asked in ("leaf_cells(now())", "cells_of_level(2, now())"):
            rows = connection.execute(f"explain select grid_code from {asked} c where c.geom && {box}".encode())
            plan = "\n".join(str(row["QUERY PLAN"]) for row in rows.fetchall())
            assert "Index Scan using grid_cells_geom" in plan
            assert not re.search(r"Function Scan on (leaf_cells|cells_of_level)|in_force\(", plan)


def test_no_other_file_says_by_itself_what_is_in_force_or_innermost() -> None:
    folder = Path(geo_grid.__file__).parent
    told = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.sql")
        if re.search(
            r"valid_to is null or \S+ < (\w\.)?valid_to|not exists\s*\(\s*select from (public\.)?grid_cells k",
            path.read_text(),
        )
    }
    assert told == {"db/schema/moments.sql", "layers/schema/grid_cells.sql"}
