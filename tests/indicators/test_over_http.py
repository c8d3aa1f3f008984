"""Indicators over HTTP and by command: whose sums they are, files, maps and the monthly report."""

import csv
import json
import re
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from geo_grid.db import Cluster, connect
from geo_grid.indicators import apart
from geo_grid.indicators.classes import class_bounds, class_of
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing, kiosk_token
from tests.indicators.city import ZONE, City, make_city

YEAR = {"from": "2017-01-01", "to": "2018-01-01"}


@pytest.fixture(scope="module")
def served(cluster: Cluster, shared: Path) -> Iterator[tuple[str, City]]:
    with new_database(cluster, "indicators_served") as conninfo:
        city = make_city(conninfo, shared)
        with live_server(conninfo, timezone=ZONE) as url:
            yield url, city


@pytest.fixture
def chief(served: tuple[str, City]) -> Iterator[httpx.Client]:
    url, city = served
    with bearing(url, api_key(city.conninfo, "supervisor")) as client:
        yield client


def test_the_catalogue_says_what_each_indicator_means(chief: httpx.Client) -> None:
    told = chief.get("/indicators").json()
    assert {one["code"] for one in told["indicators"]} >= {"count", "rate", "year_on_year", "settlement", "on_time"}
    (group,) = told["groups"]
    assert (group["group_code"], group["name_zh"], len(group["members"])) == ("robbery_and_theft", "两抢一盗", 3)
    assert group["is_confirmed"] is False


def test_answers_are_made_beside_the_server(chief: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python keeps the memory of a hundred thousand objects: of those who asked for all cells, a server kept a gigabyte."""
    for name in ("read_facts", "make_answer", "make_areas", "read_month"):
        monkeypatch.setattr(apart, name, None)  # were they made here, this would be missed
    for path in ("figures?by=cell", "figures?by=cell&f=csv", "areas?level=2", "report"):
        assert chief.get(f"/indicators/{path}", timeout=60).status_code == 200


def test_everybody_gets_the_sums_of_what_they_see(served: tuple[str, City], chief: httpx.Client) -> None:
    url, city = served
    asked = {"by": ["cell", "category"], "indicators": ["count", "response"], **YEAR}
    everything = chief.get("/indicators/figures", params=asked).json()["rows"]
    with bearing(url, api_key(city.conninfo, "dispatcher", ["E"])) as client:
        own = client.get("/indicators/figures", params=asked).json()["rows"]
        assert own == [row for row in everything if row["key"].get("cell") == "E"] != []
        (county,) = client.get("/indicators/figures", params={"by": "cell", "level": 1, **YEAR}).json()["rows"]
        assert (county["key"], county["count"]) == ({"cell": "Q"}, sum(row["count"] for row in own))
        now = client.get("/indicators/figures", params={"by": "cell", "edition": "now", **YEAR}).json()["rows"]
        assert {row["key"].get("cell") for row in now} <= {"E", None}
        assert client.get("/indicators/figures", params={"within": "A", **YEAR}).status_code == 400
        drawn = client.get("/indicators/areas", params={**YEAR, "level": 2}).json()
        assert [one["properties"]["grid_code"] for one in drawn["features"]] == ["E"]


def test_a_screen_shows_sums_and_hands_out_no_file(served: tuple[str, City]) -> None:
    url, city = served
    with httpx.Client(base_url=url, timeout=30) as screen:
        assert screen.post("/session/kiosk", json={"token": kiosk_token(city.conninfo)}).status_code == 204
        (whole,) = screen.get("/indicators/figures", params=YEAR).json()["rows"]
        assert whole["count"] > 1_000
        assert screen.get("/indicators/areas", params=YEAR).status_code == 200
        assert screen.get("/indicators/figures", params={"f": "csv"}).status_code == 403
        assert screen.get("/indicators/report").status_code == 403


def test_a_key_for_incidents_alone_is_told_no_cells(served: tuple[str, City]) -> None:
    url, city = served
    with bearing(url, api_key(city.conninfo, "supervisor", rights=["incidents.read"])) as client:
        assert client.get("/indicators/figures", params={"by": "month", **YEAR}).status_code == 200
        for path in ("figures?by=cell", "figures?within=A", "areas"):
            assert client.get(f"/indicators/{path}").status_code == 403


def test_a_table_is_an_export_and_stands_in_the_audit(served: tuple[str, City], chief: httpx.Client) -> None:
    _, city = served

    def exports() -> int:
        asked = "select count(*) as n from access.audit_log where object_id = 'indicators'"
        with connect(city.conninfo) as connection:
            return int(connection.execute(asked).fetchone()["n"])  # type: ignore[index]

    before = exports()
    answer = chief.get("/indicators/figures", params={"by": "month", "f": "csv", **YEAR})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["month"] for row in rows] == [f"2017-{month:02}" for month in range(1, 13)]
    assert int(rows[0]["response_n"]) + int(rows[0]["response_no_clock"]) <= int(rows[0]["count"])
    assert exports() == before + 1


def test_a_statement_ends_with_whoever_asked(served: tuple[str, City], chief: httpx.Client) -> None:
    _, city = served
    waiting = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and usename = 'geo_grid_app'"
    with connect(city.conninfo) as connection, connect(city.conninfo) as other, ThreadPoolExecutor(1) as thread:

        def wait_until(count: int) -> None:
            deadline = time.monotonic() + 90
            while (found := other.execute(waiting).fetchone()) and found["n"] != count:
                assert time.monotonic() < deadline, found
                other.rollback()  # what it sees is of one moment within a transaction
                time.sleep(0.05)

        connection.execute("lock table incidents")
        asked = thread.submit(chief.get, "/indicators/figures", params={"by": "cell"}, timeout=5)
        wait_until(2)  # two connections read
        with pytest.raises(httpx.ReadTimeout):
            asked.result()
        wait_until(0)
    assert chief.get("/indicators/figures", params={"by": "cell"}).status_code == 200


@pytest.mark.parametrize("scheme", ["quantiles", "equal_interval", "fisher_jenks"])
def test_cells_are_drawn_in_classes(chief: httpx.Client, scheme: str) -> None:
    told = chief.get("/indicators/areas", params={"of": "response", "scheme": scheme, "classes": 4, **YEAR}).json()
    assert told["type"] == "FeatureCollection"
    assert (told["definition"]["code"], len(told["bounds"])) == ("response", 4)
    values = [one["properties"]["value"] for one in told["features"]]
    assert len(values) == 9  # C became two
    assert told["bounds"][-1] == max(values)
    for one in told["features"]:
        number = one["properties"]["class_number"]
        assert one["properties"]["value"] <= told["bounds"][number]
        assert number == 0 or one["properties"]["value"] > told["bounds"][number - 1]
        assert one["geometry"]["type"] in ("Polygon", "MultiPolygon")


@pytest.mark.parametrize("scheme", ["quantiles", "equal_interval", "fisher_jenks"])
@pytest.mark.parametrize(
    ("values", "count"),
    [([], 0), ([None], 0), ([3.0] * 9, 1), ([0, 0, 0, 0, 7], 2), ([1, 2, 3], 3), ([0] * 95 + [1, 2, 3, 4, 5, 6], None)],
)
def test_classes_survive_equal_values(scheme: str, values: list[float | None], count: int | None) -> None:
    bounds = class_bounds(values, scheme, 5)  # type: ignore[arg-type]
    assert bounds == sorted(set(bounds))
    assert count is None or len(bounds) == count
    assert len(bounds) <= 5
    classes = [class_of(value, bounds) for value in values]
    assert all((value is None) == (number is None) for value, number in zip(values, classes, strict=True))
    assert all(number is None or 0 <= number < len(bounds) for number in classes)


@pytest.mark.parametrize(
    ("path", "params", "status", "says"),
    [
        ("figures", {"indicators": "crime"}, 422, "indicators"),
        ("figures", {"from": "2017-02-01", "to": "2017-01-01"}, 400, "before it begins"),
        ("figures", {"from": "9999-01-01"}, 422, "from"),
        ("figures", {"to": "2300-01-01"}, 400, "between the years"),
        ("figures", {"by": "cell", "level": 7}, 400, "no grid level 7"),
        ("figures", {"category": "UFO"}, 400, "there is no 'UFO'"),
        ("figures", {"colour": "red"}, 400, "colour"),
        ("figures", {"by": ["day", "month"]}, 422, "at most one of day, week, month, year"),
        ("areas", {"of": "crime"}, 422, "of"),
        ("areas", {"classes": 99}, 422, "classes"),
        ("report", {"month": "2017-13"}, 400, "is no month"),
        ("report", {"month": "1100-01"}, 400, "is no month"),
        ("report", {"month": "2099-01"}, 400, "has not begun"),
        ("report", {"level": 8}, 400, "no grid level 8"),
    ],
)
def test_bad_questions_get_one_clear_problem(
    chief: httpx.Client, path: str, params: dict[str, str], status: int, says: str
) -> None:
    answer = chief.get(f"/indicators/{path}", params=params)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.text


def test_the_report_of_a_month_is_a_page_and_a_pdf_with_maps(chief: httpx.Client) -> None:
    page = chief.get("/indicators/report", params={"month": "2017-10", "level": 2})
    assert page.status_code == 200, page.text
    assert page.text.count("<figure>") == 3
    assert page.text.count("<path") == 27
    for word in ("邢台市", "两抢一盗", "万户发生率", "同比", "NFPA 1710", "件数少于 20"):
        assert word in page.text
    answer = chief.get("/indicators/report", params={"month": "2017-10", "level": 2, "f": "pdf", "lang": "en"})
    assert answer.content.startswith(b"%PDF")
    drawn = [
        zlib.decompress(one)
        for one in re.findall(rb"/FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", answer.content, re.S)
    ]
    shapes = sum(len(re.findall(rb"\bh\b\s+(?:f|B)\*?\s", one)) for one in drawn)
    assert shapes >= 27  # the cells of its maps, as areas that are filled
    assert 'filename="indicators-2017-10.pdf"' in answer.headers["content-disposition"]


def test_the_command_line_writes_the_same(served: tuple[str, City], chief: httpx.Client, tmp_path: Path) -> None:
    _, city = served
    given = ("indicators", "show", "count", "travel", "--by", "cell", "--from", "2017-01-01", "--to", "2018-01-01")
    shown = json.loads(geo_grid(city.conninfo, *given, "--format", "json").stdout)
    asked = {"indicators": ["count", "travel"], "by": "cell", **YEAR}
    assert shown["rows"] == chief.get("/indicators/figures", params=asked).json()["rows"]
    assert geo_grid(city.conninfo, *given).stdout.splitlines()[0].startswith("cell,name_zh,name_en,count,travel_n")
    out = tmp_path / "report.pdf"
    geo_grid(city.conninfo, "indicators", "report", "--month", "2017-10", "--out", out)
    assert out.read_bytes().startswith(b"%PDF")
    assert "before it begins" in geo_grid(city.conninfo, *given[:-1], "2016-01-01", expect=2).stderr
    assert "neither a .pdf" in geo_grid(city.conninfo, "indicators", "report", "--out", "x.doc", expect=2).stderr
    assert "两抢一盗" in geo_grid(city.conninfo, "indicators", "list").stdout
