"""The life of a dispute over HTTP: who has it, what becomes of its incident, who may see what of it, and for how long."""

import csv
import io
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from pydantic import TypeAdapter, ValidationError
from pyproj import Geod

from geo_grid.db import Cluster, connect
from geo_grid.doctor import examine
from geo_grid.mediation.actions import Party
from geo_grid.settings import Settings
from tests.databases import new_database
from tests.identities import api_key, bearing
from tests.mediation.city import IN_A, IN_D, Desk, organisation, served
from tests.squares import SIDE, SOUTH, STEP, WEST, two_by_two

PARTIES = [{"role": "applicant", "initials": "张某"}, {"role": "respondent", "initials": "W.L."}]
CGCS2000 = Geod(a=6378137.0, rf=298.257222101)


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    with new_database(cluster, "mediation") as conninfo, served(conninfo) as found:
        yield found


def test_a_dispute_is_taken_handed_on_settled_and_verified_by_another(desk: Desk) -> None:
    incident = desk.report()
    case = desk.take(incident, parties=PARTIES, note="楼道堆物")
    taken = desk.ask(desk.lin, f"/mediation/cases/{case}")["case"]
    assert (taken["facility_code"], taken["division_level"], taken["chosen_by"]) == ("A-people", "village", "nearest")
    assert (taken["incident_step"], taken["is_open"], taken["step_count"]) == ("assigned", True, 1)
    handed = desk.step(desk.lin, case, "hand_on", kind="judicial", reason="要求司法确认", seen=1)
    assert (handed["facility_code"], handed["mediation_kind"], handed["division_level"]) == (
        "P-judicial", "judicial", "county",
    )  # fmt: skip
    named = desk.step(desk.zhao, case, "hand_on", organisation="city-arbitration", reason="劳动争议")
    assert (named["chosen_by"], named["division_level"]) == ("named", "city")
    settled = desk.step(desk.lin, case, "settle", note="一方搬走杂物")
    assert (settled["outcome"], settled["incident_step"], settled["is_open"]) == ("settled", "handled", False)
    assert "somebody else" in desk.act(desk.lin, incident, "verify", 409)["detail"]
    assert desk.act(desk.zhao, incident, "verify")["outcome"] == "solved"
    found = desk.ask(desk.lin, f"/mediation/cases/{case}")
    assert [(step["action"], step["facility_code"]) for step in found["steps"]] == [
        ("take", "A-people"), ("hand_on", "P-judicial"), ("hand_on", "city-arbitration"), ("settle", "city-arbitration"),
    ]  # fmt: skip
    assert [step["note"] for step in found["steps"]] == ["楼道堆物", "要求司法确认", "劳动争议", "一方搬走杂物"]
    assert found["parties"] == PARTIES
    course = desk.ask(desk.lin, f"/incidents/{incident}/steps")
    assert [step["action"] for step in course["steps"]] == ["accept", "assign", "handle", "verify"]
    assert not any(
        "搬走" in step["note"] for step in course["steps"]
    )  # texts stand in one place, from where they are purged


@pytest.mark.parametrize(("action", "outcome"), [("not_settled", "not_settled"), ("withdraw", "withdrawn")])
def test_a_dispute_that_is_not_settled_stays_open_until_somebody_closes_it(
    desk: Desk, action: str, outcome: str
) -> None:
    incident = desk.report()
    case = desk.take(incident)
    desk.step(desk.lin, case, action, 422)  # without a reason
    ended = desk.step(desk.lin, case, action, reason="双方不同意")
    assert (ended["outcome"], ended["incident_step"]) == (outcome, "assigned")
    assert "reopen" in desk.step(desk.lin, case, "settle", 409)["detail"]
    assert "reopen" in desk.step(desk.lin, case, "hand_on", 409, kind="judicial", reason="x")["detail"]
    assert desk.step(desk.lin, case, "reopen", reason="又同意了")["is_open"]
    desk.step(desk.lin, case, action, reason="还是不同意")
    assert desk.act(desk.chief, incident, "close", reason="调解不成")["outcome"] == "not_solved"
    assert "reopen the incident" in desk.step(desk.lin, case, "reopen", 409, reason="x")["detail"]


def test_a_settlement_that_is_rejected_is_gone_on_with(desk: Desk) -> None:
    incident = desk.report()
    case = desk.take(incident)
    desk.step(desk.lin, case, "settle")
    assert "rejects it" in desk.step(desk.lin, case, "reopen", 409, reason="x")["detail"]
    desk.act(desk.chief, incident, "reject", reason="没有签字")
    assert desk.step(desk.lin, case, "reopen", reason="重新调解")["outcome"] is None
    desk.step(desk.lin, case, "settle")
    assert desk.act(desk.chief, incident, "verify")["outcome"] == "solved"


def test_a_case_does_not_outlive_its_incident(desk: Desk) -> None:
    first, second, unsolved, ended = (desk.report() for _ in range(4))
    cases = {incident: desk.take(incident) for incident in (second, unsolved, ended)}
    desk.act(desk.lin, second, "merge", into=first)
    desk.act(desk.chief, unsolved, "close", reason="双方离婚搬走")
    for incident, outcome, action in ((second, "withdrawn", "withdraw"), (unsolved, "not_settled", "not_settled")):
        course = desk.ask(desk.lin, f"/mediation/cases/{cases[incident]}")
        assert (course["case"]["outcome"], course["case"]["step_count"], len(course["steps"])) == (outcome, 2, 2)
        assert course["steps"][-1]["action"] == action
    desk.act(desk.lin, second, "unmerge")
    course = desk.ask(desk.lin, f"/mediation/cases/{cases[second]}")
    assert (course["case"]["is_open"], course["steps"][-1]["action"]) == (True, "reopen")
    desk.step(desk.lin, cases[ended], "withdraw", reason="双方和好")
    desk.act(desk.lin, ended, "merge", into=first)
    desk.act(desk.lin, ended, "unmerge")
    assert not desk.ask(desk.lin, f"/mediation/cases/{cases[ended]}")["case"][
        "is_open"
    ]  # people ended it, not the merge


def test_a_dispute_in_mediation_is_handled_by_settling_it(desk: Desk) -> None:
    incident = desk.report()
    case = desk.take(incident)
    assert f"settle case {case}" in desk.act(desk.lin, incident, "handle", 409)["detail"]
    desk.step(desk.lin, case, "not_settled", reason="不同意")
    assert desk.act(desk.lin, incident, "handle")["step"] == "handled"


def test_a_dispute_that_is_moved_goes_to_an_organisation_that_serves_the_place(desk: Desk) -> None:
    incident = desk.report()
    case = desk.take(incident)
    had = desk.ask(desk.lin, f"/mediation/cases/{case}")["case"]["facility_code"]
    desk.act(desk.lin, incident, "move", **IN_D)
    course = desk.ask(desk.lin, f"/mediation/cases/{case}")
    serving = desk.ask(desk.lin, f"/incidents/{incident}/mediation/organisations?kind=people")["organisations"]
    assert course["case"]["facility_code"] == serving[0]["facility_code"] != had
    assert (course["steps"][-1]["action"], course["steps"][-1]["distance_m"]) == (
        "hand_on", pytest.approx(serving[0]["distance_m"]),
    )  # fmt: skip
    desk.act(desk.lin, incident, "move", **IN_A)
    assert desk.ask(desk.lin, f"/mediation/cases/{case}")["case"]["facility_code"] == had


def test_what_cannot_be_taken_says_why(desk: Desk) -> None:
    other = desk.report(category="help")
    assert "only disputes" in desk.send(desk.lin, f"/incidents/{other}/mediation", 409)["detail"]
    incident = desk.report()
    path = f"/incidents/{incident}/mediation"
    detail = desk.send(desk.lin, path, 409, kind="administrative")["detail"]
    assert f"GET {path}/organisations" in detail
    desk.send(desk.lin, path, 409, organisation="D-people")  # of another cell
    desk.send(desk.lin, path, 409, organisation="A-closed")
    desk.send(desk.lin, path, 422, kind="marriage")
    desk.send(desk.lin, "/incidents/999999999/mediation", 404)
    assert desk.ask(desk.lin, f"/incidents/{incident}")["step"] == "reported"  # nothing half done
    case = desk.take(incident)
    assert f"case {case}" in desk.send(desk.zhao, path, 409)["detail"]
    assert "look at it again" in desk.step(desk.lin, case, "settle", 412, seen=9)["detail"]
    desk.step(desk.lin, case, "hand_on", 422, reason="x")
    desk.step(desk.lin, case, "hand_on", 422, reason="x", kind="judicial", organisation="P-judicial")
    desk.step(desk.lin, case, "hand_on", 409, reason="x", organisation="A-people")  # which has it
    desk.step(desk.lin, 999999999, "settle", 404)
    handled = desk.report()
    for action in ("accept", "assign", "handle"):
        desk.act(desk.lin, handled, action)
    assert "is handled" in desk.send(desk.lin, f"/incidents/{handled}/mediation", 409)["detail"]


def test_two_people_take_one_dispute_and_one_has_it(desk: Desk) -> None:
    incident = desk.report()
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda who: who.post(f"/incidents/{incident}/mediation", json={}).status_code, [desk.lin, desk.zhao] * 4
            )
        )
    assert sorted(answers) == [201] + [409] * 7
    (case,) = desk.ask(desk.lin, f"/mediation/cases?incident={incident}")["cases"]
    with ThreadPoolExecutor(8) as threads:
        path, given = f"/mediation/cases/{case['case_id']}/steps", {"action": "settle", "seen": 1}
        answers = list(threads.map(lambda who: who.post(path, json=given).status_code, [desk.lin, desk.zhao] * 4))
    assert sorted(answers) == [201] + [412] * 7
    assert len(desk.ask(desk.lin, f"/incidents/{incident}/steps")["steps"]) == 3


def test_cases_come_in_pages_newest_first(desk: Desk) -> None:
    mine = [desk.take(desk.report()) for _ in range(3)]
    first = desk.ask(desk.lin, "/mediation/cases?limit=2&open=true")
    assert [one["case_id"] for one in first["cases"]] == mine[:0:-1]
    second = desk.ask(desk.lin, first["next"].removeprefix(desk.url))
    assert second["cases"][0]["case_id"] == mine[0]
    assert desk.ask(desk.lin, "/mediation/cases?kind=reconsideration") == {"cases": [], "next": None}
    desk.ask(desk.lin, "/mediation/cases?before=999999999", 404)


@pytest.mark.parametrize(
    ("role", "cells", "status"),
    [("dispatcher", ["A"], 201), ("dispatcher", ["D"], 404), ("planner", None, 403), ("wall", None, 403)],
)
def test_who_may(desk: Desk, role: str, cells: list[str] | None, status: int) -> None:
    incident, other = desk.report(), desk.report()
    case = desk.take(other, parties=PARTIES, note="家务事")
    with bearing(desk.url, api_key(desk.conninfo, role, cells)) as client:
        assert client.post(f"/incidents/{incident}/mediation", json={}).status_code == status
        seen = client.get(f"/mediation/cases/{case}")
        assert client.post(f"/mediation/cases/{case}/steps", json={"action": "settle"}).status_code == status
        if status == 404:
            assert seen.status_code == 404
            assert client.get("/mediation/cases").json()["cases"] == []
            assert client.get("/mediation/figures").json()["figures"] == []
        else:
            is_read = role == "dispatcher"
            assert seen.json()["parties"] == (PARTIES if is_read else [])
            assert ("家务事" in seen.text) == is_read
        codes = {one["facility_code"] for one in client.get("/mediation/organisations").json()["organisations"]}
        assert ("A-people" in codes, "D-people" in codes) == (cells != ["D"], cells != ["A"])
        assert {"P-judicial", "city-arbitration"} <= codes  # those above serve everybody below


def test_it_goes_to_the_lowest_level_and_there_to_the_nearest_as_computed_by_hand(cluster: Cluster) -> None:
    rng = random.Random(146)
    levels, kinds = ["village", "township", "county", "city"], ["people", "judicial"]
    with new_database(cluster, "mediation_nearest") as conninfo, served(conninfo) as desk:
        with connect(conninfo) as connection:
            connection.execute("delete from facilities")
            made = []
            for number in range(80):
                level = rng.choice(levels)
                cell = {"village": rng.choice("ABCD"), "city": None}.get(level, "P")
                at = {"lon": WEST + rng.random() * 2 * SIDE, "lat": SOUTH + rng.random() * 2 * SIDE}
                at = {name: round(value / STEP) * STEP for name, value in at.items()}
                one = {"kind": rng.choice(kinds), "takes": rng.random() < 0.8, "staffed": rng.random() < 0.8}
                organisation(connection, f"O{number:02d}", level=level, cell=cell, at=at, **one)
                made.append({"code": f"O{number:02d}", "level": level, "cell": cell, "at": at, **one})
        for cell, (column, row) in {"A": (0, 0), "B": (1, 0), "C": (0, 1), "D": (1, 1)}.items():
            for kind in kinds:
                place = {"lon": WEST + (column + rng.random()) * SIDE, "lat": SOUTH + (row + rng.random()) * SIDE}
                place = {name: round(value / STEP) * STEP for name, value in place.items()}

                def order(one: dict[str, Any], place: dict[str, float] = place) -> tuple[int, float]:
                    _, _, metres = CGCS2000.inv(place["lon"], place["lat"], one["at"]["lon"], one["at"]["lat"])
                    return levels.index(one["level"]), metres

                suitable = [
                    one for one in made
                    if one["cell"] in (cell, "P", None) and one["kind"] == kind and one["takes"] and one["staffed"]
                ]  # fmt: skip
                expected = sorted(suitable, key=order)
                incident = desk.report(place)
                found = desk.ask(desk.lin, f"/incidents/{incident}/mediation/organisations?kind={kind}")[
                    "organisations"
                ]
                assert [one["facility_code"] for one in found] == [one["code"] for one in expected[:10]]
                for one, other in zip(found, expected, strict=False):
                    assert one["distance_m"] == pytest.approx(order(other)[1], abs=1e-6)
                case = desk.send(desk.lin, f"/incidents/{incident}/mediation", kind=kind)
                assert case["facility_code"] == expected[0]["code"]


def test_what_was_done_in_a_case_is_never_changed(desk: Desk) -> None:
    case = desk.take(desk.report(), note="x")
    with connect(desk.conninfo) as connection:
        for change in ("note = 'y'", "actor_name = 'me'", "action = 'settle', note = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"update mediation_steps set {change} where case_id = %s".encode(), (case,))


def test_doctor_names_organisations_whose_cell_is_no_more(database: str) -> None:
    with connect(database) as connection:
        two_by_two(connection)
        organisation(connection, "gone", "people", "village", "Z", IN_A)
        organisation(connection, "here", "people", "village", "A", IN_A)
    found = next(one for one in examine(database, Settings()) if one.what.startswith("mediation organisations"))
    assert (found.ok, found.found[:2]) == (False, "1:")


@pytest.mark.parametrize("initials", ["张某", "欧阳某某", "Z.L.", "WLX", "Q"])
def test_parties_are_initials(desk: Desk, initials: str) -> None:
    case = desk.take(desk.report(), parties=[{"role": "applicant", "initials": initials}])
    assert desk.ask(desk.lin, f"/mediation/cases/{case}")["parties"][0]["initials"] == initials


@pytest.mark.parametrize(
    "initials",
    ["张伟", "张伟某", "Zhang", "zl", "WLXY", "13912345678", "130502199001011234", "", "某", "\u202e张某", "👩某"],
)
def test_names_and_numbers_are_no_initials(desk: Desk, initials: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Party).validate_python({"role": "applicant", "initials": initials})
    with connect(desk.conninfo) as connection, pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
        connection.execute(
            "insert into mediation_parties (case_id, number, party_role, initials) values (1, 1, 'applicant', %s)",
            (initials,),
        )


def test_exports_leave_parties_out_unless_asked_and_are_written_down(desk: Desk) -> None:
    case = desk.take(desk.report(), parties=PARTIES)
    with bearing(desk.url, api_key(desk.conninfo, "planner")) as planner:
        answer = planner.get("/mediation/cases/export")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert planner.get("/mediation/cases/export?parties=true").status_code == 403
    rows = {row["case_id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows[str(case)]["facility_code"] == "A-people"
    assert "张某" not in answer.text
    assert "parties" not in rows[str(case)]
    whole = desk.chief.get("/mediation/cases/export?parties=true").text
    assert "applicant 张某; respondent W.L." in whole
    assert desk.lin.get("/mediation/cases/export").status_code == 403
    assert "张某" not in desk.chief.get("/collections/incidents/export?f=csv").text
    assert "张某" not in desk.lin.get("/mediation/cases").text
    with connect(desk.conninfo) as connection:
        noted = connection.execute(
            "select detail->>'form' as form from access.audit_log where object_id = 'mediation_cases' order by audit_id"
        ).fetchall()
        assert [row["form"] for row in noted] == ["csv", "csv with parties"]
        audit = connection.execute("select count(*) as n from access.audit_log where detail::text ~ '张某'").fetchone()
    assert audit == {"n": 0}


def test_parties_are_deleted_and_texts_emptied_after_closing(cluster: Cluster) -> None:
    kept = {"party_retention_days": 10, "text_retention_days": 20}
    with new_database(cluster, "mediation_tidy") as conninfo, served(conninfo, **kept) as desk:
        cases = {}
        for days in (None, 9, 11, 21):
            incident = desk.report()
            cases[days] = desk.take(incident, parties=PARTIES, note="楼道堆物")
            if days is not None:
                desk.step(desk.lin, cases[days], "settle")
                desk.act(desk.zhao, incident, "verify")
            with connect(conninfo) as connection:
                connection.execute(
                    "update incidents set closed_at = now() - make_interval(days => %s) where incident_id = %s and closed_at is not null",
                    (days or 0, incident),
                )
        with connect(conninfo) as connection:
            connection.execute("select ask_for('tidy', '', now())")
        deadline = time.monotonic() + 90
        while desk.ask(desk.lin, f"/mediation/cases/{cases[21]}")["parties"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        found = {days: desk.ask(desk.lin, f"/mediation/cases/{case}") for days, case in cases.items()}
        assert {days: len(one["parties"]) for days, one in found.items()} == {None: 2, 9: 2, 11: 0, 21: 0}
        assert {days: one["steps"][0]["note"] for days, one in found.items()} == {
            None: "楼道堆物", 9: "楼道堆物", 11: "楼道堆物", 21: "",
        }  # fmt: skip
        assert found[21]["steps"][0]["action"] == "take"


def test_an_organisation_is_described_by_whom_it_belongs_to(desk: Desk) -> None:
    def facility(kind: str, code: str) -> None:
        shape = {"type": "Point", "coordinates": [IN_A["lon"], IN_A["lat"]]}
        level = {} if kind == "mediation_room" else {"division_level": "village"}
        properties = {"facility_code": code, "facility_kind": kind, "name": f"{code}（演示）", **level}
        body = {"type": "Feature", "geometry": shape, "properties": properties}
        answer = desk.chief.post("/collections/facilities/items", json=body)
        assert answer.status_code == 201, answer.text

    for kind, code in (("mediation_organisation", "new"), ("mediation_room", "room"), ("governance_centre", "centre")):
        facility(kind, code)
    given = {"mediation_kind": "pre_litigation", "grid_code": "A", "room": "room", "centre": "centre",
             "studio_of": "调解员1（演示）", "mediators": ["调解员1（演示）", "调解员2（演示）"]}  # fmt: skip
    path = "/mediation/organisations/new"
    for wrong in ({"grid_code": "Z"}, {"room": "centre"}, {"centre": "nobody"}, {"mediation_kind": "x"}):
        assert desk.chief.put(path, json={**given, **wrong}).status_code == 422, wrong
    assert desk.chief.put("/mediation/organisations/room", json=given).status_code == 422
    assert desk.chief.put("/mediation/organisations/nobody", json=given).status_code == 404
    assert desk.lin.put(path, json=given).status_code == 403
    with bearing(desk.url, api_key(desk.conninfo, "planner", ["D"])) as elsewhere:
        assert elsewhere.put(path, json=given).status_code == 404
    with bearing(desk.url, api_key(desk.conninfo, "planner", ["A"])) as planner:
        assert (
            planner.put(path, json={**given, "grid_code": None}).status_code == 403
        )  # the city is not theirs to serve
        made = planner.put(path, json=given).json()
    assert (made["room_name"], made["centre_code"], made["mediator_count"]) == ("room（演示）", "centre", 2)
    assert (
        desk.chief.put(path, json={**given, "mediators": ["调解员2（演示）", "调解员3（演示）"]}).json()[
            "mediator_count"
        ]
        == 2
    )
    with connect(desk.conninfo) as connection:
        roster = connection.execute(
            "select person_name, valid_to is null as works from mediators join facilities using (facility_id)"
            " where facility_code = 'new' order by person_name"
        ).fetchall()
    assert [(row["person_name"][:4], row["works"]) for row in roster] == [
        ("调解员1", False),
        ("调解员2", True),
        ("调解员3", True),
    ]
    incident = desk.report()
    assert desk.send(desk.lin, f"/incidents/{incident}/mediation", kind="pre_litigation")["room_name"] == "room（演示）"
    removed = desk.chief.delete("/collections/facilities/items/new")
    assert removed.status_code == 409, removed.text  # it has a case
