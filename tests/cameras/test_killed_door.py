"""The door of platforms is killed, or a platform is away: calls that were open are hung up, and cameras that moved are told to stop."""

import contextlib
import dataclasses
import queue
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.kit import free_port
from geo_grid.db import connect
from tests.cameras.door import PLATFORM, QUICK, ask, door, door_process, until, want_picture
from tests.cameras.lower import Lower, body_of, header

DOME, SECOND = "13050200001320000001", "13050200001320000002"
TO_THE_RIGHT, STOP = b"A50F0101", b"A50F0100000000B5"


@contextlib.contextmanager
def registered(port: int, transport: str = "udp") -> Iterator[Lower]:
    """The platform P1, as soon as the door lets it in."""
    with Lower(port, PLATFORM, transport=transport) as lower:
        until(lambda: lower.register().startswith(b"SIP/2.0 200"))
        yield lower


def cameras(database: str) -> None:
    with connect(database) as connection:
        for key in (DOME, SECOND):
            connection.execute(
                "insert into cameras (gb28181_id, name, ptz_type, platform_code, geom)"
                " values (%s, 'x', 1, 'P1', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))", [key],
            )  # fmt: skip


def move(database: str, camera: str = DOME, lasts_s: float = 5.0) -> None:
    with connect(database) as connection:
        connection.execute(
            "insert into camera_movements (camera_id, pan, tilt, zoom, speed, lasts_s)"
            " select camera_id, 1, 0, 0, 0.5, %s from cameras where gb28181_id = %s",
            (lasts_s, camera),
        )


def call(database: str, camera: str = DOME) -> None:
    want_picture(database, camera)
    until(lambda: ask(database, "select from platform_calls where state = 'sending'"))


def give_up(database: str) -> None:
    """Want no picture any more, as a server says when a feed ends."""
    with connect(database) as connection:
        connection.execute("delete from platform_calls")


def steered(lower: Lower, within_s: float = 20.0) -> tuple[str, bytes]:
    """The next steering message at a platform: camera and PTZCmd."""
    while b"DeviceControl" not in (message := lower.asked["MESSAGE"].get(timeout=within_s)):
        pass
    device, command = (
        re.search(rb"<%s>(\w+)</%s>" % (name, name), body_of(message)) for name in (b"DeviceID", b"PTZCmd")
    )
    assert device
    assert command
    return device[1].decode(), command[1]


def nothing_is_left(database: str) -> bool:
    return not ask(database, "select call_id from platform_dialogs union all select gb28181_id from cameras_in_motion")


def hung_up(lower: Lower, invited: bytes) -> None:
    """Wait for the end of a call, and see that it names the call as the platform knows it."""
    ended = lower.asked["BYE"].get(timeout=20)
    for name in ("call-id", "from"):
        assert header(ended, name) == header(invited, name)
    assert header(ended, "to") == f"{header(invited, 'to')};tag=1928301774"
    assert re.fullmatch(r"[2-9] BYE", header(ended, "cseq"))
    assert re.match(rb"BYE sip:%s@127.0.0.1:\d+ SIP/2.0\r\n" % DOME.encode(), ended)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_a_killed_door_began_is_ended_by_the_next(small_city: str, state_dir: Path, transport: str) -> None:
    port = free_port()
    with contextlib.ExitStack() as platforms:
        with door_process(small_city, state_dir, port) as running:
            cameras(small_city)
            lower = platforms.enter_context(registered(port, transport))
            call(small_city)
            invited = lower.asked["INVITE"].get(timeout=20)
            move(small_city)
            device, command = steered(lower)
            assert (device, command[:8]) == (DOME, TO_THE_RIGHT)
            running.kill()
            running.wait()
        give_up(small_city)  # while nobody is at the door
        with door_process(small_city, state_dir, port):
            if transport == "tcp":  # over UDP it needs not register anew: where it was serves
                lower = platforms.enter_context(registered(port, transport))
            assert steered(lower) == (DOME, STOP)
            hung_up(lower, invited)
            until(lambda: nothing_is_left(small_city))
            with pytest.raises(queue.Empty):
                steered(lower, within_s=1.0)
            assert lower.asked["BYE"].empty()


def test_what_could_not_be_ended_is_ended_when_the_platform_is_back(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours:
        cameras(small_city)
        with registered(ours.port, "tcp") as lower:
            call(small_city)
            invited = lower.asked["INVITE"].get(timeout=20)
            move(small_city, lasts_s=1.0)
            assert steered(lower)[1][:8] == TO_THE_RIGHT
        give_up(small_city)
        time.sleep(1.5)  # the time of the movement is over, and there is no connection
        with registered(ours.port, "tcp") as lower:
            assert steered(lower) == (DOME, STOP)
            hung_up(lower, invited)
            until(lambda: nothing_is_left(small_city))


def left(database: str, port: int, transport: str = "udp", many: int = 1) -> None:
    """Leave what a killed door would: cameras in motion, and calls of the same."""
    where = {"platform": PLATFORM, "transport": transport, "port": port}
    with connect(database) as connection:
        for number in range(many):
            named = {**where, "camera": f"{int(DOME) + number}", "number": 1_000_000 + number}
            connection.execute(
                "insert into cameras_in_motion (platform_id, gb28181_id, movement_id, transport, host, port)"
                " values (%(platform)s, %(camera)s, %(number)s, %(transport)s, '127.0.0.1', %(port)s)",
                named,
            )
            connection.execute(
                "insert into platform_dialogs (call_id, platform_id, transport, host, port, tag, target, remote, number)"
                " values (%(camera)s, %(platform)s, %(transport)s, '127.0.0.1', %(port)s, 't', 'sip:x@127.0.0.1', '<sip:x@x>;tag=y', 1)",
                named,
            )


def test_a_stop_that_waits_comes_never_after_a_newer_command(small_city: str, state_dir: Path) -> None:
    left(small_city, free_port(), "tcp")
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        cameras(small_city)
        lower.deaf_to = STOP  # which is sent again and again, therefore
        lower.register()
        assert steered(lower) == (DOME, STOP)
        move(small_city, lasts_s=4.5)
        assert steered(lower)[1][:8] == TO_THE_RIGHT
        repeated = lower.repeated
        with pytest.raises(queue.Empty):
            steered(lower, within_s=3.5)
        assert lower.repeated == repeated
        assert ask(small_city, "select movement_id from cameras_in_motion") != [{"movement_id": 1_000_000}]
        lower.deaf_to = None
        assert steered(lower) == (DOME, STOP)
        until(lambda: nothing_is_left(small_city))


def test_a_movement_that_is_not_answered_is_not_told_again_after_the_stop(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        cameras(small_city)
        lower.deaf_to = TO_THE_RIGHT
        lower.register()
        ours.wait_for(lambda one: one["is_online"])
        move(small_city, lasts_s=0.8)
        assert steered(lower)[1][:8] == TO_THE_RIGHT
        assert steered(lower) == (DOME, STOP)
        repeated = lower.repeated
        time.sleep(2.0)
        assert lower.repeated == repeated


def test_a_platform_that_registers_from_elsewhere_is_told_there(small_city: str, state_dir: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(20)
        left(small_city, silent.getsockname()[1])
        with door(small_city, state_dir) as ours:
            assert {silent.recv(65_536).split(b" ")[0] for _ in range(2)} == {b"MESSAGE", b"BYE"}
            with registered(ours.port) as lower:
                assert steered(lower, within_s=5.0) == (DOME, STOP)
                lower.asked["BYE"].get(timeout=5)
                until(lambda: nothing_is_left(small_city))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_is_not_reached_for_long_is_forgotten(
    small_city: str, state_dir: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    left(small_city, free_port(socket.SOCK_DGRAM), transport, many=20)
    with door(small_city, state_dir, dataclasses.replace(QUICK, ending_s=1.0)) as ours:
        until(lambda: nothing_is_left(small_city))
        assert f"platform {PLATFORM} is not reached: camera {DOME} is not stopped" in caplog.text
        with registered(ours.port) as lower, pytest.raises(queue.Empty):
            steered(lower, within_s=1.0)
        assert lower.asked["BYE"].empty()


def test_much_that_waits_does_not_keep_a_platform_from_what_it_is_asked(small_city: str, state_dir: Path) -> None:
    left(small_city, free_port(), "tcp", many=40)
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        cameras(small_city)
        lower.deaf_to = STOP
        lower.register()
        assert steered(lower)[1] == STOP
        asked = time.monotonic()
        call(small_city, SECOND)
        assert time.monotonic() - asked < 5.0
