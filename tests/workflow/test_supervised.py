"""The supervised list over HTTP: who lists, changes and delists what; and whether all that should be assessed is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from geo_grid.access.accounts import AccountChange, change_account
from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing, logged_in, user
from tests.mediation.city import IN_A, IN_D, Desk
from tests.owners import owner
from tests.squares import two_by_two

TODAY = datetime.now(UTC).date()
LISTED, DONE = 240, 222
"""DOMAIN, section 1."""


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    with new_database(cluster, "supervised") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        with live_server(conninfo) as url:
            yield Desk(url, conninfo)


def listing(days: int = 7, **given: Any) -> dict[str, Any]:
    return {
        "level": "county", "responsible_unit": "A镇政府", "measures": "每周走访",
        "due_on": str(TODAY + timedelta(days=days)), **given,
    }  # fmt: skip


def place(desk: Desk, code: str, kind: str = "major_project", at: dict[str, float] = IN_A, **given: Any) -> None:
    body = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [at["lon"], at["lat"]]},
            "properties": {"place_code": code, "place_kind": kind, "name": f"{code}（演示）", **given}}  # fmt: skip
    answer = desk.chief.post("/collections/registered_places/items", json=body)
    assert answer.status_code == 201, answer.text


def test_a_matter_is_listed_followed_and_delisted_by_whoever_listed_it(desk: Desk) -> None:
    incident = desk.report()
    made = desk.send(desk.chief, "/supervised/listings", **listing(incident_id=incident))
    path = f"/supervised/listings/{made['listing_id']}/steps"
    assert (made["is_open"], made["is_overdue"], made["grid_code"], made["step_count"]) == (True, False, "A", 1)
    again = desk.send(desk.chief, "/supervised/listings", 409, **listing(incident_id=incident))
    assert "on the list already" in again["detail"]
    assert desk.send(desk.lin, path, action="progress", note="走访两次", seen=1)["step_count"] == 2
    assert "look at it again" in desk.send(desk.lin, path, 412, action="progress", note="x", seen=1)["detail"]
    desk.send(desk.lin, path, 403, action="delist", result="done", note="x")
    desk.send(desk.chief, path, 422, action="change", note="没有变化")
    later = str(TODAY + timedelta(days=30))
    changed = desk.send(desk.chief, path, action="change", due_on=later, measures="每日走访", note="加强")
    assert (changed["due_on"], changed["measures"], changed["responsible_unit"]) == (later, "每日走访", "A镇政府")
    ended = desk.send(desk.chief, path, action="delist", result="done", note="已化解")
    assert (ended["result"], ended["is_open"], ended["delisted_by_name"]) == ("done", False, made["listed_by_name"])
    assert "list the matter again" in desk.send(desk.lin, path, 409, action="progress", note="x")["detail"]
    steps = desk.ask(desk.lin, path.removesuffix("/steps"))["steps"]
    assert [(step["action"], step["measures"]) for step in steps] == [
        ("list", "每周走访"), ("progress", None), ("change", "每日走访"), ("delist", None),
    ]  # fmt: skip
    assert steps[2]["details"] == {"due_on": later}
    desk.send(desk.chief, "/supervised/listings", **listing(incident_id=incident))  # a matter may come back


def test_another_supervisor_delists_once_the_account_that_listed_it_is_disabled(desk: Desk) -> None:
    name = user(desk.conninfo, "supervisor")
    incident = desk.report()
    with logged_in(desk.url, name) as theirs:
        made = desk.send(theirs, "/supervised/listings", **listing(incident_id=incident, level="city"))
    path, done = (
        f"/supervised/listings/{made['listing_id']}/steps",
        {"action": "delist", "result": "done", "note": "完成"},
    )
    assert f"{name} listed this" in desk.send(desk.chief, path, 403, **done)["detail"]
    assert desk.send(desk.chief, path, action="progress", note="仍在办理")["is_open"]
    owner(desk.conninfo, lambda connection: change_account(connection, name, AccountChange(disabled=True)))
    with bearing(desk.url, api_key(desk.conninfo, "supervisor", ["A"])) as township:
        assert "whole city" in desk.send(township, path, 403, **done)["detail"]
    assert desk.send(desk.chief, path, **done)["result"] == "done"


@pytest.mark.parametrize(
    ("role", "cells", "level", "status"),
    [
        ("supervisor", None, "city", 201),
        ("supervisor", ["A"], "township", 201),
        ("supervisor", ["A"], "city", 403),
        ("supervisor", ["D"], "township", 404),  # what is not seen is not there
        ("dispatcher", None, "county", 403),
        ("planner", None, "county", 403),
        ("wall", None, "county", 403),
    ],
)
def test_who_may_list(desk: Desk, role: str, cells: list[str] | None, level: str, status: int) -> None:
    incident = desk.report()
    with bearing(desk.url, api_key(desk.conninfo, role, cells)) as client:
        answer = client.post("/supervised/listings", json=listing(incident_id=incident, level=level))
        assert answer.status_code == status, answer.text


def test_who_sees_what(desk: Desk) -> None:
    place(desk, "danger-D", "hidden_danger", IN_D)
    made = desk.send(desk.chief, "/supervised/listings", **listing(place_code="danger-D"))
    path = f"/supervised/listings/{made['listing_id']}"
    with bearing(desk.url, api_key(desk.conninfo, "planner")) as planner:  # who reads no texts
        seen = planner.get(path).json()
        assert (seen["listing"]["place_code"], seen["listing"]["measures"], seen["steps"]) == ("danger-D", None, [])
    with bearing(desk.url, api_key(desk.conninfo, "dispatcher", ["A"])) as elsewhere:
        assert elsewhere.get(path).status_code == 404
        assert elsewhere.post(f"{path}/steps", json={"action": "progress", "note": "x"}).status_code == 404
        assert "danger-D" not in elsewhere.get("/collections/registered_places/items?limit=100").text
    with bearing(desk.url, api_key(desk.conninfo, "dispatcher", ["D"])) as here:
        assert here.get(path).json()["listing"]["measures"] == "每周走访"
    removed = desk.chief.delete("/collections/registered_places/items/danger-D")
    assert removed.status_code == 409, removed.text  # it is listed


def test_what_cannot_be_listed_says_why(desk: Desk) -> None:
    incident = desk.report()
    detail = desk.send(desk.chief, "/supervised/listings", 422, **listing(-1, incident_id=incident))["detail"]
    assert "is over" in detail
    desk.send(desk.chief, "/supervised/listings", 422, **listing())
    desk.send(desk.chief, "/supervised/listings", 422, **listing(incident_id=incident, place_code="x"))
    desk.send(desk.chief, "/supervised/listings", 422, **listing(incident_id=incident, level="village"))
    desk.send(desk.chief, "/supervised/listings", 404, **listing(incident_id=999999999))
    desk.send(desk.chief, "/supervised/listings", 404, **listing(place_code="nowhere"))
    desk.send(desk.chief, "/supervised/listings/999999999/steps", 404, action="progress", note="x")
    made = desk.send(
        desk.chief, "/supervised/listings", **listing(incident_id=incident, measures="مرحبا 👩‍👩‍👧 " * 100)
    )
    assert made["measures"].startswith("مرحبا")


def test_all_that_should_be_assessed_is_a_query(desk: Desk) -> None:
    for code in ("P-missing", "P-old", "P-valid", "P-renewed"):
        place(desk, code)
    place(desk, "P-small", needs_assessment=False)
    place(desk, "P-danger", "hidden_danger")

    def assess(code: str, since: int, until: int, status: int = 201, who: httpx.Client = desk.chief) -> dict[str, Any]:
        given = {"assessed_on": str(TODAY + timedelta(days=since)), "valid_until": str(TODAY + timedelta(days=until)),
                 "risk_level": "medium", "decision": "proceed_partly"}  # fmt: skip
        return desk.send(who, f"/supervised/projects/{code}/assessments", status, **given)

    assert assess("P-old", -400, -35)["state"] == "out_of_date"
    assert assess("P-valid", -30, 335)["state"] == "valid"
    assess("P-renewed", -400, -35)
    assert assess("P-renewed", -3, 362)["state"] == "valid"
    assert assess("P-small", -3, 362)["state"] == "valid"
    assess("P-valid", 3, 400, 422)
    assess("P-valid", -3, -4, 422)
    assess("P-danger", -3, 4, 422)
    assess("P-nowhere", -3, 4, 404)
    assess("P-valid", -3, 4, 403, desk.lin)
    due = desk.ask(desk.lin, "/supervised/projects")["projects"]
    assert [(one["place_code"], one["state"]) for one in due] == [("P-missing", "missing"), ("P-old", "out_of_date")]
    first = desk.ask(desk.lin, "/supervised/projects?due=false&limit=3")
    rest = desk.ask(desk.lin, first["next"].removeprefix(desk.url))
    assert [one["place_code"] for one in (*first["projects"], *rest["projects"])] == [
        "P-missing", "P-old", "P-renewed", "P-valid",
    ]  # fmt: skip
    with connect(desk.conninfo) as connection:
        audit = connection.execute(
            "select count(*) as n from access.audit_log where object_type = 'registered_places' and object_id = 'P-old'"
        ).fetchone()
    assert audit == {"n": 1}


def test_a_place_gets_its_new_owner_with_new_boundaries(small_city: str) -> None:
    """What publishing a draft calls for the cells that it changes."""
    with connect(small_city) as connection:
        connection.execute(
            "insert into registered_places (place_code, place_kind, name, geom, grid_code, edition_id)"
            " values ('X', 'major_project', 'x', ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), 'former', 1)",
            IN_A,
        )
        connection.execute("select assign_again('{former}', '{}', null)")
        assert connection.execute("select grid_code from registered_places").fetchone() == {"grid_code": "A"}


def test_what_was_done_is_never_changed(desk: Desk) -> None:
    made = desk.send(desk.chief, "/supervised/listings", **listing(incident_id=desk.report()))
    with connect(desk.conninfo) as connection:
        for change in ("note = 'y'", "measures = 'less'", "done_at = now(), note = '', measures = null"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(
                    f"update listing_steps set {change} where listing_id = %s".encode(), (made["listing_id"],)
                )


def test_the_citys_own_figures_reproduce_and_texts_are_emptied_in_time(cluster: Cluster) -> None:
    with new_database(cluster, "supervised_figures") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(
                "with filed as (insert into incidents (incident_number, category, grid_code, geom)"
                " select 'L' || n, 'city_matter', 'A', ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)"
                " from generate_series(1, %(listed)s) n returning incident_id, substr(incident_number, 2)::int as n),"
                " listed as (insert into supervised_listings (incident_id, listed_level, responsible_unit, due_on, listed_at,"
                "                listed_by_name, delisted_at, delisted_by_name, result)"
                " select incident_id, (array['township', 'county', 'city'])[1 + n %% 3], '单位', now()::date - 5 + n %% 10,"
                "        now() - interval '300 days', 'x', case when n <= %(done)s then now() - make_interval(days => n, hours => -1) end,"
                "        case when n <= %(done)s then 'x' end, case when n <= %(done)s then 'done' end"
                " from filed returning listing_id)"
                " insert into listing_steps (listing_id, number, action, measures, note, actor_name, done_at)"
                " select listing_id, 1, 'list', '走访', '某事', 'x', now() from listed",
                {"listed": LISTED, "done": DONE, **IN_A},
            )
        with live_server(conninfo, text_retention_days=100) as url:
            desk = Desk(url, conninfo)
            *levels, whole = desk.ask(desk.lin, "/supervised/figures")["figures"]
            assert (whole["listed"], whole["done"], whole["open"], whole["listed_level"]) == (
                LISTED,
                DONE,
                LISTED - DONE,
                None,
            )
            assert [one["listed_level"] for one in levels] == ["township", "county", "city"]
            assert [one["listed"] for one in levels] == [80, 80, 80]
            overdue = desk.ask(desk.lin, "/supervised/listings?overdue=true&limit=1000")["listings"]
            assert whole["overdue"] == len(overdue) > 0
            assert all(one["is_overdue"] and one["is_open"] for one in overdue)
            assert len(desk.ask(desk.lin, "/supervised/listings?open=true&limit=1000")["listings"]) == LISTED - DONE
            assert desk.ask(desk.lin, "/supervised/figures?since=2100-01-01")["figures"][-1]["listed"] == 0
            told = desk.ask(desk.lin, "/supervised/figures")["definitions"]
            assert [one["code"] for one in told] == ["listed", "done", "dropped", "open", "overdue"]
            written = desk.chief.get("/supervised/figures?f=csv").text.splitlines()
            assert written[0] == "listed_level,listed,done,dropped,open,overdue,definitions"
            assert written[-1].startswith(f",{LISTED},{DONE},0,{LISTED - DONE},")
            with connect(conninfo) as connection:
                connection.execute("select ask_for('tidy', '', now())")
            counted = "select count(*) as n from listing_steps where measures is null and note = ''"
            deadline, emptied = time.monotonic() + 20, 0
            while emptied == 0 and time.monotonic() < deadline:
                time.sleep(0.2)
                with connect(conninfo) as connection:
                    emptied = (connection.execute(counted).fetchone() or {})["n"]
            assert emptied == DONE - 100  # delisted more than 100 days ago
