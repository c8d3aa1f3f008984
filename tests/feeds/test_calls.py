"""Pictures that a platform of GB/T 28181 sends when it is called: from the click to the picture, and every way in which none comes."""

import queue
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.db import connect
from geo_grid.feeds.packets import Ordering, ProgramStream, read_packet
from geo_grid.gb28181.media import new_ssrc, offer, read_answer
from tests.cameras.door import PLATFORM, Door, ask, door, until, want_picture
from tests.cameras.lower import UPPER, Lower, body_of, header
from tests.conftest import live_server
from tests.feeds import program_streams
from tests.feeds.programs import assert_it_can_write_nothing, in_memory, programs
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST

CAMERA, OTHER = "13050200001320000001", "13050200001320000002"


class City:
    """A served city with a camera whose platform stands at its door."""

    def __init__(self, url: str, database: str, ours: Door, lower: Lower) -> None:
        self.url, self.database, self.ours, self.lower = url, database, ours, lower
        self.key = api_key(database, "dispatcher")

    def opened(self, client: httpx.Client, camera: str = CAMERA) -> dict[str, Any]:
        answer = client.post(f"/cameras/{camera}/openings", json={"reason": "a look"})
        assert answer.status_code == 201, answer.text
        feed: dict[str, Any] = answer.json()["feed"]
        return feed

    def invited(self) -> tuple[bytes, str, int, int]:
        """The next call that the platform gets: the message, where the picture is to go, and as whose."""
        message = self.lower.asked["INVITE"].get(timeout=20)
        told = body_of(message).decode()
        host, port = re.search(r"^c=IN IP4 (\S+)", told, re.M), re.search(r"^m=video (\d+) ", told, re.M)
        return message, host[1], int(port[1]), int(re.search(r"^y=(\d{10})", told, re.M)[1])

    def ended(self, client: httpx.Client, feed: dict[str, Any]) -> str:
        """Why the picture ended, once it has."""
        told: dict[str, Any] = {}

        def is_over() -> bool:
            told.update(client.get(f"/feeds/{feed['feed_id']}").json())
            return told["state"] == "ended"

        until(is_over)
        return str(told["why"])


def city_of(database: str, folder: Path, transport: str) -> Iterator[City]:
    with (
        door(database, folder) as ours,
        Lower(ours.port, PLATFORM) as lower,
        live_server(database, sip_id=UPPER, media_transport=transport, media_ports="31000-31050") as url,
    ):
        with connect(database) as connection:
            for number, code in ((CAMERA, "P1"), (OTHER, None)):
                connection.execute(
                    "insert into cameras (gb28181_id, name, platform_code, grid_code, geom)"
                    " values (%s, 'x', %s, 'A', ST_SetSRID(ST_MakePoint(%s, %s), 4490))",
                    (number, code, WEST + SIDE / 2, SOUTH + SIDE / (2 if code else 4)),
                )
        lower.register()
        ours.wait_for(lambda one: one["is_online"])
        yield City(url, database, ours, lower)


@pytest.fixture
def city(small_city: str, state_dir: Path) -> Iterator[City]:
    yield from city_of(small_city, state_dir, "udp")


@pytest.mark.parametrize(("transport", "codec", "said"), [("udp", "h264", "avc1."), ("tcp", "hevc", "hev1.")])
def test_a_platform_that_is_called_sends_a_picture_until_it_is_closed(
    small_city: str, state_dir: Path, tmp_path: Path, transport: str, codec: str, said: str
) -> None:
    for city in city_of(small_city, state_dir, transport):
        with bearing(city.url, city.key) as client:
            feed = city.opened(client)
            message, host, port, ssrc = city.invited()
            assert message.startswith(f"INVITE sip:{CAMERA}@".encode())
            assert header(message, "subject") == f"{CAMERA}:{ssrc:010},{UPPER}:0"
            assert f"{ssrc:010}".startswith("0" + UPPER[3:8])
            assert ("TCP/RTP/AVP" in body_of(message).decode()) == (transport == "tcp")
            acknowledged = city.lower.asked["ACK"].get(timeout=10)
            assert "tag=1928301774" in header(acknowledged, "to")
            before = in_memory()
            with program_streams.sending(host, port, ssrc, transport, codec=codec):
                playlist = client.get(feed["playlist"], timeout=30)
                assert playlist.status_code == 200, playlist.text
                part = re.findall(r"^\d+\.m4s$", playlist.text, re.MULTILINE)[-1]
                (program,) = programs()
                assert_it_can_write_nothing(program)
                at = feed["playlist"].replace("live.m3u8", "")
                played = client.get(f"{at}init.mp4").content + client.get(f"{at}{part}").content
                (tmp_path / "picture.mp4").write_bytes(played)
                assert client.get(f"/feeds/{feed['feed_id']}").json()["codec"].startswith(said)
                assert in_memory() == before
                client.delete(f"/feeds/{feed['feed_id']}").raise_for_status()
                ended = city.lower.asked["BYE"].get(timeout=10)
            assert header(ended, "call-id") == header(message, "call-id")
            assert header(ended, "cseq") == "2 BYE"
            assert not ask(city.database, "select from platform_calls")
        probed = subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames",
             "-of", "csv=p=0", str(tmp_path / "picture.mp4")], capture_output=True, text=True, check=True,
        )  # fmt: skip
        found, width, height, frames = probed.stdout.strip().split(",")
        assert (found, width, height) == (codec, "320", "180")
        assert int(frames) >= 1
        record = ask(
            city.database,
            "select detail from access.audit_log where action = 'camera.close' and object_id = %s",
            CAMERA,
        )
        assert [one["detail"]["ending"] for one in record] == ["closed"]


def test_why_no_picture_comes_is_said(city: City) -> None:
    with bearing(city.url, city.key) as client:
        city.lower.status_for_calls = "486 Busy Here"
        feed = city.opened(client)
        message = city.invited()[0]
        assert "P1 refuses the call for this picture (SIP status 486)" in city.ended(client, feed)
        acknowledged = city.lower.asked["ACK"].get(timeout=10)  # of a refusal: in the same transaction
        assert header(acknowledged, "via") == header(message, "via")

        city.lower.status_for_calls, city.lower.offers_video = "200 OK", False
        assert "P1 takes the call, and offers no picture" in city.ended(client, city.opened(client))
        city.lower.asked["BYE"].get(timeout=10)

        city.lower.offers_video = True
        while not city.lower.asked["INVITE"].empty():
            city.lower.asked["INVITE"].get()
        feed = city.opened(client)
        message, host, port, ssrc = city.invited()
        with program_streams.sending(host, port, ssrc, "udp"):
            assert client.get(feed["playlist"], timeout=30).status_code == 200
            answer = city.lower.request(
                "BYE", call_id=header(message, "call-id"), From=f"<sip:{CAMERA}@{CAMERA[:10]}>;tag=1928301774"
            )
            assert b" 200 OK" in answer.split(b"\r\n")[0], answer
            assert "P1 ended the picture" in city.ended(client, feed)
        assert client.post(f"/cameras/{OTHER}/openings", json={"reason": "a look"}).json()["feed"] is None


def test_a_picture_from_an_address_that_was_not_named_is_none(city: City) -> None:
    with bearing(city.url, city.key) as client:
        feed = city.opened(client)
        _, host, port, ssrc = city.invited()
        with program_streams.sending(host, port, ssrc, "udp", from_host="127.0.0.2"):
            assert "P1 sends nothing for 10 s" in city.ended(client, feed)
        city.lower.asked["BYE"].get(timeout=10)


@pytest.mark.parametrize(
    "taken",
    [
        "update camera_platforms set is_enabled = false where platform_code = 'P1'",
        "update cameras set platform_code = null where platform_code = 'P1'",
    ],
)
def test_a_picture_ends_with_what_entitles_its_platform(city: City, taken: str) -> None:
    with bearing(city.url, city.key) as client:
        feed = city.opened(client)
        _, host, port, ssrc = city.invited()
        with program_streams.sending(host, port, ssrc, "udp"):
            assert client.get(feed["playlist"], timeout=30).status_code == 200
            with connect(city.database) as connection:
                connection.execute(taken)
            assert "P1 may send this picture no more" in city.ended(client, feed)
            city.lower.asked["BYE"].get(timeout=10)


def test_what_nobody_wants_any_more_is_hung_up(city: City) -> None:
    """As after a server that was killed; and a lost acknowledgement comes again."""
    want_picture(city.database, CAMERA)
    message = city.invited()[0]
    city.lower.asked["ACK"].get(timeout=10)
    until(
        lambda: ask(
            city.database, "select from platform_calls where state = 'sending' and '127.0.0.1' = any(sent_from)"
        )
    )
    city.lower._answer(message)  # it did not hear the acknowledgement
    assert header(city.lower.asked["ACK"].get(timeout=10), "call-id") == header(message, "call-id")
    with connect(city.database) as connection:
        connection.execute("update platform_calls set wanted_at = now() - interval '1 minute'")
    city.lower.asked["BYE"].get(timeout=10)
    until(lambda: not ask(city.database, "select from platform_calls"))
    with pytest.raises(queue.Empty):
        city.lower.asked["INVITE"].get(timeout=0.5)


def test_a_door_that_is_opened_again_says_that_its_calls_are_over(small_city: str, state_dir: Path) -> None:
    for city in city_of(small_city, state_dir, "udp"):
        want_picture(small_city, CAMERA, "sending")
        until(lambda: ask(small_city, "select from platform_calls where state = 'over' and why = 'door'"))
        assert city.lower.asked["INVITE"].empty()


@given(
    first=st.integers(0, 65_535),
    order=st.permutations(range(12)),
    lost=st.sets(st.integers(0, 11), max_size=4),
    twice=st.lists(st.integers(0, 11), max_size=4),
)
def test_packets_that_come_in_any_order_are_passed_on_in_their_own(
    first: int, order: list[int], lost: set[int], twice: list[int]
) -> None:
    ordering, passed = Ordering(), []
    passed += ordering.take(first, b"0")
    for number in [*order, *twice]:
        if number not in lost:
            passed += ordering.take((first + 1 + number) % 65_536, str(number + 1).encode())
    for number in range(12, 12 + 80):  # what was lost is given up by then
        passed += ordering.take((first + 1 + number) % 65_536, str(number + 1).encode())
    assert passed == [str(number).encode() for number in range(93) if number - 1 not in lost]


def test_a_sender_that_counts_anew_is_followed() -> None:
    ordering = Ordering()
    assert ordering.take(40_000, b"a") == [b"a"]
    found = [ordering.take(20_000 + number, b"b") for number in range(80)]
    assert sum(map(len, found)) >= 80 - 65


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    packet = read_packet(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


def test_a_stream_begins_with_a_key_frame() -> None:
    stream = ProgramStream()
    second, key = (b"".join(one[12:] for one in program_streams.packets(number, 0, 1)) for number in (1, 25))
    assert stream.take(second) == b""
    assert stream.take(b"end of another" + key) == key
    assert stream.take(second) == second
    without = ProgramStream()  # one that never has a map begins all the same
    assert any(without.take(second) for _ in range(3_000))


def test_descriptions_are_the_standards() -> None:
    ssrc = new_ssrc(UPPER)
    assert re.fullmatch(f"0{UPPER[3:8]}[0-9]{{4}}", ssrc)
    told = offer(UPPER, "10.1.2.3", 30_000, "udp", ssrc).decode().split("\r\n")
    assert told[:5] == ["v=0", f"o={UPPER} 0 0 IN IP4 10.1.2.3", "s=Play", "c=IN IP4 10.1.2.3", "t=0 0"]
    assert {"m=video 30000 RTP/AVP 96", "a=recvonly", "a=rtpmap:96 PS/90000", f"y={ssrc}"} <= set(told)
    assert "IP6" in offer(UPPER, "fd00::1", 30_000, "tcp", ssrc).decode()
    assert read_answer(b"v=0\nc=IN IP4 10.9.8.7\nm=video 6000 RTP/AVP 96\n").sent_from == "10.9.8.7"
    assert read_answer(b"v=0\r\nc=IN IP4 host.of.somebody\r\nm=video 6000 RTP/AVP 96\r\n").sent_from is None
    for refused in (b"", b"v=0\r\nm=audio 6000 RTP/AVP 8\r\n", b"m=video 0 RTP/AVP 96\r\n"):
        assert read_answer(refused) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    read_answer(body + b"\nm=video 1 x\nc=IN IP4 :::::::\n")
