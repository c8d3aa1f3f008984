"""What is found by a name, in which order, and by whom."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.china_datums import shifted
from geo_grid.db import Cluster, connect
from geo_grid.names.index import Entry, Names, folded
from geo_grid.names.pinyin import first_letters
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, STEP, WEST, two_by_two

LETTERS = first_letters()
IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
IN_D = (WEST + 3 * SIDE / 2, SOUTH + 3 * SIDE / 2)


@pytest.fixture(scope="module")
def city(cluster: Cluster) -> Iterator[tuple[str, str]]:
    with new_database(cluster, "names") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            for code, kind, name, at in (
                ("school-1", "school", "桥东区实验小学", IN_A), ("school-2", "school", "邢台市第一中学", IN_D),
                ("hospital-1", "hospital", "<b>人民医院</b>", IN_D),
            ):  # fmt: skip
                connection.execute(
                    "insert into facilities (facility_code, facility_kind, name, geom) values (%s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                    (code, kind, name, *at),
                )
            for number, (name, at, cell, is_secret) in enumerate(
                (("钢铁路口东", IN_A, "A", False), ("看守所西门", IN_D, "D", True))
            ):
                connection.execute(
                    "insert into cameras (gb28181_id, name, grid_code, is_secret, geom) values (%s, %s, %s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                    (f"130502000013100000{number:02}", name, cell, is_secret, *at),
                )
            middle_lon, middle_lat = WEST + SIDE / 2, SOUTH + SIDE / 2
            for name, line in (
                ("钢铁北路", f"LINESTRING({middle_lon} {SOUTH}, {middle_lon} {SOUTH + SIDE})"),
                ("中兴东大街", f"LINESTRING({WEST} {middle_lat}, {WEST + SIDE} {middle_lat})"),
            ):
                connection.execute(
                    "insert into roads (name, road_class, geom) values (%s, 'primary', ST_GeomFromText(%s, 4490))",
                    (name, line),
                )
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) values ('car-1', '巡逻一组', 'car', now(),"
                " ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                IN_A,
            )
        with live_server(conninfo) as url:
            yield url, conninfo


@pytest.fixture(scope="module")
def chief(city: tuple[str, str]) -> Iterator[httpx.Client]:
    url, conninfo = city
    with bearing(url, api_key(conninfo, "supervisor")) as client:
        yield client


def find(client: httpx.Client, wanted: str, **more: Any) -> list[dict[str, Any]]:
    answer = client.get("/search", params={"q": wanted, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["found"])


@pytest.mark.parametrize(
    ("wanted", "kind", "code", "match"),
    [
        ("邢台市第一中学", "facility", "school-2", "exact"), ("邢台", "facility", "school-2", "beginning"),
        ("实验 桥东", "facility", "school-1", "inside"), ("xtsdyzx", "facility", "school-2", "initials"),
        ("school-2", "facility", "school-2", "exact"), ("SCHOOL-2", "facility", "school-2", "exact"),
        ("钢铁北", "road", "钢铁北路", "beginning"), ("car-1", "patrol_unit", "car-1", "exact"),
        ("巡逻", "patrol_unit", "car-1", "beginning"), ("13050200001310000000", "camera", "13050200001310000000", "exact"),
        ("a", "grid_cell", "A", "exact"), ("ｓｃｈｏｏｌ－２", "facility", "school-2", "exact"),
        ("钢铁北路与中兴东大街", "crossing", "钢铁北路 / 中兴东大街", "exact"),
        ("钢铁 中兴", "crossing", "钢铁北路 / 中兴东大街", "exact"),
        ("中兴东大街/钢铁北路交叉口", "crossing", "中兴东大街 / 钢铁北路", "exact"),
        ("<b>人", "facility", "hospital-1", "beginning"),
    ],
)  # fmt: skip
def test_it_is_found(chief: httpx.Client, wanted: str, kind: str, code: str, match: str) -> None:
    first = find(chief, wanted)[0]
    assert (first["kind"], first["code"], first["match"]) == (kind, code, match)


def test_a_crossing_is_where_both_roads_are(chief: httpx.Client) -> None:
    (first, *_) = find(chief, "中兴东大街与钢铁北路", lon=IN_A[0], lat=IN_A[1])
    assert (first["lon"], first["lat"]) == pytest.approx((WEST + SIDE / 2, SOUTH + SIDE / 2), abs=STEP)
    assert first["distance_m"] < 1


@pytest.mark.parametrize(
    "wanted", ["", " ", "没有这个地方", "%", "_", "\\", "'; drop table roads", "\n", "🚓", "x" * 200]
)
def test_what_nothing_is_called_finds_nothing(chief: httpx.Client, wanted: str) -> None:
    assert find(chief, wanted) == []


def test_bad_questions_are_refused(chief: httpx.Client) -> None:
    for params in (
        {},
        {"q": "x" * 201},
        {"q": "a", "lon": 1},
        {"q": "a", "limit": 0},
        {"q": "a", "lon": 999, "lat": 1},
    ):
        assert chief.get("/search", params=params).status_code in (400, 422), params


def test_of_equals_the_nearer_comes_first_and_what_lies_in_ones_cells_before_it(
    city: tuple[str, str], chief: httpx.Client
) -> None:
    for at, code in ((IN_A, "school-1"), (IN_D, "school-2")):
        found = [one["code"] for one in find(chief, "学", lon=at[0], lat=at[1]) if one["kind"] == "facility"]
        assert found[0] == code


def test_nobody_finds_what_they_may_not_see(city: tuple[str, str]) -> None:
    url, conninfo = city
    with bearing(url, api_key(conninfo, "dispatcher", ["A"])) as client:
        assert [one["code"] for one in find(client, "钢铁路口")] == ["13050200001310000000"]
        assert find(client, "看守所") == []
        assert [one["code"] for one in find(client, "d")] == []  # another cell
        told = client.get("/search/datums", params={"lon": IN_D[0], "lat": IN_D[1]}).json()
        assert (told["readings"][0]["grid_code"], told["readings"][0]["grid_name"]) == (None, None)
    with bearing(url, api_key(conninfo, "dispatcher", ["D"])) as client:
        assert find(client, "钢铁路口") == []


def test_a_name_that_was_just_given_is_found_and_an_old_one_is_not(city: tuple[str, str], chief: httpx.Client) -> None:
    _, conninfo = city
    find(chief, "实验")
    with connect(conninfo) as connection:
        connection.execute("update facilities set name = '桥东区外国语小学' where facility_code = 'school-1'")
    until = time.monotonic() + 20
    while not find(chief, "外国语"):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert find(chief, "实验") == []
    with connect(conninfo) as connection:
        connection.execute("update facilities set name = '桥东区实验小学' where facility_code = 'school-1'")


@given(
    st.lists(st.text("桥东西路一二三学校ABab 1", min_size=1, max_size=8).filter(str.strip), max_size=30),
    st.text("桥东西路一学Aab1", min_size=1, max_size=4),
)
def test_whatever_holds_the_words_is_found_and_nothing_else(names: list[str], wanted: str) -> None:
    index = Names([Entry("facility", f"code/{number}", name, 0.0, 0.0) for number, name in enumerate(names)], LETTERS)
    found = {hit.entry.code for hit in index.find(wanted)}
    holds = {f"code/{number}" for number, name in enumerate(names) if folded(wanted) in folded(name)}
    starts = {
        f"code/{number}"
        for number, name in enumerate(names)
        if wanted.isascii() and wanted.isalpha() and folded(name).translate(LETTERS).startswith(folded(wanted))
    }
    codes = {
        code
        for code in (f"code/{number}" for number in range(len(names)))
        if code.startswith(wanted.lower()) or (len(wanted) >= 4 and wanted.lower() in code)
    }
    assert found == holds | starts | codes


def test_a_word_a_hundred_times_costs_no_more_than_a_few_times() -> None:
    """The event loop looked through every name a hundred times: 28 such questions held everybody up for 25 s."""
    index = Names([Entry("facility", f"{n}", f"第{n}小区", 0.0, 0.0) for n in range(20_000)], LETTERS)
    few, many = (min(_seconds(index, "第 " * times) for _ in range(3)) for times in (2, 100))
    assert many < 3 * few


def _seconds(index: Names, wanted: str) -> float:
    began = time.thread_time()
    next(index.find(wanted))
    return time.thread_time() - began


def test_numbers_that_seem_to_be_of_another_datum_are_questioned(chief: httpx.Client) -> None:
    """Shifted by hand with `china_datums`, which has tests of its own."""
    plain = chief.get("/search/datums", params={"lon": IN_A[0], "lat": IN_A[1]}).json()
    assert plain["suspected"] is None
    assert [one["crs"] for one in plain["readings"]] == ["EPSG:4490", "GCJ-02", "BD-09"]
    assert plain["readings"][0]["grid_code"] == "A"
    for datum in ("GCJ-02", "BD-09"):
        lon, lat = (float(value[0]) for value in shifted(np.array([IN_A[0]]), np.array([IN_A[1]]), datum))
        told = chief.get("/search/datums", params={"lon": lon, "lat": lat}).json()
        assert told["suspected"] == datum, told
        meant = next(one for one in told["readings"] if one["crs"] == datum)
        assert (meant["lon"], meant["lat"]) == pytest.approx(IN_A, abs=2 * STEP)
        assert meant["grid_code"] == "A"
