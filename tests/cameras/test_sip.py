"""SIP from strangers: bounded, never larger out than in, and never a crash."""

import contextlib
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiosipua import SipDigestAuth, build_credentials, parse_auth
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.cameras.damping import Damping
from geo_grid.cameras.link import Link, Timing
from geo_grid.errors import TooMuch
from geo_grid.gb28181.answers import Answers
from geo_grid.gb28181.catalogue import read_catalogue
from geo_grid.gb28181.manscdp import items_of, read_body
from geo_grid.gb28181.sip import Agent, Identity, Known, Peer
from geo_grid.gb28181.sip.digest import Nonces, judged, response_of
from geo_grid.gb28181.sip.refusals import Refusals
from geo_grid.gb28181.sip.sockets import LARGEST_BODY, Framing, Unframed
from geo_grid.moments import Times
from tests.cameras.catalogues import catalogue, item
from tests.cameras.door import CITY, OTHER, PLATFORM, door, until
from tests.cameras.lower import PASSWORD, UPPER, Lower

REGISTER = (
    b"REGISTER sip:13050000002000000001@1305000000 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.6.71:5060;rport;branch=z9hG4bK1251336551\r\n"
    b"Route: <sip:13050000002000000001@192.168.6.106:5062;lr>\r\nFrom: <sip:13050200002000000001@192.168.6.71:5060>;tag=2088733642\r\n"
    b"To: <sip:13050200002000000001@192.168.6.71:5060>\r\nCall-ID: 1881196343@192.168.6.71\r\nCSeq: 1 REGISTER\r\n"
    b"Contact: <sip:13050200002000000001@192.168.6.71:5060>\r\nMax-Forwards: 70\r\nUser-Agent: SIP UAS V3.0.0.675168\r\n"
    b"Expires: 3600\r\nContent-Length: 0\r\n\r\n"
)
BODY = catalogue(item(1), item(2))
MESSAGE = (
    b"MESSAGE sip:13050000002000000001@1305000000 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.2.64:5060;rport;branch=z9hG4bK535315480\r\n"
    b"From: <sip:13050200002000000001@1305020000>;tag=1034018613\r\nTo: <sip:13050000002000000001@1305000000>\r\n"
    b"Call-ID: 1544085115\r\nCSeq: 20 MESSAGE\r\nContent-Type: Application/MANSCDP+xml\r\nMax-Forwards: 70\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
RESPONSE = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
    b"Call-ID: x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
)
PEER = Peer("udp", "127.0.0.1", 5060)


class Silent:
    """Hears, and keeps nothing."""

    def on_registered(self, gb28181_id: str, peer: Peer, is_new: bool) -> None: ...
    def on_left(self, gb28181_id: str) -> None: ...
    def on_message(self, gb28181_id: str, body: bytes) -> int:
        told = read_body(body)
        return 400 if told is None else 200 + 0 * len(list(items_of(told)))

    on_notify = on_message

    def on_subscription_over(self, gb28181_id: str, event: str) -> None: ...


class Sent:
    """Sockets that keep what is sent."""

    port = 5060

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, message: bytes, peer: Peer) -> bool:
        self.sent.append(message)
        return True

    def trust(self, peer: Peer) -> None: ...
    def address_towards(self, peer: Peer) -> str:
        return "127.0.0.1"


def agent(zone: ZoneInfo = CITY) -> tuple[Agent, Sent]:
    made, sent = (
        Agent(Identity(UPPER, zone), lambda one: Known(one, one, PASSWORD) if one == PLATFORM else None, Silent()),
        Sent(),
    )
    made.speak_through(sent)  # type: ignore[arg-type]
    return made, sent


def registered(zone: ZoneInfo = CITY) -> tuple[Agent, Sent]:
    made, sent = agent(zone)
    made.take(REGISTER, PEER)
    challenge = parse_auth(re.search(rb"WWW-Authenticate: (.*?)\r\n", sent.sent[-1])[1].decode())
    answer = build_credentials(SipDigestAuth(PLATFORM, PASSWORD), challenge, "REGISTER", f"sip:{UPPER}@1305000000")
    assert answer is not None
    said = ", ".join(f'{name}="{value}"' for name, value in answer.params.items())
    head = REGISTER.replace(b"1251336551", b"1251336552").replace(b"CSeq: 1 ", b"CSeq: 2 ")
    made.take(head.replace(b"Expires:", f"Authorization: Digest {said}\r\nExpires:".encode()), PEER)
    assert sent.sent[-1].startswith(b"SIP/2.0 200 OK")
    return made, sent


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Urumqi", "UTC"])
def test_clocks_are_told_the_time_of_the_city(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone, as the times are that platforms tell, which are read in the same."""
    monkeypatch.setenv("TZ", "America/Lima")
    time.tzset()
    try:
        _, sent = registered(ZoneInfo(zone))
        told = re.search(rb"\r\nDate: (\S+)\r\n", sent.sent[-1])[1].decode()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", told)
        assert abs(Times(ZoneInfo(zone)).read(told) - datetime.now(UTC)) < timedelta(seconds=30)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_digest_is_that_of_rfc_2617() -> None:
    said = {
        "username": "Mufasa", "realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "uri": "/dir/index.html",
        "qop": "auth", "nc": "00000001", "cnonce": "0a4f113b",
    }  # fmt: skip
    assert response_of(said, "GET", "Circle Of Life") == "6629fae49393a05397450978507c4ef1"  # section 3.5
    assert response_of({**said, "qop": "auth-int"}, "GET", "Circle Of Life") is None


def test_a_challenge_is_for_one_address_and_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    nonces = Nonces()
    challenge = parse_auth(f'Digest realm="{UPPER[:10]}",nonce="{nonces.new("10.0.0.1")}",algorithm=MD5,qop="auth"')
    answer = build_credentials(SipDigestAuth(PLATFORM, PASSWORD), challenge, "REGISTER", "sip:x")
    assert answer is not None

    def verdict(host: str, password: str = PASSWORD) -> str:
        return judged(answer, "REGISTER", UPPER[:10], PLATFORM, password, nonces, host)

    assert (verdict("10.0.0.1"), verdict("10.0.0.2"), verdict("10.0.0.1", "another")) == ("good", "stale", "wrong")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert verdict("10.0.0.1") == "stale"
    assert not nonces.is_fresh("z" * 48, "10.0.0.1")


def test_a_register_that_was_overheard_is_not_taken_again() -> None:
    made, sent = agent()
    made.take(REGISTER, PEER)
    nonce = re.search(rb'nonce="(\w+)"', sent.sent[-1])[1].decode()
    lower = Lower.__new__(Lower)
    lower.gb28181_id, lower.password = PLATFORM, PASSWORD
    said = lower.credentials(nonce, UPPER[:10])

    def again(branch: bytes) -> bytes:
        made.take(
            REGISTER.replace(b"1251336551", branch).replace(b"Expires:", f"Authorization: {said}\r\nExpires:".encode()),
            PEER,
        )
        return sent.sent[-1]

    assert again(b"77").startswith(b"SIP/2.0 200")
    assert again(b"77") == sent.sent[-2]  # the same message again, as UDP may bring it, has the same answer
    assert b"stale=true" in again(b"78")


def test_strangers_get_no_more_than_they_sent_and_not_for_ever() -> None:
    made, sent = agent()
    short = REGISTER.replace(b"User-Agent: SIP UAS V3.0.0.675168\r\n", b"").replace(
        b"Route: <sip:13050000002000000001@192.168.6.106:5062;lr>\r\n", b""
    )
    for number in range(300):
        made.take(short.replace(b"1251336551", b"%d" % number), PEER)
    assert sent.sent
    assert len(sent.sent) <= 60
    assert all(len(answer) <= len(short) + 64 for answer in sent.sent)
    counted = {(one.gb28181_id, one.why): one.count for one in made.refusals.taken()}
    assert counted["", "too many"] >= 200


def test_an_answer_goes_where_the_request_came_from() -> None:
    """Not where a header says: else a stranger could have us send to somebody else."""
    made, sent = agent()
    forged = REGISTER.replace(b"192.168.6.71:5060;rport", b"127.0.0.1:9;received=10.9.9.9;rport=99")
    made.take(forged, PEER)
    assert b"received=127.0.0.1" in sent.sent[-1]
    assert b"10.9.9.9" not in sent.sent[-1]
    assert b"rport=5060" in sent.sent[-1]


def test_another_address_does_not_speak_for_a_platform() -> None:
    made, sent = registered()
    made.take(MESSAGE, PEER)
    assert sent.sent[-1].startswith(b"SIP/2.0 200")
    made.take(MESSAGE.replace(b"535315480", b"5"), Peer("udp", "127.0.0.9", 5060))
    assert sent.sent[-1].startswith(b"SIP/2.0 403")


def test_a_notification_outside_of_our_subscription_is_refused() -> None:
    made, sent = registered()
    made.take(MESSAGE.replace(b"MESSAGE", b"NOTIFY"), PEER)
    assert sent.sent[-1].startswith(b"SIP/2.0 481")
    made.take(MESSAGE.replace(b"MESSAGE", b"INVITE"), PEER)
    assert sent.sent[-1].startswith(b"SIP/2.0 405")


def test_an_entity_is_never_expanded() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Response><CmdType>Catalog</CmdType></Response>'
    assert read_body(bomb) is None
    made, sent = registered()
    made.take(MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4].replace(b"%d" % len(BODY), b"%d" % len(bomb)) + bomb, PEER)
    assert sent.sent[-1].startswith(b"SIP/2.0 400")


BYTES = st.sampled_from([REGISTER, MESSAGE, RESPONSE, MESSAGE.replace(b"MESSAGE", b"NOTIFY")])


@given(
    BYTES,
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 8), st.binary(max_size=8)), max_size=8),
    st.booleans(),
)
def test_no_message_makes_it_fall(message: bytes, changes: list[tuple[int, int, bytes]], is_registered: bool) -> None:
    made, sent = registered() if is_registered else agent()
    before = len(sent.sent)
    for start, length, other in changes:
        message = message[:start] + other + message[start + length :]
    made.take(message, PEER)
    assert len(sent.sent) <= before + 1
    assert is_registered or all(len(answer) <= len(message) + 64 for answer in sent.sent)
    assert (made.registration(PLATFORM) is not None) == is_registered
    assert made.registration(OTHER) is None


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fall(data: bytes) -> None:
    made, sent = agent()
    made.take(data, PEER)
    made.take(REGISTER[:60] + data + REGISTER[60:], PEER)
    assert all(one.startswith(b"SIP/2.0") for one in sent.sent)


def test_a_list_without_items_has_none() -> None:
    told = read_body(catalogue(announced=3))
    assert told is not None
    assert (told.announced, list(items_of(told))) == (3, [])
    assert read_body(b"<Notify/>") is None
    assert list(items_of(read_body(b"<Notify><CmdType>Catalog</CmdType></Notify>") or told)) == []


@given(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 600), st.binary(max_size=20)), max_size=6))
def test_no_body_makes_a_catalogue_fall(changes: list[tuple[int, int, bytes]]) -> None:
    body = catalogue(item(1), item(2), item(3))
    for start, length, other in changes:
        body = body[:start] + other + body[start + length :]
    link = Link("P", PLATFORM, Path("/nowhere"), Timing(), CITY, "EPSG:4490")
    if (told := read_body(body)) is not None:
        assert len(list(items_of(told))) <= 40
        link.notify(told, 1.0)
        assert link.answer(told, 1.0) == 200
    assert len(link.damping) <= 40


@pytest.mark.parametrize(("kind", "is_camera"), [("118", False), ("121", True), ("132", True)])
def test_what_the_tables_have_as_a_camera_is_back_at_once(kind: str, is_camera: bool) -> None:
    device = f"1305020000{kind}0000001"
    link = Link("P", PLATFORM, Path("/nowhere"), Timing(), CITY, "EPSG:4490")
    told = read_body(
        f"<Notify><CmdType>Catalog</CmdType><DeviceList><Item><DeviceID>{device}</DeviceID><Event>ON</Event></Item></DeviceList></Notify>".encode()
    )
    assert told is not None
    link.notify(told, 1000.0)
    assert [(key, state) for key, state, _ in link.states(2000.0)] == ([(device, "online")] if is_camera else [])


def test_no_password_is_in_the_file_of_a_catalogue(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "x.xml", 1)
    body = read_body(catalogue(item(1, 密码="geheim-43"), item(2, Password="", DevicePwd=" geheim-44")))
    assert body is not None
    answers.add(body)
    written = answers.close().read_bytes()
    assert b"geheim" not in written
    found = read_catalogue(written)
    assert (found.secrets, [row["name"] for row in found.rows]) == (3, ["朱镕路监控1", "朱镕路监控2"])


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_a_stream_is_cut_alike_however_it_comes(parts: list[bytes]) -> None:
    stream = b"\r\n\r\n".join([REGISTER, MESSAGE, RESPONSE])
    framing, cut = Framing(LARGEST_BODY), []
    place = 0
    for part in parts:
        cut += framing.cut(stream[place : place + len(part)])
        place += len(part)
    cut += framing.cut(stream[place:])
    assert cut == [REGISTER, MESSAGE, RESPONSE]


def test_a_stream_that_lies_about_its_length_ends() -> None:
    for length in (b"99999999999", b"2000000", b"x", b"-1"):
        with pytest.raises(Unframed):
            Framing(LARGEST_BODY).cut(REGISTER.replace(b"Content-Length: 0", b"Content-Length: " + length))
    with pytest.raises(Unframed):
        Framing().cut(REGISTER.replace(b"Content-Length: 0", b"Content-Length: 5\r\nl: 7"))
    with pytest.raises(Unframed):
        Framing().cut(b"x" * 20_000)
    with pytest.raises(Unframed):  # strangers send no catalogues
        Framing().cut(REGISTER.replace(b"Content-Length: 0", b"Content-Length: 100000"))
    framing = Framing(LARGEST_BODY)
    assert len(framing.cut(MESSAGE.replace(b"Length: %d" % len(BODY), b"Length: %d" % (len(BODY) - 10)))) == 1
    with pytest.raises(Unframed):  # what is left over is no message
        framing.cut(b"\r\n\r\n" + REGISTER.replace(b"Content-Length: 0\r\n", b""))


def test_connections_of_strangers_are_bounded(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours:
        held = [socket.create_connection(("127.0.0.1", ours.port)) for _ in range(40)]
        until(lambda: ours.platforms._sockets is not None and ours.platforms._sockets.connections == 16)
        for one in held:
            one.close()
        until(lambda: ours.platforms._sockets is not None and ours.platforms._sockets.connections == 0)
        liar = socket.create_connection(("127.0.0.1", ours.port))
        liar.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        liar.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert liar.recv(10) == b""  # closed, without a word
        with Lower(ours.port, PLATFORM, transport="tcp") as lower:
            assert lower.register().startswith(b"SIP/2.0 200")


def test_names_of_strangers_are_bounded() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.note(f"{number:020d}", "unknown", "10.0.0.1")
        refusals.may_ask(f"10.0.{number // 250}.{number % 250}")
    assert len(refusals._allowance) <= 4096
    taken = refusals.taken()
    assert len(taken) <= 201
    assert sum(one.count for one in taken) == 10_000


def test_a_catalogue_has_bounds(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "x.xml", 1)
    told = read_body(catalogue(*(item(number, Address="x" * 60_000) for number in range(1, 20))))
    assert told is not None
    with pytest.raises(TooMuch, match="64 MB"):
        for number in range(100):
            answers.add(read_body(told.data.replace(b"<DeviceID>13", b"<DeviceID>%d" % (10 + number))) or told)
    answers.drop()
    assert not list(tmp_path.iterdir())


def test_states_are_damped_within_bounds() -> None:
    damping = Damping(10.0, 60.0)
    damping.hear("a", "offline", 0.0, is_sure=False)
    assert damping.due(5.0) == []
    damping.hear("a", "offline", 6.0, is_sure=False)  # again: since when it was heard first counts
    assert damping.due(10.0) == [("a", "offline", 0.0)]
    damping.hear("b", "offline", 11.0, is_sure=True)
    assert damping.due(11.0) == [("b", "offline", 11.0)]
    for number in range(60):
        damping.hear(f"c{number}", "offline", 20.0, is_sure=False)
    assert damping.is_burst
    assert damping.due(40.0) == []
    assert len(damping.due(80.0)) == 60  # the platform did not say otherwise
    for number in range(150_000):
        damping.hear(str(number), "online", 90.0, is_sure=False)
    assert (len(damping), damping.lost) == (100_000, 50_000)


def test_a_query_is_sent_again_until_somebody_answers(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.status_for_requests = "100 Trying"
        lower.register()
        lower.asked["MESSAGE"].get(timeout=20)
        assert ours.platforms._links[PLATFORM].is_busy
        lower.status_for_requests = "200 OK"
        until(lambda: not ours.platforms._links[PLATFORM].is_busy)
        assert lower.repeated >= 1
