"""One's open matters, volunteer teams by distance and skill, and joint meetings whose resolutions are matters."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pyproj import Geod

from geo_grid.db import Cluster, connect
from tests.databases import new_database
from tests.field.city import IN_A, IN_B, Field, served
from tests.squares import SIDE, SOUTH, STEP, WEST

CGCS2000 = Geod(a=6378137.0, rf=298.257222101)
TEAMS = {
    "VT-1": (0.1, 0.1, 12, ["patrol", "fire"]), "VT-2": (0.9, 0.2, 8, ["patrol", "first_aid", "fire"]),
    "VT-3": (1.5, 1.5, 20, []), "VT-4": (1.9, 0.4, 15, ["search"]),
}  # fmt: skip
"""Place in squares from the south-west, people, skills."""


@pytest.fixture(scope="module")
def field(cluster: Cluster) -> Iterator[Field]:
    with new_database(cluster, "field_matters") as conninfo, served(conninfo) as found:
        with connect(conninfo) as connection:
            for code, (x, y, people, _) in TEAMS.items():
                lon, lat = (round(value / STEP) * STEP for value in (WEST + x * SIDE, SOUTH + y * SIDE))
                connection.execute(
                    "insert into facilities (facility_code, facility_kind, name, division_level, member_count, phone, geom)"
                    " values (%s, 'volunteer_team', %s, 'village', %s, '12000000009', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                    (code, f"队伍{code}", people, lon, lat),
                )
        yield found


def post(who: httpx.Client, path: str, status: int = 201, key: str | None = None, **given: Any) -> dict[str, Any]:
    answer = who.post(path, json=given, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def reminders(who: httpx.Client) -> dict[str, Any]:
    answer = who.get("/incidents/reminders")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def given_to_li(field: Field, **more: Any) -> int:
    incident = int(post(field.chief, "/incidents", **IN_A, category="help", **more)["incident_id"])
    for action in ("accept", "assign"):
        post(field.chief, f"/incidents/{incident}/steps", action=action)
    return incident


def test_matters_are_ones_own_by_duty_or_hand_and_the_urgent_come_first(field: Field) -> None:
    _ = field.li, field.wang
    late, soon, calm = (given_to_li(field) for _ in range(3))
    with connect(field.conninfo) as connection:
        for incident, hours in ((late, 30), (soon, 23)):
            connection.execute(
                "update incidents set received_at = now() - make_interval(hours => %s) where incident_id = %s",
                (hours, incident),
            )
    mine = reminders(field.li)
    assert [(one["incident_id"], one["state"]) for one in mine["matters"]] == [
        (late, "overdue"), (soon, "due_soon"), (calm, "open"),
    ]  # fmt: skip
    assert (mine["overdue"], mine["due_soon"], mine["to_acknowledge"]) == (1, 1, 3)
    assert {one["is_mine_by"] for one in mine["matters"]} == {"duty"}
    assert reminders(field.wang)["matters"] == []
    assert field.li.get("/field/rounds").json()["matters"] == mine
    for incident in (late, soon, calm):
        post(field.li, f"/incidents/{incident}/steps", action="handle")
        post(field.chief, f"/incidents/{incident}/steps", action="verify")
    assert reminders(field.li)["matters"] == []


def test_what_was_given_to_one_waits_until_one_has_seen_it(field: Field) -> None:
    _ = field.li
    incident = given_to_li(field)
    assert reminders(field.li)["to_acknowledge"] == 1
    step = f"/incidents/{incident}/steps"
    post(field.li, step, action="acknowledge")
    assert reminders(field.li)["to_acknowledge"] == 0
    course = field.chief.get(step).json()
    assert [one["action"] for one in course["steps"]] == ["accept", "assign", "acknowledge"]
    assert course["steps"][-1]["stage_after"] == "assigned"
    post(field.li, step, action="handle")
    post(field.chief, step, action="reject", reason="没有照片")
    assert reminders(field.li)["to_acknowledge"] == 1  # it came back
    post(field.li, step, action="handle")  # acting is seeing
    assert reminders(field.li)["to_acknowledge"] == 0
    new = int(post(field.chief, "/incidents", **IN_A, category="help")["incident_id"])
    assert "accept it" in post(field.li, f"/incidents/{new}/steps", 409, action="acknowledge")["detail"]


def test_notes_of_former_shifts_are_counted(field: Field) -> None:
    before = reminders(field.li)["shift_notes"]
    post(field.chief, "/shifts/notes", note="看好 3 号楼", grid_code="A")
    post(field.chief, "/shifts/notes", note="与 A 无关", grid_code="C")
    post(field.li, "/shifts/notes", note="自己写的", grid_code="A")
    assert reminders(field.li)["shift_notes"] == before + 1


def test_teams_are_nearest_first_and_have_all_the_skills(field: Field) -> None:
    for code, (_, _, _, skills) in TEAMS.items():
        if skills:
            answer = field.chief.put(f"/volunteers/teams/{code}", json={"skills": skills})
            assert answer.json()["skills"] == skills
    incident = int(post(field.chief, "/incidents", **IN_A, category="help")["incident_id"])
    for asked in (f"lon={IN_A['lon']}&lat={IN_A['lat']}", f"incident={incident}"):
        teams = field.chief.get(f"/volunteers/teams?{asked}").json()["teams"]
        assert [team["facility_code"] for team in teams] == ["VT-2", "VT-1", "VT-4", "VT-3"]
        distances = [team["distance_m"] for team in teams]
        assert distances == sorted(distances)
        for team in teams:
            exact = CGCS2000.inv(IN_A["lon"], IN_A["lat"], team["lon"], team["lat"])[2]
            assert team["distance_m"] == pytest.approx(exact, abs=0.01)
            assert team["member_count"] == TEAMS[team["facility_code"]][2]
            assert team["phone"] == "12000000009"
        narrowed = field.chief.get(f"/volunteers/teams?{asked}&skill=patrol&skill=first_aid").json()["teams"]
        assert [team["facility_code"] for team in narrowed] == ["VT-2"]
    assert field.chief.get("/volunteers/teams?lon=1").status_code == 422
    assert field.chief.get("/volunteers/teams?lon=114.5&lat=37&skill=juggling").status_code == 422
    assert field.chief.put("/volunteers/teams/nowhere", json={"skills": []}).status_code == 404
    with connect(field.conninfo) as connection:
        connection.execute(
            "insert into facilities (facility_code, facility_kind, name, geom) select 'S-1', 'school', 'x', geom from facilities limit 1"
        )
    assert "volunteer_team first" in field.chief.put("/volunteers/teams/S-1", json={"skills": []}).json()["detail"]
    local = field.client("planner", ["C"])
    assert local.get(f"/volunteers/teams?lon={IN_A['lon']}&lat={IN_A['lat']}").json()["teams"] == []
    assert local.put("/volunteers/teams/VT-1", json={"skills": []}).status_code == 404


def meeting(**more: Any) -> dict[str, Any]:
    return {
        "title": "重点人员会商", "held_at": datetime.now(UTC).isoformat(), "units": ["综治中心", "派出所", "司法所"],
        "resolutions": [
            {"text": "修缮围墙", "category": "city_matter", "responsible_unit": "城管所", **IN_A},
            {"text": "调解邻里纠纷", "category": "dispute", "responsible_unit": "司法所", **IN_B},
        ],
        **more,
    }  # fmt: skip


def test_resolutions_are_matters_and_move_as_any(field: Field) -> None:
    content = meeting()
    made = post(field.chief, "/meetings", key="m-1", **content)
    first, second = made["resolutions"]
    assert [(one["number"], one["category"], one["step"]) for one in made["resolutions"]] == [
        (1, "city_matter", "reported"), (2, "dispute", "reported"),
    ]  # fmt: skip
    incident = field.chief.get(f"/incidents/{first['incident_id']}").json()
    assert (incident["description"], incident["grid_code"]) == ("修缮围墙", "A")
    assert incident["due_at"] == first["due_at"] is not None
    post(field.chief, f"/incidents/{second['incident_id']}/steps", action="accept")
    read = field.chief.get(f"/meetings/{made['meeting_id']}").json()
    assert [one["step"] for one in read["resolutions"]] == ["reported", "accepted"]
    count = len(field.chief.get("/incidents?limit=1000").json()["incidents"])
    again = post(field.chief, "/meetings", 200, key="m-1", **content)
    assert again["meeting_id"] == made["meeting_id"]
    said_otherwise = [{**content["resolutions"][0], "text": "别的"}, content["resolutions"][1]]
    for other in ({"resolutions": said_otherwise}, {"title": "另一个会"}, {"resolutions": []}):
        assert "different" in post(field.chief, "/meetings", 409, key="m-1", **{**content, **other})["detail"]
    assert len(field.chief.get("/incidents?limit=1000").json()["incidents"]) == count
    assert field.chief.get("/meetings?limit=1").json()["meetings"] == [read]
    without = meeting(resolutions=[])
    first = post(field.chief, "/meetings", key="m-2", **without)
    assert post(field.chief, "/meetings", 200, key="m-2", **without) == first


def test_one_resolution_that_cannot_be_filed_files_none(field: Field) -> None:
    before = len(field.chief.get("/incidents?limit=1000").json()["incidents"])
    bad = meeting()
    bad["resolutions"][1] |= {"source_crs": "EPSG:2"}
    post(field.chief, "/meetings", 422, **bad)
    swapped = meeting()
    swapped["resolutions"][1] |= {"lon": IN_A["lat"], "lat": IN_A["lon"]}
    post(field.chief, "/meetings", 422, **swapped)
    post(field.chief, "/meetings", 422, **meeting(held_at="2100-01-01T00:00:00Z"))
    post(field.chief, "/meetings", 422, **meeting(units=[]))
    assert "no grid cell 'zz'" in post(field.chief, "/meetings", 422, **meeting(grid_code="zz"))["detail"]
    assert "no grid cell 'zz'" in post(field.chief, "/shifts/notes", 422, note="x", grid_code="zz")["detail"]
    local = field.client("dispatcher", ["A"])
    post(local, "/meetings", 403, **meeting(grid_code="A"))  # B is none of theirs
    one = meeting(grid_code="C")
    del one["resolutions"][1]
    post(local, "/meetings", 403, **one)  # and so is the meeting of C
    post(local, "/meetings", 403, **{**one, "grid_code": None})
    assert len(field.chief.get("/incidents?limit=1000").json()["incidents"]) == before


def test_a_meeting_is_seen_where_it_was_and_its_texts_by_those_who_read_them(field: Field) -> None:
    made = post(field.chief, "/meetings", **meeting(grid_code="A", title="A 网格联席会"))
    path = f"/meetings/{made['meeting_id']}"
    local = field.client("dispatcher", ["A"])
    assert [one["text"] for one in local.get(path).json()["resolutions"]] == ["修缮围墙"]  # the other one is in B
    reader = field.client("planner")
    assert [one["text"] for one in reader.get(path).json()["resolutions"]] == ["", ""]
    assert field.client("dispatcher", ["C"]).get(path).status_code == 404
    assert made["meeting_id"] not in [
        one["meeting_id"] for one in field.client("dispatcher", ["C"]).get("/meetings").json()["meetings"]
    ]
