"""Lower platforms that register with us: what their users suffer from elsewhere, over real sockets and a real register."""

import contextlib
import json
import queue
import random
import re
import socket
import time
from pathlib import Path

import pytest
import shapely

from geo_grid.cameras.link import Link, Timing
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect
from tests.cameras.catalogues import item
from tests.cameras.door import CITY, OTHER, PLATFORM, QUICK, ask, door, states, until
from tests.cameras.lower import Lower, event, header
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.identities import api_key, bearing

A, B = (114.503, 37.003), (114.511, 37.003)


def camera(number: int) -> str:
    return f"1305020000132{number:07d}"


def items(count: int, first: int = 1, **more: str) -> list[bytes]:
    return [
        item(number, lon=114.5005 + number % 90 * 1e-4, name=f"路口{number}", **more).encode("gb18030")
        for number in range(first, first + count)
    ]


def keys(database: str) -> list[str]:
    return [row["gb28181_id"] for row in ask(database, "select gb28181_id from cameras order by 1")]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_platform_registers_and_its_catalogue_goes_into_the_register(
    small_city: str, state_dir: Path, transport: str
) -> None:
    odd = [
        item(1, *A, name="䶮㐀路口", CivilCode="999999"),
        item(2, *B, CivilCode="130502", Status="OFF"),
        item(3, *A, name="有\0空"),
        item(9, *A, DeviceID="13050200002150000001"),  # a group: no camera
    ]
    broken = [
        b"<Item><DeviceID>1305020000132000000</DeviceID><Name>short</Name></Item>",
        b"<Item><Name>A & B</Name></Item>",
    ]
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport=transport) as lower:
        answer = lower.register()
        assert answer.startswith(b"SIP/2.0 200 OK"), answer
        assert header(answer, "expires") == "3600"
        assert header(answer, "date")
        lower.answer_query([*(one.encode("gb18030") for one in odd), *broken])
        link = ours.wait_for(lambda one: one["whole_at"])
    assert (link["announced"], link["received"], link["imported"], link["refused"]) == (6, 6, 3, 2)
    assert (link["transport"], link["trouble"]) == (transport, "")
    rows = ask(small_city, "select * from cameras order by gb28181_id")
    assert [(row["name"], row["org_code"], row["grid_code"], row["platform_code"]) for row in rows] == [
        ("䶮㐀路口", "999999", "A", "P1"), ("朱镕路监控2", "130502", "B", "P1"), ("有空", "130502", "A", "P1"),
    ]  # fmt: skip
    assert rows[0]["parent_id"] == "13050200002000000001/13050200002160000001"  # both, as they stand there
    assert states(small_city) == {"01": "online", "02": "offline", "03": "online"}
    assert "geheim" not in "".join(str(row) for row in rows)
    actors = ask(
        small_city,
        "select distinct actor_name from access.audit_log where object_type = 'cameras' or object_type = 'camera'",
    )
    assert all(row["actor_name"] == "platform:P1" for row in actors)


def test_the_datum_is_the_platforms_own(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir, source_crs="GCJ-02") as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query([item(1, *A).encode("gb18030")])
        ours.wait_for(lambda one: one["whole_at"])
    moved = ask(
        small_city,
        "select ST_Distance(geom::geography, ST_SetSRID(ST_MakePoint(%s, %s), 4490)::geography) as m from cameras",
        *A,
    )
    assert 400 < moved[0]["m"] < 700


def test_a_catalogue_that_stops_half_way_leaves_the_register_as_it_was(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport="tcp") as lower:
        lower.register()
        lower.answer_query(items(3))
        ours.wait_for(lambda one: one["whole_at"])
        before = keys(small_city)
        assert "no platform 'NONE'" in geo_grid(small_city, "cameras", "query", "NONE", expect=2).stderr
        geo_grid(small_city, "cameras", "query", "P1")
        lower.answer_query(items(2_000), announced=5_000, at_once=100)
        link = ours.wait_for(lambda one: one["trouble"])
        assert (link["announced"], link["received"]) == (5_000, 2_000)
        assert (
            "announced 5,000 devices and sent 2,000: it stopped half way; the register stays as it was"
            in link["trouble"]
        )
        assert keys(small_city) == before
        assert [whole for _, whole in ours.imports] == [True]
        with (
            live_server(small_city) as url,
            bearing(url, api_key(small_city, "supervisor", sees_secret=True)) as client,
        ):
            shown = client.get("/cameras/platforms").json()["platforms"][0]["link"]
            assert (shown["is_online"], shown["announced"], shown["received"]) == (True, 5_000, 2_000)
        key = geo_grid(
            small_city, "key", "add", "prometheus", "--role", "supervisor", "--city", "--right", "metrics"
        ).stdout.strip()
        with live_server(small_city) as url, bearing(url, key) as client:
            said = client.get("/metrics").text
            assert 'geo_grid_platform_online{platform="P1"} 1.0' in said
            assert 'geo_grid_platform_catalogue_devices{platform="P1",were="received"} 2000.0' in said
            assert client.post("/cameras/platforms/P1/queries").status_code == 403  # it may read metrics alone
        with live_server(small_city) as url, bearing(url, api_key(small_city, "planner", sees_secret=True)) as client:
            assert client.post("/cameras/platforms/P1/queries").status_code == 202
            assert client.post("/cameras/platforms/NONE/queries").status_code == 404
        lower.answer_query(items(4))
        assert ours.wait_for(lambda one: not one["trouble"])["imported"] == 1
        assert len(keys(small_city)) == 4


def test_a_catalogue_that_lies_about_its_count_is_not_taken(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(5), announced=2, at_once=5)
        assert "announced 2 devices and sent 5: it lies" in ours.wait_for(lambda one: one["trouble"])["trouble"]
        assert keys(small_city) == []


def test_a_catalogue_that_counts_a_device_twice_is_told_so(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(5) * 2, announced=10)
        told = ours.wait_for(lambda one: one["trouble"])["trouble"]
        assert "announced 10 devices and sent 5, and 5 again: it counts some twice" in told
        assert keys(small_city) == []


def test_a_platform_without_devices_is_told(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.message(lower.catalogue([], lower.query(), 0))
        assert "no devices" in ours.wait_for(lambda one: one["trouble"])["trouble"]


def test_a_platform_that_answers_twice_is_taken_once(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        serial = lower.query()
        sent = items(6)
        for part in (sent[:4], sent[:4], sent[2:], sent):
            lower.message(lower.catalogue(part, serial, 6))
        again = lower.begin("MESSAGE", lower.catalogue(sent[:1], serial, 6))
        link = ours.wait_for(lambda one: one["whole_at"])
        assert lower.answers[again].get(timeout=5).startswith(b"SIP/2.0 200")
        assert (link["announced"], link["received"], link["imported"], link["refused"]) == (6, 6, 6, 0)
        assert len(ours.imports) == 1


def test_a_camera_below_two_parents_counts_twice_and_is_stored_once(small_city: str, state_dir: Path) -> None:
    twice = [item(1, ParentID="13050200002150000001"), item(1, ParentID="13050200002150000002"), item(2)]
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query([one.encode("gb18030") for one in twice])
        link = ours.wait_for(lambda one: one["whole_at"])
    assert (link["received"], link["imported"], link["refused"]) == (3, 2, 1)


def test_a_catalogue_that_nobody_asked_for_changes_nothing(small_city: str, state_dir: Path) -> None:
    """As in wvp-GB28181-pro issue 1425: a device sends one of one camera, with a number of its own, and all others are gone."""
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        serial = lower.query()
        sent = items(5)
        lower.message(lower.catalogue(sent[:3], serial, 5))
        assert lower.message(lower.catalogue(items(1, first=90), serial ^ 1, 1)).startswith(b"SIP/2.0 200")
        lower.message(lower.catalogue(sent[3:], serial, 5))
        ours.wait_for(lambda one: one["whole_at"])
        lower.message(lower.catalogue(items(1, first=91), serial, 1))
        time.sleep(1)
    assert keys(small_city) == [camera(number) for number in range(1, 6)]


def test_what_is_notified_in_the_middle_of_a_catalogue_makes_no_doubles(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        serial, dialog = lower.query(), lower.subscribed()
        sent = items(10)
        lower.message(lower.catalogue(sent[:5], serial, 10))
        added = [item(number, name=f"路口{number}", Event="ADD").encode("gb18030") for number in (3, 8, 11)]
        assert lower.notify(dialog, *added).startswith(b"SIP/2.0 200")
        assert lower.notify(dialog, event(camera(2), "OFF"), event(camera(4), "DEFECT")).startswith(b"SIP/2.0 200")
        lower.message(lower.catalogue(sent[5:], serial, 10))
        ours.wait_for(lambda one: one["whole_at"])
        until(lambda: len(keys(small_city)) == 11)
        until(lambda: states(small_city)["02"] == "offline")  # the catalogue, which is older, says ON
        assert states(small_city)["04"] == "fault"
        assert ours.imports == [("P1", True), ("P1", False)]
    assert keys(small_city) == [camera(number) for number in range(1, 12)]
    assert ask(small_city, "select imported_at from camera_platforms where platform_code = 'P1'")[0]["imported_at"]


def test_channels_go_offline_with_their_device(small_city: str, state_dir: Path) -> None:
    recorder, another = "13050200001180000001", "13050200001180000002"
    sent = [
        *items(3, ParentID=f"13050200002000000001/{recorder}"), *items(2, first=4, ParentID=another),
        item(9, DeviceID=recorder).encode("gb18030"),
    ]  # fmt: skip
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(sent)
        ours.wait_for(lambda one: one["whole_at"])
        dialog = lower.subscribed()
        lower.notify(dialog, event(recorder, "OFF"))
        until(lambda: list(states(small_city).values()) == ["offline"] * 3 + ["online"] * 2)
        lower.notify(dialog, event(recorder, "ON"))
        lower.answer_query(sent[1:])  # which channels are there again is asked for
        until(lambda: len(ours.imports) == 2)
        until(lambda: list(states(small_city).values()) == ["offline"] + ["online"] * 4)


def test_other_platforms_cameras_are_not_theirs_to_report(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as one, Lower(ours.port, OTHER) as other:
        one.register()
        one.answer_query(items(2))
        ours.wait_for(lambda link: link["whole_at"])
        other.register()
        other.answer_query(items(1, first=50))
        ours.wait_for(lambda link: link["whole_at"], "P2")
        other.notify(other.subscribed(), event(camera(1), "DEFECT"), event(camera(50), "DEFECT"))
        until(lambda: states(small_city)["50"] == "fault")
    assert states(small_city)["01"] == "online"


def test_a_camera_of_no_platform_is_that_of_the_first_that_has_it_where_it_is(small_city: str, state_dir: Path) -> None:
    with connect(small_city) as connection:
        for number, lon in ((1, 114.5006), (2, 114.5106)):  # where its item has it, and somewhere else
            connection.execute(
                "insert into cameras (gb28181_id, name, geom) values (%s, 'x', ST_GeomFromWKB(%s, 4490))",
                [camera(number), shapely.to_wkb(snap_geometry(shapely.Point(lon, 37.003)))],
            )
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as one:
        one.register()
        dialog = one.subscribed()
        one.answer_query(items(1, Status="") + items(1, first=2, Status="", Secrecy="1"))
        ours.wait_for(lambda link: link["whole_at"])
        assert states(small_city) == {}
        one.notify(dialog, event(camera(1), "DEFECT"), event(camera(2), "DEFECT"))
        until(lambda: states(small_city) == {"01": "fault"})
    rows = ask(small_city, "select platform_code, is_secret from cameras order by gb28181_id")
    assert [tuple(row.values()) for row in rows] == [("P1", False), (None, False)]  # the second is not theirs yet
    assert ask(small_city, "select from camera_proposals") == []  # nor is told where a secret one is


def test_a_burst_of_offline_without_a_gap_of_the_platform_is_damped(small_city: str, state_dir: Path) -> None:
    sent = items(80)
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport="tcp") as lower:
        lower.register()
        lower.answer_query(sent, at_once=40)
        ours.wait_for(lambda one: one["whole_at"])
        dialog = lower.subscribed()
        logged = "select count(*) as n from camera_state_log"
        before = ask(small_city, logged)[0]["n"]
        # a moment's absence is none
        lower.notify(dialog, event(camera(1), "OFF"))
        lower.notify(dialog, event(camera(1), "ON"))
        # sixty at once are doubted, and the platform is asked
        lower.notify(dialog, *(event(camera(number), "OFF") for number in range(1, 61)))
        lower.answer_query(sent, at_once=40)
        until(lambda: len(ours.imports) == 2 and not ours.platforms._links[PLATFORM].is_busy)
        assert (ask(small_city, logged)[0]["n"], set(states(small_city).values())) == (before, {"online"})
        # one that stays away is offline
        lower.notify(dialog, event(camera(7), "OFF"))
        until(lambda: states(small_city)["07"] == "offline")
        assert ask(small_city, logged)[0]["n"] == before + 1


def test_cameras_of_a_platform_that_is_gone_are_offline_until_it_is_back(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(3))
        ours.wait_for(lambda one: one["whole_at"])
        assert lower.register(expires=0).startswith(b"SIP/2.0 200")
        link = ours.wait_for(lambda one: one["trouble"])
        assert not link["is_online"]
        assert lower.keepalive().startswith(b"SIP/2.0 403")  # which tells a device to register again
        until(lambda: set(states(small_city).values()) == {"offline"})
        assert lower.register().startswith(b"SIP/2.0 200")
        lower.answer_query(items(3))
        until(lambda: set(states(small_city).values()) == {"online"})
        assert ours.wait_for(lambda one: one["is_online"])["trouble"] == ""


def test_a_platform_without_a_word_is_gone(small_city: str, state_dir: Path) -> None:
    timing = type(QUICK)(**{**QUICK.__dict__, "lost_s": 1.5})
    with door(small_city, state_dir, timing) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        ours.wait_for(lambda one: one["is_online"])
        for _ in range(6):
            time.sleep(0.5)
            lower.keepalive()
        assert ours.link()["is_online"]
        assert "neither registers nor sends keep-alives" in ours.wait_for(lambda one: not one["is_online"])["trouble"]


def test_a_platform_that_is_disabled_is_out_at_once(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        assert lower.keepalive().startswith(b"SIP/2.0 200")
        geo_grid(small_city, "cameras", "platform", "P1", "P1", "--source-crs", "EPSG:4490", "--disable")
        until(lambda: lower.keepalive().startswith(b"SIP/2.0 403"))
        assert lower.register().startswith(b"SIP/2.0 403")
        said = geo_grid(small_city, "cameras", "platform", "P1", "P1", "--source-crs", "EPSG:4490", "--enable")
        assert PLATFORM in said.stderr  # its id was kept
        until(lambda: lower.register().startswith(b"SIP/2.0 200"))


def test_more_than_a_catalogue_may_be_is_not_taken(small_city: str, state_dir: Path) -> None:
    large = [item(number, Address="x" * 60_000).encode("gb18030") for number in range(1, 1200)]
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport="tcp") as lower:
        lower.register()
        serial = lower.query()
        status = b""
        for start in range(0, len(large), 16):
            status = lower.message(lower.catalogue(large[start : start + 16], serial, 5_000)).split(b"\r\n")[0]
            if b"413" in status:
                break
        assert b"413" in status
        assert "64 MB" in ours.wait_for(lambda one: one["trouble"])["trouble"]
        assert not list((state_dir / "catalogues").iterdir())
    assert keys(small_city) == []


def test_whoever_is_refused_is_counted(small_city: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = "13050200002000000099"
    with door(small_city, state_dir) as ours:
        with Lower(ours.port, stranger) as unknown, Lower(ours.port, PLATFORM, password="wrong") as guessing:
            assert unknown.register().startswith(b"SIP/2.0 403")
            assert unknown.keepalive().startswith(b"SIP/2.0 403")
            assert guessing.register().startswith(b"SIP/2.0 403")
            assert guessing.register().startswith(b"SIP/2.0 403")
        with Lower(ours.port, "13050200002000000003") as wordless:
            assert wordless.register().startswith(b"SIP/2.0 403")
        said = "select gb28181_id, why, refused, address from platform_refusals order by 1, 2"
        until(lambda: len(ask(small_city, said)) == 4)
        assert [(row["gb28181_id"][-2:], row["why"], row["refused"]) for row in ask(small_city, said)] == [
            ("01", "wrong password", 2), ("03", "no password", 1), ("99", "not registered", 1), ("99", "unknown", 1),
        ]  # fmt: skip
        with live_server(small_city) as url, bearing(url, api_key(small_city, "supervisor")) as client:
            assert 'geo_grid_platform_refusals_total{why="unknown"} 1.0' in client.get("/metrics").text
        monkeypatch.setenv("GEO_GRID_SIP_ID", "13050000002000000001")
        monkeypatch.setenv("GEO_GRID_SIP_PORT", "5060")
        found = json.loads(geo_grid(small_city, "doctor", "--json", expect=1).stdout)
        (told,) = (one for one in found if one["what"] == "lower platforms")
        assert "refused 2 times: 13050200002000000001 from 127.0.0.1 (wrong password)" in told["found"]
        monkeypatch.delenv("GEO_GRID_SIP_PORT")
        assert not ask(small_city, "select from platform_links where is_online")


def test_keep_alives_fill_no_memory(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(2))
        ours.wait_for(lambda one: one["whole_at"])
        for number in range(600):
            assert lower.keepalive(number).startswith(b"SIP/2.0 200")
        registration = ours.platforms.agent.registration(PLATFORM)
        assert registration is not None
        link = ours.platforms._links[PLATFORM]
        assert len(registration.answered) <= 256
        assert (len(link.damping), len(link._fresh), link.answers) == (0, 0, None)
        assert not ours.platforms._tasks


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_a_platform_that_was_started_anew_is_asked_for_all_at_once(
    small_city: str, state_dir: Path, transport: str, is_elsewhere: bool
) -> None:
    """It did not say that it goes: another port, or another Call-ID, is all that tells it."""
    timing = type(QUICK)(**{**QUICK.__dict__, "pause_s": 600.0})
    with door(small_city, state_dir, timing) as ours, Lower(ours.port, PLATFORM, transport=transport) as before:
        before.register(call_id="first")
        before.answer_query(items(2))
        ours.wait_for(lambda one: one["whole_at"])
        old = before.subscribed()
        before.subscribed("presence")
        before.register(call_id="first")  # it goes on: nothing is asked
        time.sleep(2)
        assert before.asked["MESSAGE"].empty()
        assert before.asked["SUBSCRIBE"].empty()
        with Lower(ours.port, PLATFORM, transport=transport, patience_s=10.0) as another:
            now = another if is_elsewhere else before
            now.patience_s = 10.0
            now.register(call_id="first" if is_elsewhere else "second")
            now.answer_query(items(3))
            until(lambda: len(keys(small_city)) == 3)
            new = now.subscribed()
            assert new != old
            assert now.notify(new, event(camera(1), "DEFECT")).startswith(b"SIP/2.0 200")
            assert now.notify(old, event(camera(1), "ON")).startswith(b"SIP/2.0 481")
            until(lambda: states(small_city)["01"] == "fault")


@pytest.mark.parametrize("is_told", [True, False])
def test_a_query_to_a_process_that_is_gone_is_not_waited_for(small_city: str, state_dir: Path, is_told: bool) -> None:
    timing = type(QUICK)(**{**QUICK.__dict__, "pause_s": 600.0})
    with door(small_city, state_dir, timing) as ours, Lower(ours.port, PLATFORM, patience_s=10.0) as lower:
        lower.status_for_requests = "100 Trying"
        lower.register()
        first = lower.query()
        if is_told:
            assert lower.register(expires=0).startswith(b"SIP/2.0 200")
        lower.status_for_requests = "200 OK"
        lower.register()
        serial = lower.query()
        assert serial != first
        lower.answer_query(items(2), serial)
        assert ours.wait_for(lambda one: one["whole_at"])["trouble"] == ""
        lower.subscribed()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_flood_of_registrations_is_no_flood_of_queries(small_city: str, state_dir: Path, is_told: bool) -> None:
    timing = type(QUICK)(**{**QUICK.__dict__, "anew_s": 4.0})
    with door(small_city, state_dir, timing) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(1))
        ours.wait_for(lambda one: one["whole_at"])
        began, asked = time.monotonic(), 0
        for _ in range(15 if is_told else 40):  # who says that it goes is a stranger, who may not say much
            if is_told:
                lower.register(expires=0)
            lower.register()
        assert time.monotonic() - began < 4
        while time.monotonic() - began < 12:
            with contextlib.suppress(queue.Empty):
                serial = lower.asked["MESSAGE"].get(timeout=0.2)
                lower.answer_query(items(2), int(re.search(rb"<SN>(\d+)</SN>", serial)[1]))
                asked, last = asked + 1, time.monotonic()
        assert 1 <= asked <= 2
        assert 3.5 < last - began < 8  # the last one is answered to as well
        assert len(keys(small_city)) == 2


def test_a_platform_that_registers_anew_all_the_time_is_asked_now_and_then() -> None:
    link = Link("P", PLATFORM, Path("/nowhere"), Timing(), CITY, "EPSG:4490")
    asked = []
    for now in range(0, 3600, 10):
        link.come("udp", now, is_new=True)
        if link.anew_at is not None and now >= link.anew_at:
            link.start_anew(now)
            asked.append(now)
    assert asked[:3] == [10, 40, 70]
    assert len(asked) < 20


def test_the_door_takes_up_where_it_was_left(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query(items(2))
        ours.wait_for(lambda one: one["whole_at"])
    with connect(small_city) as connection:
        assert connection.execute("select count(*) as n from platform_door").fetchone()["n"] == 0
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        assert not ours.link()["is_online"]
        assert lower.keepalive().startswith(b"SIP/2.0 403")
        lower.register()
        assert ours.wait_for(lambda one: one["is_online"])["whole_at"]  # what was noted stays noted


def mutilated(rng: random.Random, whole: bytes) -> bytes:
    broken = bytearray(whole)
    for _ in range(rng.randint(1, 6)):
        at, length = rng.randrange(len(broken)), rng.randint(0, 12)
        broken[at : at + length] = rng.randbytes(rng.randint(0, 12))
    return bytes(broken)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_hundreds_of_mutilated_messages_change_no_register_and_the_door_stays_open(
    small_city: str, state_dir: Path, transport: str
) -> None:
    """Of a registered platform, within SIP that is whole; and whole messages mutilated, of whoever sends them."""
    rng = random.Random(28181)
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport=transport) as lower:
        lower.register()
        lower.answer_query(items(3))
        ours.wait_for(lambda one: one["whole_at"])
        call_id = lower.subscribed()
        before = ask(small_city, "select * from cameras order by gb28181_id")
        stale = lower.catalogue(items(3, first=50), 1, 3)
        told = (
            b'<?xml version="1.0"?><Notify><CmdType>Catalog</CmdType><SN>7</SN>'
            + event(camera(60), "ON")
            + b"</Notify>"
        )
        for _ in range(150):
            lower.begin("MESSAGE", mutilated(rng, stale))
            lower.begin(
                "NOTIFY", mutilated(rng, told), call_id, Event="Catalog", Subscription_State="active;expires=3000"
            )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anybody:
            for number in range(300):
                whole = lower.written("MESSAGE", f"z9hG4bKx{number}", number, stale)
                anybody.sendto(mutilated(rng, whole), ("127.0.0.1", ours.port))
        assert lower.keepalive().startswith(b"SIP/2.0 200")
        assert lower.register().startswith(b"SIP/2.0 200")
        assert ask(small_city, "select * from cameras order by gb28181_id") == before
        assert ours.link()["is_online"]
