"""GeoReport v2: a resident's program reports matters and follows them, with a client that nobody here wrote."""

import logging
from collections.abc import Iterator
from xml.etree import ElementTree

import httpx
import pytest
import requests
from georeport import GeoReport

from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

HERE = {"lat": SOUTH + SIDE / 2, "long": WEST + SIDE / 2}
THERE = {"lat": SOUTH + SIDE * 1.5, "long": WEST + SIDE * 1.5}
BASE = "/open311/v2"


@pytest.fixture
def served(small_city: str) -> Iterator[tuple[str, str]]:
    with connect(small_city) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom)"
            " values ('S1', 'school', '第一小学', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
            (HERE["long"], HERE["lat"]),
        )
    with live_server(small_city) as url:
        yield url, small_city


def posted(url: str, key: str, form: str = "json", **fields: object) -> httpx.Response:
    return httpx.post(f"{url}{BASE}/requests.{form}", data={"api_key": key, **fields}, timeout=30)


def made(url: str, key: str, **fields: object) -> str:
    answer = posted(url, key, service_code="city_matter", **{**HERE, **fields})
    assert answer.status_code == 201, answer.text
    (request,) = answer.json()
    return request["service_request_id"]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_the_client_of_the_package_index_finds_services_and_requests(served: tuple[str, str], form: str) -> None:
    url, database = served
    key = api_key(database, "dispatcher")
    ids = [made(url, key, description=text) for text in ("路灯坏了 & <off>", "井盖\x07没了")]
    client = GeoReport(url.replace("//", f"//any:{key}@") + BASE, output_format=form)
    listed = client.get_service_list()
    assert [one["service_code"] for one in listed] == ["city_matter", "dispute"]  # not what the police answer
    assert client.get_service_definition("city_matter")["service_code"] == "city_matter"
    found = client.get_service_requests()
    assert [one["service_request_id"] for one in found] == ids[::-1]
    assert found[1]["description"] == "路灯坏了 & <off>"
    assert found[0]["description"] == ("井盖\x07没了" if form == "json" else "井盖\ufffd没了")
    assert found[0]["status"] == "open"
    assert float(found[0]["lat"]) == pytest.approx(HERE["lat"], abs=1e-7)
    one = client.get_service_request(ids[0])
    assert one["service_request_id"] == ids[0]
    assert one["requested_datetime"].endswith("Z")
    assert one["expected_datetime"] > one["requested_datetime"]  # by when it is to be settled
    with bearing(url, key) as desk:
        for step in ({"action": "close", "solved": False, "reason": "x"},):
            desk.post(f"/incidents/{ids[0]}/steps", json=step)
    with pytest.raises(requests.HTTPError, match="403"):
        GeoReport(url + BASE, output_format=form).get_service_list()
    with pytest.raises(requests.HTTPError, match="404"):
        client.get_service_definition("traffic")


def test_requests_are_filtered_as_the_specification_says(served: tuple[str, str]) -> None:
    url, database = served
    key = api_key(database, "dispatcher")
    ids = [made(url, key) for _ in range(3)]
    with connect(database) as connection:
        connection.execute(
            "update incidents set received_at = now() - interval '100 days' where incident_id = %s", (ids[0],)
        )
        connection.execute("update incidents set closed_at = now() where incident_id = %s", (ids[1],))
        connection.execute("insert into incidents (category, geom) select 'traffic', geom from incidents limit 1")

    def found(**asked: object) -> list[str]:
        answer = httpx.get(f"{url}{BASE}/requests.json", params={"api_key": key, **asked}, timeout=30)
        assert answer.status_code == 200, answer.text
        return [one["service_request_id"] for one in answer.json()]

    assert found() == [ids[2], ids[1]]  # 90 days, and nothing of the police
    assert found(status="closed") == [ids[1]]
    assert found(status="open,closed", page_size=1, page=2) == [ids[1]]
    assert found(service_code="dispute") == []
    assert found(service_request_id=f"{ids[0]},{ids[1]}", status="open", service_code="dispute") == [ids[1], ids[0]]
    with connect(database) as connection:
        day = connection.execute("select to_char(now() - interval '101 days', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as d").fetchone()["d"]  # fmt: skip
    assert found(start_date=day) == [ids[1], ids[0]] or found(start_date=day) == [ids[0]]
    for wrong in (
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"},
        {"start_date": "2026-06-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"},
        {"start_date": "yesterday"},
        {"status": "lost"},
        {"page_size": 0},
    ):
        answer = httpx.get(f"{url}{BASE}/requests.json", params={"api_key": key, **wrong}, timeout=30)
        assert (answer.status_code, answer.json()[0]["code"]) == (400, "400"), answer.text


def test_errors_are_those_of_the_specification_in_both_forms(served: tuple[str, str]) -> None:
    url, database = served
    key = api_key(database, "dispatcher", ["A"])
    for fields, status, wanted in (
        ({}, 400, "service_code"),
        ({"service_code": "traffic", **HERE}, 404, "service_code"),
        ({"service_code": "city_matter"}, 400, "lat and long"),
        ({"service_code": "city_matter", "address_string": "nowhere"}, 400, "lat and long"),
        ({"service_code": "city_matter", "lat": "north", "long": 1}, 400, "lat"),
        ({"service_code": "city_matter", "lat": HERE["long"], "long": HERE["lat"]}, 400, ""),
        ({"service_code": "city_matter", **THERE}, 403, "grid cells"),
        ({"service_code": "city_matter", **HERE, "description": "x" * 10_001}, 400, "10000"),
        ({"service_code": "city_matter", **HERE, "description": "x" * 70_000}, 413, "larger"),
    ):
        (error,) = posted(url, key, **fields).json()
        assert (error["code"], wanted in error["description"]) == (str(status), True), error
        answer = posted(url, key, "xml", **fields)
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert answer.status_code == status
        root = ElementTree.fromstring(answer.content)
        assert (root.tag, root.findtext("error/code")) == ("errors", str(status))
    for wrong in ("", "gg_k_" + "x" * 43):
        assert posted(url, wrong, service_code="city_matter", **HERE).status_code == 403
    assert httpx.get(f"{url}{BASE}/requests/abc.xml", params={"api_key": key}).status_code == 404
    with connect(database) as connection:
        assert connection.execute("select count(*) as n from incidents").fetchone() == {"n": 0}


def test_what_is_known_of_the_resident_is_a_masked_number_and_no_more(
    served: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    url, database = served
    key = api_key(database, "dispatcher", ["A"])
    caplog.set_level(logging.DEBUG)
    logging.getLogger("geo_grid.api").debug("what the server says is heard")
    about = {
        "email": "zhang@example.org",
        "first_name": "三三",
        "last_name": "张张",
        "phone": "13912345678",
        "account_id": "u-77",
    }
    answer = posted(url, key, service_code="city_matter", address_string="第一小学", description="漏水", **about)
    (request,) = answer.json()
    assert request["service_notice"] == "未保存 not kept: account_id, email, first_name, last_name"
    with connect(database) as connection:
        rows = connection.execute(
            "select (select jsonb_agg(to_jsonb(i))::text from incidents i)"
            " || (select coalesce(jsonb_agg(to_jsonb(c)), '[]')::text from changes c)"
            " || (select coalesce(jsonb_agg(to_jsonb(a)), '[]')::text from access.audit_log a) as all_of_it"
        ).fetchone()["all_of_it"]
    assert "13912345678" in rows  # for the dispatcher who takes it in hand, until it is purged
    assert not any(word in rows for word in ("zhang@", "三三", "张张", "u-77", key))
    path = f"{url}{BASE}/requests.json"
    seen = httpx.get(path, params={"api_key": key}).json()[0]
    assert (seen["description"], seen["address"]) == ("漏水", "第一小学")
    assert seen["lat"] == pytest.approx(HERE["lat"], abs=1e-7)  # the place that is called so
    narrow = api_key(database, "dispatcher", ["A"], rights=["incidents.read", "incidents.write"])
    seen = httpx.get(path, params={"api_key": narrow}).json()[0]
    assert (seen["description"], seen["address"]) == ("", "")
    assert "phone" not in str(seen)
    assert httpx.get(path, params={"api_key": api_key(database, "dispatcher", ["D"])}).json() == []
    of_server = [one.getMessage() for one in caplog.records if not one.name.startswith("http")]  # the test's own client
    assert of_server
    assert not any(key in said or narrow in said for said in of_server)


def test_behind_a_proxy_that_passes_its_prefix_on(database: str) -> None:
    key = api_key(database, "dispatcher")
    with live_server(database, public_url="https://map.example/city") as url:
        for prefix in ("", "/city"):
            answer = httpx.get(f"{url}{prefix}{BASE}/services.json", params={"api_key": key})
            assert answer.status_code == 200, answer.text


def test_the_same_key_of_a_request_stores_it_once(served: tuple[str, str]) -> None:
    url, database = served
    key = api_key(database, "dispatcher")
    with bearing(url, key) as client:
        answers = [
            client.post(
                f"{BASE}/requests.json",
                data={"service_code": "city_matter", **HERE},
                headers={"Idempotency-Key": "one"},
            )
            for _ in range(2)
        ]
    assert [one.status_code for one in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
