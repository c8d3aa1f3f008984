"""Loops are data: made, changed and retired, and never so that an open matter cannot go on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

type Desk = tuple[httpx.Client, httpx.Client, str]
HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
NAMES = {
    "reported": "发现", "accepted": "受理", "assigned": "分派", "handled": "处置", "fed_back": "反馈", "verified": "核查",
    "evaluated": "评价",
}  # fmt: skip


def rules(*without: str, name: str = "牲畜闭环", **more: Any) -> dict[str, Any]:
    stages = [{"stage": one, "name_zh": zh, "name_en": one} for one, zh in NAMES.items() if one not in without]
    return {"name_zh": name, "name_en": name, "stages": stages, **more}


CATEGORY = {"name_zh": "牲畜", "name_en": "Cattle", "loop_code": "cattle", "answered_by": "grid"}


@pytest.fixture
def desk(small_city: str) -> Iterator[Desk]:
    """Who edits rules, who works at the desk, and the owner's way in."""
    with (
        live_server(small_city) as url,
        bearing(url, api_key(small_city, "supervisor")) as chief,
        bearing(url, api_key(small_city, "dispatcher")) as lin,
    ):
        yield chief, lin, small_city


def at_stage(lin: httpx.Client, *actions: str) -> int:
    number = lin.post("/incidents", json={**HERE, "category": "cattle"}).json()["incident_id"]
    for action in actions:
        answer = lin.post(f"/incidents/{number}/steps", json={"action": action})
        assert answer.status_code == 201, answer.text
    return int(number)


@pytest.mark.parametrize(
    ("loop", "stages", "actions"),
    [
        ("reported_up", "发现 上报 分派 处置 反馈 考核", ["accept", "assign", "handle", "feed_back", "evaluate"]),
        (
            "city_management", "信息收集 案卷建立 任务派遣 任务处理 处理反馈 核查结案 综合评价",
            ["accept", "assign", "handle", "feed_back", "verify", "evaluate"],
        ),
    ],
)  # fmt: skip
def test_a_preset_is_gone_through_to_its_end(desk: Desk, loop: str, stages: str, actions: list[str]) -> None:
    chief, lin, _ = desk
    assert chief.put("/incidents/categories/cattle", json=CATEGORY | {"loop_code": loop}).status_code == 200
    number = at_stage(lin)
    for action in actions:
        who = lin if action in ("accept", "assign", "handle") else chief  # who verifies did not handle it
        given = {"score": 5} if action == "evaluate" else {}
        answer = who.post(f"/incidents/{number}/steps", json={"action": action, **given})
        assert answer.status_code == 201, answer.text
    course = lin.get(f"/incidents/{number}/steps").json()
    assert " ".join(stage["name_zh"] for stage in course["stages"]) == stages
    assert [step["stage_after"] for step in course["steps"]] == [stage["stage"] for stage in course["stages"]][1:]
    ended = lin.get(f"/incidents/{number}").json()
    assert (ended["step"], ended["outcome"], ended["is_open"]) == ("evaluated", "solved", False)


def test_a_loop_is_made_its_matters_follow_it_and_it_is_retired_and_brought_back(desk: Desk) -> None:
    chief, lin, database = desk
    made = chief.put("/loops/cattle", json=rules("verified", most_returns=1))
    assert made.status_code == 200, made.text
    assert (made.json()["open"], made.json()["categories"], made.json()["return_within_s"]) == (0, [], 86400)
    assert chief.put("/incidents/categories/cattle", json=CATEGORY).status_code == 200
    number = at_stage(lin, "accept", "assign", "handle")
    alone = lin.post(f"/incidents/{number}/steps", json={"action": "feed_back"})
    assert (alone.status_code, "ask somebody else" in alone.text) == (409, True)  # here that closes it
    assert chief.post(f"/incidents/{number}/steps", json={"action": "feed_back"}).status_code == 201
    assert lin.get(f"/incidents/{number}").json()["outcome"] == "solved"
    at_stage(lin)
    used = chief.delete("/loops/cattle")
    assert (used.status_code, "categories cattle use this loop" in used.text) == (409, True)
    assert chief.put("/incidents/categories/cattle", json={**CATEGORY, "loop_code": "six_steps"}).status_code == 200
    gone = chief.delete("/loops/cattle").json()
    assert (gone["open"], gone["retired_at"] is not None) == (1, True)  # which goes on to its end
    again = chief.put("/incidents/categories/cattle", json=CATEGORY)
    assert (again.status_code, "no loop 'cattle' in use" in again.text) == (422, True)
    assert chief.put("/loops/cattle", json=rules("verified")).json()["retired_at"] is None
    assert "stays" in chief.delete("/loops/six_steps").text
    assert chief.delete("/loops/none").status_code == 404
    with connect(database) as connection:
        seen = connection.execute(
            "select action, object_id from access.audit_log where object_type = 'loops' order by 1"
        ).fetchall()
    assert {(row["action"], row["object_id"]) for row in seen} == {
        ("feature.create", "cattle"),
        ("feature.change", "cattle"),
    }


@pytest.mark.parametrize(
    ("without", "actions", "told"),
    [
        (("fed_back",), ("accept", "assign", "handle", "feed_back"), "1 open matters are at the stage fed_back"),
        (("verified", "evaluated"), ("accept", "assign", "handle", "feed_back"), "ends at"),
        (("fed_back",), ("accept", "assign", "handle"), None),
        (("evaluated",), ("accept", "assign", "handle", "feed_back"), None),
    ],
)
def test_a_change_that_would_strand_an_open_matter_is_refused_in_words(
    desk: Desk, without: tuple[str, ...], actions: tuple[str, ...], told: str | None
) -> None:
    chief, lin, _ = desk
    assert chief.put("/loops/cattle", json=rules()).status_code == 200
    assert chief.put("/incidents/categories/cattle", json=CATEGORY).status_code == 200
    number = at_stage(lin, *actions)
    answer = chief.put("/loops/cattle", json=rules(*without))
    if told:
        assert (answer.status_code, told in answer.json()["detail"]) == (409, True), answer.text
        assert (
            len(next(one for one in chief.get("/loops").json()["loops"] if one["loop_code"] == "cattle")["stages"]) == 7
        )
    else:
        assert answer.status_code == 200, answer.text
    ended = chief.post(f"/incidents/{number}/steps", json={"action": "verify"})  # from where it is, to its end
    assert (ended.status_code, ended.json()["outcome"]) == (201, "solved"), ended.text


def test_a_merged_matter_can_still_be_taken_apart(desk: Desk) -> None:
    chief, lin, _ = desk
    assert chief.put("/loops/cattle", json=rules()).status_code == 200
    assert chief.put("/incidents/categories/cattle", json=CATEGORY).status_code == 200
    number, into = at_stage(lin, "accept", "assign", "handle", "feed_back"), at_stage(lin)
    assert lin.post(f"/incidents/{number}/steps", json={"action": "merge", "into": into}).status_code == 201
    assert chief.put("/loops/cattle", json=rules("fed_back")).status_code == 409


def test_no_step_slips_past_a_change_at_the_same_moment(desk: Desk) -> None:
    chief, lin, _ = desk
    assert chief.put("/loops/cattle", json=rules()).status_code == 200
    assert chief.put("/incidents/categories/cattle", json=CATEGORY).status_code == 200
    for _ in range(5):
        number = at_stage(lin, "accept", "assign", "handle")
        with ThreadPoolExecutor(2) as threads:
            stepped = threads.submit(lin.post, f"/incidents/{number}/steps", json={"action": "feed_back"})
            changed = threads.submit(chief.put, "/loops/cattle", json=rules("fed_back"))
        assert stepped.result().status_code in (201, 409), stepped.result().text
        assert [stepped.result().status_code, changed.result().status_code].count(409) >= 1
        ended = chief.post(f"/incidents/{number}/steps", json={"action": "verify"})
        assert ended.status_code == 201, ended.text
        assert chief.put("/loops/cattle", json=rules()).status_code == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (rules("accepted"), "every loop begins with reported, accepted, assigned, handled"),
        (rules("fed_back", "verified"), "whoever handles a matter does not close it alone"),
        ({**rules(), "stages": rules()["stages"][::-1]}, "in this order"),
        ({**rules(), "stages": rules()["stages"] * 2}, "each stage once"),
        (rules(return_within_s=1), "return_within_s"),
        (rules(name="六步闭环"), "another loop is called"),
    ],
)
def test_what_is_no_loop_is_refused_in_words(desk: Desk, given: dict[str, Any], told: str) -> None:
    chief, _, _ = desk
    answer = chief.put("/loops/cattle", json=given)
    assert answer.status_code in (409, 422)
    assert told in answer.text


def test_loops_are_edited_for_the_whole_city_alone(desk: Desk) -> None:
    chief, _, database = desk
    with bearing(str(chief.base_url), api_key(database, "supervisor", ["A"])) as township:
        listed = township.get("/loops").json()["loops"]
        assert {one["loop_code"]: one["open"] for one in listed}["six_steps"] is None
        assert township.put("/loops/cattle", json=rules()).status_code == 403
        assert township.put("/loops/six_steps", json=rules()).status_code == 403
        assert township.delete("/loops/reported_up").status_code == 403
        level = township.get("/levels").json()["levels"][0]
        given = {name: level[name] for name in ("name_zh", "name_en", "min_zoom", "settles")}
        assert township.put("/levels/1", json=given).status_code == 403
        changed = chief.put("/levels/1", json={**given, "name_zh": "街道", "settles": False})
        assert (changed.status_code, changed.json()["name_zh"], changed.json()["cells"]) == (
            200,
            "街道",
            level["cells"],
        )
        assert chief.put("/levels/9", json=given).status_code == 404
