"""The city's own figures of mediation, from rows of their number; and counts by any key, against counting by hand."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

import pytest

from geo_grid.db import Cluster, connect
from tests.databases import new_database
from tests.mediation.city import IN_A, Desk, served

TAKEN, SETTLED = 23_022, 11_854
"""DOMAIN, section 1; it gives the share as 51.48 %, which is 51.4899 cut off, not rounded."""
FILL = """
with numbered as (
    select n, (array['A', 'B', 'C', 'D'])[1 + n %% 4] as cell from generate_series(0, %(taken)s - 1) n
), filed as (
    insert into incidents (incident_number, category, received_at, grid_code, geom)
    select 'M' || n, 'dispute', timestamptz '2020-01-01 00:00+08' + n * interval '20 minutes', cell,
           ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)
    from numbered
    returning incident_id, incident_number, received_at
), offices as (
    select o.facility_id, o.mediation_kind, f.division_level, row_number() over (order by f.facility_code) - 1 as number,
           count(*) over () as count
    from mediation_organisations o join facilities f using (facility_id)
)
insert into mediation_cases (incident_id, facility_id, mediation_kind, division_level, chosen_by, taken_at, ended_at, outcome)
select i.incident_id, o.facility_id, o.mediation_kind, o.division_level, 'nearest', i.received_at,
       case when x.outcome is not null then i.received_at + interval '3 days' end, x.outcome
from filed i
cross join lateral (select substr(i.incident_number, 2)::int as n) k
join offices o on o.number = k.n %% o.count
cross join lateral (select case when k.n < %(settled)s then 'settled'
                                else (array['not_settled', 'withdrawn', null])[1 + k.n %% 3] end as outcome) x
"""


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    with new_database(cluster, "mediation_figures") as conninfo, served(conninfo) as found:
        with connect(conninfo) as connection:
            connection.execute("set local session_replication_role = replica")  # nobody does anything with them
            connection.execute(FILL, {"taken": TAKEN, "settled": SETTLED, **IN_A})
            connection.execute("analyze")
        yield found


def test_the_citys_own_figures_reproduce(desk: Desk) -> None:
    (found,) = desk.ask(desk.lin, "/mediation/figures")["figures"]
    assert (found["taken"], found["settled"], found["settled_percent"]) == (TAKEN, SETTLED, 51.48)
    assert round(100 * SETTLED / TAKEN, 2) == 51.49  # so the city did not round
    assert found["taken"] == sum(found[name] for name in ("settled", "not_settled", "withdrawn", "open"))


def test_counts_by_any_key_are_those_counted_by_hand(desk: Desk) -> None:
    with connect(desk.conninfo) as connection:
        rows = connection.execute(
            "select m.mediation_kind, m.division_level, m.outcome, i.grid_code,"
            " to_char(m.taken_at at time zone 'Asia/Shanghai', 'YYYY-MM') as month"
            " from mediation_cases m join incidents i using (incident_id)"
        ).fetchall()
    by_hand = Counter((row["mediation_kind"], row["division_level"], row["grid_code"], row["month"]) for row in rows)
    settled = Counter(
        (row["mediation_kind"], row["division_level"], row["grid_code"], row["month"])
        for row in rows if row["outcome"] == "settled"
    )  # fmt: skip
    found = desk.ask(desk.lin, "/mediation/figures?by=kind&by=level&by=cell&by=month&level=2")["figures"]
    keys = [(one["mediation_kind"], one["division_level"], one["grid_code"], one["month"]) for one in found]
    assert dict(zip(keys, (one["taken"] for one in found), strict=True)) == by_hand
    assert {key: one["settled"] for key, one in zip(keys, found, strict=True) if one["settled"]} == settled
    above = desk.ask(desk.lin, "/mediation/figures?by=cell&level=1")["figures"]
    assert [(one["grid_code"], one["taken"]) for one in above] == [("P", TAKEN)]
    organisations = desk.ask(desk.lin, "/mediation/figures?by=organisation")["figures"]
    assert sum(one["taken"] for one in organisations) == TAKEN
    assert {one["facility_code"] for one in organisations} >= {"A-people", "city-arbitration"}


def test_a_period_is_half_open_and_a_cell_holds_what_is_below_it(desk: Desk) -> None:
    month = desk.ask(desk.lin, "/mediation/figures?since=2020-01-01&until=2020-02-01")["figures"][0]
    assert month["taken"] == 31 * 24 * 3
    rest = desk.ask(desk.lin, "/mediation/figures?since=2020-02-01")["figures"][0]
    assert month["taken"] + rest["taken"] == TAKEN
    assert desk.ask(desk.lin, "/mediation/figures?within=P")["figures"][0]["taken"] == TAKEN
    (within,) = desk.ask(desk.lin, "/mediation/figures?within=A&by=cell&level=2")["figures"]
    assert (within["grid_code"], within["taken"]) == ("A", (TAKEN + 3) // 4)
    assert desk.ask(desk.lin, "/mediation/figures?within=nowhere")["figures"] == []
    desk.ask(desk.lin, "/mediation/figures?by=weather", 422)


def test_figures_have_their_definitions_beside_them_and_go_out_as_csv_on_record(desk: Desk) -> None:
    told = desk.ask(desk.lin, "/mediation/figures?by=kind")
    counts = {"taken", "settled", "not_settled", "withdrawn", "open", "settled_percent"}
    assert {one["code"] for one in told["definitions"]} == counts
    assert all(one["definition_zh"] and one["definition_en"] for one in told["definitions"])
    answer = desk.chief.get("/mediation/figures?by=kind&f=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["mediation_kind"], int(row["taken"]), float(row["settled_percent"])) for row in rows] == [
        (one["mediation_kind"], one["taken"], one["settled_percent"]) for one in told["figures"]
    ]
    with connect(desk.conninfo) as connection:
        (exported,) = connection.execute(
            "select detail from access.audit_log where action = 'layer.export' and object_id = 'mediation_figures'"
        ).fetchall()
    assert exported["detail"]["rows"] == len(rows)
