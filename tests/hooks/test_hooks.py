"""Web hooks: a receiver elsewhere hears of each change, signed, in order, again when it failed, and not for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import ValidationError

from geo_grid.db import connect
from geo_grid.doctor import examine
from geo_grid.hooks import AreaNow, Sender, deliver, note_areas
from geo_grid.hooks.addresses import may_be_told, read_address
from geo_grid.hooks.sending import Letter
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.hooks.receiver import Receiver, receiving
from tests.identities import api_key, bearing, disable, logged_in, user
from tests.squares import SIDE, SOUTH, WEST

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "category": "traffic"}
THERE = {"lon": WEST + SIDE * 1.5, "lat": SOUTH + SIDE * 1.5, "category": "traffic"}
LOOPBACK = {"webhook_networks": "127.0.0.0/8", "webhook_timeout_s": 1.0}


@contextmanager
def telling(small_city: str, **settings: object) -> Iterator[tuple[httpx.Client, httpx.Client, Receiver]]:
    """(administrator, dispatcher, receiver) of a city of four cells."""
    with live_server(small_city, **{**LOOPBACK, **settings}) as url, receiving() as receiver:
        with (
            logged_in(url, user(small_city, "administrator")) as admin,
            bearing(url, api_key(small_city, "dispatcher")) as desk,
        ):
            yield admin, desk, receiver


def hook(admin: httpx.Client, receiver: Receiver, **more: object) -> int:
    asked = {"url": receiver.url, "kinds": ["incident.changed"], **more}
    made = admin.post("/webhooks", json=asked)
    assert made.status_code == 201, made.text
    receiver.secret = made.json()["secret"]
    assert "secret" not in admin.get("/webhooks").text
    return int(made.json()["webhook"]["hook_id"])


def dead(admin: httpx.Client, hook_id: int) -> list[dict]:
    return admin.get(f"/webhooks/{hook_id}/dead-letters").json()["letters"]


def test_each_change_is_told_in_order_without_private_texts(small_city: str) -> None:
    with telling(small_city) as (admin, desk, receiver):
        hook(admin, receiver)
        private = {"description": "张三 is at home", "address": "Lane 3", "caller_number": "13912345678"}
        made = [desk.post("/incidents", json={**HERE, **private}).json()["incident_id"] for _ in range(3)]
        for incident_id in made:
            assert desk.post(f"/incidents/{incident_id}/steps", json={"action": "accept"}).status_code == 201
        receiver.wait(lambda one: len(one.asked) == 6)
    for incident_id in made:
        steps = [one["data"]["step"] for _, one in receiver.asked if one["data"]["incident_id"] == incident_id]
        assert steps == ["reported", "accepted"]
    names, letters = zip(*receiver.asked, strict=True)
    assert len(set(names)) == 6
    assert {one["type"] for one in letters} == {"incident.changed"}
    assert not any(word in str(letters) for word in ("张三", "Lane 3", "13912345678", "caller"))


def test_a_letter_that_fails_comes_again_before_later_ones_of_its_incident(small_city: str) -> None:
    with telling(small_city, webhook_waits_s="0.1|0.1|0.1|0.1") as (admin, desk, receiver):
        failures = iter([500, 503, 204])
        answers: dict[tuple[int, str], Iterator[int]] = {}
        hook(admin, receiver)
        first = desk.post("/incidents", json=HERE).json()["incident_id"]
        receiver.wait(lambda one: len(one.asked) == 1)
        receiver.asked.clear()
        answers[first, "accepted"] = failures
        receiver.answer = lambda told: (
            next(answers.get((told["data"]["incident_id"], told["data"]["step"]), iter(())), 204), 0.0, {}
        )  # fmt: skip
        for action in ("accept", "assign"):
            desk.post(f"/incidents/{first}/steps", json={"action": action})
        other = desk.post("/incidents", json=HERE).json()["incident_id"]
        receiver.wait(lambda one: len(one.asked) == 5)
    tries = [(name, told["data"]["step"]) for name, told in receiver.asked if told["data"]["incident_id"] == first]
    assert [step for _, step in tries] == ["accepted"] * 3 + ["assigned"]
    assert len({name for name, step in tries if step == "accepted"}) == 1  # the same webhook-id: the receiver can tell
    others = [at for at, (_, told) in enumerate(receiver.asked) if told["data"]["incident_id"] == other]
    assert others == [1]  # nobody else waits for it


def test_what_is_given_up_can_be_read_and_sent_again_and_a_hook_that_never_takes_is_disabled(
    small_city: str, tmp_path
) -> None:
    with telling(small_city, webhook_waits_s="0.1") as (admin, desk, receiver):
        receiver.answer = lambda _: (500, 0.0, {})
        hook_id = hook(admin, receiver)
        for _ in range(10):
            desk.post("/incidents", json=HERE)
        receiver.wait(lambda _: len(dead(admin, hook_id)) == 10)
        letters = dead(admin, hook_id)
        assert {(one["attempts"], one["last_error"]) for one in letters} == {(2, "answered 500")}
        (told,) = admin.get("/webhooks").json()["webhooks"]
        assert told["disabled_at"] is not None
        assert "10 letters in a row" in told["disabled_because"]
        finding = {one.what: one for one in examine(small_city, Settings(database_url=small_city, state_dir=tmp_path))}
        assert not finding["web hooks"].ok
        assert "10 letters were given up" in finding["web hooks"].found
        assert "1 disabled" in finding["web hooks"].found
        desk.post("/incidents", json=HERE)
        assert admin.get("/webhooks").json()["webhooks"][0]["waiting"] == 0  # told nothing while it is disabled

        receiver.answer = lambda _: (204, 0.0, {})
        receiver.asked.clear()
        again = admin.post(f"/webhooks/{hook_id}/dead-letters", json={"letter_ids": [letters[0]["letter_id"]]})
        assert again.json() == {"letters": 1}
        assert admin.patch(f"/webhooks/{hook_id}", json={"enabled": True}).json()["disabled_at"] is None
        receiver.wait(lambda one: len(one.asked) == 1)
        assert admin.post(f"/webhooks/{hook_id}/dead-letters", json={}).json() == {"letters": 9}
        receiver.wait(lambda one: len(one.asked) == 10)
        receiver.wait(lambda _: not dead(admin, hook_id))
        assert admin.delete(f"/webhooks/{hook_id}").status_code == 204
        assert admin.get(f"/webhooks/{hook_id}/dead-letters").status_code == 404


def test_a_receiver_that_hangs_holds_up_nobody_else_and_a_redirect_is_not_followed(small_city: str) -> None:
    with (
        telling(small_city, webhook_waits_s="0.1") as (admin, desk, hanging),
        receiving() as other,
        receiving() as moved,
    ):
        hanging.answer = lambda _: (204, 3.0, {})
        moved.answer = lambda _: (302, 0.0, {"location": moved.url})
        ids = {one: hook(admin, one) for one in (hanging, other, moved)}
        desk.post("/incidents", json=HERE)
        other.wait(lambda one: len(one.asked) == 1)
        other.wait(lambda _: len(dead(admin, ids[hanging])) == 1 and len(dead(admin, ids[moved])) == 1)
        assert "Timeout" in dead(admin, ids[hanging])[0]["last_error"]
        assert "redirects are not followed" in dead(admin, ids[moved])[0]["last_error"]
        assert {name for name, _ in moved.asked} == {f"msg_{ids[moved]}_{dead(admin, ids[moved])[0]['letter_id']}"}
        assert len(other.asked) == 1


def test_a_hook_of_a_cell_hears_of_that_cell_and_one_that_says_gone_is_disabled(small_city: str) -> None:
    with telling(small_city) as (admin, desk, receiver):
        hook_id = hook(admin, receiver, grid_code="A")
        assert admin.post("/webhooks", json={"url": receiver.url, "kinds": ["area.covered"], "grid_code": "nowhere"}).status_code == 404  # fmt: skip
        receiver.answer = lambda _: (410, 0.0, {})
        for place in (THERE, HERE):
            desk.post("/incidents", json=place)
        receiver.wait(lambda _: admin.get("/webhooks").json()["webhooks"][0]["disabled_at"] is not None)
        assert [told["data"]["grid_code"] for _, told in receiver.asked] == ["A"]
        assert hook_id == admin.get("/webhooks").json()["webhooks"][0]["hook_id"]


INSIDE = [
    ("http://example.org/", "https"),
    ("ftp://example.org/", ""),
    ("https://user:secret@example.org/", "user and password"),
    ("https://10.0.0.8/", "not a public address"),
    ("https://127.0.0.1/", "not a public address"),
    ("https://[::1]/", "not a public address"),
    ("https://[fe80::1]/", "not a public address"),
    ("https://[::ffff:10.0.0.8]/", "not a public address"),
    ("https://169.254.169.254/latest", "not a public address"),
    ("https://2130706433/", "not a public address"),
]


def test_hooks_lead_nowhere_inside(small_city: str) -> None:
    with live_server(small_city) as served, logged_in(served, user(small_city, "administrator")) as admin:
        for url, why in INSIDE:
            refused = admin.post("/webhooks", json={"url": url, "kinds": ["incident.changed"]})
            assert refused.status_code == 422, (url, refused.text)
            assert why in refused.json()["detail"], url


def test_who_is_disabled_is_told_nothing_more(small_city: str) -> None:
    with live_server(small_city, **LOOPBACK) as url, receiving() as receiver:
        name = user(small_city, "administrator")
        with logged_in(url, name) as admin, bearing(url, api_key(small_city, "dispatcher")) as desk:
            hook(admin, receiver)
            desk.post("/incidents", json=HERE)
            receiver.wait(lambda one: len(one.asked) == 1)
            disable(small_city, name)
            assert desk.post("/incidents", json=HERE).status_code == 201
    with connect(small_city) as connection:
        assert connection.execute("select from hook_letters").rowcount == 0


def test_a_letter_whose_sending_was_not_written_down_is_sent_again(small_city: str) -> None:
    name = user(small_city, "administrator")
    with receiving() as receiver:
        receiver.secret = letter("").secret
        sender = Sender(Settings(webhook_networks="127.0.0.0/8").webhook_listed, 5.0)
        with connect(small_city) as connection:
            connection.execute(
                "insert into hooks (url, kinds, secret, made_by_id)"
                " select %s, array['area.covered'], %s, principal_id from access.principals where login_name = %s",
                (receiver.url, receiver.secret, name),
            )
            connection.execute("insert into hook_letters (hook_id, kind, subject) select hook_id, 'area.covered', 'zone:Z' from hooks")  # fmt: skip
        with pytest.raises(ConnectionError), connect(small_city) as connection:
            deliver(connection, sender, (1.0,))
            raise ConnectionError  # as when the server dies
        with connect(small_city) as connection:
            deliver(connection, sender, (1.0,))
        with connect(small_city) as connection:
            deliver(connection, sender, (1.0,))
        assert len(receiver.asked) == 2
        assert len({name for name, _ in receiver.asked}) == 1


def letter(url: str) -> Letter:
    return Letter(1, 1, url, "whsec_" + "A" * 43 + "=", "incident.changed", "", {}, datetime.now(UTC), 0)


def test_a_name_that_leads_inside_is_refused_when_the_letter_is_sent() -> None:
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        told = Sender((), 1.0).send(letter(f"https://localhost:{port}"))
        assert told.state == "away"
        assert "no address that letters may go to" in told.why
        plain = Sender(Settings(webhook_networks="10.0.0.0/8,127.0.0.0/8").webhook_listed, 1.0)
        receiver.secret = letter("").secret
        assert plain.send(letter(f"http://localhost:{port}")).state == "taken"
        assert len(receiver.asked) == 1


def test_addresses_that_may_be_told() -> None:
    listed = Settings(webhook_networks="10.20.0.0/16").webhook_listed
    for public in ("8.8.8.8", "2001:4860:4860::8888", "10.20.3.4", "::ffff:8.8.8.8"):
        assert may_be_told(read_address(public), listed), public
    for inside in ("10.21.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::", "fd00::1",
                   "64:ff9b::a00:1", "2002:a00:1::", "ff02::1", "::ffff:127.0.0.1", "fec0::1", "::127.0.0.1",
                   "::ffff:0:127.0.0.1", "64:ff9b:1::a00:1", "3fff::1", "5f00::1", "4000::1", "192.88.99.1"):  # fmt: skip
        assert not may_be_told(read_address(inside), listed), inside
    with pytest.raises(ValidationError, match="is no network"):
        Settings(webhook_networks="10.20.0.1/16")


def test_an_area_without_a_free_unit_is_told_once_and_when_it_is_back(small_city: str) -> None:
    def areas(is_covered: bool) -> list[AreaNow]:
        return [
            AreaNow(area_kind="county", code="P", name="P county", is_covered=is_covered, as_of=datetime.now(UTC)),
            AreaNow(area_kind="zone", code="Z1", name="zone 1", is_covered=True, as_of=datetime.now(UTC)),
        ]

    with telling(small_city) as (admin, _, receiver):
        hook(admin, receiver, kinds=["area.uncovered", "area.covered"])
        with connect(small_city) as connection:
            connection.execute("update due_work set due_at = now() + interval '1 hour' where kind = 'hook_areas'")
        for is_covered in (False, False, True, True, False, False, True):  # the first is only noted
            with connect(small_city) as connection:
                note_areas(connection, areas(is_covered))
        receiver.wait(lambda one: len(one.asked) == 3)
    told = [(one["type"], one["data"]["code"], one["data"]["is_covered"]) for _, one in receiver.asked]
    assert told == [("area.covered", "P", True), ("area.uncovered", "P", False), ("area.covered", "P", True)]
