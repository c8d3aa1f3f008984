"""`up --workers 2`: two processes serve from one port, and what holds for one holds for both."""

import contextlib
import json
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drills import squares
from drills.kit import City, alive, command, folder, until
from geo_grid.db import connect
from tests.feeds import cameras
from tests.identities import PASSWORD, logged_in, user

PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def both() -> Iterator[City]:
    limits = {"GEO_GRID_RATE_LIMIT": "1000/hour", "GEO_GRID_LOGIN_RATE_LIMIT": "8/hour"}
    with folder() as place:
        city = City(place, limits)
        try:
            said = city.run("up", "--empty", "--detach", "--workers", "2", "--port", str(city.port))
            assert said.count("geo_grid is ready") == 1
            squares.found(city.conninfo)
            yield city
        finally:
            city.done("down")


@pytest.fixture(scope="module")
def key(both: City) -> str:
    return both.new_key()


@contextlib.contextmanager
def at(city: City, number: int, key: str | None = None, peer: str = "127.0.0.1 1") -> Iterator[httpx.Client]:
    """A client of one of the two, as a neighbour asks it: by its socket, for somebody whose address is named."""
    way = httpx.HTTPTransport(uds=str(city.state_dir / f"workers/{number}"))
    headers = {"geo-grid-peer": peer, **({"Authorization": f"Bearer {key}"} if key else {})}
    with httpx.Client(transport=way, base_url=f"http://127.0.0.1:{city.port}", headers=headers, timeout=60) as client:
        yield client


def servers(city: City) -> list[int]:
    """Those who serve, without the one that stands by: that has no socket to listen at."""
    return city.of(b"serve-supervised")[:2]


def test_the_doctor_reads_what_all_of_them_measure(both: City) -> None:
    said = {one["what"]: one for one in json.loads(both.done("doctor", "--json").stdout)}
    assert said["servers"]["found"].startswith("2, with ")
    assert "desk: " in said["connections"]["found"]
    assert " answered, " in said["requests"]["found"]
    assert all(said[what]["ok"] for what in ("servers", "connections", "in memory"))
    with connect(both.conninfo) as connection:
        keys = connection.execute(
            "select revoked_at is null as is_worth from access.credentials join access.principals using (principal_id)"
            " where login_name = 'doctor'"
        ).fetchall()
    assert [key["is_worth"] for key in keys] == [False]


def test_a_log_out_at_one_is_a_log_out_at_the_other(both: City) -> None:
    name = user(both.conninfo, "dispatcher")
    with at(both, 1, peer="10.0.0.1 1") as one, at(both, 2, peer="10.0.0.1 1") as two:
        opened = one.post("/session", json={"name": name, "password": PASSWORD})
        assert opened.status_code == 200, opened.text
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in opened.cookies.items())}
        token = one.get("/session", headers=cookie).json()["csrf_token"]
        for client in (one, two):
            assert client.get("/incidents", headers=cookie).status_code == 200
        assert one.delete("/session", headers={**cookie, "X-CSRF-Token": token}).status_code == 204
        assert one.get("/incidents", headers=cookie).status_code == 401
        until(lambda: two.get("/incidents", headers=cookie).status_code == 401, "it goes on", PATIENCE_S)


def test_a_limit_holds_over_both_and_over_the_death_of_one(both: City) -> None:
    with at(both, 1, peer="10.0.0.2 1") as one, at(both, 2, peer="10.0.0.2 1") as two:
        names = (f"nobody-{number}" for number in range(11))
        wrong = ({"name": name, "password": "x"} for name in names)  # one name would be locked
        said = [client.post("/session", json=next(wrong)).status_code for client in (one, two) * 5]
    assert said.count(401) == 8
    assert said[8:] == [429, 429]
    with at(both, 1, peer="10.0.0.3 1") as one:  # of another address
        assert one.post("/session", json=next(wrong)).status_code == 401


def test_what_happens_at_one_is_told_to_those_who_listen_at_the_other(both: City, key: str) -> None:
    heard: queue.Queue[str] = queue.Queue()
    with at(both, 1, key) as one, at(both, 2, key) as two:

        def listen() -> None:
            with contextlib.suppress(httpx.HTTPError), two.stream("GET", "/events") as answer:
                for line in answer.iter_lines():
                    heard.put(line)

        threading.Thread(target=listen, daemon=True).start()
        assert "listening" in heard.get(timeout=PATIENCE_S)
        lon, lat = squares.WEST + squares.SIDE / 2, squares.SOUTH + squares.SIDE / 2
        made = one.post("/incidents", json={"lon": lon, "lat": lat, "category": "help"})
        assert made.status_code == 201, made.text
        began, told = time.monotonic(), ""
        while f'"incident_id": {made.json()["incident_id"]}' not in told:
            told = heard.get(timeout=PATIENCE_S)
        assert time.monotonic() - began < 2
        assert two.get(made.headers["location"]).status_code == 200


def test_what_is_due_is_done_once_and_both_know(both: City, key: str) -> None:
    planner = both.new_key("planner")
    with at(both, 1, planner) as planning, at(both, 2, key) as approving:
        draft = planning.post("/boundaries/drafts", json={"title": "due"}).json()["draft_id"]
        step = {"operation": "describe", "codes": ["C0505"], "name": "due once"}
        assert planning.post(f"/boundaries/drafts/{draft}/steps", json=step).status_code == 201
        assert planning.post(f"/boundaries/drafts/{draft}/submit", json={}).status_code == 200
        with connect(both.conninfo) as connection:
            row = connection.execute("select now() + interval '1.5 s' as soon, count(*) as n from editions").fetchone()
        assert row is not None
        approval = {"note": "x", "effective_at": row["soon"].isoformat()}
        assert approving.post(f"/boundaries/drafts/{draft}/publish", json=approval).status_code == 200
    place = {"lon": squares.WEST + 5.5 * squares.SIDE, "lat": squares.SOUTH + 5.5 * squares.SIDE}
    for number in (1, 2):
        with at(both, number, key) as client:
            until(
                lambda client=client: (
                    client.get("/locate", params=place).json()["grid_cells"][-1]["name"] == "due once"
                ),
                f"server {number} answers from the edition before",
            )
    time.sleep(2)
    with connect(both.conninfo) as connection:
        found = connection.execute(
            "select (select count(*) from editions) as n, (select count(*) from due_work where attempts > 0) as failed"
        ).fetchone()
    assert found == {"n": row["n"] + 1, "failed": 0}


def test_metrics_are_those_of_both_whichever_is_asked(both: City, key: str) -> None:
    def read(client: httpx.Client) -> dict[tuple[str, ...], float]:
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.text
        families = list(text_string_to_metric_families(answer.text))
        assert len({one.name for one in families}) == len(families)
        return {
            (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
            for family in families for one in family.samples
        }  # fmt: skip

    def levels(found: dict[tuple[str, ...], float]) -> list[float]:
        return [found.get(("geo_grid_requests_total", "GET", "/levels", "200", worker), 0) for worker in "12"]

    with both.client(key) as client, at(both, 1, key) as one, at(both, 2, key) as two:
        before = levels(read(client))
        for asked in (one, two, two):
            assert asked.get("/levels").status_code == 200
        found = read(client)
    assert [now - then for now, then in zip(levels(found), before, strict=True)] == [1, 2]
    for worker in "12":
        assert found["process_resident_memory_bytes", worker] > 1e7
        assert found["geo_grid_connections", "open", "desk", worker] >= 1
    assert found["geo_grid_due_rows", "tidy"] == 1  # of the database, once


def test_a_picture_is_asked_for_at_the_one_that_has_it(both: City, key: str) -> None:
    """Of which there is none here: the other says so, with its own headers, and has counted it."""
    with at(both, 1, key) as one:
        way = httpx.HTTPTransport()
        with httpx.Client(transport=way, base_url=both.url, headers={"Authorization": f"Bearer {key}"}) as client:
            answers = [client.get(f"/feeds/{letter}{'x' * 23}") for letter in "BC"]
        counted = (
            one.get("/metrics").text + httpx.get(f"{both.url}/metrics", headers={"Authorization": f"Bearer {key}"}).text
        )
    for answer in answers:
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.headers.get_list("x-request-id")) == 1
    for worker in "12":
        line = f'geo_grid_requests_total{{method="GET",route="/feeds/{{feed_id}}",status="404",worker="{worker}"}} 1.0'
        assert line in counted


def test_pictures_of_both_are_seen_over_one_connection(both: City, key: str) -> None:
    camera = "13050200001320000001"
    with cameras.source() as h264, cameras.camera(h264) as plays:
        with connect(both.conninfo) as connection:
            connection.execute(
                "insert into cameras (gb28181_id, name, geom, grid_code)"
                " values (%s, 'x', ST_SetSRID(ST_MakePoint(%s, %s), 4490), 'C0000')",
                (camera, squares.WEST + squares.SIDE / 2, squares.SOUTH + squares.SIDE / 2),
            )
        with logged_in(both.url, user(both.conninfo, "administrator")) as administrator:
            host = {"host": "127.0.0.1", "port": plays.port}
            assert administrator.put("/streams/hosts/plays", json=host).status_code == 204
            listed = {"cameras": [{"gb28181_id": camera, "path": plays.PATH}]}
            assert administrator.put("/streams/hosts/plays/cameras", json=listed).json() == {"camera_count": 1}
        feeds = []
        for number in (1, 2):
            with at(both, number, key) as begins:
                opened = begins.post(f"/cameras/{camera}/openings", json={"reason": "a look"})
                assert opened.status_code == 201, opened.text
                feeds.append(opened.json()["feed"])
        assert [feed["feed_id"][0] for feed in feeds] == ["B", "C"]
        with both.client(key) as one_connection:
            for feed in feeds:
                playlist = one_connection.get(feed["playlist"])
                assert playlist.status_code == 200, playlist.text
                assert one_connection.get(feed["playlist"].replace("live.m3u8", "init.mp4")).content[4:8] == b"ftyp"
                assert one_connection.delete(f"/feeds/{feed['feed_id']}").status_code == 204
                assert one_connection.get(feed["playlist"]).status_code == 404
    with connect(both.conninfo) as connection:  # of the client, not of the neighbour that handed it on
        rows = connection.execute(
            "select distinct host(address) as a from access.audit_log where object_id = %s", (camera,)
        )
        assert rows.fetchall() == [{"a": "127.0.0.1"}]


def test_nobody_names_a_peer_from_outside(both: City, key: str) -> None:
    """The header counts on the socket of neighbours alone: an address in the audit is nobody's to choose."""
    for _ in range(2):
        httpx.post(f"{both.url}/session", json={"name": "no", "password": "x"}, headers={"geo-grid-peer": "10.9.9.9 1"})
    with connect(both.conninfo) as connection:
        row = connection.execute(
            "select count(*) as n from access.audit_log where address = '10.9.9.9'::inet"
        ).fetchone()
    assert row == {"n": 0}


def test_the_others_answer_while_one_is_dead_and_it_comes_back(both: City, key: str) -> None:
    until(lambda: len(both.of(b"serve-supervised")) == 3, "none stands by")
    killed = servers(both)[0]
    with both.client(key) as client:
        assert client.get("/levels").status_code == 200
    os.kill(killed, signal.SIGKILL)
    until(lambda: not alive(killed), "it lives")
    answered = []
    for _ in range(30):
        began = time.monotonic()
        assert httpx.get(f"{both.url}/healthz", timeout=30).status_code == 200
        answered.append(time.monotonic() - began)
    assert max(answered) < 3, answered
    for number in (1, 2):

        def is_there(number: int = number) -> bool:
            with contextlib.suppress(httpx.HTTPError), at(both, number, key) as client:
                return client.get("/readyz").status_code == 200
            return False

        until(is_there, f"server {number} did not come back")
    assert "was killed by SIGKILL: it is started again" in " ".join(both.log.read_text().split())
    assert all(command(one) for one in servers(both))
