"""Whoever has a matter may be others a moment later: the pin moves, it rises, it comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing
from tests.squares import SIDE, two_by_two, two_zones
from tests.workflow.test_steps import IN_A, IN_B, Desk


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[Desk]:
    """Two patrol zones, the west with A and the east with B, each with two cars on patrol."""
    with new_database(cluster, "given_anew") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            two_zones(connection)
            connection.execute(
                "insert into patrol_units (unit_code, name, unit_kind, reported_at, zone_code, geom)"
                " select z || '-' || n, 'car', 'car', now() - n * interval '1 s', z, ST_SetSRID(ST_MakePoint(114.5, 37.0), 4490)"
                " from unnest(array['Z1', 'Z2']) z, generate_series(1, 2) n"
            )
            connection.execute(
                "insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_manager', '王某'), ('P', 'grid_lead', '李某')"
            )
        with live_server(conninfo) as url:
            yield Desk(url, conninfo)


@pytest.fixture(autouse=True)
def on_patrol(desk: Desk) -> None:
    with connect(desk.conninfo) as connection:
        connection.execute(
            "update incident_units set released_at = greatest(now(), assigned_at) where released_at is null"
        )


def assigned(desk: Desk, **given: object) -> int:
    incident = desk.report("help")
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "assign", **given)
    return incident


def units(desk: Desk, incident: int) -> list[str]:
    return [unit["unit_code"] for unit in desk.course(incident)["units"]]


def test_a_pin_that_moves_to_another_zone_gives_the_matter_to_its_unit_and_releases_the_other(desk: Desk) -> None:
    incident = assigned(desk)
    assert units(desk, incident) == ["Z1-1"]
    desk.act(desk.lin, incident, "depart", unit_code="Z1-1")
    moved = desk.act(desk.lin, incident, "move", **IN_B)
    assert (moved["grid_code"], moved["zone_code"], moved["assigned_rule"]) == ("B", "Z2", "zone")
    assert units(desk, incident) == ["Z2-1"]
    assert (desk.status_of("Z1-1"), desk.status_of("Z2-1")) == ("on_patrol", "dispatched")
    details = desk.course(incident)["steps"][-1]["details"]
    assert (details["had"]["unit_codes"], details["has"]["unit_codes"]) == (["Z1-1"], ["Z2-1"])


def test_a_pin_that_moves_within_the_zone_leaves_its_unit(desk: Desk) -> None:
    incident = assigned(desk)
    moved = desk.act(desk.lin, incident, "move", lon=IN_A["lon"], lat=IN_A["lat"] + SIDE)
    assert (moved["grid_code"], moved["assigned_rule"]) == ("C", "zone")
    assert units(desk, incident) == ["Z1-1"]


def test_units_that_were_named_or_are_on_scene_stay_wherever_the_pin_goes(desk: Desk) -> None:
    named = assigned(desk, unit_codes=["Z1-2"])
    desk.act(desk.lin, named, "move", **IN_B)
    assert units(desk, named) == ["Z1-2"]
    there = assigned(desk)
    for action in ("depart", "arrive"):
        desk.act(desk.lin, there, action, unit_code="Z1-1")
    assert desk.act(desk.lin, there, "move", **IN_B)["assigned_rule"] == "zone"
    assert units(desk, there) == ["Z1-1"]


def test_what_rises_by_hand_goes_to_the_level_above_beside_its_units(desk: Desk) -> None:
    with connect(desk.conninfo) as connection:
        connection.execute("update grid_levels set settles = true")
    incident = assigned(desk, unit_codes=["Z1-1"])
    risen = desk.act(desk.lin, incident, "escalate", reason="需要支援")
    assert (risen["held_level"], risen["assigned_cell"], risen["assigned_name"]) == (1, "P", "李某")
    assert units(desk, incident) == ["Z1-1"]
    sent_down = desk.act(desk.chief, incident, "send_down", reason="已可自行处置")
    assert (sent_down["assigned_cell"], sent_down["assigned_rule"], units(desk, incident)) == (None, "units", ["Z1-1"])


def earlier(desk: Desk, incident: int, by: timedelta) -> None:
    """Move what was done to an incident to an earlier time, as if that had passed since."""
    with connect(desk.conninfo) as connection:
        connection.execute("alter table incident_steps disable trigger incident_steps_kept")
        connection.execute("update incident_steps set done_at = done_at - %s where incident_id = %s", (by, incident))
        connection.execute("alter table incident_steps enable trigger incident_steps_kept")
        connection.execute(
            "update incidents set received_at = received_at - %s, accepted_at = accepted_at - %s, dispatched_at = dispatched_at - %s"
            " where incident_id = %s", (by, by, by, incident),
        )  # fmt: skip


def test_the_time_to_send_it_back_runs_from_its_receipt(desk: Desk) -> None:
    incident = assigned(desk)
    earlier(desk, incident, timedelta(hours=25))
    assert "within 24 hours after it was received" in desk.act(desk.zhao, incident, "return", 409, reason="x")["detail"]
    incident = assigned(desk)
    earlier(desk, incident, timedelta(hours=23))
    desk.act(desk.zhao, incident, "acknowledge")
    earlier(desk, incident, timedelta(hours=2))  # 25 after it was given, 2 after its receipt
    desk.act(desk.zhao, incident, "acknowledge")  # said twice, it was received once
    assert desk.act(desk.zhao, incident, "return", reason="不归我们管")["step"] == "accepted"


def test_the_time_to_send_it_back_begins_anew_for_the_next_who_has_it(desk: Desk) -> None:
    incident = assigned(desk)
    desk.act(desk.zhao, incident, "acknowledge")
    earlier(desk, incident, timedelta(hours=30))
    desk.act(desk.lin, incident, "move", **IN_B)
    assert desk.act(desk.zhao, incident, "return", reason="不归我们管")["return_count"] == 1


def test_whoever_has_it_in_hand_does_not_close_it_alone(desk: Desk) -> None:
    incident = desk.report("help")
    desk.act(desk.chief, incident, "accept")
    assert "does not close it alone" in desk.act(desk.chief, incident, "close", 409, reason="假警")["detail"]
    incident = assigned(desk)
    assert desk.act(desk.chief, incident, "close", reason="假警")["outcome"] == "not_solved"


def test_whoever_does_not_acknowledge_for_longer_than_the_limit_has_no_more_time(desk: Desk) -> None:
    incident = assigned(desk)
    earlier(desk, incident, timedelta(days=30))
    desk.act(desk.zhao, incident, "acknowledge")
    assert "within 24 hours" in desk.act(desk.zhao, incident, "return", 409, reason="x")["detail"]
    assert "name the units" in desk.act(desk.lin, incident, "assign", 409)["detail"]  # which would begin it anew
    desk.act(desk.lin, incident, "assign", unit_codes=["Z2-2"])
    assert desk.act(desk.zhao, incident, "return", reason="不归我们管")["return_count"] == 1


def test_what_is_rejected_or_opened_again_has_somebody_though_its_units_left(desk: Desk) -> None:
    incident = assigned(desk)
    desk.act(desk.lin, incident, "handle")
    assert desk.status_of("Z1-1") == "on_patrol"
    rejected = desk.act(desk.chief, incident, "reject", reason="现场未处置")
    assert (rejected["assigned_rule"], units(desk, incident)) == ("zone", ["Z1-1"])
    desk.act(desk.lin, incident, "handle")
    desk.act(desk.chief, incident, "verify")
    reopened = desk.act(desk.chief, incident, "reopen", reason="又来反映")
    assert (reopened["assigned_rule"], len(units(desk, incident))) == ("zone", 1)


def test_of_two_who_assign_at_once_each_gets_another_unit(desk: Desk) -> None:
    first, second = (desk.report("help") for _ in range(2))
    for incident in (first, second):
        desk.act(desk.lin, incident, "accept")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda incident: desk.act(desk.lin, incident, "assign"), (first, second)))
    assert sorted([*units(desk, first), *units(desk, second)]) == ["Z1-1", "Z1-2"]


def test_a_car_that_went_off_duty_meanwhile_stays_off_duty(desk: Desk) -> None:
    incident = assigned(desk)
    with connect(desk.conninfo) as connection:
        connection.execute("update patrol_units set unit_status = 'off_duty' where unit_code = 'Z1-1'")
    desk.act(desk.lin, incident, "handle")
    assert desk.status_of("Z1-1") == "off_duty"
    with connect(desk.conninfo) as connection:
        connection.execute("update patrol_units set unit_status = 'on_patrol' where unit_code = 'Z1-1'")


def test_the_same_people_have_it_whoever_assigns(desk: Desk) -> None:
    """A key without the roster, and one that is bound to the cell alone."""
    rights = ["map", "incidents.read", "incidents.write", "incidents.dispatch"]
    for key in (api_key(desk.conninfo, "dispatcher", rights=rights), api_key(desk.conninfo, "dispatcher", ["A"])):
        incident = desk.report("city_matter")
        with bearing(desk.url, key) as client:
            desk.act(client, incident, "accept")
            desk.act(client, incident, "assign")
        found = desk.lin.get(f"/incidents/{incident}").json()
        assert (found["assigned_cell"], found["assigned_rule"]) == ("A", "leaf")


def test_a_pin_out_of_ones_cells_is_for_the_centre_that_has_it(desk: Desk) -> None:
    incident = desk.report("help")
    with bearing(desk.url, api_key(desk.conninfo, "dispatcher", ["A"])) as client:
        told = desk.act(client, incident, "move", 403, **IN_B)["detail"]
    assert "hand the matter over" in told
    assert desk.lin.get(f"/incidents/{incident}").json()["grid_code"] == "A"


def test_feeding_back_closes_for_who_may_close(desk: Desk) -> None:
    category = {"name_zh": "牲畜", "name_en": "Cattle", "loop_code": "reported_up", "answered_by": "grid"}
    assert desk.chief.put("/incidents/categories/cattle", json=category).status_code == 200
    incident = desk.report("cattle")
    for action in ("accept", "assign", "handle"):
        desk.act(desk.lin, incident, action)
    with bearing(desk.url, api_key(desk.conninfo, "grid_worker", ["A"])) as worker:
        assert "incidents.verify" in desk.act(worker, incident, "feed_back", 403)["detail"]
    assert desk.act(desk.chief, incident, "feed_back")["outcome"] == "solved"


def test_a_suspended_matter_is_not_merged_away(desk: Desk) -> None:
    incident, other = desk.report("help"), desk.report("help")
    desk.act(desk.lin, incident, "accept")
    desk.act(desk.lin, incident, "suspend", reason="等待")
    assert "resume it first" in desk.act(desk.lin, incident, "merge", 409, into=other)["detail"]
