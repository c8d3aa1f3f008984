"""Events: what each may hear, and what many listeners cost."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from geo_grid.changes import Change
from geo_grid.db import connect
from tests.conftest import live_server
from tests.identities import api_key, bearing, logged_in, user
from tests.owners import owner
from tests.squares import SIDE, SOUTH, WEST

CELLS = {"A": (0, 0), "B": (1, 0), "C": (0, 1), "D": (1, 1)}


def happen(conninfo: str, *cells: str) -> None:
    """File an incident in each of these cells, one transaction each."""
    for cell in cells:
        column, row = CELLS[cell]
        with connect(conninfo) as connection:
            connection.execute(
                "insert into incidents (category, geom, grid_code)"
                " values ('a', ST_SetSRID(ST_MakePoint(%s, %s), 4490), %s)",
                (WEST + (column + 0.5) * SIDE, SOUTH + (row + 0.5) * SIDE, cell),
            )


def told_to(conninfo: str, key: str) -> list[tuple[str, str | None]]:
    """What the policy of the database shows to the bearer of a key."""
    from geo_grid.access import digest_of

    with connect(conninfo) as connection:
        connection.execute("set local session authorization geo_grid_app")
        connection.execute("select set_config('geo_grid.credential', %s, true)", (digest_of(key),))
        rows = connection.execute("select kind, subject from changes order by change_id").fetchall()
    return [(row["kind"], row["subject"]) for row in rows]


class Listener:
    """Somebody who listens in a thread."""

    def __init__(self, url: str, headers: dict[str, str], after: str | None = None) -> None:
        self.heard: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.ended = threading.Event()
        self.begun = threading.Event()
        self._url, self._headers = url, {**headers, **({"Last-Event-ID": after} if after else {})}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self.begun.wait(20)

    def _run(self) -> None:
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.Client(timeout=60) as client,
            client.stream("GET", f"{self._url}/events", headers=self._headers) as stream,
        ):
            kind = ""
            for line in stream.iter_lines():
                self.begun.set()
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    self.ids.append(value)
                elif name == "data":
                    subject = str(json.loads(value)["incident_id"]) if value.startswith("{") else value
                    self.heard.append((kind, subject or None))
        self.ended.set()

    def wait_for(self, count: int) -> list[tuple[str, str | None]]:
        deadline = time.monotonic() + 90
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.heard


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_each_hears_what_the_policy_shows_and_nothing_old(city: tuple[str, str]) -> None:
    url, conninfo = city
    keys = {
        "all": api_key(conninfo, "supervisor"),
        "own": api_key(conninfo, "dispatcher", ["A"]),
        "two": api_key(conninfo, "dispatcher", ["B", "C"]),
        "map": api_key(conninfo, "dispatcher", ["A"], rights=["map"]),
    }
    happen(conninfo, "A", "B")  # before anybody listens
    time.sleep(1.5)
    before = {name: len(told_to(conninfo, key)) for name, key in keys.items()}
    listeners = {name: Listener(url, bearer(key)) for name, key in keys.items()}
    happen(conninfo, "A", "B")
    assert listeners["two"].wait_for(1)
    cut = listeners["two"].ids[-1]  # what is written after it was heard is read later
    happen(conninfo, "C", "D", "A")
    with connect(conninfo) as connection:
        connection.execute("insert into changes (kind) values ('incidents')")
        connection.execute("insert into changes (kind, subject) values ('layer', 'cameras'), ('table', 'duties')")
        connection.execute("insert into changes (kind, subject) values ('incident', '77')")  # nobody's cell
    for name, key in keys.items():
        wanted = told_to(conninfo, key)[before[name] :]
        assert listeners[name].wait_for(len(wanted)) == wanted, name
    # whoever comes back hears what was missed, from memory or, after a restart, from the database
    again = Listener(url, bearer(keys["two"]), after=cut)
    assert again.wait_for(3) == listeners["two"].heard[1:]
    with live_server(conninfo) as restarted:
        late = Listener(restarted, bearer(keys["two"]), after=cut)
        assert late.wait_for(3) == listeners["two"].heard[1:]


def test_rights_that_change_count_from_the_next_event_on(city: tuple[str, str]) -> None:
    """A cell is taken away, and at once something happens there: it is not told, however many listen."""
    from geo_grid.access.accounts import AccountChange, change_account

    url, conninfo = city
    name = user(conninfo, "dispatcher", ["A"])
    with logged_in(url, name) as person:
        cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in person.cookies.items())}
        listener = Listener(url, cookie)
        happen(conninfo, "A")
        assert len(listener.wait_for(1)) == 1
        owner(conninfo, lambda connection: change_account(connection, name, AccountChange(grid_codes=["B"])))
        happen(conninfo, "A", "B")
        deadline = time.monotonic() + 90
        while len(listener.heard) < 2 and not listener.ended.is_set() and time.monotonic() < deadline:
            time.sleep(0.05)
        with connect(conninfo) as connection:
            rows = connection.execute("select grid_code from incidents order by incident_id").fetchall()
        told = [rows[int(key) - 1]["grid_code"] for _, key in listener.heard[1:] if key]
        assert "A" not in told


def test_who_is_logged_out_hears_no_more(city: tuple[str, str]) -> None:
    url, conninfo = city
    with logged_in(url, user(conninfo, "dispatcher")) as person:
        listener = Listener(url, {"Cookie": "; ".join(f"{k}={v}" for k, v in person.cookies.items())})
        assert person.delete("/session").status_code == 204
        assert listener.ended.wait(15)


def committed(conninfo: str) -> int:
    with connect(conninfo) as connection:
        connection.execute("select pg_stat_clear_snapshot()")
        row = connection.execute(
            "select xact_commit as n from pg_stat_database where datname = current_database()"
        ).fetchone()
    return int(row["n"]) if row else 0


def test_many_listeners_cost_one_reading(city: tuple[str, str]) -> None:
    """Thirty listeners, thirty incidents one after the other: not nine hundred questions to the database."""
    url, conninfo = city
    key = api_key(conninfo, "dispatcher")
    listeners = [Listener(url, bearer(key)) for _ in range(30)]
    time.sleep(2)
    before, begun = committed(conninfo), time.monotonic()
    for _ in range(30):
        happen(conninfo, "A")
        time.sleep(0.02)
    for listener in listeners:
        assert len(listener.wait_for(30)) == 30
    time.sleep(1.5)  # statistics of idle connections come late
    spent = committed(conninfo) - before
    assert spent < 30 + 300 + 10 * (time.monotonic() - begun)


def test_one_account_listens_so_often_and_no_more(database: str) -> None:
    key = api_key(database, "dispatcher")
    with live_server(database, event_streams_per_account=3) as url:
        listeners = [Listener(url, bearer(key)) for _ in range(3)]
        with bearing(url, key) as client:
            refused = client.get("/events")
            assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        assert not any(listener.ended.is_set() for listener in listeners)


def kinds() -> Iterator[Change]:
    for number, (kind, cell) in enumerate([("edition", None), ("layer", None), ("incidents", None), ("incident", "A"),
                                           ("incident", None), ("table", None)]):  # fmt: skip
        yield Change(number, kind, "1", cell)


def test_what_is_seen_by_whom() -> None:
    """As the policy changes_seen has it."""
    seen = {
        (frozenset({"map", "incidents.read"}), None): [0, 1, 2, 3, 4],
        (frozenset({"map", "incidents.read"}), frozenset({"A"})): [0, 1, 2, 3],
        (frozenset({"map", "incidents.read"}), frozenset({"B"})): [0, 1, 2],
        (frozenset({"map"}), None): [0, 1],
        (frozenset({"incidents.read"}), None): [2, 3, 4],
        (frozenset(), None): [],
    }
    for (rights, cells), wanted in seen.items():
        assert [change.change_id for change in kinds() if change.is_seen(rights, cells)] == wanted


def test_a_server_ends_its_streams_when_it_is_told_to_end(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It waited for them as long as for any answer, cut them off, and logged a failure of each."""
    with contextlib.ExitStack() as server:
        url = server.enter_context(live_server(database))
        with (
            httpx.Client(timeout=30, headers=bearer(api_key(database, "supervisor"))) as client,
            client.stream("GET", f"{url}/events") as stream,
        ):
            lines = stream.iter_lines()
            assert next(lines).startswith(": listening")
            server.close()
            assert not any(line.startswith("data:") for line in lines)  # to the end of the answer; raises if it is cut
    said = capfd.readouterr().err
    assert "graceful" not in said
    assert "Traceback" not in said


def test_whoever_a_server_that_ends_does_not_answer_is_told_so(
    database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was 500, as if the question had failed."""
    with contextlib.ExitStack() as server, connect(database) as holding, ThreadPoolExecutor(1) as pool:
        url = server.enter_context(live_server(database))
        client = httpx.Client(base_url=url, headers=bearer(api_key(database, "supervisor")), timeout=90)
        holding.execute("lock table incidents in access exclusive mode")
        asked = pool.submit(client.get, "/incidents/1")
        while not holding.execute("select from pg_locks where not granted").rowcount:
            time.sleep(0.02)
        server.close()
        told = asked.result()
        client.close()
    assert (told.status_code, told.headers["content-type"]) == (503, "application/problem+json")
    assert "look, then ask again" in told.json()["detail"]
