"""Logging in, being locked out, the second factor, sessions and keys."""

import time
from collections.abc import Iterator

import httpx
import pyotp
import pytest

from geo_grid.access import identities
from geo_grid.access.accounts import NewAccount, add_account, require_factor
from geo_grid.cli.access import as_owner
from geo_grid.db import connect
from geo_grid.errors import UserError
from tests.commands import geo_grid
from tests.conftest import live_server
from tests.identities import PASSWORD, api_key, bearing, disable, logged_in, user


@pytest.fixture
def url(database: str) -> Iterator[str]:
    with live_server(database) as address:
        yield address


def log_in(url: str, name: str, password: str = PASSWORD, code: str | None = None) -> httpx.Response:
    return httpx.post(f"{url}/session", json={"name": name, "password": password, "code": code})


def test_the_first_log_in_changes_the_password(url: str, database: str) -> None:
    new = NewAccount(name="li", role="planner", city_wide=True)
    once = as_owner(database, lambda connection: add_account(connection, new, 5))
    with httpx.Client(base_url=url) as client:
        assert client.post("/session", json={"name": "li", "password": once}).json() == {"must": "change_password"}
        assert client.get("/collections").status_code == 403
        client.headers["X-CSRF-Token"] = client.get("/session").json()["csrf_token"]
        for weak, says in (("short1A!", "12 characters"), ("alllowercaseletters", "three of"), (once, "last")):
            answer = client.put("/session/password", json={"old": once, "new": weak})
            assert answer.status_code == 422
            assert says in answer.json()["detail"]
        assert client.put("/session/password", json={"old": once, "new": PASSWORD}).status_code == 204
        assert client.get("/session").status_code == 401  # all sessions ended
    assert log_in(url, "li").json() == {"must": ""}


def test_passwords_are_stored_as_rfc_9106_recommends(database: str) -> None:
    """Its second recommended option, with three passes and 64 MiB; here servers hash in a cheaper way."""
    geo_grid(database, "user", "add", "li", "--role", "planner", "--city")
    with connect(database) as connection:
        stored = connection.execute("select hash from access.passwords").fetchall()
    assert [row["hash"].rsplit("$", 2)[0] for row in stored] == ["$argon2id$v=19$m=65536,t=3,p=4"]


def test_five_failures_lock_a_name_whether_it_is_somebodys_or_not(url: str, database: str) -> None:
    for name in (user(database, "planner"), "no-such-user"):
        answers = [log_in(url, name, "wrong") for _ in range(6)]
        assert [a.status_code for a in answers] == [401] * 5 + [429]
        assert {a.json()["detail"] for a in answers[:5]} == {"name, password or code is wrong"}
        assert int(answers[5].headers["retry-after"]) > 50
        assert log_in(url, name).status_code == 429  # the right password does not help


def test_a_session_is_new_at_every_log_in_and_ends_with_the_log_out(url: str, database: str) -> None:
    name = user(database, "planner")
    brought = "gg_s_chosen-by-somebody-else-0123456789"
    with httpx.Client(base_url=url, headers={"Cookie": f"geo_grid_session={brought}"}) as client:
        answer = client.post("/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200
        assert brought not in answer.headers["set-cookie"]
    with logged_in(url, name) as client:
        header = client.headers.pop("X-CSRF-Token")
        assert client.post("/locate").status_code == 403  # another site's form has no token
        client.headers["X-CSRF-Token"] = header
        assert client.delete("/session", headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.delete("/session").status_code == 204
        assert client.get("/session").status_code == 401


def test_acts_keep_a_session_alive_and_a_pages_own_polling_does_not(database: str, monkeypatch) -> None:
    monkeypatch.setattr(identities, "_KEPT_S", 0.3)
    with live_server(database, session_idle_min=0.05) as url, logged_in(url, user(database, "planner")) as client:
        polling = {"Geo-Grid-Background": "1"}
        until = time.monotonic() + 6  # twice as long as the session may idle
        while time.monotonic() < until:
            assert client.get("/collections", headers=polling).status_code == 200
            assert client.get("/collections").status_code == 200
            time.sleep(0.2)
        until = time.monotonic() + 10
        while client.get("/collections", headers=polling).status_code == 200:
            assert time.monotonic() < until, "polling kept it alive"
            time.sleep(0.2)


def test_the_cookie_is_out_of_scripts_reach(url: str, database: str) -> None:
    cookie = log_in(url, user(database, "planner")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_second_factor_is_enrolled_asked_for_and_taken_once(url: str, database: str) -> None:
    name = user(database, "supervisor")
    as_owner(database, lambda connection: require_factor(connection, "supervisor", True))
    with logged_in(url, name) as client:
        assert client.get("/session").json()["must"] == "enrol_factor"
        assert client.get("/collections").status_code == 403
        offer = client.post("/session/factor").json()
        assert offer["picture"].startswith("<svg")
        totp = pyotp.TOTP(offer["secret"])
        assert client.put("/session/factor", json={"code": "000000"}).status_code == 422
        first = totp.now()
        assert client.put("/session/factor", json={"code": first}).status_code == 204
    needed = log_in(url, name)
    assert (needed.status_code, needed.json()["type"].rpartition(":")[2]) == (401, "SecondFactorNeeded")
    assert log_in(url, name, code=first).status_code == 401  # used already
    with connect(database) as connection:
        clock = connection.execute("select floor(extract(epoch from now()))::int as now").fetchone()["now"]
    assert log_in(url, name, code=totp.at(clock + 30)).json() == {"must": ""}  # a telephone half a minute fast
    assert log_in(url, name, code=totp.at(clock + 30)).status_code == 401
    assert log_in(url, name, code=totp.at(clock - 300)).status_code == 401


def test_what_is_disabled_revoked_or_expired_is_worth_nothing_at_once(url: str, database: str) -> None:
    name, key = user(database, "planner"), api_key(database, "planner")
    with logged_in(url, name) as client, bearing(url, key) as machine:
        assert client.get("/collections").status_code == machine.get("/collections").status_code == 200
        disable(database, name)
        with connect(database) as connection:
            connection.execute("update access.credentials set expires_at = now() where credential_kind = 'key'")
        for _ in range(30):
            if client.get("/collections").status_code == machine.get("/collections").status_code == 401:
                break
        else:
            pytest.fail("still let in")


def test_a_key_has_only_the_rights_it_was_given(url: str, database: str) -> None:
    with bearing(url, api_key(database, "supervisor", rights=["map"])) as client:
        assert client.get("/collections").status_code == 200
        assert client.get("/incidents").status_code == 403


def test_rates_are_limited_by_account(database: str) -> None:
    with live_server(database, rate_limit="5/minute") as url, bearing(url, api_key(database, "planner")) as client:
        answers = [client.get("/collections") for _ in range(12)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["retry-after"]


def test_administrator_and_auditor_are_never_the_same_person(database: str) -> None:
    def account(name: str, role: str):
        new = NewAccount(name=name, role=role, city_wide=True, staff_number="77")
        return lambda connection: add_account(connection, new, 5)

    as_owner(database, account("one", "administrator"))
    with pytest.raises(UserError, match="never the same person"):
        as_owner(database, account("two", "auditor"))
