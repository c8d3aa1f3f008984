"""What comes from outside and what goes there: addresses, cookies, the Host, origins, headers of answers."""

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from geo_grid.access.credentials import neighbourhood
from geo_grid.access.oidc import refuse_foreign
from geo_grid.api.server.networks import read_networks, sender
from geo_grid.db import Asker, acting_conninfo, connect
from geo_grid.errors import BadRequest, UserError
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.identities import PASSWORD, api_key, bearing, kiosk_token, logged_in, user

OVER_TLS = {"X-Forwarded-Proto": "https"}


@pytest.fixture
def url(database: str) -> Iterator[str]:
    with live_server(database, trusted_proxies="127.0.0.1") as address:
        yield address


class TestAddresses:
    def test_every_line_counts_from_the_nearest_hop_that_is_not_ours(self) -> None:
        ours = read_networks("127.0.0.1, 10.0.0.0/8, fd00::/8")
        for told, found in (
            ([], "127.0.0.1"),
            (["1.1.1.1"], "1.1.1.1"),
            (["6.6.6.6", "1.1.1.1"], "1.1.1.1"),  # two lines: the sender wrote the first, the proxy the second
            (["6.6.6.6, 5.5.5.5", "1.1.1.1, 10.0.0.9"], "1.1.1.1"),
            (["nonsense, 1.1.1.1"], "1.1.1.1"),  # what the sender wrote is not read at all
            (["10.0.0.1"], "10.0.0.1"),
            (["2001:DB8::0:1"], "2001:db8::1"),
            (["::ffff:1.1.1.1"], "1.1.1.1"),
        ):
            assert sender("127.0.0.1", told, ours).address == found
        assert sender("::ffff:127.0.0.1", ["1.1.1.1"], ours).address == "1.1.1.1"
        assert sender("9.9.9.9", ["1.1.1.1"], ours).address == "9.9.9.9"
        assert sender("fe80::1%eth0", [], ours).address == "fe80::1"
        assert sender("", ["1.1.1.1"], ours).address == ""
        assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") == "2001:db8::/64"

    @pytest.mark.parametrize(
        "told", ["fe80::1%eth0", "fe80::1%x -c geo_grid.credential=y", "1.1.1.1:x", "unknown", "01.1.1.1", "1.1.1"]
    )
    def test_what_is_no_address_is_refused(self, url: str, database: str, told: str) -> None:
        with pytest.raises(BadRequest):
            sender("127.0.0.1", [told], read_networks("127.0.0.1"))
        answer = httpx.get(f"{url}/healthz", headers={"X-Forwarded-For": told})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:geo-grid:problem:BadRequest")

    def test_zones_are_refused_where_networks_are_configured(self, url: str, database: str) -> None:
        with pytest.raises(UserError, match="zone"):
            read_networks("fe80::1%eth0")
        with logged_in(url, user(database, "administrator")) as admin:
            admin.post("/accounts", json={"kind": "kiosk", "name": "hall", "role": "wall", "city_wide": True})
            wanted = {"name": "hall", "kind": "kiosk", "page": "/maps/wall", "network": "fe80::%eth0/64"}
            assert admin.post("/credentials", json=wanted).status_code == 422

    def test_the_second_line_decides_which_screen_it_is(self, url: str, database: str) -> None:
        token = kiosk_token(database, network="10.9.8.0/24")
        with bearing(url, token) as screen:
            bearer = ("Authorization", f"Bearer {token}")
            forged = [bearer, ("X-Forwarded-For", "10.9.8.7"), ("X-Forwarded-For", "192.0.2.1")]
            assert httpx.get(f"{url}/incidents", headers=forged).status_code == 401
            assert screen.get("/incidents", headers={"X-Forwarded-For": "10.9.8.7"}).status_code == 200

    def test_a_scheme_that_the_sender_wrote_beside_the_proxys_is_not_believed(self, url: str) -> None:
        lines = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")]
        assert "strict-transport-security" not in httpx.get(f"{url}/healthz", headers=lines).headers
        assert "strict-transport-security" in httpx.get(f"{url}/healthz", headers=OVER_TLS).headers

    def test_an_address_cannot_say_more_than_an_address_to_the_database(self, database: str) -> None:
        for address in ("1.1.1.1 -c geo_grid.actor=me", "1.1.1.1\\", "a' b"):
            with connect(acting_conninfo(database, Asker("0" * 64, address))) as connection:
                told = connection.execute(
                    "select current_setting('geo_grid.address', true) as address, current_setting('geo_grid.actor', true) as actor"
                ).fetchone()
            assert (told["address"], told["actor"] or "") == (address, "")


class TestCookies:
    def test_over_https_no_plain_cookie_counts(self, url: str, database: str) -> None:
        with httpx.Client(base_url=url, headers=OVER_TLS) as client:
            mine, theirs = (
                client.post("/session", json={"name": user(database, role), "password": PASSWORD}).headers["set-cookie"]
                for role in ("planner", "dispatcher")
            )
            name, value = mine.partition(";")[0].split("=")
            other = theirs.partition(";")[0].split("=")[1]
        assert name == "__Host-geo_grid_session"

        def who(cookies: str, **headers: str) -> httpx.Response:
            return httpx.get(f"{url}/session", headers={"Cookie": cookies, **headers})

        assert who(f"{name}={value}", **OVER_TLS).json()["role"] == "planner"
        assert who(f"geo_grid_session={other}; {name}={value}", **OVER_TLS).json()["role"] == "planner"
        assert who(f"geo_grid_session={other}", **OVER_TLS).status_code == 401
        assert who(f"{name}={value}").status_code == 401  # and in plain text none of HTTPS
        assert who(f"geo_grid_session={other}; geo_grid_session={value}").status_code == 401  # one was planted
        assert who(f"xgeo_grid_session={other}").status_code == 401

    def test_a_key_is_no_cookie_and_a_session_no_key(self, url: str, database: str) -> None:
        key = api_key(database, "planner")
        assert httpx.get(f"{url}/collections", headers={"Cookie": f"geo_grid_session={key}"}).status_code == 401
        with logged_in(url, user(database, "planner")) as client:
            secret = client.cookies["geo_grid_session"]
        with bearing(url, secret) as client:
            assert client.get("/collections").status_code == 401
        assert httpx.get(f"{url}/collections", auth=("x", secret)).status_code == 401
        assert httpx.post(f"{url}/session/kiosk", json={"token": key}).status_code == 422

    def test_a_screen_that_is_opened_ends_the_session_before_it(self, url: str, database: str) -> None:
        with logged_in(url, user(database, "planner")) as client:
            former = client.cookies["geo_grid_session"]
            assert client.post("/session/kiosk", json={"token": kiosk_token(database)}).status_code == 204
        assert httpx.get(f"{url}/session", headers={"Cookie": f"geo_grid_session={former}"}).status_code == 401


class TestOrigins:
    def test_scheme_host_and_port_are_compared(self, url: str, database: str) -> None:
        given = {"name": user(database, "planner"), "password": PASSWORD}

        def from_page(origin: str, **headers: str) -> int:
            return httpx.post(f"{url}/session", json=given, headers={"Origin": origin, **headers}).status_code

        assert from_page(url) == 200
        assert from_page(url.replace("http:", "https:"), **OVER_TLS) == 200
        assert from_page(url.replace("http:", "https:")) == 403
        assert from_page(url, **OVER_TLS) == 403  # a plain page of the same host may be anybody's
        assert from_page("null") == from_page(f"{url}0") == from_page("http://evil.example") == 403

    def test_a_remembered_password_is_no_way_in_for_another_site(self, url: str, database: str) -> None:
        """Browsers send Basic by themselves once they know it."""
        answer = httpx.post(
            f"{url}/locate", json={"points": []}, auth=("x", api_key(database, "planner")), headers={"Origin": "http://evil.example"},
        )  # fmt: skip
        assert answer.status_code == 403


class TestLinks:
    def links(self, url: str, key: str, **headers: str) -> str:
        texts = []
        for path in ("/", "/collections", "/collections/cameras/items", "/styles", "/collections/cameras/tiles"):
            answer = httpx.get(url + path, headers={"Authorization": f"Bearer {key}", **headers})
            assert answer.status_code == 200, (path, answer.text)
            texts += [answer.text, str(answer.headers)]
        slash = httpx.get(f"{url}/collections/", headers={"Authorization": f"Bearer {key}", **headers})
        return "".join([*texts, str(slash.headers)])

    def test_a_host_that_a_request_names_enters_no_link(self, url: str, database: str) -> None:
        key, port = api_key(database, "planner"), urlsplit(url).port
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1@evil.example",
            "127.0.0.1:x",
            "evil.example#127.0.0.1",
        ):
            told = self.links(url, key, Host=host)
            assert "evil" not in told, host
            assert f"{url}/collections" in told
        assert f"http://localhost:{port}/collections" in self.links(url, key, Host=f"localhost:{port}")

    def test_a_public_address_is_in_every_link(self, database: str) -> None:
        key = api_key(database, "planner")
        with live_server(database, public_url="https://map.example/city") as url:
            told = self.links(url, key, Host="evil.example")
            assert "https://map.example/city/collections" in told
            assert "evil" not in told
            assert url not in told
            given = {"name": user(database, "planner"), "password": PASSWORD}
            page = {"Origin": "https://map.example"}
            assert httpx.post(f"{url}/session", json=given, headers=page).status_code == 200

    def test_two_hosts_are_none(self, url: str, database: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.putrequest("GET", "/collections", skip_host=True)
        for name, value in (
            ("Host", "127.0.0.1"),
            ("Host", "evil.example"),
            ("Authorization", f"Bearer {api_key(database, 'planner')}"),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        told = answer.read().decode()
        assert answer.status in (200, 400)
        assert "evil" not in told
        if answer.status == 200:
            assert json.loads(told)["links"][0]["href"].startswith(url)

    @pytest.mark.parametrize(
        "public", ["map.example", "ftp://map.example", "https://a b", "https://u@map.example", "https://x/?q"]
    )
    def test_a_public_address_is_an_address(self, public: str) -> None:
        with pytest.raises(ValueError, match="public_url"):
            Settings(public_url=public)


class TestAnswers:
    def test_what_is_about_an_account_is_kept_by_nobody(self, url: str, database: str) -> None:
        with logged_in(url, user(database, "administrator")) as client:
            for path in ("/session", "/accounts", "/credentials", "/roles", "/collections", "/nothing", "/account"):
                headers = client.get(path).headers
                assert headers["cache-control"] == "no-store", path
                assert "camera=()" in headers["permissions-policy"]
            assert client.put("/session/password", json={}).headers["cache-control"] == "no-store"
        assert "cache-control" not in httpx.get(f"{url}/static/icon.svg").headers
        assert httpx.get(f"{url}/session").headers["cache-control"] == "no-store"

    def test_nobody_is_named_for_weaknesses_who_is_not_configured(self, url: str, database: str) -> None:
        assert httpx.get(f"{url}/.well-known/security.txt").status_code == 404
        for made_up in ("mailto:security@localhost", "security@city.example", "http://city.example"):
            with pytest.raises(ValueError, match="security_contact"):
                Settings(security_contact=made_up)
        with live_server(database, security_contact="mailto:security@city.example") as other:
            assert "Contact: mailto:security@city.example\n" in httpx.get(f"{other}/.well-known/security.txt").text

    def test_every_answer_has_these_headers(self, url: str) -> None:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=10) as raw:
            raw.sendall(b"GET /session HTTP/1.0\r\n\r\n")  # names no host at all
            told = b""
            while chunk := raw.recv(4096):
                told += chunk
        assert b" 401 " in told.splitlines()[0]
        assert b"permissions-policy" in told


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"aud": "us"}, True), ({"aud": ["us"]}, True), ({"aud": "us", "azp": "us"}, True),
        ({"aud": ["us", "them"], "azp": "us"}, True), ({"aud": ["us", "them"]}, False),
        ({"aud": ["us", "them"], "azp": "them"}, False), ({"aud": "us", "azp": "them"}, False),
        ({"aud": ["us"], "azp": None}, False), ({"aud": ["us"], "azp": ["us"]}, False),
    ],
)  # fmt: skip
def test_a_token_for_another_party_is_refused(claims: dict[str, object], good: bool) -> None:
    if good:
        refuse_foreign(claims, "us")
    else:
        with pytest.raises(ValueError, match="another party"):
            refuse_foreign(claims, "us")
