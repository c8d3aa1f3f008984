"""The way in from the network: TLS, proxies, and what happens when nobody can be looked up."""

import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from geo_grid.access.credentials import neighbourhood
from geo_grid.api.listening import refuse_open_door
from geo_grid.api.server.sockets import Connection, Doorkeeper
from geo_grid.db import Cluster, connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.errors import UserError
from geo_grid.settings import Settings
from tests.access.test_oidc import free_port
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, api_key, bearing, kiosk_token, user


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),  # else all of IPv4 would count as one sender
        ("", ""),
    ],
)
def test_a_sender_counts_as_the_network_it_can_choose_its_address_from(address: str, network: str) -> None:
    assert neighbourhood(address) == network


def test_connections_of_one_ipv6_network_count_together() -> None:
    keeper = Doorkeeper(Settings(connections_per_address=8))
    admitted = []
    for number in range(20):
        connection = Connection.__new__(Connection)
        connection.waiting_since = None  # each is in the middle of a question: none can be given up for another
        connection.address = f"2001:db8::{number:x}"
        admitted.append(keeper.admit(connection))
    assert admitted == [True] * 8 + [False] * 12


def test_an_open_door_is_refused() -> None:
    with pytest.raises(UserError, match="TLS"):
        refuse_open_door(Settings(host="0.0.0.0"))
    refuse_open_door(Settings(host="127.0.0.1"))
    refuse_open_door(Settings(host="0.0.0.0", trusted_proxies="10.0.0.1"))
    refuse_open_door(Settings(host="0.0.0.0", tls_certificate=Path("cert.pem"), tls_key=Path("key.pem")))


def test_over_tls_the_cookie_is_secure_and_browsers_are_told_to_stay(database: str, tmp_path: Path) -> None:
    certificate, key, port = tmp_path / "cert.pem", tmp_path / "key.pem", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=geo-grid", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    environment = {
        **os.environ,
        "GEO_GRID_DATABASE_URL": database,
        "GEO_GRID_APP_DATABASE_URL": psycopg.conninfo.make_conninfo(database, user=APPLICATION_ROLE),
        "GEO_GRID_HOST": "0.0.0.0", "GEO_GRID_PORT": str(port), "GEO_GRID_STATE_DIR": str(tmp_path),
        "GEO_GRID_TLS_CERTIFICATE": str(certificate), "GEO_GRID_TLS_KEY": str(key),
    }  # fmt: skip
    name = user(database, "planner")
    server = subprocess.Popen([sys.executable, "-m", "geo_grid", "serve"], env=environment)
    try:
        trusted = ssl.create_default_context(cafile=certificate)
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted) as client:
            deadline = time.monotonic() + 90
            while True:
                assert time.monotonic() < deadline
                assert server.poll() is None
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            answer = client.post("/session", json={"name": name, "password": PASSWORD})
            assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
            cookie = answer.headers["set-cookie"].lower()
            assert cookie.startswith("__host-geo_grid_session=")
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(cookie.split("; "))
            assert client.get("/session").json()["name"] == name
        with pytest.raises(httpx.TransportError):  # in plain text it does not answer
            httpx.get(f"http://127.0.0.1:{port}/healthz")
    finally:
        server.terminate()
        assert server.wait(30) == 0


def test_behind_a_proxy_only_what_the_proxy_says_counts(database: str) -> None:
    settings = {"host": "0.0.0.0", "trusted_proxies": "127.0.0.1"}
    token = kiosk_token(database, network="10.9.8.0/24")
    over_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.8.7"}
    with live_server(database, **settings) as url, bearing(url, token) as screen:
        plain = screen.get("/collections", headers={"X-Forwarded-For": "10.9.8.7"})
        assert (plain.status_code, "over TLS" in plain.text) == (403, True)
        answer = screen.get("/collections", headers=over_tls)
        assert (answer.status_code, "strict-transport-security" in answer.headers) == (200, True)
        elsewhere = {**over_tls, "X-Forwarded-For": "10.9.8.7, 192.168.1.1"}  # the sender wrote the first one
        assert screen.get("/collections", headers=elsewhere).status_code == 401
        secure = screen.post("/session/kiosk", json={"token": token}, headers=over_tls)
        assert secure.headers["set-cookie"].startswith("__Host-")


def test_an_address_told_by_a_stranger_is_not_believed(database: str) -> None:
    name, settings = user(database, "planner"), {"trusted_proxies": "10.0.0.1"}
    with live_server(database, **settings) as url:
        told = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
        answer = httpx.post(f"{url}/session", json={"name": name, "password": PASSWORD}, headers=told)
        assert "strict-transport-security" not in answer.headers
    with connect(database) as connection:
        row = connection.execute(
            "select host(address) as address from access.audit_log where action = 'session.login'"
        ).fetchone()
    assert row == {"address": "127.0.0.1"}


def test_while_the_database_is_away_nobody_gets_in(cluster: Cluster) -> None:
    with new_database(cluster, "nobody_gets_in") as conninfo, live_server(conninfo) as url:
        name, key = user(conninfo, "planner"), api_key(conninfo, "planner")
        with bearing(url, key) as known, httpx.Client(base_url=url) as person:
            assert known.get("/collections").status_code == 200
            assert person.post("/session", json={"name": name, "password": PASSWORD}).status_code == 200
            with psycopg.connect(cluster.conninfo_for("postgres"), autocommit=True) as admin:
                admin.execute("alter database nobody_gets_in with allow_connections false")
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'nobody_gets_in'")
                with httpx.Client(base_url=url, timeout=30) as stranger:
                    answer = stranger.post("/session", json={"name": name, "password": PASSWORD})
                    assert (answer.status_code, "set-cookie" in answer.headers) == (503, False)
                    forged = stranger.get("/collections", headers={"Authorization": "Bearer gg_k_" + "0" * 43})
                    assert forged.status_code == 503  # not known to be nobody's, and not let in
                deadline = time.monotonic() + 90
                while known.get("/collections", timeout=30).status_code == 200:  # from memory, for ten seconds
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
                assert known.get("/collections", timeout=30).status_code == 503
                assert person.get("/collections", timeout=30).status_code == 503
                admin.execute("alter database nobody_gets_in with allow_connections true")
            deadline = time.monotonic() + 90
            while known.get("/collections", timeout=30).status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.5)


def test_a_key_may_come_as_a_password(database: str) -> None:
    """Map programs know names and passwords, not all know Bearer."""
    key = api_key(database, "planner")
    with live_server(database) as url:
        assert httpx.get(f"{url}/collections", auth=("anything", key)).status_code == 200
        assert httpx.get(f"{url}/collections", auth=("anything", key[:-1])).status_code == 401
        for nonsense in ("Basic", "Basic ====", "Basic " + "QQ" * 300, "Basic /w=="):
            assert httpx.get(f"{url}/collections", headers={"Authorization": nonsense}).status_code == 401
