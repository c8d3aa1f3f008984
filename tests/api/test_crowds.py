"""One cannot stop the others: readers that do not read, much work at once, half-sent requests, many screens."""

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from geo_grid import coordinates
from geo_grid.api.server import sockets
from geo_grid.api.server.shares import Lending
from geo_grid.budgets import LOGGING_IN, Budget
from geo_grid.db import Asker, Cluster, acting, connect, open_pool, translated_errors
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.errors import Busy, DatabaseUnavailable, GivenUp, TooMany
from tests.access.test_oidc import free_port
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import PASSWORD, api_key, bearing, kiosk_token, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
MANY = f"""insert into incidents (category, address, geom, grid_code)
    select 'a', repeat('x', 400), ST_SetSRID(ST_MakePoint({WEST}, {SOUTH}), 4490), 'A' from generate_series(1, 20000)"""


def ask_and_not_read(url: str, path: str, key: str, address: str = "127.0.0.1") -> socket.socket:
    """Send a request and never read its answer."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.bind((address, 0))
    host, port = url.removeprefix("http://").split(":")
    made.connect((host, int(port)))
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    return made


@contextlib.contextmanager
def held(sockets_made: list[socket.socket]) -> Iterator[None]:
    try:
        yield
    finally:
        for one in sockets_made:
            one.close()


@pytest.fixture(scope="module")
def crowded_template(cluster: Cluster) -> Iterator[str]:
    """Name of a database of four cells with incidents whose list is longer than what sockets hold."""
    name = "template_crowded"
    with new_database(cluster, name) as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            connection.execute(MANY)
        yield name


@pytest.fixture
def crowded(cluster: Cluster, crowded_template: str) -> Iterator[str]:
    """A copy of that city."""
    with new_database(cluster, f"crowded_{time.monotonic_ns()}", crowded_template) as conninfo:
        yield conninfo


def test_readers_that_do_not_read_hold_nothing_that_others_need(crowded: str) -> None:
    """Nine of them, of three accounts; a log-in, health, a tile and a place go on."""
    keys = [api_key(crowded, "dispatcher") for _ in range(3)]
    name, wanted = user(crowded, "planner"), "/collections/incidents/items?f=geojsonseq&limit=20000"
    with live_server(crowded) as url, held([ask_and_not_read(url, wanted, key) for key in keys * 3]):
        time.sleep(3)  # they are answered as far as the sockets take it
        with httpx.Client(base_url=url, timeout=20) as client:
            assert client.get("/readyz").status_code == 200
            assert client.post("/session", json={"name": name, "password": PASSWORD}).status_code == 200
        with bearing(url, api_key(crowded, "planner")) as client:
            assert client.get("/locate", params=HERE).status_code == 200
            assert client.get("/collections/grid_cells/tiles/WebMercatorQuad/0/0/0").status_code in (200, 204)
            begun = time.monotonic()
            while idle_in_transaction(crowded):
                assert time.monotonic() - begun < 20
                time.sleep(0.2)


def idle_in_transaction(conninfo: str) -> int:
    """How many of the server's connections have begun something and wait."""
    with connect(conninfo) as connection:
        row = connection.execute(
            "select count(*) as n from pg_stat_activity where datname = current_database() and usename = %s"
            " and state = 'idle in transaction' and state_change < now() - interval '1 second'",
            (APPLICATION_ROLE,),
        ).fetchone()
    return int(row["n"]) if row else 0


def test_one_account_has_so_many_long_answers_and_no_more(crowded: str) -> None:
    key, wanted = api_key(crowded, "supervisor"), "/collections/incidents/items?f=geojsonseq&limit=20000"
    with live_server(crowded, answers_per_account=2) as url:
        with held([ask_and_not_read(url, wanted, key) for _ in range(2)]), bearing(url, key) as client:
            time.sleep(2)
            refused = client.get(wanted)
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        with bearing(url, key) as client:
            deadline = time.monotonic() + 90
            while client.get(wanted.replace("20000", "1")).status_code != 200:  # whoever left gives theirs back
                assert time.monotonic() < deadline
                time.sleep(0.2)


def test_a_long_list_arrives_whole(crowded: str) -> None:
    with connect(crowded) as connection:
        connection.execute("delete from incidents where incident_id > 5600")
    with live_server(crowded) as url, bearing(url, api_key(crowded, "supervisor")) as client:
        for limit, found, has_more in ((5_300, 5_300, True), (1_000_000, 5_600, False)):
            answer = client.get("/collections/incidents/items", params={"f": "geojsonseq", "limit": limit})
            assert (answer.text.count("\x1e"), "link" in answer.headers) == (found, has_more)


def test_one_account_cannot_borrow_all_connections(crowded: str) -> None:
    """Its slow questions wait for each other, and others are answered."""
    slow = "/collections/incidents/items?limit=10000&sortby=address,category&filter=" + "address%20LIKE%20'%25y%25'"
    with live_server(crowded, pool_size=4) as url:
        with connect(crowded) as connection:  # whoever reads incidents waits for this
            connection.execute("lock table incidents in access exclusive mode")
            greedy = [ask_and_not_read(url, slow, key) for key in [api_key(crowded, "dispatcher")] * 6]
            with held(greedy), bearing(url, api_key(crowded, "planner")) as client:
                time.sleep(1)
                begun = time.monotonic()
                assert client.get("/collections/grid_cells/items").status_code == 200
                assert time.monotonic() - begun < 3


def test_work_is_bounded_in_number_by_kind_and_account() -> None:
    async def crowd() -> list[str]:
        budget, gate = Budget("tests", at_once=2, waiting=3, each=4), threading.Event()
        mine = [asyncio.create_task(budget.run(1, gate.wait)) for _ in range(4)]
        await asyncio.sleep(0.05)
        said = []
        for account in (1, 2, 2):
            try:
                await asyncio.wait_for(budget.run(account, int), 5)
                said.append("answered")
            except (TooMany, Busy) as error:
                said.append(type(error).__name__)
        gate.set()
        assert await asyncio.gather(*mine) == [True] * 4
        assert await budget.run(2, int) == 0
        async with budget.turn(2):
            assert await budget.run(3, int) == 0
        return said

    assert asyncio.run(crowd()) == ["TooMany", "answered", "answered"]


def test_nobody_waits_for_the_usual_systems(small_city: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinates, "_resolved", {})  # as in a process that has just begun
    key = api_key(small_city, "dispatcher")
    with live_server(small_city) as url, bearing(url, key) as client, ThreadPoolExecutor(16) as threads:
        asked = [{"category": "theft", "source_crs": crs, **HERE} for crs in ("EPSG:4490", "EPSG:4326")] * 16
        answers = list(threads.map(lambda one: client.post("/incidents", json=one), asked))
    assert {answer.status_code for answer in answers} == {201}


def test_a_small_answer_waits_for_no_acknowledgement(small_city: str) -> None:
    key = api_key(small_city, "dispatcher")
    with live_server(small_city) as url:
        host, port = url.removeprefix("http://").split(":")
        question = f"GET /session HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        times = []
        with socket.create_connection((host, int(port))) as made:
            for _ in range(40):
                began = time.monotonic()
                made.sendall(question)
                told = b""
                while b"}" not in told:
                    told += made.recv(4096)
                times.append(time.monotonic() - began)
    assert sorted(times)[20] < 0.03, "the median of 40: each waited for the delayed acknowledgement of its first part"


def test_accounts_whose_work_takes_long_never_have_all_turns_together() -> None:
    """Two planners who sent slow files made a third wait for a minute with one row."""

    async def crowd() -> list[int]:
        budget, gate = Budget("tests", at_once=2, waiting=9, each=4, slow_s=0.1), threading.Event()
        await asyncio.gather(*(budget.run(account, time.sleep, 0.2) for account in (1, 2)))
        slow = [asyncio.create_task(budget.run(account, gate.wait)) for account in (1, 2, 1, 2)]
        await asyncio.sleep(0.05)
        running = [budget.running]
        for account in (3, 4):
            assert await asyncio.wait_for(budget.run(account, int), 5) == 0
            running.append(budget.running)
        gate.set()
        assert await asyncio.gather(*slow) == [True] * 4
        return running

    assert asyncio.run(crowd()) == [1, 1, 1]


def test_nobody_waits_for_those_whose_work_takes_long_for_the_first_time() -> None:
    """Of two planners whom nobody knew yet, the slow files held both turns."""

    async def crowd() -> list[int]:
        budget, gate = Budget("tests", at_once=2, waiting=9, each=4, slow_s=9, relief_s=0.2), threading.Event()
        slow = [asyncio.create_task(budget.run(account, gate.wait)) for account in (1, 2, 1, 2)]
        await asyncio.sleep(0.05)
        running = [budget.running]
        waiting = [asyncio.create_task(budget.run(account, gate.wait)) for account in (3, 4)]
        await asyncio.sleep(1)
        running += [budget.running, budget.waiting]
        gate.set()
        assert await asyncio.gather(*slow, *waiting) == [True] * 6
        return running

    assert asyncio.run(crowd()) == [2, 3, 3]  # one more, and not of the same two


def test_the_last_connections_are_for_the_desk() -> None:
    """Joined circles of two accounts took all eight, and the desk was told to come back."""

    async def crowd() -> list[str]:
        lending, gate, told = Lending(4, 6), asyncio.Event(), []

        async def ask(account: int, name: str, is_for_desk: bool) -> None:
            async with lending.to(account, is_for_desk):
                told.append(name)
                await gate.wait()

        others = [asyncio.create_task(ask(account, "map", False)) for account in (1, 2) for _ in range(4)]
        await asyncio.sleep(0.05)
        desk = [asyncio.create_task(ask(account, "desk", True)) for account in (3, 4)]
        await asyncio.sleep(0.05)
        before = [*told]
        gate.set()
        await asyncio.gather(*others, *desk)
        assert len(told) == 10
        return before

    assert asyncio.run(crowd()) == ["map"] * 6 + ["desk"] * 2


def test_a_full_queue_says_so_at_once() -> None:
    async def crowd() -> None:
        budget, gate = Budget("tests", at_once=1, waiting=1, each=1), threading.Event()
        others = [asyncio.create_task(budget.run(account, gate.wait)) for account in (1, 2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await budget.run(3, int)
        gate.set()
        await asyncio.gather(*others)

    asyncio.run(crowd())


def test_log_in_does_not_wait_for_comparisons(small_city: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen differences of editions that take long: too many of one account are told so, and a log-in goes on."""
    from geo_grid.api.boundaries import drafts as boundaries

    gate, seen = threading.Event(), []

    def slow(connection: psycopg.Connection, *_: object) -> None:
        seen.append(connection.execute("show statement_timeout").fetchone())
        gate.wait(30)
        raise LookupError

    monkeypatch.setattr(boundaries.reading, "of_edition", slow)
    name, key = user(small_city, "planner"), api_key(small_city, "planner")
    with live_server(small_city) as url, bearing(url, key) as client, ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(client.get, "/boundaries/editions/1/changes?since=1") for _ in range(16)]
        try:
            time.sleep(1.5)
            begun = time.monotonic()
            with httpx.Client(base_url=url, timeout=20) as other:
                assert other.post("/session", json={"name": name, "password": PASSWORD}).status_code == 200
                assert other.get("/readyz").status_code == 200
            assert time.monotonic() - begun < 5
            assert client.get("/boundaries/drafts").status_code == 200
        finally:
            gate.set()
        statuses = [one.result().status_code for one in asked]
    assert statuses.count(429) >= 10
    assert seen[0]["statement_timeout"] == "2min"  # also on connections outside the pool


def test_the_desk_is_answered_while_bulk_and_drawing_are_full(crowded: str) -> None:
    """Lists in bulk held the connections that the desk's questions are asked with: two of two, here."""
    keys = [api_key(crowded, role) for role in ("planner", "supervisor", "planner", "supervisor")]
    name, line = user(crowded, "planner"), [[WEST + SIDE / 2, SOUTH - SIDE], [WEST + SIDE / 2, SOUTH + 3 * SIDE]]
    waved = [[WEST + SIDE * (0.5 + 0.01 * (n % 2)), SOUTH + SIDE * (n / 100 - 0.5)] for n in range(300)]
    siting = {"within": "P", "count": 1}
    with connect(crowded) as connection:
        connection.execute("delete from incidents where incident_id > 100")
    with live_server(crowded, pool_size=2) as url, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(bearing(url, key)) for key in keys]
        drafts = [
            client.post("/boundaries/drafts", json={"title": "x"}).json()["draft_id"] for client in clients[:4:2] * 2
        ]
        threads = stack.enter_context(ThreadPoolExecutor(20))
        asked = []
        with connect(crowded) as connection:  # all that reads incidents, or writes drafts, waits for this
            connection.execute("select from drafts for update")
            connection.execute("lock table incidents in access exclusive mode")
            for number, client in enumerate(clients):
                wanted = ("/collections/incidents/items?f=geojsonseq", "/collections/incidents/export?f=csv")
                asked += [threads.submit(client.get, path, timeout=60) for path in wanted]
                asked.append(threads.submit(client.post, "/response/siting", json=siting, timeout=60))
                for shape in (line, waved):
                    step = {"operation": "split", "codes": ["A"], "line": {"type": "LineString", "coordinates": shape}}
                    to = f"/boundaries/drafts/{drafts[number]}/steps"
                    asked.append(threads.submit(clients[number % 2 * 2].post, to, json=step, timeout=60))
            time.sleep(2)
            with bearing(url, api_key(crowded, "dispatcher")) as client:
                for path in ("/desk", "/locate"):
                    assert client.get(path, params=HERE, timeout=20).status_code == 200
                assert client.get("/readyz").status_code == 200
            with httpx.Client(base_url=url, timeout=20) as other:
                assert other.post("/session", json={"name": name, "password": PASSWORD}).status_code == 200
            assert sum(not one.done() for one in asked) >= 8
        for one in asked:
            if one.result().status_code in (429, 503):
                assert int(one.result().headers["retry-after"]) > 0


def test_half_sent_requests_and_silent_readers_are_given_up(crowded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_HEADERS_S", 1.0)
    monkeypatch.setattr(sockets, "_READING_S", 2.0)
    monkeypatch.setattr(sockets, "_BODY_S", 2.0)
    key = api_key(crowded, "supervisor")
    with live_server(crowded) as url:
        host, port = url.removeprefix("http://").split(":")
        half = socket.create_connection((host, int(port)))
        half.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        silent = socket.create_connection((host, int(port)))
        unfinished = socket.create_connection((host, int(port)))
        unfinished.sendall(
            f"POST /incidents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        not_read = ask_and_not_read(url, "/collections/incidents/items?limit=10000", key)
        with held([half, silent, unfinished, not_read]):
            for one in (half, silent, unfinished):
                one.settimeout(15)
                with contextlib.suppress(ConnectionResetError):
                    assert one.recv(100) == b""
            not_read.settimeout(30)
            not_read.recv(1, socket.MSG_PEEK)  # the answer comes
            time.sleep(5)
            read = b""
            with contextlib.suppress(ConnectionResetError):
                while part := not_read.recv(1 << 20):
                    read += part
            head, _, body = read.partition(b"\r\n\r\n")
            assert len(body) < int(head.lower().partition(b"content-length: ")[2].split()[0])  # it was cut off
        with bearing(url, key) as client:
            assert client.get("/locate", params=HERE).status_code == 200


def test_a_thousand_half_sent_requests_leave_room_for_others(small_city: str, tmp_path: Path) -> None:
    """With few descriptors: somebody else is answered, and somebody at the same address too."""
    port, key = free_port(), api_key(small_city, "planner")
    environment = {
        **os.environ,
        "GEO_GRID_DATABASE_URL": small_city,
        "GEO_GRID_APP_DATABASE_URL": make_conninfo(small_city, user=APPLICATION_ROLE),
        "GEO_GRID_PORT": str(port), "GEO_GRID_STATE_DIR": str(tmp_path),
    }  # fmt: skip
    few = "import resource as r, runpy; r.setrlimit(r.RLIMIT_NOFILE, (100, 400)); runpy.run_module('geo_grid')"
    server = subprocess.Popen([sys.executable, "-c", few, "serve"], env=environment)
    url, made = f"http://127.0.0.1:{port}", []
    try:
        deadline = time.monotonic() + 90
        while True:
            assert time.monotonic() < deadline
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            time.sleep(0.2)
        assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (400, 400)  # raised as far as it may be
        for _ in range(1000):
            with contextlib.suppress(OSError):
                one = socket.create_connection(("127.0.0.1", port), 2, source_address=("127.0.0.2", 0))
                made.append(one)
                one.sendall(b"GET /locate HTTP/1.1\r\nHost: x\r\nX-Half:")
        for address in ("127.0.0.1", "127.0.0.2"):
            transport = httpx.HTTPTransport(local_address=address)
            with httpx.Client(transport=transport, headers={"Authorization": f"Bearer {key}"}, timeout=10) as client:
                for path in ("/healthz", "/readyz", "/locate"):
                    answer = client.get(f"{url}{path}", params=HERE if path == "/locate" else None)
                    assert answer.status_code == 200, (address, path)
    finally:
        for one in made:
            one.close()
        server.terminate()
        server.wait(30)


def test_fifty_screens_behind_one_address_are_no_strangers(small_city: str) -> None:
    """They prove who they are at once, as after a restart, and again and again."""
    keys = [kiosk_token(small_city) for _ in range(50)]
    with live_server(small_city, anonymous_rate_limit="20/minute") as url, ThreadPoolExecutor(16) as threads:

        def look(key: str) -> int:
            with bearing(url, key) as client:
                return client.get("/collections").status_code

        for _ in range(2):
            assert set(threads.map(look, keys)) == {200}
            with connect(small_city) as connection:  # what makes the server ask about everybody again
                connection.execute("update access.roles set second_factor_required = second_factor_required")
            time.sleep(1.5)
        forged = [look("gg_k_" + f"{number:043d}") for number in range(60)]
        assert 429 in forged
        assert set(threads.map(look, keys[:5])) == {200}  # also beside somebody who tries secrets


def test_who_asks_log_in_and_health_need_no_connection_of_the_desk(crowded: str) -> None:
    """With all connections of the desk waiting, a key that nobody has shown before, a log-in and /readyz are answered."""
    name = user(crowded, "dispatcher")
    with live_server(crowded, pool_size=2) as url, connect(crowded) as holding, ThreadPoolExecutor(4) as threads:
        holding.execute("lock table incidents in access exclusive mode")
        for key in [api_key(crowded, "dispatcher") for _ in range(4)]:
            threads.submit(httpx.get, f"{url}/incidents/1", headers={"Authorization": f"Bearer {key}"}, timeout=90)
        while holding.execute("select from pg_locks where not granted").rowcount < 2:
            time.sleep(0.02)
        begun = time.monotonic()
        with bearing(url, api_key(crowded, "planner")) as client, logged_in(url, name):
            assert client.get("/session").status_code == 200
            assert client.get("/readyz").status_code == 200
        assert time.monotonic() - begun < 4
        holding.rollback()


class Gate:
    """Holds up what is called through it, until it is opened."""

    def __init__(self, then: object) -> None:
        self.opened, self.reached, self._then = threading.Event(), threading.Event(), then

    def __call__(self, *_: object) -> object:
        self.reached.set()
        assert self.opened.wait(30)
        return self._then

    async def later(self, *_: object) -> object:
        return await asyncio.to_thread(self)


def test_roads_are_asked_and_shapes_joined_without_a_connection(
    small_city: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one connection in the pool, others are answered while the desk and joined circles are at work."""
    from geo_grid import desk
    from geo_grid.api.response import areas

    ranking, joining = Gate([]), Gate([])
    monkeypatch.setattr(desk, "rank", ranking.later)
    monkeypatch.setattr(areas, "apart", joining.later)
    key, other = api_key(small_city, "dispatcher"), api_key(small_city, "planner")
    with live_server(small_city, pool_size=1) as url, bearing(url, key) as busy, bearing(url, other) as client:
        asked = {
            ranking: lambda: busy.get("/desk", params=HERE),
            joining: lambda: busy.get("/response/unions", params={"bbox": "114,36,115,38"}),
        }
        for gate, ask in asked.items():
            with ThreadPoolExecutor(1) as threads:
                waiting = threads.submit(ask)
                try:
                    assert gate.reached.wait(20)
                    assert client.get("/collections/grid_cells/items").status_code == 200
                finally:
                    gate.opened.set()
                assert waiting.result().status_code == 200


def test_no_account_has_all_turns_of_one_kind() -> None:
    """Two files that took two minutes held up everybody's files and bulk questions."""
    budget = Budget("tests", at_once=2, waiting=10, each=6)
    gate = threading.Event()

    async def check() -> None:
        greedy = [asyncio.create_task(budget.run(1, gate.wait, 20)) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert await asyncio.wait_for(budget.run(2, lambda: "answered"), 5) == "answered"
        gate.set()
        assert await asyncio.gather(*greedy) == [True] * 5

    asyncio.run(check())


def test_who_had_least_of_one_kind_is_next() -> None:
    """Eight questions of each of four accounts were answered before the first of a fifth."""
    budget, gate = Budget("tests", at_once=1, waiting=20, each=10), threading.Event()
    said: list[int] = []

    async def check() -> None:
        tasks = [asyncio.create_task(budget.run(0, gate.wait, 20))]
        for account in (1, 1, 1, 2, 2, 3):
            tasks.append(asyncio.create_task(budget.run(account, said.append, account)))
        await asyncio.sleep(0.1)
        left = asyncio.create_task(budget.run(3, said.append, 99))
        await asyncio.sleep(0.1)
        left.cancel()
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(check())
    assert said == [1, 2, 3, 1, 2, 1]


def test_a_full_queue_has_room_for_who_has_least() -> None:
    """Four accounts filled the queue, and a fifth was told to come back for as long as they went on."""
    budget, gate = Budget("tests", at_once=1, waiting=3, each=4), threading.Event()

    async def check() -> None:
        greedy = [asyncio.create_task(budget.run(1, gate.wait, 20)) for _ in range(4)]
        await asyncio.sleep(0.1)
        other = asyncio.create_task(budget.run(2, int))
        await asyncio.sleep(0.1)
        gate.set()
        assert await asyncio.wait_for(other, 5) == 0
        told = await asyncio.gather(*greedy, return_exceptions=True)
        assert [type(one) for one in told] == [bool, bool, bool, Busy]  # the newest went away
        assert await budget.run(1, int) == 0

    asyncio.run(check())


def test_files_that_nobody_waits_for_are_not_made(crowded: str) -> None:
    """36 of readers who had left kept everybody's files waiting for minutes."""
    keys = [api_key(crowded, "supervisor") for _ in range(3)]
    with live_server(crowded) as url, connect(crowded) as connection:
        connection.execute("lock table incidents in access exclusive mode")
        with held([ask_and_not_read(url, "/collections/incidents/export?f=xlsx", key) for key in keys * 3]):
            time.sleep(3)
        with bearing(url, api_key(crowded, "planner")) as client:
            made = client.get("/collections/police_posts/export?f=csv", timeout=30)
            assert made.status_code == 200, made.text


def test_lists_of_features_hold_no_connection_of_the_desk(crowded: str) -> None:
    """Two accounts whose filters take long held all eight, and the desk answered 503."""
    keys = [api_key(crowded, "supervisor") for _ in range(3)]
    slow = "/collections/incidents/items?limit=1&filter=S_OVERLAPS(geometry,POLYGON((0%200,1%200,1%201,0%200)))"
    with live_server(crowded, pool_size=2) as url, connect(crowded) as connection:
        connection.execute("lock table incidents in access exclusive mode")
        with (
            held([ask_and_not_read(url, slow, key) for key in keys * 3]),
            bearing(url, api_key(crowded, "planner")) as desk,
        ):
            time.sleep(1)
            for path in ("/desk", "/response/unions"):
                answer = desk.get(path, params=HERE if path == "/desk" else {"bbox": "114,36,115,38"}, timeout=20)
                assert answer.status_code == 200, answer.text


def test_health_tells_nobody_which_secret_is_good(database: str) -> None:
    """Secrets could be tried there as often as one liked, each on a connection that log-in needs."""
    with live_server(database, anonymous_rate_limit="20/minute") as url, httpx.Client(base_url=url) as client:
        tried = [
            client.get("/readyz", headers={"Authorization": f"Bearer gg_k_{number:043d}"}).status_code
            for number in range(40)
        ]
        assert tried.count(429) >= 10
        assert {client.get("/readyz").status_code for _ in range(40)} == {200}  # whoever watches over it is told


def test_a_transaction_that_nobody_goes_on_with_ends(database: str) -> None:
    async def forget() -> None:
        async with open_pool(database, 1, 0.3) as pool:
            with pytest.raises(DatabaseUnavailable), translated_errors():
                async with acting(pool, Asker("")) as connection:
                    await connection.execute(
                        "select 1"
                    )  # of what is only begun, in a pipeline, PostgreSQL 15 may not take notice
                    await asyncio.sleep(3)
                    await connection.execute("select 1")
            async with acting(pool, Asker("")) as connection:
                await connection.execute("select 1")

    asyncio.run(forget())


def test_what_nobody_waits_for_does_not_begin(crowded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came, asked and left kept the server busy for half a minute after they had gone."""
    from geo_grid.api.ogc import features

    begun: list[str] = []
    read_filter = features.read_filter

    def counted(text: str, *more: object) -> object:
        begun.append(text)
        time.sleep(0.2)  # as what keeps the event loop busy
        return read_filter(text, *more)

    monkeypatch.setattr(features, "read_filter", counted)
    key, wanted = api_key(crowded, "supervisor"), "/collections/grid_cells/items?filter=name='A'"
    with live_server(crowded) as url, bearing(url, api_key(crowded, "dispatcher")) as client:
        assert client.get("/locate", params=HERE).status_code == 200
        with held([ask_and_not_read(url, wanted, key) for _ in range(60)]):
            time.sleep(0.5)
            asked = time.monotonic()
            assert client.get("/locate", params=HERE).status_code == 200
            assert time.monotonic() - asked < 6  # of the twelve that all of them take
            before = len(begun)
        assert client.get("/readyz").status_code == 200
        time.sleep(1)
        assert len(begun) - before <= 5  # those that began while the others were leaving


def test_one_account_has_so_many_requests_at_work() -> None:
    """The others wait, and are answered in their turn; another account does not wait for them."""
    from geo_grid.api.server.shares import Beginning

    async def check() -> list[int]:
        beginning, began, ends = Beginning(each=2, waiting=5), [], []

        async def ask(account: int, left: bool = False) -> None:
            end = await beginning.turn(account, lambda: left)
            began.append(account)
            ends.append(end)

        mine = [asyncio.create_task(ask(1)) for _ in range(5)]
        gone = asyncio.create_task(ask(2, left=True))
        other = asyncio.create_task(ask(2))
        await asyncio.sleep(0.05)
        assert sorted(began) == [1, 1, 2]
        with pytest.raises(GivenUp):
            await gone
        mine[3].cancel()
        mine += [asyncio.create_task(ask(1)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(TooMany):
            await ask(1)
        while ends:
            end = ends.pop()
            end()
            end()
            await asyncio.sleep(0.01)
        await asyncio.gather(*mine, other, return_exceptions=True)
        return began

    assert Counter(asyncio.run(check())) == {1: 7, 2: 1}


def test_whoever_asks_much_of_the_desk_waits_for_others(small_city: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """24 questions of one dispatcher put another's at ten seconds: they were asked of the road process in the order they came."""
    from geo_grid import desk

    async def slowly(*_: object) -> list[object]:
        await asyncio.sleep(0.3)
        return []

    monkeypatch.setattr(desk, "rank", slowly)
    greedy, key = api_key(small_city, "dispatcher"), api_key(small_city, "dispatcher")
    with live_server(small_city) as url, bearing(url, greedy) as much, bearing(url, key) as one:
        with ThreadPoolExecutor(16) as threads:
            asked = [threads.submit(much.get, "/desk", params=HERE, timeout=60) for _ in range(16)]
            time.sleep(0.5)
            assert one.get("/desk", params=HERE).status_code == 200
            assert sum(not done.done() for done in asked) >= 8
            assert {done.result().status_code for done in asked} == {200}


def test_known_devices_are_judged_first_and_addresses_in_turn(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong log-ins from 24 addresses put a right one at twenty seconds."""
    from geo_grid.access import passwords

    judged: list[bool] = []

    def slowly(_: str, password: str) -> bool:
        time.sleep(0.15)
        judged.append(password == PASSWORD)
        return judged[-1]

    monkeypatch.setattr(passwords, "_verify", slowly)
    name, stranger = user(database, "dispatcher"), user(database, "dispatcher")
    with live_server(database) as url, contextlib.ExitStack() as stack:

        def at(address: str) -> httpx.Client:
            transport = httpx.HTTPTransport(local_address=address)
            return stack.enter_context(httpx.Client(base_url=url, transport=transport, timeout=60))

        def enter(client: httpx.Client, who: str, password: str) -> int:
            return client.post("/session", json={"name": who, "password": password}).status_code

        known = at("127.0.0.7")
        assert enter(known, name, PASSWORD) == 200
        many = [at(f"127.0.1.{number}") for number in range(1, 25)]
        threads = stack.enter_context(ThreadPoolExecutor(100))
        assert set(threads.map(lambda one: enter(one, "nobody", "wrong"), many)) <= {401, 429}
        asked = [threads.submit(enter, many[number % 24], f"nobody{number}", "wrong") for number in range(24 * 4)]
        begun = time.monotonic()
        while LOGGING_IN.waiting < 40:
            assert time.monotonic() - begun < 20
            time.sleep(0.05)
        for client, who in ((known, name), (at("127.0.0.8"), stranger)):
            before = len(judged)
            assert enter(client, who, PASSWORD) == 200
            assert len(judged) - before <= 8
        told = Counter(done.result() for done in asked)
        assert told.keys() <= {401, 503}
        assert told[503] >= 20


def test_views_and_figures_hold_no_connection_of_the_desk(crowded: str) -> None:
    """What a map shows of a whole layer, and response times, were read on the connections that the desk waits for."""
    keys = [api_key(crowded, "supervisor") for _ in range(3)]
    slow = (f"/collections/incidents/items?zoom=16&bbox={WEST},{SOUTH},115,38", "/response/times?by=zone&months=120")
    with live_server(crowded, pool_size=2) as url, connect(crowded) as connection:
        connection.execute("lock table incidents in access exclusive mode")
        with (
            held([ask_and_not_read(url, path, key) for key in keys for path in slow]),
            bearing(url, api_key(crowded, "planner")) as desk,
        ):
            time.sleep(1)
            assert desk.get("/desk", params=HERE, timeout=20).status_code == 200
            assert desk.get("/collections/grid_cells/items", timeout=20).status_code == 200
