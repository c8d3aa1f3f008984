"""Who has a matter: substitutes, the desk of the day, levels it rises to, and second reports of the same."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.boundaries import publish_cells
from geo_grid.db import Cluster, connect
from geo_grid.workflow.duplicates import score, text_likeness
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, cells, local_levels, square, whole
from tests.workflow.test_given_anew import earlier
from tests.workflow.test_steps import IN_A, IN_B, Desk

DAY, LONG = "2030-05-01", timedelta(days=60)


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    """A county K with a township T, whose villages V and W have a block A each and B; only A, V, T and K have people."""
    with new_database(cluster, "who_has_it") as conninfo:
        with connect(conninfo) as connection:
            local_levels(connection, 4)
            publish_cells(
                connection,
                cells(
                    ("K", 1, None, whole(2, 1)),
                    ("T", 2, "K", whole(2, 1)),
                    ("V", 3, "T", square(0, 0)),
                    ("W", 3, "T", square(1, 0)),
                    ("A", 4, "V", square(0, 0)),
                    ("B", 4, "W", square(1, 0)),
                ),
                "a county",
            )
            connection.execute("update grid_levels set settles = grid_level <= 3")
            connection.execute(
                "insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_manager', '王某'),"
                " ('A', 'grid_manager', '孙某'), ('V', 'grid_lead', '李某'), ('T', 'grid_lead', '赵某'), ('K', 'grid_lead', '钱某')"
            )
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, zone_code, geom) values"
                " ('car-1', 'car', 'car', now(), 'Z1', ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490))"
            )
        with live_server(conninfo) as url:
            yield Desk(url, conninfo)


def assigned(desk: Desk, place: dict[str, float] = IN_A, category: str = "city_matter") -> int:
    incident = desk.report(category, place)
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "assign")
    return incident


def who(desk: Desk, incident: int) -> tuple[str | None, str | None, str | None]:
    found = desk.lin.get(f"/incidents/{incident}").json()
    return found["assigned_cell"], found["assigned_name"], found["assigned_rule"]


def duty(desk: Desk, name: str) -> int:
    with connect(desk.conninfo) as connection:
        return int(
            connection.execute("select duty_id from duties where person_name = %s", (name,)).fetchone()["duty_id"]
        )  # type: ignore[index]


def test_the_substitute_has_what_would_be_theirs(desk: Desk) -> None:
    wang, sun, li = duty(desk, "王某"), duty(desk, "孙某"), duty(desk, "李某")
    assert who(desk, assigned(desk)) == ("A", "王某", "leaf")
    begun = "2026-01-01T00:00:00Z"
    absence = desk.lin.post("/duties/absences", json={"duty_id": wang, "substitute_id": li, "valid_from": begun})
    assert absence.status_code == 201, absence.text
    assert absence.json()["substitute_name"] == "李某"
    past = {"duty_id": wang, "valid_from": "2025-01-01T00:00:00Z", "valid_to": "2025-01-02T00:00:00Z"}
    assert desk.lin.post("/duties/absences", json=past).json()["valid_to"] == past["valid_to"]
    other = desk.lin.post("/duties/absences", json={"duty_id": wang, "valid_from": begun})
    assert (other.status_code, "away then already" in other.json()["detail"]) == (409, True)
    without = desk.lin.post("/duties/absences", json={"duty_id": sun, "valid_from": begun}).json()
    assert who(desk, assigned(desk)) == ("A", "李某", "substitute")
    gone = desk.lin.post("/duties/absences", json={"duty_id": li, "valid_from": begun}).json()
    assert who(desk, assigned(desk)) == ("T", "赵某", "ancestor")  # nobody of A and V is there
    assert len(desk.lin.get("/duties/absences").json()["absences"]) == 3
    for one in (absence.json(), without, gone):
        assert desk.lin.delete(f"/duties/absences/{one['absence_id']}").status_code == 204
        assert desk.lin.delete(f"/duties/absences/{one['absence_id']}").status_code == 404
    assert who(desk, assigned(desk)) == ("A", "王某", "leaf")


def test_those_in_the_field_come_before_those_at_the_desk(desk: Desk) -> None:
    wang = duty(desk, "王某")
    with connect(desk.conninfo) as connection:
        today = str(connection.execute("select (now() at time zone 'Asia/Shanghai')::date as day").fetchone()["day"])  # type: ignore[index]
    put = desk.lin.put(f"/duties/desk/V/{today}", json={"duty_ids": [wang]})
    assert put.status_code == 200, put.text
    assert {one["person_name"]: one["at_desk"] for one in put.json()["people"]} == {
        "王某": True,
        "孙某": False,
        "李某": False,
    }
    assert put.json()["wanted"] == 2
    assert who(desk, assigned(desk)) == ("A", "孙某", "leaf")
    assert desk.lin.put(f"/duties/desk/V/{today}", json={"duty_ids": []}).status_code == 200
    assert who(desk, assigned(desk)) == ("A", "王某", "leaf")
    assert desk.lin.put(f"/duties/desk/V/{DAY}", json={"duty_ids": [10**6]}).status_code == 422
    assert desk.lin.get(f"/duties/desk/nowhere/{DAY}").status_code == 404
    with bearing(desk.url, api_key(desk.conninfo, "dispatcher", ["W"])) as client:
        assert client.put(f"/duties/desk/V/{DAY}", json={"duty_ids": [wang]}).status_code in (403, 404)


def test_it_rises_one_level_at_a_time_to_the_city_and_down_again(desk: Desk) -> None:
    incident = assigned(desk)
    for level, expected in (
        (2, ("T", "赵某", "level")),
        (1, ("K", "钱某", "level")),
        (0, (None, None, "city")),
    ):
        risen = desk.act(desk.lin, incident, "escalate", reason="此级无法解决")
        assert (risen["held_level"], risen["step"]) == (level, "assigned")
        assert who(desk, incident) == expected
    assert "no level above" in desk.act(desk.lin, incident, "escalate", 409, reason="again")["detail"]
    assert desk.act(desk.chief, incident, "send_down", reason="县里可办")["held_level"] == 1
    assert desk.act(desk.chief, incident, "send_down", reason="镇里可办")["held_level"] == 2
    assert desk.act(desk.chief, incident, "send_down", reason="村里可办")["held_level"] is None
    assert who(desk, incident) == ("A", "王某", "leaf")
    assert "lowest level" in desk.act(desk.chief, incident, "send_down", 409, reason="again")["detail"]


def test_what_was_not_assigned_rises_and_goes_to_the_level_it_rose_to(desk: Desk) -> None:
    incident = desk.report("city_matter", IN_B)
    desk.act(desk.lin, incident, "escalate", reason="无人")
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "assign")
    assert who(desk, incident) == ("T", "赵某", "level")


def test_only_the_level_above_sends_down_and_decides(desk: Desk) -> None:
    incident = assigned(desk)
    desk.act(desk.lin, incident, "return", reason="不归我们")
    with bearing(desk.url, api_key(desk.conninfo, "supervisor", ["V"])) as village:
        assert desk.act(village, incident, "decide", 403, reason="归我们")["title"]
    with bearing(desk.url, api_key(desk.conninfo, "supervisor", ["T"])) as township:
        assert desk.act(township, incident, "decide", reason="归V")["is_final"] is True
        desk.act(township, incident, "escalate", reason="上报县里")
        desk.act(township, incident, "escalate", reason="上报市里")
        desk.act(township, incident, "send_down", 403, reason="下派")
        of_nobody = assigned(desk, IN_B)  # T has it already
        desk.act(desk.lin, of_nobody, "return", reason="不归我们")
        desk.act(desk.lin, of_nobody, "assign")
        desk.act(township, of_nobody, "decide", 403, reason="归T")


def test_moving_the_pin_assigns_anew(desk: Desk) -> None:
    incident = assigned(desk)
    desk.act(desk.lin, incident, "move", **IN_B)
    assert who(desk, incident) == ("T", "赵某", "ancestor")


def test_what_nobody_owns_is_the_citys(desk: Desk) -> None:
    incident = assigned(desk, {"lon": WEST - 5 * SIDE, "lat": SOUTH})
    assert who(desk, incident) == (None, None, "city")


def test_a_second_report_is_proposed_merged_and_taken_back(desk: Desk) -> None:
    place = {"lon": WEST + SIDE / 4, "lat": SOUTH + SIDE / 4}
    near, far = ({**place, "lon": place["lon"] + metres / 89_000} for metres in (40, 450))
    first = desk.lin.post("/incidents", json={**place, "category": "fire", "description": "幸福小区三号楼冒烟"}).json()[
        "incident_id"
    ]
    second = desk.lin.post(
        "/incidents", json={**near, "category": "fire", "description": "幸福小区3号楼着火冒烟"}
    ).json()["incident_id"]
    other = desk.lin.post("/incidents", json={**far, "category": "help", "description": "电梯困人"}).json()[
        "incident_id"
    ]
    proposed = desk.lin.get(f"/incidents/{second}/duplicates").json()["duplicates"]
    assert proposed[0]["incident_id"] == first
    assert 39 < proposed[0]["distance_m"] < 41
    assert other not in [one["incident_id"] for one in proposed]
    assert "no incident" in desk.act(desk.lin, second, "merge", 404, into=10**9)["detail"]
    merged = desk.act(desk.lin, second, "merge", into=first, note="同一起")
    assert (merged["outcome"], merged["merged_into"], merged["is_open"]) == ("merged", first, False)
    assert desk.lin.get(f"/incidents/{first}").json()["merged_here"] == [second]
    assert "merged into" in desk.act(desk.lin, first, "merge", 409, into=second)["detail"]
    assert "unmerge" in desk.act(desk.chief, second, "reopen", 409, reason="x")["detail"]
    assert desk.course(second)["possible"] == ["unmerge"]
    back = desk.act(desk.lin, second, "unmerge")
    assert (back["outcome"], back["merged_into"], back["step"], back["is_open"]) == (None, None, "reported", True)
    assert [step["action"] for step in desk.course(second)["steps"]] == ["merge", "unmerge"]
    assert "was not merged" in desk.act(desk.lin, second, "unmerge", 409)["detail"]
    assert desk.act(desk.lin, second, "merge", 409, into=second)["detail"]


def test_what_has_units_is_not_merged_away(desk: Desk) -> None:
    first, second = desk.report(), desk.report()
    desk.act(desk.lin, second, "accept")
    desk.act(desk.lin, second, "assign", unit_codes=["car-1"])
    assert "car-1" in desk.act(desk.lin, second, "merge", 409, into=first)["detail"]
    desk.act(desk.lin, second, "handle")


def test_two_people_merge_each_into_the_other_and_one_is_told(desk: Desk) -> None:
    for _ in range(5):
        pair = desk.report(), desk.report()
        with ThreadPoolExecutor(2) as threads:
            answers = list(
                threads.map(
                    lambda own, into: (
                        desk.lin.post(f"/incidents/{own}/steps", json={"action": "merge", "into": into}).status_code
                    ),
                    pair,
                    reversed(pair),
                )
            )
        assert sorted(answers) == [201, 409]


def test_categories_are_edited_and_names_decided(desk: Desk) -> None:
    before = [desk.report("Stray dogs"), desk.report("stray dogs")]
    with bearing(desk.url, api_key(desk.conninfo, "supervisor")) as chief:
        assert {"category": "Stray dogs", "count": 1} in chief.get("/incidents/categories/unlisted").json()["unlisted"]
        rules = {
            "name_zh": "流浪动物",
            "name_en": "Stray animals",
            "loop_code": "city_management",
            "answered_by": "grid",
        }
        assert (
            "there are" in chief.put("/incidents/categories/animals", json={**rules, "loop_code": "x"}).json()["detail"]
        )
        assert chief.put("/incidents/categories/animals", json=rules).status_code == 200
        assert chief.put("/incidents/categories/other", json=rules).status_code == 409
        assert chief.put("/incidents/categories/Bad%20code", json=rules).status_code == 422
        assert chief.post("/incidents/categories/none/names", json={"name": "x"}).status_code == 404
        help_wanted = desk.report("help")
        for name in ("help", "HELP", "求助"):
            refused = chief.post("/incidents/categories/animals/names", json={"name": name})
            assert (refused.status_code, "category help" in refused.json()["detail"]) == (409, True)
        assert desk.lin.get(f"/incidents/{help_wanted}").json()["category"] == "help"
        decided = chief.post("/incidents/categories/animals/names", json={"name": "Stray dogs"})
        assert decided.json() == {"renamed": 2}
        assert {desk.lin.get(f"/incidents/{one}").json()["category"] for one in before} == {"animals"}
        after = desk.lin.get(f"/incidents/{desk.report('STRAY DOGS')}").json()
        assert (after["category"], after["loop_code"]) == ("animals", "city_management")
    with bearing(desk.url, api_key(desk.conninfo, "supervisor", ["T"])) as township:
        assert township.put("/incidents/categories/animals", json=rules).status_code == 403
        assert township.post("/incidents/categories/animals/names", json={"name": "y"}).status_code == 403


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_of_texts(one: str, other: str) -> None:
    likeness = text_likeness(one, other)
    assert likeness == text_likeness(other, one)
    assert likeness is None or 0 <= likeness <= 1
    assert text_likeness(one, one) in (None, 1.0)


def test_a_proposal_falls_with_distance_and_time() -> None:
    assert score(0, 0, is_same_category=True, likeness=1.0) == pytest.approx(1.0)
    without = score(10, 60, is_same_category=True, likeness=None)  # which says nothing either way
    assert (
        score(10, 60, is_same_category=True, likeness=0.75)
        > without
        > score(10, 60, is_same_category=True, likeness=0.25)
    )
    assert score(500, 7200, is_same_category=False, likeness=0.0) == 0
    nearer, farther = (score(metres, 60, is_same_category=True, likeness=0.5) for metres in (10, 300))
    assert nearer > farther


def test_a_run_card_says_what_to_send_and_what_is_nearest(desk: Desk) -> None:
    with connect(desk.conninfo) as connection:
        connection.execute(
            "insert into patrol_units (unit_code, name, unit_kind, reported_at, geom) select kind || '-' || n, kind, kind, now(),"
            " ST_SetSRID(ST_MakePoint(114.5 + n / 1024.0, 37.0), 4490) from generate_series(1, 9) n, unnest(array['foot', 'motorcycle']) kind"
        )
    incident = desk.report("public_order")
    assert desk.lin.get(f"/incidents/{incident}/run-card").json() == {"card": None, "units": []}
    everywhere = {"needs": {"foot": 1}}
    here = {"category_code": "public_order", "grid_code": "V", "needs": {"motorcycle": 2, "car": 1}}
    at_no_hour = {"category_code": "public_order", "hour_from": "00:00", "hour_to": "00:00:01", "needs": {"foot": 9}}
    cards = [desk.chief.post("/run-cards", json=card) for card in (everywhere, here, at_no_hour)]
    assert [one.status_code for one in cards] == [201] * 3, cards[0].text
    assert desk.chief.post("/run-cards", json=here).status_code == 409
    assert desk.chief.post("/run-cards", json={"category_code": "x", "needs": {"car": 1}}).status_code == 422
    assert desk.chief.post("/run-cards", json={"needs": {"tank": 1}}).status_code == 422
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "assign", unit_codes=["motorcycle-9"])
    run = desk.lin.get(f"/incidents/{incident}/run-card").json()
    assert run["card"]["run_card_id"] == cards[1].json()["run_card_id"]
    kinds = {one["unit_kind"]: one for one in run["units"]}
    assert (kinds["motorcycle"]["wanted"], kinds["motorcycle"]["sent"], kinds["car"]["sent"]) == (2, 1, 0)
    metres = [one["distance_m"] for one in kinds["motorcycle"]["candidates"]]
    assert len(metres) == 6
    assert metres == sorted(metres)
    assert "motorcycle-9" not in [one["unit_code"] for one in kinds["motorcycle"]["candidates"]]
    other = desk.report("help", IN_B)
    assert desk.lin.get(f"/incidents/{other}/run-card").json()["card"]["needs"] == {"foot": 1}
    for card in cards:
        assert desk.chief.delete(f"/run-cards/{card.json()['run_card_id']}").status_code == 204
    with bearing(desk.url, api_key(desk.conninfo, "supervisor", ["T"])) as township:
        assert township.post("/run-cards", json=everywhere).status_code == 403


def test_a_unit_on_scene_is_to_be_heard_of(desk: Desk) -> None:
    rules = {"name_zh": "消防", "name_en": "Fire", "urgency": "red", "check_in_minutes": 10}
    assert desk.chief.put("/incidents/categories/fire", json=rules).status_code == 200
    incident = desk.report("fire")
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "assign", unit_codes=["car-1"])
    desk.act(desk.lin, incident, "depart", unit_code="car-1")
    desk.act(desk.lin, incident, "check_in", 409, unit_code="car-1")
    desk.act(desk.lin, incident, "arrive", unit_code="car-1")
    with connect(desk.conninfo) as connection:
        connection.execute(
            "update incident_units set arrived_at = now() - interval '20 minutes', departed_at = now() - interval '30 minutes'"
            " where incident_id = %s",
            (incident,),
        )
    due = desk.lin.get("/shifts/check-ins").json()["check_ins"]
    found = [(one["incident_id"], one["unit_code"], one["unit_name"], one["is_overdue"]) for one in due]
    assert found == [(incident, "car-1", "car", True)]
    desk.act(desk.lin, incident, "check_in", unit_code="car-1")
    assert desk.lin.get("/shifts/check-ins").json()["check_ins"][0]["is_overdue"] is False
    desk.act(desk.lin, incident, "handle")
    assert desk.lin.get("/shifts/check-ins").json()["check_ins"] == []


def test_the_next_shift_acknowledges_what_the_last_one_left(desk: Desk) -> None:
    left = desk.lin.post("/shifts/notes", json={"note": "3号路口信号灯故障 🚦", "grid_code": "V"})
    assert left.status_code == 201, left.text
    number = left.json()["shift_note_id"]
    assert "whoever wrote" in desk.lin.post(f"/shifts/notes/{number}/acknowledgement").json()["detail"]
    assert desk.zhao.post(f"/shifts/notes/{number}/acknowledgement").json()["acknowledged_by"]
    assert desk.chief.post(f"/shifts/notes/{number}/acknowledgement").status_code == 409
    assert desk.lin.get("/shifts/notes?open=true").json()["notes"] == []
    assert desk.lin.get("/shifts/notes").json()["notes"][0]["shift_note_id"] == number
    assert desk.lin.get("/shifts/notes").json()["notes"][0]["is_own"] is True
    assert desk.chief.get("/shifts/notes").json()["notes"][0]["is_own"] is False
    assert desk.chief.get("/shifts/notes").json()["desks"] == []
    with bearing(desk.url, api_key(desk.conninfo, "dispatcher", ["W"])) as other:
        assert other.get("/shifts/notes").json() == {"notes": [], "desks": [{"grid_code": "W", "name": "W"}]}
        assert other.post(f"/shifts/notes/{number}/acknowledgement").status_code == 404
        assert other.post("/shifts/notes", json={"note": "x"}).status_code == 403
        assert other.post("/shifts/notes", json={"note": "x", "grid_code": "W"}).status_code == 201


def test_what_one_has_in_hand(desk: Desk) -> None:
    incident = desk.report()
    desk.act(desk.zhao, incident, "accept")
    mine = desk.zhao.get("/incidents?mine=true&open=true").json()["incidents"]
    assert incident in [one["incident_id"] for one in mine]
    assert incident not in [one["incident_id"] for one in desk.lin.get("/incidents?mine=true").json()["incidents"]]


def rise(desk: Desk, incident: int) -> float | None:
    with connect(desk.conninfo) as connection:
        return connection.execute("select access.rise(%s) as again_s", (incident,)).fetchone()["again_s"]  # type: ignore[index]


def test_what_was_closed_too_late_and_is_opened_again_rises_by_itself(desk: Desk) -> None:
    late = assigned(desk)
    earlier(desk, late, LONG)
    with connect(desk.conninfo) as connection:
        connection.execute("select access.sweep_deadlines(now(), 1000)")
        connection.execute("delete from due_work where kind = 'rise' and subject = %s", (str(late),))
    desk.act(desk.chief, late, "close", reason="无法解决")
    desk.act(desk.chief, late, "reopen", reason="又来反映")
    desk.act(desk.lin, late, "assign", 409)
    for _ in range(100):
        if desk.lin.get(f"/incidents/{late}").json()["held_level"] is not None:
            break
        time.sleep(0.2)
    assert who(desk, late) == ("T", "赵某", "level")


def test_what_is_settled_too_late_rises_by_itself_level_by_level_to_the_city(desk: Desk) -> None:
    incident = assigned(desk)
    assert rise(desk, incident) > 86_400  # it is not late
    assert who(desk, incident)[0] == "A"
    earlier(desk, incident, LONG)
    assert rise(desk, incident) > 86_400  # the township has its limit once more
    assert who(desk, incident) == ("T", "赵某", "level")
    assert rise(desk, incident) > 86_400
    assert who(desk, incident) == ("T", "赵某", "level")
    earlier(desk, incident, LONG)
    desk.act(desk.lin, incident, "suspend", reason="等待鉴定")
    assert rise(desk, incident) == 300  # it stands, and is looked at again
    desk.act(desk.lin, incident, "resume")
    assert rise(desk, incident) > 0
    assert who(desk, incident) == ("K", "钱某", "level")
    desk.act(desk.chief, incident, "send_down", reason="镇里可办")
    assert rise(desk, incident) > 0  # who has it again has the limit again
    assert who(desk, incident) == ("T", "赵某", "level")
    for _ in range(2):
        earlier(desk, incident, LONG)
        again = rise(desk, incident)
    assert again is None  # the city has it
    assert who(desk, incident) == (None, None, "city")
    taken = [step for step in desk.course(incident)["steps"] if step["action"] == "escalate"]
    assert [(step["actor_name"], step["details"]["held_level"]) for step in taken] == [
        ("geo_grid", 2), ("geo_grid", 1), ("geo_grid", 1), ("geo_grid", 0),
    ]  # fmt: skip


def test_what_the_township_has_for_want_of_anybody_below_rises_to_the_county(desk: Desk) -> None:
    by_hand, by_itself = assigned(desk, IN_B), assigned(desk, IN_B)
    assert who(desk, by_hand) == who(desk, by_itself) == ("T", "赵某", "ancestor")
    assert desk.act(desk.lin, by_hand, "escalate", reason="此级无法解决")["held_level"] == 1
    earlier(desk, by_itself, LONG)
    rise(desk, by_itself)
    assert who(desk, by_hand) == who(desk, by_itself) == ("K", "钱某", "level")
    step = desk.course(by_itself)["steps"][-1]["details"]
    assert (step["had"]["assigned_cell"], step["has"]["assigned_cell"], step["held_level"]) == ("T", "K", 1)


def test_a_breach_of_the_limit_asks_for_that_once(desk: Desk) -> None:
    late, police = assigned(desk), assigned(desk, category="help")
    with connect(desk.conninfo) as connection:
        connection.execute(
            "update incidents set received_at = received_at - interval '60 days' where incident_id = any(%s)",
            ([late, police],),
        )
        connection.execute("select access.sweep_deadlines(now(), 1000)")
    for _ in range(100):
        found = desk.lin.get(f"/incidents/{late}").json()
        if found["held_level"] is not None:
            break
        time.sleep(0.2)
    assert (found["held_level"], found["is_overdue"]) == (2, True)
    assert (
        desk.lin.get(f"/incidents/{police}").json()["held_level"] is None
    )  # what the police answer does not rise by itself


def test_what_was_said_is_emptied_in_time_and_what_was_done_stays(desk: Desk) -> None:
    said = {"description": "张某家中争吵", "address": "幸福里3号", "category": "help"}
    old, new = (desk.lin.post("/incidents", json={**IN_A, **said}).json()["incident_id"] for _ in range(2))
    for incident in (old, new):
        desk.act(desk.chief, incident, "close", reason="当事人撤回", note="张某电话告知")
    noted = [desk.lin.post("/shifts/notes", json={"note": "张某又来过"}).json()["shift_note_id"] for _ in range(2)]
    with connect(desk.conninfo) as connection:
        connection.execute(
            "update shift_notes set written_at = now() - interval '91 days' where shift_note_id = %s", (noted[0],)
        )
        connection.execute(
            "update incidents set closed_at = now() - interval '91 days', received_at = now() - interval '92 days' where incident_id = %s",
            (old,),
        )
        connection.execute("update due_work set due_at = now() where kind = 'tidy'")
    for _ in range(100):
        found = desk.lin.get(f"/incidents/{old}").json()
        if not found["description"]:
            break
        time.sleep(0.2)
    assert (found["description"], found["address"], found["outcome"]) == ("", "", "not_solved")
    (step,) = desk.course(old)["steps"]
    assert (step["action"], step["note"], step["details"]) == ("close", "", {})
    assert desk.lin.get(f"/incidents/{new}").json()["description"] == said["description"]
    assert desk.course(new)["steps"][0]["note"] == "当事人撤回\n张某电话告知"
    left = {one["shift_note_id"] for one in desk.lin.get("/shifts/notes").json()["notes"]}
    assert left & set(noted) == {noted[1]}
