"""Visits over HTTP: recorded once, in the right compound, and seen by whom they concern; who an account is."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from geo_grid.access import digest_of
from geo_grid.db import Cluster, connect
from tests.commands import geo_grid
from tests.databases import new_database
from tests.field.city import IN_A, IN_B, IN_C, WANG, ZHAO, Field, served
from tests.identities import user
from tests.squares import SIDE, SOUTH, WEST

M = 1 / 88_900
"""A metre east at 37 N, in degrees."""


@pytest.fixture(scope="module")
def field(cluster: Cluster) -> Iterator[Field]:
    with new_database(cluster, "field_visits") as conninfo, served(conninfo) as found:
        yield found


def now(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def send(who: httpx.Client, status: int = 201, key: str | None = None, **given: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = who.post("/field/visits", json={"visited_at": now(), **given}, headers=headers)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_the_position_decides_the_compound_and_is_not_kept(field: Field) -> None:
    assert send(field.li, **IN_A)["grid_code"] == "A"
    assert send(field.li, **IN_B, grid_code="A")["grid_code"] == "B"  # tapped A, stood in B
    assert send(field.li, grid_code="A")["place_from"] == "cell"
    beside_b = {"lon": WEST + 2 * SIDE + 40 * M, "lat": IN_B["lat"]}  # 40 m outside of the city, by a phone of 10 m
    assert send(field.li, **beside_b, accuracy_m=10)["grid_code"] == "B"
    far = {"lon": WEST + 2 * SIDE + 300 * M, "lat": IN_B["lat"]}
    refused = send(field.li, 403, **far, accuracy_m=10)
    assert refused["type"].endswith("OutsideRounds")
    assert re.search(r"(29\d|30\d) m from 泉南新村", refused["detail"])
    assert send(field.li, **far, accuracy_m=400)["grid_code"] == "B"
    farther = {"lon": WEST + 2 * SIDE + 700 * M, "lat": IN_B["lat"]}
    send(field.li, 403, **farther, accuracy_m=400_000)  # knows nothing of where it is
    above = {"lon": WEST + SIDE, "lat": SOUTH + SIDE + 30 / 111_000}  # as far from A as from B
    assert [send(field.li, **above, grid_code=code)["grid_code"] for code in "AB"] == ["A", "B"]
    gcj = {"lon": 114.51, "lat": 37.004, "source_crs": "GCJ-02"}  # some 500 m off if it were read as it stands
    assert send(field.li, **gcj)["grid_code"] == "A"
    columns = {name for visit in field.visits() for name in visit}
    assert not columns & {"geom", "lon", "lat", "accuracy_m", "position"}


def test_the_same_key_is_one_visit_and_another_body_is_refused(field: Field) -> None:
    body = {"visited_at": now(hours=3), "grid_code": "A", "note": "张贴通知 👍 שלום"}
    before = len(field.visits())
    with ThreadPoolExecutor(8) as threads:
        made = list(
            threads.map(
                lambda _: field.li.post("/field/visits", json=body, headers={"Idempotency-Key": "k-1"}), range(8)
            )
        )
    assert sorted(answer.status_code for answer in made) == [200] * 7 + [201]
    assert len({answer.json()["visit_id"] for answer in made}) == 1
    assert made[0].json()["note"] == body["note"]
    assert "use a new key" in send(field.li, 409, key="k-1", grid_code="B")["detail"]
    assert send(field.wang, key="k-1", grid_code="C")["grid_code"] == "C"  # another phone's key is another's
    assert len(field.visits()) == before + 2


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ({"visited_at": "2100-01-01T00:00:00Z", "grid_code": "A"}, 422, "in the future"),
        ({"visited_at": "2020-01-01T00:00:00Z", "grid_code": "A"}, 422, "31 days"),
        ({"visited_at": "yesterday", "grid_code": "A"}, 422, "moment"),
        ({}, 422, "grid_code"),
        ({"lon": 114.5}, 422, "lat"),
        ({"grid_code": "C"}, 403, "none of your compounds"),
        ({"grid_code": "P"}, 403, "none of your compounds"),
        ({**IN_C}, 403, "nearest of your compounds"),
        ({"lon": 37.004, "lat": 114.504}, 422, ""),
        ({"grid_code": "A", "note": "x" * 1001}, 422, "1000"),
        ({"grid_code": "A", "photo": "x"}, 422, "photo"),
    ],
)  # fmt: skip
def test_what_is_no_visit_says_why(field: Field, given: dict[str, Any], status: int, told: str) -> None:
    before = len(field.visits())
    answer = send(field.li, status, **given)
    assert told in answer["detail"]
    assert len(field.visits()) == before


def test_who_an_account_is_is_said_by_whoever_keeps_its_roster(field: Field) -> None:
    nobody = field.client("grid_worker", ["D"])
    name = nobody.get("/session").json()["name"]
    assert nobody.get("/field/rounds").json()["compounds"] == []
    assert send(nobody, 409, grid_code="D")["type"].endswith("NotOnRoster")
    path, person = f"/field/workers/{name}", {"person_name": ZHAO[0], "phone": ZHAO[1]}
    assert nobody.put(path, json=person).status_code == 403
    local = field.client("dispatcher", ["A"])
    assert local.put(path, json=person).status_code in (403, 404)  # D is none of theirs
    assert "roster" in field.chief.put(path, json={**person, "phone": "1"}).json()["detail"]
    assert field.wang.get("/field/rounds").json()["person_name"] == WANG[0]
    taken = field.chief.put(path, json={"person_name": WANG[0], "phone": WANG[1]})
    assert taken.status_code == 409
    assert "already" in taken.json()["detail"]
    made = field.chief.put(path, json=person)
    assert made.json() == {**person, "login_name": name, "grid_codes": ["D"]}
    assert send(nobody, grid_code="D")["person_name"] == ZHAO[0]
    assert name in [one["login_name"] for one in field.chief.get("/field/workers").json()["workers"]]
    assert name not in local.get("/field/workers").text
    planner = user(field.conninfo, "planner")
    assert field.chief.put(f"/field/workers/{planner}", json=person).status_code == 404
    told = geo_grid(field.conninfo, "field", "name", name, ZHAO[0], "--phone", ZHAO[1]).stderr
    assert f"{name} is {ZHAO[0]}: D" in told
    assert "already" in geo_grid(field.conninfo, "field", "name", name, WANG[0], "--phone", WANG[1], expect=2).stderr
    with connect(field.conninfo) as connection:
        kept = connection.execute(
            "select object_id from access.audit_log where object_type = 'field_workers'"
        ).fetchall()
    assert {"object_id": name} in kept


def test_visits_are_seen_by_the_worker_and_the_roster_of_the_cell_and_notes_by_those_who_read_texts(
    field: Field,
) -> None:
    visit = send(field.wang, grid_code="C", note="note-of-wang")
    for who, sees, reads in (
        (field.wang, True, True),
        (field.li, False, False),
        (field.chief, True, True),
        (field.client("planner"), True, False),
        (field.client("dispatcher", ["C"]), True, True),
        (field.client("dispatcher", ["A"]), False, False),
    ):
        found = [one for one in who.get("/field/visits").json()["visits"] if one["visit_id"] == visit["visit_id"]]
        assert bool(found) == sees
        assert any("note-of-wang" in one["note"] for one in found) == reads
    assert field.client("wall").get("/field/visits").status_code == 403
    page = field.chief.get("/field/visits?limit=1&within=C").json()
    assert page["visits"][0]["visit_id"] == visit["visit_id"]
    assert "before=" in page["next"]


def test_a_session_that_ends_under_a_visit_is_no_person_without_compounds(field: Field) -> None:
    """The server knows who somebody is for a moment longer than the database."""
    key = field.li.headers["Authorization"].removeprefix("Bearer ")
    field.li.get("/field/rounds")
    with connect(field.conninfo) as connection:
        digest = digest_of(key)
        connection.execute("update access.credentials set revoked_at = now() where digest = %s", (digest,))
        connection.commit()
        try:
            assert send(field.li, 401, grid_code="A")["type"].endswith("NotLoggedIn")
            assert field.li.get("/field/rounds").status_code == 401
        finally:
            connection.execute("update access.credentials set revoked_at = null where digest = %s", (digest,))
    deadline = time.monotonic() + 90
    while field.li.get("/session").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_notes_are_deleted_in_time_and_visits_stay(field: Field) -> None:
    old, new = send(field.li, grid_code="A", note="old"), send(field.li, grid_code="A", note="new")
    with connect(field.conninfo) as connection:
        connection.execute(
            "update visits set visited_at = now() - interval '91 days' where visit_id = %s", (old["visit_id"],)
        )
        connection.execute("update due_work set due_at = now() where kind = 'tidy'")
    deadline = time.monotonic() + 90
    while old["visit_id"] in (kept := notes(field)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert new["visit_id"] in kept
    assert old["visit_id"] in [visit["visit_id"] for visit in field.visits()]


def notes(field: Field) -> list[int]:
    with connect(field.conninfo) as connection:
        return [row["visit_id"] for row in connection.execute("select visit_id from visit_notes").fetchall()]
