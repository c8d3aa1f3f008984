"""Headers as programs and proxies send them: weights, HEAD, limits, the address outside, ports and lists."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from geo_grid.api.server.negotiation import preferred, takes_gzip
from geo_grid.api.server.networks import read_networks, scheme_of, sender
from geo_grid.db import connect
from geo_grid.errors import NotAcceptable
from tests.conftest import live_server
from tests.identities import PASSWORD, api_key, bearing, logged_in, user
from tests.squares import SOUTH, WEST, two_by_two

PUBLIC = "https://Map.Example:443/city"
BASE = "https://map.example/city"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
OFFERS = ["application/json", "text/html"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"), ("*/*", "application/json"), (BROWSER, "text/html"), ("text/html", "text/html"),
        ("TEXT/HTML ; Q=0.5, application/json;q=0.4", "text/html"), ("text/html;q=0.1,application/json", "application/json"),
        ("text/html;q=0,*/*", "application/json"), ("text/*;q=0.9,*/*;q=0.1", "text/html"), ("application/json;q=0,*/*;q=0.1", "text/html"),
        ("application/xml", "application/json"), ("application/json;q=0", "text/html"), ("text/html;q=nonsense", "application/json"),
        ("text/html;level=1;q=0.7,application/json;q=0.6", "text/html"), ("text/html;q=0.001,*/*;q=0", "text/html"),
        ("application/geo+json,text/html;q=0.9", "application/json"), ("application/geo+json;q=0.1,text/html", "text/html"),
    ],
)  # fmt: skip
def test_the_form_with_the_greatest_weight_is_chosen(accept: str, chosen: str) -> None:
    assert preferred(accept, OFFERS) == chosen


def test_geojson_is_json_and_an_answer_says_that_it_depends_on_accept(behind_proxy: tuple[str, str]) -> None:
    url, database = behind_proxy
    with bearing(url, api_key(database, "planner")) as client:
        for path in ("/", "/collections", "/collections/grid_cells/items", "/collections/grid_cells/items/A"):
            for accept in ("application/json, text/html;q=0.1", "application/geo+json, text/html;q=0.1"):
                answer = client.get(path, headers={"Accept": accept})
                assert answer.headers["content-type"] in ("application/json", "application/geo+json"), (path, accept)
            for accept in ("*/*", "*/*;q=0", "text/html"):
                assert "Accept" in client.get(path, headers={"Accept": accept}).headers["vary"].split(", "), (
                    path,
                    accept,
                )
        assert "Accept" not in client.get("/healthz").headers.get("vary", "").split(", ")


def test_a_weight_of_nothing_forbids() -> None:
    for accept in ("*/*;q=0", "text/html;q=0, application/json;q=0.0", "text/*;q=0,application/*;q=0"):
        with pytest.raises(NotAcceptable, match="text/html"):
            preferred(accept, OFFERS)
    for told, takes in (
        ("gzip", True), ("gzip;q=0", False), ("GZIP;q=0.5", True), ("*", True), ("*;q=0", False), ("identity", False),
        ("br, gzip;q=0, *", False), ("*;q=0, gzip", True), ("", False), ("deflate", False),
    ):  # fmt: skip
        assert takes_gzip(told) == takes, told


@pytest.fixture(scope="module")
def behind_proxy(cluster) -> Iterator[tuple[str, str]]:
    """(address, the owner's way in) of a city of four cells whose address outside is another, with a prefix."""
    from tests.databases import new_database

    with new_database(cluster, "headers") as database:
        with connect(database) as connection:
            two_by_two(connection)
        with live_server(database, public_url=PUBLIC, trusted_proxies="127.0.0.1") as url:
            yield url, database


@pytest.fixture
def program(behind_proxy: tuple[str, str]) -> Iterator[httpx.Client]:
    with bearing(behind_proxy[0], api_key(behind_proxy[1], "planner")) as client:
        yield client


def test_answers_have_the_form_and_the_packing_that_were_asked_for(program: httpx.Client) -> None:
    for path in ("/", "/collections", "/collections/grid_cells", "/collections/grid_cells/items", "/collections/grid_cells/items/A", "/conformance"):  # fmt: skip
        for accept, kind in ((BROWSER, "html"), ("text/html;q=0,*/*", "json"), ("text/html;q=0.1,application/*;q=0.9", "json")):  # fmt: skip
            answer = program.get(path, headers={"Accept": accept})
            assert kind in answer.headers.get("content-type", "") or answer.status_code == 303, (path, accept)
    items = "/collections/grid_cells/items"
    assert program.get(items, headers={"Accept": "text/csv,*/*;q=0.1"}).text.startswith("is_demo,grid_code")
    assert program.get(items, headers={"Accept": "*/*;q=0"}).status_code == 406
    for encoding, packed in (("gzip", True), ("gzip;q=0", False), ("identity;q=1, gzip;q=0.0", False), ("*", True)):
        answer = program.get("/openapi.json", headers={"Accept-Encoding": encoding})
        assert ("content-encoding" in answer.headers) == packed, encoding


def test_head_answers_wherever_get_does(program: httpx.Client) -> None:
    place = {"lon": WEST, "lat": SOUTH}
    for path, question in (
        ("/healthz", {}), ("/", {}), ("/collections", {}), ("/collections/grid_cells/items", {}), ("/locate", place),
        ("/openapi.json", {}), ("/static/icon.svg", {}), ("/collections/nothing", {}), ("/login", {}), ("/events", {}),
        ("/collections/grid_cells/tiles/WebMercatorQuad/9/199/418", {}), ("/collections/grid_cells/export", {}),
    ):  # fmt: skip
        head = program.head(path, params=question, timeout=10)
        assert head.content == b""
        if path == "/events":  # its GET never ends
            assert head.status_code == 200
            continue
        get = program.get(path, params=question)
        assert head.status_code == get.status_code, path
        told = {"content-type", "content-length", "etag", "cache-control", "content-encoding"}
        assert {k: v for k, v in head.headers.items() if k in told} == {k: v for k, v in get.headers.items() if k in told}, path  # fmt: skip
    assert program.head("/units/positions").status_code == program.get("/units/positions").status_code == 405


def test_more_than_the_most_is_the_most(program: httpx.Client) -> None:
    for path, question in (
        ("/collections/grid_cells/items", {}),
        ("/incidents", {}),
        ("/boundaries/overloaded", {"level": 2}),
    ):
        for limit in (10_001, 1_000_001, 10**30):
            assert program.get(path, params={"limit": limit, **question}).status_code == 200, (path, limit)
        assert program.get(path, params={"limit": 0, **question}).status_code in (400, 422)


class TestTheAddressOutside:
    @pytest.mark.parametrize("passed_on", ["", "/city"])
    def test_every_way_on_has_the_prefix(self, behind_proxy: tuple[str, str], passed_on: str) -> None:
        """Whether the proxy passes the prefix on or takes it off."""
        url, database = behind_proxy
        key = {"Authorization": f"Bearer {api_key(database, 'planner')}", "Host": "inner:8000"}

        def get(path: str, **headers: str) -> httpx.Response:
            return httpx.get(f"{url}{passed_on}{path}", headers={**key, **headers})

        assert get("/collections/").headers["location"] == f"{BASE}/collections"
        assert (
            get("/collections/grid_cells/items/?limit=2").headers["location"]
            == f"{BASE}/collections/grid_cells/items?limit=2"
        )
        assert get("/start", Accept=BROWSER).headers["location"] == "/city/maps/planner"
        to_login = httpx.get(f"{url}{passed_on}/account?lang=en", headers={"Accept": BROWSER}).headers["location"]
        assert to_login == "/city/login?next=%2Faccount%3Flang%3Den"
        login = httpx.get(f"{url}{passed_on}{to_login.removeprefix('/city')}").text
        assert '"next": "/account?lang=en"' in login
        for page in (login, get("/maps/wall").text, get("/collections", Accept=BROWSER).text):
            assert "/static/" in page
            assert 'src="/static/' not in page
            assert 'href="/static/' not in page
            assert '<html data-base="/city"' in page
        items = get("/collections/grid_cells/items?limit=2").json()
        assert all(link["href"].startswith(f"{BASE}/") for link in items["links"])
        assert get("/openapi.json").json()["servers"] == [{"url": BASE}]
        post = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [WEST, SOUTH]}, "properties": {"post_code": "P1", "name": "x"}}  # fmt: skip
        put = httpx.post(f"{url}{passed_on}/collections/police_posts/items", json=post, headers=key)
        assert put.headers["location"] == f"{BASE}/collections/police_posts/items/P1"
        assert httpx.delete(f"{url}{passed_on}/collections/police_posts/items/P1", headers=key).status_code == 204

    def test_incidents_and_their_next_page(self, behind_proxy: tuple[str, str]) -> None:
        url, database = behind_proxy
        with bearing(url, api_key(database, "dispatcher")) as client:
            for _ in range(2):
                made = client.post("/incidents", json={"lon": WEST, "lat": SOUTH, "category": "x"})
                assert made.headers["location"] == f"/city/incidents/{made.json()['incident_id']}"
            following = client.get("/incidents?limit=1").json()["next"]
            assert following.startswith(f"{BASE}/incidents?limit=1&before=")

    def test_a_page_of_the_public_address_may_write_whatever_host_the_proxy_names(
        self, behind_proxy: tuple[str, str]
    ) -> None:
        url, database = behind_proxy
        given = {"name": user(database, "planner"), "password": PASSWORD}
        for host in ("inner:8000", urlsplit(url).netloc):
            page = {"Origin": "https://map.example", "Host": host}
            assert httpx.post(f"{url}/session", json=given, headers=page).status_code == 200
        for origin in ("https://map.example:8443", "http://map.example", "https://evil.example"):
            assert httpx.post(f"{url}/session", json=given, headers={"Origin": origin}).status_code == 403

    def test_the_page_of_the_api(self, behind_proxy: tuple[str, str]) -> None:
        with logged_in(behind_proxy[0], user(behind_proxy[1], "planner")) as person:
            page = person.get("/docs").text
        assert "'/city/openapi.json'" in page
        assert 'src="/city/static/' in page
        assert '"/static/' not in page

    def test_what_stands_in_pages_as_data_is_left_alone(self, program: httpx.Client) -> None:
        page = program.get("/maps/wall").text
        data = page.partition('id="geo-grid-page">')[2].partition("</script>")[0]
        assert json.loads(data)["lang"] == "zh"


class TestProxies:
    def test_hops_with_ports_are_each_themselves(self) -> None:
        ours = read_networks("127.0.0.1, 10.0.0.0/8")
        for told, address in (
            ("1.1.1.1:80", "1.1.1.1"), ("1.1.1.2:65535", "1.1.1.2"), ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"), ("1.1.1.1:80, 10.0.0.9:4711", "1.1.1.1"),
        ):  # fmt: skip
            assert sender("127.0.0.1", [told], ours).address == address

    @pytest.mark.parametrize(
        ("forwarded", "told", "scheme"),
        [
            ([], ["https"], "https"), ([], ["HTTPS"], "https"), ([], [" Https "], "https"),
            (["1.1.1.1"], ["http, https"], "https"),  # the client wrote the first
            (["1.1.1.1"], ["https, http"], "http"),
            (["1.1.1.1, 10.0.0.9"], ["https, http"], "https"),  # TLS to the outer proxy, plain from there to the inner one
            (["1.1.1.1, 10.0.0.9"], ["https"], "https"), (["6.6.6.6, 1.1.1.1, 10.0.0.9"], ["http", "https, http"], "https"),
            ([], [], None), ([], [","], None),
        ],
    )  # fmt: skip
    def test_lists_and_case_of_the_scheme(self, forwarded: list[str], told: list[str], scheme: str | None) -> None:
        passed = sender("127.0.0.1", forwarded, read_networks("127.0.0.1, 10.0.0.0/8")).proxies
        assert scheme_of(told, passed) == scheme

    def test_a_stranger_s_word_does_not_count(self) -> None:
        assert scheme_of(["https"], sender("9.9.9.9", ["1.1.1.1"], read_networks("127.0.0.1")).proxies) is None

    def test_each_client_of_one_proxy_is_itself(self, database: str) -> None:
        with live_server(database, trusted_proxies="127.0.0.1", anonymous_rate_limit="3/minute") as url:

            def ask(*told: str) -> int:
                lines = [("X-Forwarded-For", line) for line in told]
                return httpx.get(f"{url}/session", headers=lines).status_code

            assert [ask("192.0.2.1:1000") for _ in range(3)] == [401, 401, 401]
            assert ask("192.0.2.1:2000") == 429
            assert ask("192.0.2.2:1000") == 401
            # the proxy adds a line to those that the client wrote
            assert ask("192.0.2.9", "192.0.2.1:3000") == 429
            assert [ask("192.0.2.1", "192.0.2.3:1000"), ask("192.0.2.1, 192.0.2.4:1000")] == [401, 401]
