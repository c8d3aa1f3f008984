"""Indicators equal what pandas makes of the same rows, exactly."""

import csv
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from pandas import DataFrame, Series
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.cli.access import as_owner
from geo_grid.db import APPLICATION_ROLE, Asker, AsyncConnection, Cluster, acting_conninfo, connect
from geo_grid.errors import InvalidQuery
from geo_grid.indicators import (
    Answer,
    Question,
    areas,
    as_csv,
    figures_apart,
    make_answer,
    read_facts,
    read_question,
    read_shapes,
)
from geo_grid.indicators.definitions import CLOCKS
from geo_grid.indicators.measuring import measure
from tests.databases import new_database
from tests.identities import api_key
from tests.indicators.city import LATER, ZONE, City, make_city

YEAR = {"from": "2017-01-01", "to": "2018-01-01"}
ALWAYS = ["count", "year_on_year", "first_contact", "dispatch", "turnout", "travel", "response"]
"""What does not depend on when it is asked."""
PERIODS = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}


@pytest.fixture(scope="module")
def city(cluster: Cluster, shared: Path) -> Iterator[City]:
    with new_database(cluster, "indicators") as conninfo:
        made = make_city(conninfo, shared)
        with connect(conninfo) as connection:
            connection.execute("insert into category_groups values ('rt', '抢盗', 'Robbery and theft')")
            connection.execute("insert into category_groups values ('domestic', '家庭', 'Domestic')")
            connection.execute(
                "insert into category_group_members values ('rt', 'ROBBERY', ''), ('rt', 'THEFT', ''),"
                " ('rt', 'THEFT', '$500 AND UNDER'), ('domestic', 'BATTERY', 'DOMESTIC BATTERY SIMPLE')"
            )
        yield made


def answer(city: City, now: datetime = LATER, **given: Any) -> Answer:
    question = read_question(Question, given)
    return make_answer(as_owner(city.conninfo, lambda connection: read_facts(connection, question, now, ZONE)))


class Reference:
    """The same rows in pandas, and the owners that shapely finds."""

    def __init__(self, city: City) -> None:
        with connect(city.conninfo) as connection:
            rows = connection.execute(
                "select i.*, ST_X(geom) as lon, ST_Y(geom) as lat from counted_incidents i order by incident_id"
            ).fetchall()
            units = connection.execute("select * from incident_units order by assigned_at").fetchall()
            self.cells = DataFrame(
                connection.execute("select *, ST_AsBinary(geom) as wkb from grid_cells order by grid_code").fetchall()
            )
            self.zones = DataFrame(
                connection.execute("select *, ST_AsBinary(geom) as wkb from patrol_zones order by zone_code").fetchall()
            )
        self.rows = DataFrame(rows).drop(columns="geom")
        for name in ("received_at", "accepted_at", "dispatched_at", "departed_at", "arrived_at", "closed_at", "due_at"):
            self.rows[name] = pd.to_datetime(self.rows[name], utc=True)
        self.rows["contacted_at"] = self.rows[["accepted_at", "dispatched_at"]].min(axis=1)
        self.rows["local"] = self.rows["received_at"].dt.tz_convert(ZONE).dt.tz_localize(None)
        self.units = DataFrame(units).drop_duplicates(["incident_id", "unit_code"])
        self.parents = self.cells.drop_duplicates("grid_code").set_index("grid_code")["parent_code"].to_dict()

    def located(self, table: DataFrame, code: str, at: datetime | None) -> Series:
        """The smallest code of those that cover each point, of leaves or zones at a moment; None: now."""
        moment = pd.Timestamp(at or datetime.now(UTC))
        ended = pd.to_datetime(table["valid_to"], utc=True)
        held = table[(pd.to_datetime(table["valid_from"], utc=True) <= moment) & ~(ended <= moment)]
        if code == "grid_code":
            held = held[~held[code].isin(held["parent_code"])]
        shapes = shapely.from_wkb([bytes(wkb) for wkb in held["wkb"]])
        covers = shapely.covers(shapes[None, :], shapely.points(self.rows[["lon", "lat"]].to_numpy())[:, None])
        codes = held[code].to_numpy(dtype=object)
        return Series([min(codes[row]) if row.any() else None for row in covers], index=self.rows.index, dtype=object)

    def keyed(self, by: list[str], level: int | None, edition: str, at: datetime | None) -> DataFrame:
        rows = self.rows.copy()
        if edition == "now":
            rows["grid_code"] = self.located(self.cells, "grid_code", at)
            rows["zone_code"] = self.located(self.zones, "zone_code", at)
        rows["cell"], rows["zone"] = rows["grid_code"], rows["zone_code"]
        if level == 1:
            rows["cell"] = rows["cell"].map(self.parents).astype(object)
        if "unit" in by:
            rows = rows.drop(columns=["dispatched_at", "departed_at", "arrived_at"]).merge(self.units, on="incident_id")
            for name in ("assigned_at", "departed_at", "arrived_at"):
                rows[name] = pd.to_datetime(rows[name], utc=True)
            rows = rows.rename(columns={"assigned_at": "dispatched_at", "unit_code": "unit"})
            rows["contacted_at"] = rows[["accepted_at", "dispatched_at"]].min(axis=1)
        if "group" in by:
            rt, domestic = rows["category"].isin(["ROBBERY", "THEFT"]), rows["subtype"] == "DOMESTIC BATTERY SIMPLE"
            rows = pd.concat([
                rows[rt].assign(group="rt"), rows[domestic & (rows["category"] == "BATTERY")].assign(group="domestic")
            ])  # fmt: skip
        return rows

    def figures(
        self,
        by: list[str],
        level: int | None = None,
        edition: str = "then",
        at: datetime | None = None,
        keep: Any = None,
    ) -> dict[tuple[str | None, ...], dict[str, Any]]:
        """Every figure of the year 2017 by key, as an answer has them."""
        rows = self.keyed(by, level, edition, at)
        rows = rows[keep(rows)] if keep else rows
        here = rows[(rows["local"] >= "2017-01-01") & (rows["local"] < "2018-01-01")]
        former = rows[(rows["local"] >= "2016-01-01") & (rows["local"] < "2017-01-01")]
        former = former.assign(local=former["local"] + pd.DateOffset(years=1))
        before = {key: len(part) for key, part in grouped(former, by)}
        parts = dict(grouped(here, by))
        return {key: figures_of(parts.get(key, here[:0]), before.get(key, 0)) for key in {*parts, *before}}


def grouped(rows: DataFrame, by: list[str]) -> Iterator[tuple[tuple[str | None, ...], DataFrame]]:
    if not by:
        yield (), rows
        return
    keys = [rows["local"].dt.strftime(PERIODS[one]) if one in PERIODS else rows[one] for one in by]
    for key, part in rows.groupby([one.rename(None) for one in keys], dropna=False):
        yield tuple(None if pd.isna(one) else one for one in key), part


def figures_of(rows: DataFrame, before: int) -> dict[str, Any]:
    count, now = len(rows), pd.Timestamp(LATER)
    closed = rows["closed_at"] <= now
    due = rows["due_at"].notna() & (closed | (rows["due_at"] < now))
    on_time = closed & (rows["closed_at"] <= rows["due_at"])
    made = {
        "count": count,
        "year_on_year": {"before": before, "change": (count - before) / before if before else None},
        "settlement": {
            "taken": count, "closed": closed.sum(), "not_solved": (closed & (rows["outcome"] == "not_solved")).sum(),
            "share": closed.sum() / count if count else None,
        },
        "on_time": {"due": due.sum(), "on_time": on_time.sum(), "share": on_time.sum() / due.sum() if due.sum() else None},
    }  # fmt: skip
    for stage, (since, until) in CLOCKS.items():
        took = (rows[until] - rows[since]) / pd.Timedelta(microseconds=1)
        day = 86_400e6
        kept = took[(took >= 0) & (took <= day)].round()
        p50, p90 = (
            np.quantile(kept, share, method="inverted_cdf") / 1e6 if len(kept) else None for share in (0.5, 0.9)
        )
        made[stage] = {
            "n": len(kept), "p50_s": p50, "p90_s": p90, "no_clock": took.isna().sum(),
            "out_of_order": (took < 0).sum(), "over_a_day": (took > day).sum(),
        }  # fmt: skip
    return made


@pytest.fixture(scope="module")
def reference(city: City) -> Reference:
    return Reference(city)


def told(found: Answer) -> dict[tuple[str | None, ...], dict[str, Any]]:
    left_out = {"key", "name_zh", "name_en", "rank", "households", "rate"}
    rows = [*found.rows, *found.not_ranked]
    assert len({tuple(row.key.values()) for row in rows}) == len(rows)
    return {tuple(row.key.values()): row.model_dump(exclude=left_out) for row in rows}


def assert_equal(found: Answer, expected: dict[tuple[str | None, ...], dict[str, Any]]) -> None:
    ours, asked = told(found), {one.code for one in found.definitions} | {"count"}
    assert {key for key, row in ours.items() if row["count"] or row["year_on_year"]["before"]} == expected.keys()
    for key, row in expected.items():
        assert {name: value for name, value in ours[key].items() if name in asked} == {
            name: value for name, value in row.items() if name in asked
        }, key


EVERY = [
    [], ["cell"], ["zone"], ["unit"], ["category"], ["group"], ["day"], ["week"], ["month"], ["year"],
    ["cell", "category"], ["zone", "group", "month"], ["unit", "week"], ["month", "cell"],
]  # fmt: skip


@pytest.mark.parametrize("by", EVERY, ids=",".join)
def test_every_indicator_equals_pandas(city: City, reference: Reference, by: list[str]) -> None:
    expected = reference.figures(by)
    assert_equal(answer(city, by=by, **YEAR), expected)
    if by == []:
        (whole,) = expected.values()
        assert min(whole["dispatch"].values()) > 0  # of every reason to leave something out there are some
        assert min(whole["on_time"].values()) > 0


@pytest.mark.parametrize("level", [None, 1, 2])
def test_the_edition_is_a_choice(city: City, reference: Reference, level: int | None) -> None:
    asked = {"by": ["cell"], **({"level": level} if level else {}), **YEAR}
    then = reference.figures(["cell"], level)
    assert_equal(answer(city, **asked), then)
    now = reference.figures(["cell"], level, "now")
    assert_equal(answer(city, datetime.now(UTC), **asked, edition="now", indicators=ALWAYS), now)
    before = reference.figures(["cell"], level, "now", city.between)
    assert_equal(answer(city, datetime.now(UTC), **asked, edition="now", at=city.between, indicators=ALWAYS), before)
    if level != 1:
        assert len({str({key: row["count"] for key, row in one.items()}) for one in (then, now, before)}) == 3
    by_zone = answer(city, datetime.now(UTC), by=["zone"], edition="now", indicators=ALWAYS, **YEAR)
    assert_equal(by_zone, reference.figures(["zone"], None, "now"))


@pytest.mark.parametrize(
    ("given", "keep"),
    [
        ({"category": ["THEFT", "BATTERY"]}, lambda rows: rows["category"].isin(["THEFT", "BATTERY"])),
        ({"group": ["rt"]}, lambda rows: rows["category"].isin(["THEFT", "ROBBERY"])),
        ({"within": "Q"}, lambda rows: rows["grid_code"].isin(list("EFGH"))),
        ({"within": "C"}, lambda rows: rows["grid_code"] == "C"),  # which is retired
    ],
    ids=["category", "group", "within", "retired"],
)
def test_what_is_chosen_equals_pandas(city: City, reference: Reference, given: dict[str, Any], keep: Any) -> None:
    assert_equal(answer(city, by=["cell"], **given, **YEAR), reference.figures(["cell"], keep=keep))


@pytest.mark.parametrize("by", [["cell"], ["month", "category"], ["unit", "year"]], ids="-".join)
@pytest.mark.parametrize("own", [None, "Q"], ids=["city", "county"])
def test_two_connections_read_for_whoever_asks_what_they_see(city: City, own: str | None, by: list[str]) -> None:
    key = api_key(city.conninfo, "supervisor", [own] if own else None)
    supervisor = acting_conninfo(make_conninfo(city.conninfo, user=APPLICATION_ROLE), Asker(digest_of(key)))
    question = read_question(Question, {"by": by, **YEAR})
    found = json.loads(figures_apart(supervisor, question, LATER, ZONE, "json")[0])
    found |= {"begins": found.pop("from"), "ends": found.pop("to")}
    alone = answer(city, by=by, **YEAR, **({"within": own} if own else {}))
    assert told(Answer.model_validate(found)) == told(alone)


def test_rates_are_for_households(city: City) -> None:
    rows = {row.key["cell"]: row for row in answer(city, by=["cell"], level=1, **YEAR).rows}
    with connect(city.conninfo) as connection:
        homes = connection.execute(
            "select sum(household_count)::int as n from leaf_cells(now()) where parent_code = 'P'"
        ).fetchone()
    assert rows["P"].households == homes["n"] > 0  # type: ignore[index]
    assert rows["P"].rate == 10_000 * rows["P"].count / rows["P"].households
    assert rows["Q"].households == 310
    assert rows[None].rate is None
    leaves = {row.key["cell"]: row for row in answer(city, by=["cell"], **YEAR).rows}
    assert (leaves["E"].households, leaves["E"].rate) == (0, None)
    assert (leaves["G"].households, leaves["G"].rate) == (None, None)


def test_rows_of_few_incidents_are_listed_apart(city: City) -> None:
    found = answer(city, by=["category"], rank="count", min_n=100, **YEAR)
    assert [row.rank for row in found.rows] == sorted(row.rank or 0 for row in found.rows)
    assert min(row.count for row in found.rows) >= 100 > max(row.count for row in found.not_ranked)
    assert all(row.rank is None for row in found.not_ranked)
    by_time = answer(city, by=["cell"], rank="response", lowest_first=True, min_n=1, **YEAR)
    times = [row.response.p90_s for row in by_time.rows]  # type: ignore[union-attr]
    assert times == sorted(times, key=float)  # type: ignore[arg-type]
    assert None not in [row.key["cell"] for row in by_time.rows]  # what lies in no cell has no place in a ranking
    shared = answer(
        city, by=["month"], rank="settlement", indicators=["settlement"], min_n=0, **{**YEAR, "category": ["THEFT"]}
    )
    for one, other in itertools.pairwise(shared.rows):
        assert (one.rank == other.rank) == (one.value("settlement") == other.value("settlement"))


def test_a_map_of_more_cells_than_can_be_seen_is_refused(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    async def shapes(connection: AsyncConnection) -> dict[str, bytes]:
        facts = await read_facts(connection, read_question(Question, {"by": ["cell"], **YEAR}), LATER, ZONE)
        return await read_shapes(connection, facts)

    cells = len(as_owner(city.conninfo, shapes))
    monkeypatch.setattr(areas, "MOST_AREAS", cells)
    assert len(as_owner(city.conninfo, shapes)) == cells
    monkeypatch.setattr(areas, "MOST_AREAS", cells - 1)
    with pytest.raises(InvalidQuery, match="within a cell, or for a higher level"):
        as_owner(city.conninfo, shapes)


def test_each_answer_has_its_definition_in_both_languages(city: City) -> None:
    found = answer(city, indicators=["rate", "travel"], **YEAR)
    assert [one.code for one in found.definitions] == ["rate", "travel"]
    assert all(one.definition_zh and one.definition_en for one in found.definitions)
    assert "travel" in found.rows[0].model_dump(exclude_none=True)
    assert "dispatch" not in found.rows[0].model_dump(exclude_none=True)


def test_a_formula_in_a_file_is_none(city: City) -> None:
    with connect(city.conninfo) as connection:
        connection.execute(
            "insert into incidents (category, received_at, geom) select '=HYPERLINK(1)', '1999-05-05', geom from incidents limit 1"
        )
    text = as_csv(answer(city, by=["category"], rank="count", **{"from": "1999-01-01", "to": "2000-01-01"}))
    rows = list(csv.DictReader(text.splitlines()))
    (row,) = [row for row in rows if row["count"] == "1"]
    assert (row["category"], row["name_en"]) == ("'=HYPERLINK(1)", "'=HYPERLINK(1)")
    assert row["response_no_clock"] == "1"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"indicators": ["crime"]}, "indicators: Input should be 'count'"),
        ({"from": "2017-02-01", "to": "2017-01-01"}, "before it begins"),
        ({"from": "2017-02-01", "to": "2017-02-01"}, "before it begins"),
        ({"from": "1200-01-01"}, "from: 1200-01-01 is not between the years"),
        ({"to": "3000-01-01"}, "to: 3000-01-01 is not between the years"),
        ({"by": ["cell"], "level": 7}, "there is no grid level 7, but 1, 2"),
        ({"level": 1}, "ask by=cell with it"),
        ({"category": ["UFO"]}, "category: there is no 'UFO' among city_matter"),
        ({"group": ["ufo"]}, "group: there is no group of categories 'ufo', but domestic, robbery_and_theft, rt"),
        ({"within": "Z"}, "within: there is no cell 'Z'"),
        ({"by": ["cell", "zone"]}, "at most one of cell, zone, unit"),
        ({"at": "2017-01-01"}, "at names the boundaries of edition=now"),
        ({"rank": "rate", "indicators": ["count"]}, "cannot be ranked by rate"),
        ({"min_n": -1}, "min_n"),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else "",
)
def test_a_bad_question_is_answered_by_one_clear_line(city: City, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        answer(city, **given)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_more_groups_than_an_answer_may_have_are_refused_before_rows_are_made_of_them() -> None:
    record = np.dtype([("cell", ">i8"), ("flags", ">i2")])
    rows = [{"records": np.array([(cell, 0) for cell in (1, 2, 2)], record).tobytes()}]
    cells: dict[int, str | None] = {0: None, 1: "A", 2: "B"}
    assert [row["count"] for row in measure(rows, ["cell"], ["count"], cells, 2)] == [1, 2]
    with pytest.raises(InvalidQuery, match="more than 1 rows"):
        measure(rows, ["cell"], ["count"], cells, 1)
