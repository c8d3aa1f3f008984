"""What is refused, handed out or tried often is in the audit, and does not flood it."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from geo_grid.access import audit
from geo_grid.cli.access import as_owner
from geo_grid.db import connect
from tests.access.test_rights import IN_A, IN_D, INSIDE, OUTSIDE, fill
from tests.conftest import live_server
from tests.identities import api_key, bearing, kiosk_token


@pytest.fixture
def city(database: str) -> Iterator[tuple[str, str]]:
    with connect(database) as connection:
        fill(connection)
    with live_server(database) as url:
        yield url, database


def rows(database: str, action: str) -> list[dict[str, Any]]:
    with connect(database) as connection:
        return connection.execute(
            "select actor_name, object_id, result, detail from access.audit_log where action = %s order by audit_id",
            (action,),
        ).fetchall()


def let_a_minute_pass(database: str, action: str, more_than: int) -> list[dict[str, Any]]:
    with connect(database) as connection:
        connection.execute("update access.audit_sums set begun_at = begun_at - interval '1 minute'")
        connection.execute("select ask_for('audit_sums', '', now())")
    deadline = time.monotonic() + 90
    while len(found := rows(database, action)) <= more_than:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_a_key_that_is_refused_again_and_again_writes_two_rows_a_minute(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher")) as client:
        for _ in range(20):
            assert client.get("/audit").status_code == client.get("/accounts").status_code == 403
    assert len(rows(database, "request.refused")) == 1  # at once
    first, sum_up = let_a_minute_pass(database, "request.refused", 1)
    assert (first["object_id"], first["detail"]) == ("GET /audit", {"right": "audit"})
    assert sum_up["actor_name"] == first["actor_name"]
    assert sum_up["detail"]["count"] == 39
    assert sum_up["detail"]["parts"] == {"GET /audit": 19, "GET /accounts": 20}
    assert sum_up["detail"]["addresses"] == ["127.0.0.1"]
    with bearing(url, api_key(database, "dispatcher")) as other:  # another's are another's
        assert other.get("/audit").status_code == 403
    assert len(rows(database, "request.refused")) == 3
    assert as_owner(database, audit.verify).faults == []


def test_what_a_screen_is_refused_is_written_down(city: tuple[str, str]) -> None:
    url, database = city
    token, elsewhere = kiosk_token(database), kiosk_token(database, network="10.9.8.0/24")
    with httpx.Client(base_url=url) as screen:
        assert screen.post("/session/kiosk", json={"token": token}).status_code == 204
        assert screen.get("/openapi.json").status_code == 403
    (row,) = rows(database, "request.refused")
    assert (row["actor_name"][:10], row["object_id"]) == ("kiosk-wall", "GET /openapi.json")
    assert httpx.post(f"{url}/session/kiosk", json={"token": elsewhere}).status_code == 401
    assert httpx.post(f"{url}/session/kiosk", json={"token": "gg_w_" + "0" * 43}).status_code == 401  # nobody's
    with bearing(url, elsewhere) as copy:
        assert copy.get("/incidents").status_code == 401
    (row,) = rows(database, "session.screen")
    assert (row["result"], row["detail"]) == ("refused", {"reason": "network"})
    assert let_a_minute_pass(database, "session.screen", 1)[1]["detail"]["count"] == 1


def test_log_ins_with_a_locked_name_are_summed_up(city: tuple[str, str]) -> None:
    url, database = city
    given = {"name": "nobody", "password": "x"}
    assert [httpx.post(f"{url}/session", json=given).status_code for _ in range(30)][5:] == [429] * 25
    assert len(rows(database, "session.login")) == 6
    assert let_a_minute_pass(database, "session.login", 6)[-1]["detail"]["count"] == 24


def test_a_camera_is_opened_for_an_incident_that_is_there_seen_and_open(city: tuple[str, str]) -> None:
    url, database = city
    with (
        bearing(url, api_key(database, "dispatcher", ["A"])) as client,
        bearing(url, api_key(database, "dispatcher")) as other,
    ):
        mine, theirs, closed = (
            other.post("/incidents", json={"lon": lon, "lat": lat, "category": "x"}).json()["incident_id"]
            for lon, lat in (IN_A, IN_D, IN_A)
        )
        with connect(database) as connection:
            connection.execute("update incidents set closed_at = now() where incident_id = %s", (closed,))
        path = f"/cameras/{INSIDE['camera']}/openings"
        for incident in (987_654, theirs, closed):
            answer = client.post(path, json={"reason": "a look", "incident_id": incident})
            assert (answer.status_code, answer.json()["detail"]) == (422, f"there is no open incident {incident}")
        assert rows(database, "camera.open") == []
        assert client.post(path, json={"reason": "a look", "incident_id": mine}).status_code == 201
        assert client.post(path, json={"reason": "a look"}).status_code == 201
        hidden = f"/cameras/{OUTSIDE['camera']}/openings"
        assert client.post(hidden, json={"reason": "a look", "incident_id": mine}).status_code == 404
    assert [row["detail"]["incident_id"] for row in rows(database, "camera.open")] == [mine, None]


FILES = ("csv", "fgb", "parquet", "geojsonseq")


def test_files_leave_with_the_right_to_export_only_and_are_written_down(city: tuple[str, str]) -> None:
    url, database = city
    items = "/collections/facilities/items"
    with connect(database) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom)"
            " select 'n' || n, 'school', 'x', (select geom from facilities limit 1) from generate_series(1, 1500) n"
        )
        count = (connection.execute("select count(*) as n from facilities").fetchone() or {})["n"]
    for role in ("wall", "dispatcher"):
        with bearing(url, api_key(database, role)) as client:
            assert [client.get(items, params={"f": form}).status_code for form in FILES] == [403] * 4
            for media in ("text/csv", "application/vnd.apache.parquet"):  # asked for by what is accepted alone
                assert client.get(items, headers={"Accept": media}).status_code == 403
            page = client.get(items, params={"limit": 10_000}).json()
            assert page["numberReturned"] == 1_000
            rest = next(link["href"] for link in page["links"] if link["rel"] == "next")
            assert client.get(rest).json()["numberReturned"] == count - 1_000
            assert (
                client.get(items, params={"bbox": "113,36,117,39", "zoom": 22, "limit": 1_000_000}).status_code == 200
            )
    assert rows(database, "layer.export") == []
    assert {row["detail"]["right"] for row in rows(database, "request.refused")} == {"export"}
    with bearing(url, api_key(database, "planner")) as client:
        for form in FILES:
            assert client.get(items, params={"f": form, "limit": 7}).status_code == 200
        assert client.get(items, params={"limit": 1_000}).json()["numberReturned"] == 1_000  # a look
        assert client.get(items, params={"limit": 10_000}).json()["numberReturned"] == count
    first, sum_up = let_a_minute_pass(database, "layer.export", 1)
    assert (first["object_id"], first["detail"]) == ("facilities", {"form": "csv", "rows": 7, "bbox": None})
    assert sum_up["object_id"] == "facilities"
    assert sum_up["detail"]["parts"] == {"fgb": 1, "parquet": 1, "geojsonseq": 1, "json": 1}
    assert sum_up["detail"]["rows"] >= count + 3 * 7


@pytest.mark.parametrize(
    ("number", "shown"),
    [("", ""), ("5", "*"), ("12", "**"), ("110", "***"), ("123456", "******"), ("1234567", "*****67"),
     ("13987654321", "*********21")],
)  # fmt: skip
def test_a_short_number_is_masked_whole(database: str, number: str, shown: str) -> None:
    with connect(database) as connection:
        assert connection.execute("select access.masked(%s) as shown", (number,)).fetchone() == {"shown": shown}
