"""Everything the OpenAPI document allows, and much that it does not, asked by schemathesis; and SQL smuggled in."""

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.access.test_rights import EXPECTED
from tests.conftest import live_server
from tests.identities import logged_in, user

SCHEMATHESIS = Path(__file__).parents[2] / ".venv/bin/schemathesis"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
ENDLESS = ["/events", "/session", "/session/kiosk", "/session/password", "/session/factor"]  # end the session, or never


def asked_of(role: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document; for others than supervisors, what they may do and supervisors may not. The same question of
    everybody, and what each is refused, is asked by test_rights."""
    for path, operations in list(document["paths"].items()):
        for method in operations.keys() - {"parameters"}:
            allowed = EXPECTED.get(f"{method.upper()} {path}")
            if role != "supervisor" and (allowed is None or role not in allowed or "supervisor" in allowed):
                del operations[method]
        if not operations.keys() - {"parameters"}:
            del document["paths"][path]
    return document


@pytest.mark.parametrize("role", ["supervisor", "administrator", "auditor"])
def test_no_question_makes_the_server_fail(small_city: str, role: str, tmp_path: Path) -> None:
    with live_server(small_city) as url, logged_in(url, user(small_city, role)) as client:
        admin = user(small_city, "administrator")
        with logged_in(url, admin) as reader:
            document = tmp_path / "openapi.json"
            document.write_text(json.dumps(asked_of(role, reader.get("/openapi.json").json())), encoding="utf-8")
        cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
        command = [
            SCHEMATHESIS, "run", document, "--url", url, "--checks", CHECKS, "--max-examples", "3", "--seed", "4",
            "--phases", "fuzzing", "--request-timeout", "90", "--header", f"Cookie: {cookie}",
            "--header", f"X-CSRF-Token: {client.headers['X-CSRF-Token']}", "--no-color",
        ]  # fmt: skip
        for path in ENDLESS:
            command += ["--exclude-path", path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert client.get("/session").status_code == 200


def test_every_route_names_the_parameters_it_has_when_asked_another(database: str) -> None:
    """A misspelt one was ignored: `/locate?at_time=...` answered with today's owners."""
    roles = ("supervisor", "administrator", "auditor", "planner", "dispatcher")
    with live_server(database) as url, contextlib.ExitStack() as open_clients:
        clients = [open_clients.enter_context(logged_in(url, user(database, role))) for role in roles]
        document = clients[1].get("/openapi.json").json()
        for path, operations in document["paths"].items():
            address = re.sub(r"{\w+}", "1", path)
            for method in operations.keys() - {"parameters"}:
                asked = [one.request(method, address, params={"at_time": 1}) for one in clients]
                if path == "/session/oidc/callback":  # a provider adds parameters of its own; here is none
                    assert {answer.status_code for answer in asked} == {404}
                    continue
                assert {answer.status_code for answer in asked} <= {400, 403}, (method, path)
                (words,) = {answer.json()["detail"] for answer in asked if answer.status_code == 400}
                assert "there is no parameter 'at_time' here" in words, (method, path)
                named = {one["name"] for one in operations[method].get("parameters", ()) if one["in"] == "query"}
                assert all(name in words for name in named), (method, path)
        for page in ("/login", "/imports", "/maps/wall", "/maps/desk", "/maps/planner"):  # their scripts read some
            assert clients[0].get(page, params={"incident": 1, "x": 2}).status_code == 200
        assert clients[0].get("/", params={"x": 1}).status_code == 400


SMUGGLED = [
    "'", '"', "';select pg_sleep(9)--", "' or '1'='1", "1 union select hash from access.passwords", "\\'; drop table incidents; --",
    "%", "%' and 1=1--", "$$;select 1;$$", "{0}", "%(id)s", "%s", "A'||(select login_name from access.principals limit 1)||'",
    "\u2019 or 1=1", "1;set role geo_grid", "geo_grid.credential", "a" * 100,
]  # fmt: skip


def test_sql_smuggled_into_any_place_is_only_text(small_city: str) -> None:
    with live_server(small_city) as url, logged_in(url, user(small_city, "dispatcher", ["A"])) as client:
        for text in SMUGGLED:
            quoted = httpx.QueryParams({"x": text})["x"]
            asked = [
                client.get("/collections/grid_cells/items/" + httpx.URL(path="/" + quoted).raw_path.decode()[1:]),
                client.get("/locate", params={"lon": text, "lat": 1}),
                client.get("/locate", params={"lon": 1, "lat": 1, "source_crs": text}),
                client.get("/locate", params={"lon": 1, "lat": 1, "at": text}),
                client.get("/collections/cameras/items", params={"bbox": text}),
                *(
                    client.get("/collections/incidents/items", params={name: text})
                    for name in (
                        "filter",
                        "sortby",
                        "properties",
                        "datetime",
                        "after",
                        "crs",
                        "bbox-crs",
                        "f",
                        "grid_code;x",
                    )
                ),
                client.get("/collections/incidents/items", params={text[:50] or "x": "1"}),
                client.get("/incidents", params={"before": text}),
                client.get("/events", headers={"Last-Event-ID": text.encode("ascii", "replace").decode()}),
                client.post("/session", json={"name": text[:64], "password": text}),
                client.get("/session", headers={"Authorization": f"Bearer {text}".encode("ascii", "replace").decode()}),
            ]
            assert all(answer.status_code in (400, 401, 403, 404, 422, 429) for answer in asked), [
                (text, str(a.request.url), a.status_code) for a in asked if a.status_code == 200 or a.status_code > 429
            ]
            for filtered in (
                {"filter": "category = '" + text.replace("'", "''") + "'"},
                {"category": text},
                {"grid_code": text},
            ):
                found = client.get("/collections/incidents/items", params=filtered)
                assert found.status_code == 400 or found.json()["features"] == [], (filtered, found.text)
            call = {"lon": 114.503, "lat": 37.003, "category": text, "description": text, "address": text}
            made = client.post(
                "/incidents", json=call, headers={"Idempotency-Key": text.encode("ascii", "replace").decode()}
            )
            assert made.status_code == 201
            assert made.json()["description"] == text.strip()
        assert {cell["grid_code"] for cell in _codes(client)} == {"A", "P"}


def _codes(client: httpx.Client) -> list[dict]:
    found = client.get("/collections/grid_cells/items", params={"bbox": "114,36,116,38"}).json()["features"]
    above = client.get("/collections/grid_cells/items/P").json()
    return [feature["properties"] for feature in [*found, above]]
