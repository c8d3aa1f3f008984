"""The full-size demo city as it is stored."""

import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import osmium
import pandas as pd
import pytest
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from geo_grid.boundaries.division import multi
from geo_grid.db import connect
from geo_grid.demo import load_demo, load_earlier
from geo_grid.demo.city import City, draw_city
from geo_grid.demo.earlier import set_aside
from geo_grid.demo.gazetteer import read_gazetteer
from geo_grid.demo.regions import grow
from geo_grid.demo.roads import write_roads
from geo_grid.demo.rows import copy_frame
from geo_grid.demo.things import incidents
from geo_grid.doctor import examine
from geo_grid.errors import Conflict
from geo_grid.layers import find_layer
from geo_grid.locate import assign
from geo_grid.progress import silent
from geo_grid.settings import Settings


def rows(conninfo: str, statement: str) -> list[dict]:
    with connect(conninfo) as connection:
        return connection.execute(statement).fetchall()


def one(conninfo: str, statement: str) -> object:
    return next(iter(rows(conninfo, statement)[0].values()))


def test_it_has_the_citys_own_numbers(demo: str) -> None:
    levels = rows(demo, "select grid_level, count(*) as n from grid_cells group by 1 order by 1")
    assert [row["n"] for row in levels[:4]] == [18, 198, 5396, 18_546]
    assert levels[4]["n"] > 3_000
    duties = {r["duty_role"]: r["n"] for r in rows(demo, "select duty_role, count(*) as n from duties group by 1")}
    assert duties == {"grid_lead": 5396, "grid_manager": 18_546, "grid_assistant": 7_563}
    assert one(demo, "select count(*) from patrol_zones where zone_kind = 'area'") == 465
    assert one(demo, "select count(*) from patrol_zones where zone_kind = 'segment'") == 22
    assert one(demo, "select count(*) from police_posts") == 465
    assert one(demo, "select count(*) from response_circles") == 3 * 465
    assert one(demo, "select count(*) from cameras") == 62_000
    roads = {
        r["road_class"]: r["n"]
        for r in rows(demo, "select road_class, count(*) as n from roads where is_demo group by 1")
    }
    assert roads.keys() == {"primary", "secondary", "unclassified", "residential"}
    assert 20_000 < sum(roads.values()) < 100_000
    assert one(demo, "select is_demo and file_name = 'geo_grid_demo.osm.pbf' from osm_extract")
    assert one(demo, "select count(*) from incidents") == 20_000
    kinds = {
        r["facility_kind"]: r["n"] for r in rows(demo, "select facility_kind, count(*) as n from facilities group by 1")
    }
    assert kinds["mediation_organisation"] == 612
    assert kinds["mediation_room"] == 198
    assert kinds["volunteer_team"] == 2_685
    assert one(demo, "select sum(member_count)::int from facilities where facility_kind = 'volunteer_team'") == 32_000
    assert one(demo, "select count(*) from run_cards") == 7
    assert one(demo, "select check_in_minutes from incident_categories where category_code = 'fire'") == 10
    assert one(demo, "select count(*) from volunteer_teams where 'patrol' = any(skills)") == 2_685
    assert kinds["governance_centre"] == 1 + 18 + 198 + 5396
    assert kinds["video_conference_point"] == 1 + 18 + 198 + 2_400 + 40 + 13
    assert kinds["school"] > 100
    assert kinds["town_hall"] == 22
    assert one(demo, "select count(*) from mediation_places where mediator_count > 0") == 612
    assert one(demo, "select count(*) from mediators") == 1_385
    assert one(demo, "select count(*) from mediation_organisations where studio_of <> ''") == 41
    assert one(demo, "select count(*) from mediation_organisations where studio_of <> '' and exists (select from mediators m"
                     " where m.facility_id = mediation_organisations.facility_id and m.person_name = studio_of)") == 41  # fmt: skip
    assert one(demo, "select count(distinct room_code) from mediation_places") == 198
    assert one(demo, "select count(distinct mediation_kind) from mediation_organisations") == 6
    assert one(demo, "select count(*) from mediation_places where centre_name is null") == 0


def test_the_visits_of_one_county_keep_the_norm_and_miss_it(demo: str) -> None:
    with connect(demo) as connection:
        today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
        last = today - timedelta(days=today.weekday() + 7)
        values = {"first": last - timedelta(days=14), "after": last + timedelta(days=7)}
        weeks = connection.execute(
            "select count(*) filter (where visit_days >= needed) as kept, count(*) as counted"
            " from worker_weeks(%(first)s, %(after)s, 'Asia/Shanghai', 4, '130502') where is_counted",
            values,
        ).fetchone()
    assert weeks is not None
    assert 0.4 < weeks["kept"] / weeks["counted"] < 0.95


def test_every_organisation_stands_in_the_cell_that_it_serves(demo: str) -> None:
    assert one(demo, "select count(*) from mediation_places p join grid_cells c on c.grid_code = p.grid_code"
                     " where not ST_Covers(c.geom, p.geom)") == 0  # fmt: skip
    served = rows(demo, "select division_level, count(distinct grid_code) as n from mediation_organisations"
                        " join facilities using (facility_id) group by 1")  # fmt: skip
    assert {row["division_level"]: row["n"] for row in served} == {
        "city": 0,
        "county": 18,
        "township": 198,
        "village": 318,
    }


def test_every_level_is_a_valid_coverage_and_children_tile_their_parents(demo: str) -> None:
    found = rows(demo, "select grid_code, parent_code, grid_level, ST_AsBinary(geom) as g from grid_cells")
    shape = {r["grid_code"]: shapely.from_wkb(bytes(r["g"])) for r in found}
    for level in range(1, 6):
        assert shapely.coverage_is_valid([shape[r["grid_code"]] for r in found if r["grid_level"] == level])
    children: dict[str, list] = {}
    for row in found:
        children.setdefault(row["parent_code"], []).append(shape[row["grid_code"]])
    for parent, family in children.items():
        if parent is not None:
            united = shapely.normalize(shapely.multipolygons(shapely.get_parts(shapely.coverage_union_all(family))))
            assert shapely.equals_identical(united, shapely.normalize(shape[parent])), parent
    zones = rows(demo, "select ST_AsBinary(geom) as g from patrol_zones where zone_kind = 'area'")
    assert shapely.coverage_is_valid([shapely.from_wkb(bytes(z["g"])) for z in zones])


def test_counties_keep_their_real_borders(demo: str) -> None:
    real = read_gazetteer().counties.set_index("division_code")["geometry"]
    for row in rows(demo, "select grid_code, ST_AsBinary(geom) as g from grid_cells where grid_level = 1"):
        assert shapely.hausdorff_distance(shapely.from_wkb(bytes(row["g"])), real[row["grid_code"]]) <= 2.0**-26


def test_names_and_codes_are_the_real_ones(demo: str) -> None:
    gazetteer = read_gazetteer()
    stored = {
        r["grid_code"]: r["name"]
        for r in rows(demo, "select grid_code, name from grid_cells where grid_level in (2, 3)")
    }
    assert stored == dict(zip(gazetteer.townships["division_code"], gazetteer.townships["name"], strict=True)) | dict(
        zip(gazetteer.villages["division_code"], gazetteer.villages["name"], strict=True)
    )


def test_only_xiangdu_has_building_blocks(demo: str) -> None:
    prefixes = rows(demo, "select distinct left(parent_code, 6) as p from grid_cells where grid_level = 5")
    assert {r["p"] for r in prefixes} == {"130502", "130571"}


def test_everything_generated_is_marked(demo: str) -> None:
    for table in ("grid_cells", "patrol_zones", "mandatory_stops", "duties", "police_posts", "patrol_units",
                  "response_circles", "cameras", "incidents", "editions", "mediation_organisations", "mediators"):  # fmt: skip
        assert one(demo, f"select count(*) from {table} where not is_demo") == 0, table
    assert one(demo, "select count(*) from facilities where not is_demo and source <> 'OpenStreetMap'") == 0
    assert one(demo, "select count(*) from duties where phone !~ '^12[0-9]{9}$' or person_name !~ '演示'") == 0
    assert one(demo, "select count(*) from mediators where person_name !~ '演示'") == 0


def test_towns_are_denser_and_a_few_cells_fall_outside_the_norm(demo: str) -> None:
    basic = rows(demo, "select substr(parent_code, 7, 1) = '0' as town, household_count as n, area_m2 as a"
                       " from grid_cells where grid_level = 4")  # fmt: skip
    town = np.array([r["n"] for r in basic if r["town"]])
    norm = ((town >= 300) & (town <= 500)).mean()
    assert 0.95 < norm < 1
    areas = {side: np.median([r["a"] for r in basic if r["town"] == side]) for side in (True, False)}
    assert areas[False] > 3 * areas[True]


def test_cells_do_not_look_like_a_chessboard(demo: str) -> None:
    found = one(demo, "select avg(ST_NPoints(geom)) from grid_cells where grid_level >= 4")
    assert 40 < float(found) < 65


def test_cameras_have_well_formed_ids_of_their_county(demo: str) -> None:
    assert one(demo, "select count(*) from cameras where gb28181_id !~ '^1305[0-9]{6}(131|132)[5-7][0-9]{6}$'") == 0
    assert one(demo, "select count(*) from cameras where left(gb28181_id, 6) <> left(grid_code, 6)"
                     " and left(grid_code, 6) <> '130571' and left(gb28181_id, 6) <> '130502'") < 100  # fmt: skip


def test_cameras_and_incidents_are_assigned_and_strangers_flagged(demo: str) -> None:
    assert one(demo, "select count(*) from cameras where edition_id is null") == 0
    # a few stand just across the city's border, where its cells wind
    assert one(demo, "select count(*) from cameras where unassigned or zone_code is null") < 60
    assert 1 <= one(demo, "select count(*) from incidents where unassigned") <= 60
    covered = "select from grid_cells c where c.grid_level = 1 and ST_Covers(c.geom, i.geom)"
    assert one(demo, f"select count(*) from incidents i where unassigned = exists ({covered})") == 0


@pytest.mark.parametrize("name", ["cameras", "incidents"])
def test_they_are_loaded_with_the_owners_that_assigning_finds(demo: str, name: str) -> None:
    layer = find_layer(name)
    owners = f"select {layer.id_column} as id, grid_code, zone_code, edition_id from {name} order by 1 limit 2000"
    with connect(demo) as connection:
        loaded = connection.execute(owners).fetchall()
        ids = [row["id"] for row in loaded]
        connection.execute(
            f"update {name} set grid_code = null, zone_code = null where {layer.id_column} = any(%s)", (ids,)
        )
        assign(connection, layer, ids)
        assert connection.execute(owners).fetchall() == loaded
        connection.rollback()


def test_incidents_run_over_twelve_months_and_the_newest_are_open(demo: str) -> None:
    span = rows(demo, "select max(received_at) - min(received_at) as span, max(received_at) as last,"
                      " count(*) filter (where closed_at is null) as open from incidents")[0]  # fmt: skip
    assert 360 <= span["span"].days <= 365
    assert 0 < span["open"] < 500
    assert (
        one(demo, "select count(*) from incidents where arrived_at < departed_at or departed_at < dispatched_at") == 0
    )


def test_the_doctor_finds_nothing_wrong_but_the_tests_fast_settings(demo: str, tmp_path: Path) -> None:
    bad = [finding for finding in examine(demo, Settings(database_url=demo, state_dir=tmp_path)) if not finding.ok]
    told = [
        finding.what for finding in bad if finding.what != "working days"
    ]  # in December, until next year's are known
    assert told == ["durable commits"]


@pytest.fixture(scope="module")
def drawn() -> City:
    """The city of seed 130500."""
    return draw_city(read_gazetteer(), np.random.default_rng(130500))


def test_the_same_seed_draws_the_same_city(drawn: City, demo: str) -> None:
    """As another process drew it, at another time: the demo city is of this seed."""
    names = ["grid_code", "code_scheme", "grid_level", "parent_code", "name", "cell_kind", "household_count"]
    there = pd.DataFrame(rows(demo, f"select {', '.join(names)}, ST_AsBinary(geom) as geometry from grid_cells"))
    there["geometry"] = shapely.from_wkb([bytes(wkb) for wkb in there["geometry"]])
    first, second = (cells.sort_values("grid_code", ignore_index=True) for cells in (drawn.cells, there))
    pd.testing.assert_frame_equal(first[names].astype(object), second[names].astype(object))
    shapes = [shapely.normalize([multi(shape) for shape in cells["geometry"]]) for cells in (first, second)]
    assert shapely.equals_identical(*shapes).all()


def test_demo_data_is_never_mixed_with_other_data(database: str) -> None:
    from datetime import UTC, datetime

    with connect(database) as connection:
        connection.execute(
            "insert into incidents (category, geom) values ('real', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
    with pytest.raises(Conflict, match="not empty"), connect(database) as connection:
        load_demo(connection, silent, datetime.now(UTC))


def test_earlier_incidents_follow_once_and_only_into_their_city(
    drawn: City, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = datetime(2026, 11, 1, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    whole = incidents(drawn, 1000, until, np.random.default_rng(3))
    assert set_aside(whole, until, None) is whole
    last_month = set_aside(whole, until, tmp_path / "demo-incidents.parquet")
    assert last_month["received_at"].min() >= until - timedelta(days=31)
    assert 50 < len(last_month) < 120
    with connect(database) as connection:
        assert load_earlier(connection, tmp_path / "demo-incidents.parquet") == 0  # it belongs to another city
        copy_frame(connection, "incidents", last_month)
    monkeypatch.setenv("GEO_GRID_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("GEO_GRID_DATABASE_URL", database)
    for _ in range(2):  # the second is one that was killed before it had removed the file
        set_aside(whole, until, tmp_path / "demo-incidents.parquet")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.send(b"\0")
            arguments = ["demo", "earlier", "--lifeline", str(theirs.fileno())]
            subprocess.run(
                [sys.executable, "-m", "geo_grid", *arguments], pass_fds=[theirs.fileno()], check=True, timeout=120
            )
        assert not (tmp_path / "demo-incidents.parquet").exists()
    stored = rows(
        database, "select incident_number, received_at, closed_at, is_demo from incidents order by received_at"
    )
    assert [row["incident_number"] for row in stored] == whole["incident_number"].tolist()
    assert [row["received_at"] for row in stored] == whole["received_at"].tolist()
    assert [row["closed_at"] for row in stored] == [None if pd.isna(at) else at for at in whole["closed_at"]]
    assert all(row["is_demo"] for row in stored)


def test_regions_grow_connected_and_near_their_quotas() -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    side = 30
    cell = np.arange(side * side).reshape(side, side)
    pairs = np.vstack([np.column_stack([cell[:, :-1].ravel(), cell[:, 1:].ravel()]),
                       np.column_stack([cell[:-1].ravel(), cell[1:].ravel()])])  # fmt: skip
    graph = csr_matrix((np.ones(len(pairs)), pairs.T), shape=(side * side,) * 2)
    graph = graph + graph.T
    labels = grow(graph, np.array([0, 465, 899]), np.array([100.0, 500.0, 300.0]))
    sizes = np.bincount(labels)
    assert np.abs(sizes - [100, 500, 300]).max() < 80
    for label in range(3):
        members = np.flatnonzero(labels == label)
        assert connected_components(graph[members][:, members])[0] == 1


def test_its_roads_are_a_genuine_extract_that_joins_every_cell(drawn: City, tmp_path: Path) -> None:
    one, two = tmp_path / "one.osm.pbf", tmp_path / "two.osm.pbf"
    count = write_roads(drawn.leaves, one)
    write_roads(drawn.leaves, two)
    assert one.read_bytes() == two.read_bytes()
    nodes, ends = 0, []
    for found in osmium.FileProcessor(str(one)):
        if found.is_node():
            nodes += 1
        else:
            assert found.tags["source"] == "geo_grid demo"
            ends.append([node.ref for node in found.nodes])
    assert (nodes, len(ends)) == (len(drawn.leaves), count)
    pairs = np.array(ends) - 1
    graph = coo_matrix((np.ones(count), (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))
    assert connected_components(graph, directed=False)[0] == 1
