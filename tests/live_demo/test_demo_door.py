"""Users of the demo are chosen with one click: in the demo city, by a browser on the server's own machine, by nobody else."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster, connect
from geo_grid.live_demo.users import demo_users
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import logged_in, user
from tests.live_demo.city import make_small_demo

CHOICE = {"name": "demo-supervisor"}


def _choose(url: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/session/demo", json=CHOICE, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def with_users(cluster: Cluster) -> Iterator[str]:
    """libpq connection string of a small demo city with users, to which tests change nothing but log in."""
    with new_database(cluster, "demo_with_users") as conninfo:
        make_small_demo(conninfo)
        as_owner(conninfo, lambda connection: demo_users(connection, 5))
        yield conninfo


@pytest.fixture(scope="module")
def door(with_users: str) -> Iterator[str]:
    """Address of its server."""
    with live_server(with_users) as url:
        yield url


@pytest.fixture
def demo_with_users(small_demo: str) -> str:
    """Another such city, of the test's own."""
    as_owner(small_demo, lambda connection: demo_users(connection, 5))
    return small_demo


def test_one_click_logs_in_and_the_audit_says_so(demo_with_users: str) -> None:
    with live_server(demo_with_users) as url:
        assert "demo-supervisor" in httpx.get(f"{url}/login").text
        with httpx.Client(base_url=url) as client:
            assert client.post("/session/demo", json=CHOICE).json() == {"must": ""}
            assert client.get("/session").json()["name"] == "demo-supervisor"
            assert client.get("/overview").json()["waiting"]["to_verify"] == 0
            assert "demo-planner" in client.get("/", headers={"Accept": "text/html"}).text
        assert httpx.post(f"{url}/session/demo", json={"name": "admin"}, timeout=30).status_code == 401
    with connect(demo_with_users) as connection:
        noted = connection.execute(
            "select detail->>'reason' as why from access.audit_log where action = 'session.login' and result = 'done'"
        ).fetchall()
    assert [row["why"] for row in noted] == ["demo"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"CF-Connecting-IP": "127.0.0.1"},
        {"Host": "map.example"},  # a proxy that passes it on, or a name that was made to mean this machine
        {"Origin": "https://evil.example"},
    ],
)
def test_what_came_through_a_proxy_or_from_another_site_is_refused(door: str, headers: dict[str, str]) -> None:
    assert _choose(door, **headers).status_code == 403
    if "Origin" not in headers:
        assert "demo-supervisor" not in httpx.get(f"{door}/login", headers=headers).text
    assert _choose(door).status_code == 200


def test_http_1_0_as_nginx_speaks_it_is_refused(door: str) -> None:
    parts = urlsplit(door)
    line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    line._http_vsn, line._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    line.request(
        "POST", "/session/demo", json.dumps(CHOICE), {"Content-Type": "application/json", "Host": parts.netloc}
    )
    assert line.getresponse().status == 403


@pytest.mark.parametrize(
    "options", [{"public_url": "https://map.example"}, {"trusted_proxies": "127.0.0.1"}, {"host": "0.0.0.0"}]
)
def test_a_server_that_is_set_up_for_others_offers_none(with_users: str, options: dict[str, str]) -> None:
    with live_server(with_users, **options) as url:
        assert _choose(url).status_code == 403


def test_a_role_with_a_second_factor_is_not_offered(demo_with_users: str) -> None:
    with connect(demo_with_users) as connection:
        connection.execute("update access.roles set second_factor_required = true where role = 'supervisor'")
    with live_server(demo_with_users) as url:
        assert _choose(url).status_code == 401
        assert "demo-supervisor" not in httpx.get(f"{url}/login").text


def test_a_city_of_ones_own_has_no_such_door(small_city: str) -> None:
    as_owner(small_city, lambda connection: demo_users(connection, 5))  # even with such users
    with live_server(small_city) as url:
        assert _choose(url).status_code == 401
        assert "demo-supervisor" not in httpx.get(f"{url}/login").text


def test_the_overview_tells_only_what_rights_allow(demo_with_users: str) -> None:
    with connect(demo_with_users) as connection:
        connection.execute("update incidents set closed_at = null, step = 'handled' where grid_code in ('A', 'B')")
        # said here: what a deadline is in working time depends on the day of the test
        connection.execute("update incidents set due_at = now() - interval '10 minutes' where grid_code = 'A'")
        connection.execute("update incidents set due_at = now() + interval '10 minutes' where grid_code = 'B'")
    with live_server(demo_with_users) as url:

        def told(role: str, cells: list[str] | None = None) -> dict:
            with logged_in(url, user(demo_with_users, role, cells)) as client:
                found: dict = client.get("/overview").json()
                return found

        supervisor = told("supervisor")
        assert (supervisor["city"]["open"], supervisor["city"]["overdue"]) == (2, 1)
        assert supervisor["waiting"] == {
            "mine": 0, "due_soon": 1, "to_verify": 2, "to_approve": 0, "imports": 0, "notes": 0
        }  # fmt: skip
        assert supervisor["city"]["silent_units"] == 3  # the fourth was sent
        assert supervisor["behind"]["accounts"] is None
        assert told("dispatcher", ["B"])["city"]["open"] == 1
        auditor = told("auditor")
        assert auditor["city"]["open"] is None
        assert auditor["city"]["free_units"] is None
        assert auditor["behind"]["audited_at"] is not None
        assert told("administrator")["behind"]["accounts"] >= 6
