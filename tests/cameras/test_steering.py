"""Steering: the bytes of GB/T 28181, and movements that go from an open picture over SIP to a platform, always followed by a stop."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.db import connect
from geo_grid.gb28181.steering import STOP, Movement, ptz_command, steering_control
from tests.cameras.door import PLATFORM, Door, ask, door, until
from tests.cameras.lower import Lower
from tests.conftest import live_server
from tests.feeds import cameras
from tests.identities import api_key, bearing, logged_in, user

DOME, FIXED, ELSEWHERE = (f"1305020000132000000{n}" for n in (1, 2, 3))
TURNS = st.sampled_from([-1, 0, 1])


@pytest.mark.parametrize(
    ("movement", "expected"),
    [
        (STOP, "A50F0100000000B5"),  # as public platforms send it
        (Movement(pan=1, speed=100 / 255), "A50F01016400001A"),
        (Movement(pan=-1, speed=100 / 255), "A50F01026400001B"),
        (Movement(tilt=-1, speed=100 / 255), "A50F01040064001D"),
        (Movement(tilt=1, speed=100 / 255), "A50F010800640021"),
        (Movement(zoom=1, speed=1), "A50F01100000F0B5"),
        (Movement(zoom=-1, speed=1), "A50F01200000F0C5"),
    ],
)
def test_commands_are_the_standards(movement: Movement, expected: str) -> None:
    assert ptz_command(movement) == expected


@given(st.builds(Movement, TURNS, TURNS, TURNS, st.floats(0.001, 1)))
def test_a_command_says_what_moves_and_sums_up(movement: Movement) -> None:
    octets = bytes.fromhex(ptz_command(movement))
    assert len(octets) == 8
    assert octets[7] == sum(octets[:7]) % 256
    assert octets[1] & 0xF == (0xA + 0x5 + (octets[1] >> 4)) % 16
    instruction = octets[3]
    assert movement.pan == bool(instruction & 1) - bool(instruction & 2)
    assert movement.tilt == bool(instruction & 8) - bool(instruction & 4)
    assert movement.zoom == bool(instruction & 16) - bool(instruction & 32)
    assert (octets[4] > 0, octets[5] > 0, octets[6] >> 4 > 0) == tuple(
        map(bool, (movement.pan, movement.tilt, movement.zoom))
    )
    assert octets[6] & 0xF == 0  # the address is below 256
    assert ptz_command(movement).encode() in steering_control(7, DOME, movement)


class City:
    """A served city, its door, a platform at it, and two cameras of that platform with pictures; one is of no platform."""

    def __init__(self, url: str, database: str, ours: Door, lower: Lower) -> None:
        self.url, self.database, self.ours, self.lower = url, database, ours, lower

    def told(self, within_s: float = 10.0) -> tuple[str, str, float]:
        """The next steering message at the platform: camera, PTZCmd, when."""
        message = self.lower.asked["MESSAGE"].get(timeout=within_s)
        assert b"<CmdType>DeviceControl</CmdType>" in message, message
        device = re.search(rb"<DeviceID>(\d+)</DeviceID>", message)
        command = re.search(rb"<PTZCmd>(\w+)</PTZCmd>", message)
        assert device
        assert command
        return device[1].decode(), command[1].decode(), time.monotonic()


@pytest.fixture
def city(small_city: str, state_dir: Path) -> Iterator[City]:
    with (
        cameras.source() as source,
        cameras.camera(source) as picture,
        door(small_city, state_dir) as ours,
        Lower(ours.port, PLATFORM) as lower,
    ):
        with connect(small_city) as connection:
            for number, (key, kind, code) in enumerate(((DOME, 1, "P1"), (FIXED, 3, "P1"), (ELSEWHERE, 1, None))):
                connection.execute(
                    "insert into cameras (gb28181_id, name, ptz_type, platform_code, grid_code, geom)"
                    " values (%s, 'x', %s, %s, 'A', ST_SetSRID(ST_MakePoint(%s, 37.00390625), 4490))",
                    (key, kind, code, 114.50390625 + number / 4096),
                )
        lower.register()
        lower.query()  # of its catalogue, which is not answered
        ours.wait_for(lambda one: one["is_online"])
        with live_server(small_city) as url:
            with logged_in(url, user(small_city, "administrator")) as client:
                assert (
                    client.put("/streams/hosts/one", json={"host": "127.0.0.1", "port": picture.port}).status_code
                    == 204
                )
                address = [{"gb28181_id": key, "path": picture.PATH} for key in (DOME, FIXED, ELSEWHERE)]
                assert client.put("/streams/hosts/one/cameras", json={"cameras": address}).status_code == 200
            yield City(url, small_city, ours, lower)


def opened(client: httpx.Client, key: str = DOME) -> dict[str, Any]:
    answer = client.post(f"/cameras/{key}/openings", json={"reason": "a look"})
    assert answer.status_code == 201, answer.text
    feed: dict[str, Any] = answer.json()["feed"]
    return feed


def move(client: httpx.Client, feed: dict[str, Any], **asked: object) -> httpx.Response:
    return client.post(f"/feeds/{feed['feed_id']}/movements", json=asked)


def test_a_camera_moves_for_its_time_and_is_told_to_stop(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        feed = opened(client)
        assert feed["steers"] is True
        assert client.get(f"/feeds/{feed['feed_id']}").json()["steers"] is True
        asked = time.monotonic()
        assert move(client, feed, pan=-1, speed=1, lasts_s=0.6).status_code == 204
        device, command, began = city.told()
        assert (device, command) == (DOME, ptz_command(Movement(pan=-1, speed=1)))
        assert began - asked < 1.5
        device, command, ended = city.told()
        assert (device, command) == (DOME, ptz_command(STOP))
        assert 0.5 < ended - began < 1.5
        # who holds the button asks again before it is over, and who lets go is obeyed at once
        for _ in range(2):
            assert move(client, feed, tilt=1, lasts_s=5).status_code == 204
            assert city.told()[1] == ptz_command(Movement(tilt=1))
        assert move(client, feed).status_code == 204
        assert city.told()[1] == ptz_command(STOP)
        time.sleep(0.5)
        assert city.lower.asked["MESSAGE"].empty()
    rows = ask(city.database, "select result, detail, object_id from access.audit_log where action = 'camera.steer'")
    assert [(row["result"], row["object_id"]) for row in rows] == [("done", DOME)]  # the others are summed up
    opening = ask(city.database, "select max(audit_id) as n from access.audit_log where action = 'camera.open'")[0]["n"]
    assert rows[0]["detail"] == {"opening": opening}
    (summed,) = ask(city.database, "select events from access.audit_sums where action = 'camera.steer'")
    assert summed["events"] == 3
    assert ask(city.database, "select count(*) as n from camera_movements")[0]["n"] == 0


def test_what_moves_is_stopped_when_the_door_closes(small_city: str, state_dir: Path) -> None:
    with contextlib.ExitStack() as platforms:
        with door(small_city, state_dir) as ours:
            lower = platforms.enter_context(Lower(ours.port, PLATFORM))
            lower.register()
            lower.query()
            ours.wait_for(lambda one: one["is_online"])
            with connect(small_city) as connection:
                connection.execute(
                    "insert into cameras (gb28181_id, name, ptz_type, platform_code, geom)"
                    " values (%s, 'x', 1, 'P1', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))", (DOME,),
                )  # fmt: skip
                connection.execute(
                    "insert into camera_movements (camera_id, pan, tilt, zoom, speed, lasts_s)"
                    " select camera_id, 1, 0, 0, 0.5, 5 from cameras"
                )
            assert b"A50F0101" in lower.asked["MESSAGE"].get(timeout=10)
            # what waited for too long is not done any more
            with connect(small_city) as connection:
                connection.execute(
                    "insert into camera_movements (camera_id, pan, tilt, zoom, speed, lasts_s, asked_at)"
                    " select camera_id, 0, 1, 0, 0.5, 5, now() - interval '1 minute' from cameras"
                )
            until(lambda: not ask(small_city, "select from camera_movements"))
        assert b"A50F0100000000B5" in lower.asked["MESSAGE"].get(timeout=10)
        assert lower.asked["MESSAGE"].empty()


def test_who_may_not_or_cannot_steer_is_told_why(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        fixed, elsewhere = opened(client, FIXED), opened(client, ELSEWHERE)
        assert (fixed["steers"], elsewhere["steers"]) == (False, False)
        refused = move(client, fixed, pan=1)
        assert (refused.status_code, "PTZType" in refused.text) == (409, True)
        refused = move(client, elsewhere, pan=1)
        assert (refused.status_code, "SIP" in refused.text) == (409, True)
        for wrong in ({"pan": 2}, {"lasts_s": 6}, {"lasts_s": -1}, {"speed": 0}, {"speed": 1.5}, {"focus": 1}):
            assert move(client, fixed, **wrong).status_code == 422, wrong
        feed = opened(client)
        with bearing(city.url, api_key(city.database, "dispatcher")) as another:
            assert move(another, feed, pan=1).status_code == 404
        with connect(city.database) as connection:
            connection.execute(
                "delete from access.role_rights where role = 'dispatcher' and \"right\" = 'cameras.steer'"
            )
        until(lambda: move(client, feed, pan=1).status_code == 403)
        with connect(city.database) as connection:
            connection.execute("insert into access.role_rights values ('dispatcher', 'cameras.steer')")
        until(lambda: move(client, feed).status_code == 204)
        city.lower.register(expires=0)  # the platform goes
        until(lambda: move(client, feed, pan=1).status_code == 409)
        with connect(city.database) as connection:
            connection.execute("update cameras set is_secret = true where gb28181_id = %s", (DOME,))
            connection.execute(
                "delete from access.role_rights where role = 'dispatcher' and \"right\" = 'cameras.secret'"
            )
        until(lambda: move(client, feed, pan=1).status_code == 404)
    refusals = ask(
        city.database,
        "select object_id, detail->>'why' as why from access.audit_log where action = 'camera.steer' and result = 'refused'",
    )
    assert {(row["object_id"], row["why"]) for row in refusals} >= {
        (FIXED, "kind"),
        (ELSEWHERE, "platform"),
        (DOME, "platform"),
    }
