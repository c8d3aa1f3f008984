"""Guessing passwords is slow, from one address and from many; and nobody locks somebody else out by it."""

import re
from collections.abc import Iterator

import httpx
import pyotp
import pytest

from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import PASSWORD, api_key, bearing, logged_in, user

BEHIND = {"trusted_proxies": "127.0.0.1"}


@pytest.fixture
def url(database: str) -> Iterator[str]:
    with live_server(database, **BEHIND) as address:
        yield address


def attempt(
    url: str, name: str, password: str = "wrong", code: str | None = None, come_from: str = "10.6.6.6", **cookies: str
) -> httpx.Response:
    headers = {"X-Forwarded-For": come_from, "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())}
    return httpx.post(
        f"{url}/session", json={"name": name, "password": password, "code": code}, headers=headers, timeout=30
    )


def enrolled(database: str, name: str) -> pyotp.TOTP:
    """Give a user a second factor."""
    secret = pyotp.random_base32()
    with connect(database) as connection:
        connection.execute(
            "insert into access.second_factors (principal_id, secret, confirmed_at)"
            " select principal_id, %s, now() from access.principals where login_name = %s",
            (secret, name),
        )
    return pyotp.TOTP(secret)


def outcomes(database: str, name: str) -> list[tuple[str, str]]:
    with connect(database) as connection:
        rows = connection.execute(
            "select result, detail->>'reason' as reason from access.audit_log"
            " where action = 'session.login' and actor_name = %s order by audit_id",
            (name,),
        ).fetchall()
    return [(row["result"], row["reason"]) for row in rows]


def test_a_credential_does_not_take_the_limit_off_log_ins(database: str) -> None:
    with live_server(database, login_rate_limit="4/minute") as url:
        with bearing(url, api_key(database, "planner")) as client:
            assert client.get("/collections").status_code == 200
            answers = [client.post("/session", json={"name": f"n{n}", "password": "x"}) for n in range(7)]
            assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 3
            assert client.put("/session/password", json={"old": "x", "new": "y"}).status_code == 429
            assert client.get("/collections").status_code == 200


def test_who_guesses_locks_the_name_for_their_own_address_only(url: str, database: str) -> None:
    name = user(database, "planner")
    assert [attempt(url, name).status_code for _ in range(6)] == [401] * 5 + [429]
    assert attempt(url, name, PASSWORD).status_code == 429
    assert attempt(url, name, PASSWORD, come_from="10.0.0.1").status_code == 200
    assert attempt(url, name, PASSWORD).status_code == 429  # somebody else's log-in does not unlock it
    network = [attempt(url, name, come_from=f"2001:db8::{number}").status_code for number in range(1, 7)]
    assert network == [401] * 5 + [429]  # a network of 64 bits is one sender
    assert attempt(url, name, PASSWORD, come_from="2001:db8:0:1::1").status_code == 200


def test_strangers_everywhere_lock_out_neither_a_known_device_nor_a_second_factor(url: str, database: str) -> None:
    name, careful = user(database, "planner"), user(database, "planner")
    totp = enrolled(database, careful)
    known = attempt(url, name, PASSWORD, come_from="10.0.0.1")
    device = known.cookies["geo_grid_device"]
    assert "httponly" in known.headers["set-cookie"].lower()
    for one in (name, careful, "nobody-at-all"):
        statuses = {attempt(url, one, come_from=f"10.7.{n}.1").status_code for n in range(25)}
        assert statuses == {401}
        with connect(database) as connection:  # a minute is short on a busy machine
            connection.execute("update access.login_failures set failures = 50 where counted_by = 'everywhere'")
        assert attempt(url, one, PASSWORD, come_from="10.0.0.2").status_code == 429  # who is new here waits
    answer = attempt(url, name, PASSWORD, come_from="10.0.0.2", geo_grid_device=device)
    assert answer.status_code == 200
    assert attempt(url, careful, PASSWORD, come_from="10.0.0.2", geo_grid_device=device).status_code == 429  # another's
    assert device != answer.cookies["geo_grid_device"]  # a new secret at every log-in
    # without the whole of the second factor nobody learns that the password was right
    told = {
        re.sub(r"\d+", "", attempt(url, who, given, code, come_from="10.0.0.3").json()["detail"])
        for who, given, code in (
            (careful, PASSWORD, None), (careful, PASSWORD, "000000"), (careful, "wrong", totp.now()), (name, PASSWORD, "000000"),
        )
    }  # fmt: skip
    assert len(told) == 1
    assert attempt(url, careful, PASSWORD, totp.now(), come_from="10.0.0.4").status_code == 200


def test_failures_on_a_known_device_are_delayed_too(url: str, database: str) -> None:
    name = user(database, "planner")
    device = attempt(url, name, PASSWORD).cookies["geo_grid_device"]
    answers = [attempt(url, name, come_from=f"10.8.0.{n}", geo_grid_device=device) for n in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert attempt(url, name, PASSWORD).status_code == 200  # the name itself is not locked


def test_a_new_password_from_somebody_else_forgets_the_devices(url: str, database: str) -> None:
    name = user(database, "planner")
    attempt(url, name, PASSWORD)
    with logged_in(url, user(database, "administrator")) as admin, connect(database) as connection:
        count = "select count(*) as n from access.known_devices join access.principals using (principal_id) where login_name = %s"
        assert connection.execute(count, (name,)).fetchone() == {"n": 1}
        connection.commit()
        assert admin.post(f"/accounts/{name}/password").status_code == 200
        assert connection.execute(count, (name,)).fetchone() == {"n": 0}


def test_a_right_password_without_the_code_is_counted_and_written_down(url: str, database: str) -> None:
    name = user(database, "planner")
    totp = enrolled(database, name)
    assert attempt(url, name, PASSWORD).json()["type"].endswith("SecondFactorNeeded")
    assert outcomes(database, name) == [("refused", "code missing")]
    assert attempt(url, name, PASSWORD, totp.now()).status_code == 200
    assert [attempt(url, name, PASSWORD).status_code for _ in range(7)] == [401] * 5 + [429] * 2
    # who knows the password guesses codes slowly, from however many addresses
    other = user(database, "planner")
    enrolled(database, other)
    statuses = [attempt(url, other, PASSWORD, "000000", come_from=f"10.9.0.{n}").status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2


def test_a_password_is_changed_by_whoever_logs_in_with_one_whatever_their_role(url: str, database: str) -> None:
    name = user(database, "wall")
    with connect(database) as connection:
        connection.execute("update access.passwords set must_change = true")
    with httpx.Client(base_url=url) as client:
        assert client.post("/session", json={"name": name, "password": PASSWORD}).json() == {"must": "change_password"}
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf_token"]
        changed = client.put("/session/password", json={"old": PASSWORD, "new": f"{PASSWORD}-2"})
        assert changed.status_code == 204, changed.text
    with logged_in(url, name, f"{PASSWORD}-2") as client:
        assert client.get("/maps/wall").status_code == 200
    with bearing(url, api_key(database, "wall")) as machine:  # has no password, and no account of a person
        assert machine.put("/session/password", json={"old": "x", "new": "y"}).status_code == 403
