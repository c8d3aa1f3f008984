"""Who may do what: every route for every role; and the same question by every way in, inside and outside one's cells."""

import json
from collections.abc import Iterator

import httpx
import mapbox_vector_tile
import psycopg
import pytest
from fastapi.routing import iter_route_contexts
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.api.app import create_app
from geo_grid.api.rights import RIGHTS
from geo_grid.db import connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.identities import api_key, bearing, kiosk_token, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
IN_D = (WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)
ROLES = ("wall", "dispatcher", "planner", "supervisor", "administrator", "auditor")

# route -> who is answered; everybody else gets 403, and who is not logged in 401 (a page: 303 to the log-in)
EVERYBODY = set(ROLES)
MAP = EVERYBODY - {"auditor"}
EXPECTED: dict[str, set[str] | None] = {
    "GET /healthz": None, "GET /readyz": None, "GET /.well-known/security.txt": None, "GET /login": None,
    "POST /session": None, "POST /session/kiosk": None, "GET /session/oidc": None, "GET /session/oidc/callback": None,
    "GET /": EVERYBODY, "GET /account": EVERYBODY, "GET /session": EVERYBODY, "DELETE /session": EVERYBODY,
    "GET /docs": EVERYBODY - {"wall"}, "GET /openapi.json": MAP, "GET /maps/wall": MAP,
    "GET /admin": {"administrator"}, "GET /auditor": {"auditor"},
    "PUT /session/password": EVERYBODY - {"wall"}, "POST /session/factor": EVERYBODY - {"wall"},
    "PUT /session/factor": EVERYBODY - {"wall"},
    "GET /locate": MAP, "GET /desk": MAP, "POST /locate": {"dispatcher", "planner", "supervisor"},
    "GET /collections": MAP, "GET /collections/{layer}": MAP, "GET /collections/{layer}/items": MAP,
    "GET /collections/{layer}/items/{item}": MAP, "GET /events": MAP,
    "GET /collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}": MAP,
    "GET /collections/{layer}/export": {"planner", "supervisor"},
    "GET /incidents": {"wall", "dispatcher", "planner", "supervisor"},
    "GET /incidents/{incident_id}": {"wall", "dispatcher", "planner", "supervisor"},
    "POST /incidents": {"dispatcher", "supervisor"},
    "POST /cameras/{gb28181_id}/openings": {"dispatcher", "supervisor"},
    **{route: {"administrator"} for route in (
        "GET /accounts", "POST /accounts", "PATCH /accounts/{name}", "POST /accounts/{name}/password",
        "DELETE /accounts/{name}/factor", "GET /roles", "PATCH /roles/{role}", "GET /credentials",
        "POST /credentials", "DELETE /credentials/{credential_id}")},
    "GET /audit": {"auditor"}, "GET /audit/export": {"auditor"}, "GET /audit/verification": {"auditor"},
}  # fmt: skip
PAGES = {"/", "/account", "/docs", "/maps/wall", "/admin", "/auditor"}
FILLED = {"layer": "grid_cells", "item": "A", "z": "14", "y": "6350", "x": "13400", "incident_id": "1", "name": "nobody",
          "role": "nobody", "credential_id": "999999", "gb28181_id": "13050200001310000001"}  # fmt: skip


@pytest.fixture
def city(database: str) -> Iterator[tuple[str, str]]:
    """A served city of four cells A to D, with something of every kind in A and in D; (address, owner's way in)."""
    with connect(database) as connection:
        two_by_two(connection)
        for cell, (lon, lat) in (("A", IN_A), ("D", IN_D)):
            spot = {"cell": cell, "lon": lon, "lat": lat, "camera": f"130502000013100000{ord(cell)}"}
            for statement in (
                "insert into duties (grid_code, duty_role, person_name, phone) values (%(cell)s, 'grid_lead', 'lead-' || %(cell)s, '12345')",
                "insert into police_posts (post_code, name, geom) values ('post-' || %(cell)s, 'x', {})",
                "insert into patrol_units (unit_code, name, unit_kind, geom) values ('unit-' || %(cell)s, 'x', 'car', {})",
                "insert into facilities (facility_code, facility_kind, name, geom) values ('facility-' || %(cell)s, 'school', 'x', {})",
                "insert into cameras (gb28181_id, name, geom, grid_code) values (%(camera)s, 'camera-' || %(cell)s, {}, %(cell)s)",
                "insert into incidents (category, description, caller_number, geom, grid_code, edition_id)"
                " values ('incident-' || %(cell)s, 'text-' || %(cell)s, '13912345678', {}, %(cell)s, 1)",
            ):
                connection.execute(
                    statement.format("ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)"), spot, prepare=False
                )
    with live_server(database) as url:
        yield url, database


def as_role(url: str, database: str, role: str):
    if role == "wall":
        return bearing(url, api_key(database, "wall"))
    return logged_in(url, user(database, role))


def test_every_route_is_decided_about_and_expected_here(database: str) -> None:
    app = create_app(Settings(database_url=database, app_database_url=database), database)
    served = {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in getattr(context.original_route, "methods", None) or ()
    }
    assert served == EXPECTED.keys()
    assert {f"{method} {path}" for method, path in RIGHTS} == EXPECTED.keys()


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_every_route_answers_whom_it_should(city: tuple[str, str], role: str) -> None:
    url, database = city
    with httpx.Client(base_url=url, timeout=30) if role == "nobody" else as_role(url, database, role) as client:
        for route, allowed in EXPECTED.items():
            method, _, path = route.partition(" ")
            if route == "DELETE /session" or (path == "/events" and role in MAP):
                continue  # ends the session; never ends
            answer = client.request(method, path.format(**FILLED))
            if allowed is None:
                assert answer.status_code not in (403, 500), route
            elif role == "nobody":
                assert answer.status_code == (303 if path in PAGES else 401), route
            elif role in allowed:
                assert answer.status_code not in (401, 403, 500), (route, answer.text)
            else:
                assert answer.status_code == 403, (route, answer.text)


WAYS = {
    "lookup": "/locate?lon={lon}&lat={lat}",
    "desk": "/desk?lon={lon}&lat={lat}",
    "past": "/locate?lon={lon}&lat={lat}&at=2100-01-01T00:00:00Z",
    **{f"items of {layer}": f"/collections/{layer}/items?bbox=114,36,115,38&zoom=18"
       for layer in ("grid_cells", "police_posts", "patrol_units", "facilities", "cameras", "incidents")},
    "cell": "/collections/grid_cells/items/{cell}",
    "post": "/collections/police_posts/items/post-{cell}",
    "incidents": "/incidents",
    "export": "/collections/incidents/export?f=csv",
    "export of cells": "/collections/grid_cells/export?f=csv",
}  # fmt: skip


@pytest.mark.parametrize("role", ["supervisor", "wall"])
def test_no_way_in_tells_of_another_cell(city: tuple[str, str], role: str) -> None:
    url, database = city
    marks = ("lead-D", "post-D", "unit-D", "facility-D", "camera-D", "incident-D", "text-D", '"grid_code":"D"', ",D,")
    with bearing(url, api_key(database, role, ["A"])) as client:
        for way, path in WAYS.items():
            for cell, (lon, lat) in (("A", IN_A), ("D", IN_D)):
                answer = client.get(path.format(lon=lon, lat=lat, cell=cell))
                assert answer.status_code in ((200, 404) if "export" not in way else (200, 403)), way
                if answer.status_code == 404 and cell == "D":
                    continue  # it names what was asked for
                assert not any(mark in answer.text.replace(": ", ":") for mark in marks), (way, answer.text)
        there, nowhere = (client.get("/locate", params={"lon": lon, "lat": lat}).json() for lon, lat in (IN_D, (0, 0)))
        assert {**there, "point": 0} == {**nowhere, "point": 0}
        one, none = (client.get(f"/collections/grid_cells/items/{code}") for code in ("D", "Z"))
        assert (one.status_code, one.text.replace("D", "Z")) == (none.status_code, none.text)
        assert client.get("/incidents/2").status_code == client.get("/incidents/77").status_code == 404
        if role == "supervisor":
            body = {"points": [IN_A, IN_D, (0, 0)]}
            owners = [p["grid_code"] for p in client.post("/locate", json=body).json()["points"]]
            assert owners == ["A", None, None]
            assert client.post("/incidents", json={"lon": IN_D[0], "lat": IN_D[1], "category": "x"}).status_code == 403
        drawn: set[str] = set()
        for layer in ("grid_cells", "cameras", "incidents"):
            zoom = 12
            x = int((IN_A[0] + 180) / 360 * 2**zoom)
            tiles = [
                client.get(f"/collections/{layer}/tiles/WebMercatorQuad/{zoom}/{y}/{x}") for y in range(1585, 1600)
            ]
            drawn |= {json.dumps(mapbox_vector_tile.decode(t.content)) for t in tiles if t.status_code == 200}
        assert drawn
        assert not any("incident-D" in tile or "camera-D" in tile or '"D"' in tile for tile in drawn)


def test_the_events_tell_only_of_ones_own_cells(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher", ["A"])) as client:
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            while not next(lines).startswith(": listening"):
                pass
            with bearing(url, api_key(database, "dispatcher")) as other:
                for lon, lat in (IN_D, IN_A):
                    made = other.post("/incidents", json={"lon": lon, "lat": lat, "category": "x"}).json()
            told = next(line for line in lines if line.startswith("data:"))
    assert told == f"data: {made['incident_id']}"  # the one in A; the one in D came before it


def test_the_wall_shows_no_more_than_it_should(city: tuple[str, str]) -> None:
    url, database = city
    token = kiosk_token(database)
    with httpx.Client(base_url=url, timeout=30) as screen:
        assert screen.post("/session/kiosk", json={"token": token}).status_code == 204
        assert screen.get("/maps/wall").status_code == 200
        seen = screen.get("/incidents").text + screen.get("/desk?incident=1").text
        assert "incident-A" in seen
        assert not any(word in seen for word in ("text-A", "lead-A", "13912345678", "12345"))
        for path in ("/account", "/docs", "/openapi.json", "/collections/cameras/export"):
            assert screen.get(path).status_code == 403, path
        assert screen.post("/incidents", json={}).status_code == 403
    other = kiosk_token(database, network="10.9.8.0/24")
    with bearing(url, other) as elsewhere:
        assert elsewhere.get("/incidents").status_code == 401
        assert elsewhere.get("/incidents", headers={"X-Forwarded-For": "10.9.8.7"}).status_code == 401


def test_the_callers_number_is_for_the_handling_dispatcher(city: tuple[str, str]) -> None:
    url, database = city
    call = {"lon": IN_A[0], "lat": IN_A[1], "category": "x", "caller_number": "13987654321"}
    with logged_in(url, user(database, "dispatcher")) as mine, logged_in(url, user(database, "supervisor")) as other:
        made = mine.post("/incidents", json=call).json()
        assert mine.get(f"/incidents/{made['incident_id']}").json()["caller_number"] == "13987654321"
        assert other.get(f"/incidents/{made['incident_id']}").json()["caller_number"] == "*********21"


def test_postgresql_itself_refuses_what_another_credential_may(city: tuple[str, str]) -> None:
    _, database = city
    key = digest_of(api_key(database, "dispatcher", ["A"]))
    with psycopg.connect(make_conninfo(database, user=APPLICATION_ROLE), autocommit=True) as connection:
        connection.execute("select set_config('geo_grid.credential', %s, false)", (key,))
        assert connection.execute("select array_agg(category) from incidents").fetchone() == (["incident-A"],)
        assert connection.execute("select count(*) from grid_cells where grid_code = 'D'").fetchone() == (0,)
        for statement in (
            "select caller_number from incidents",
            "select description from incidents",
            "update access.audit_log set actor_name = 'me'",
            "delete from access.audit_log",
            "select * from access.passwords",
            "select * from access.credentials",
            "select access.login_facts('admin')",
            "select access.record('a.b', '', '', 'done')",
            "select access.list_principals()",
            "select access.admit_server(repeat('0', 64), interval '1 day')",
            "alter table incidents disable row level security",
            "alter table incidents no force row level security",
            "drop policy incidents_seen on incidents",
            "set role geo_grid",
            "copy incidents to program 'cat'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
