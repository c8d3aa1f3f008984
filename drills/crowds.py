"""Log-in, health and places while readers do not read, editions are compared, pages listen and requests stay half sent.

A small made-up city in a private PostGIS of its own; all traffic is from and to the loopback, and ends after a minute.
Figures: seconds without and with the crowd. The verdict: everybody was answered.
"""

import contextlib
import secrets
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from argon2 import PasswordHasher
from psycopg.conninfo import make_conninfo

from bench.serving import served
from drills.kit import folder, free_port
from drills.squares import SIDE, SOUTH, WEST, county, two_levels
from drills.verdict import Verdict
from geo_grid.access.accounts import NewAccount, NewCredential, add_account, issue_credential
from geo_grid.boundaries import publish_cells
from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster, connect, migrate
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.layers.grid_levels import set_levels

_CELLS_ACROSS = 40
_READERS, _COMPARISONS, _LISTENERS, _HALF_SENT = 12, 16, 600, 1000
_TIMES = 40


def make_city(conninfo: str) -> None:
    """Two counties, the second of a second edition, and 20,000 incidents."""
    with connect(conninfo) as connection:
        set_levels(connection, two_levels())
        publish_cells(connection, county("C", 0, _CELLS_ACROSS), "first")
    with connect(conninfo) as connection:
        publish_cells(connection, county("D", 2 * _CELLS_ACROSS, _CELLS_ACROSS), "second")
        connection.execute(
            "insert into incidents (category, address, geom, grid_code) select 'a', repeat('x', 400),"
            " ST_SetSRID(ST_MakePoint(%s, %s), 4490), 'C0000' from generate_series(1, 20000)",
            (WEST, SOUTH),
        )


def new_account(conninfo: str, role: str, kind: str = "machine") -> tuple[str, str]:
    """A name, and a key or a password."""
    name = f"{kind}-{secrets.token_hex(4)}"
    account = NewAccount(kind=kind, name=name, role=role, city_wide=True)
    as_owner(conninfo, lambda connection: add_account(connection, account, 5))
    if kind == "machine":
        return name, as_owner(conninfo, lambda connection: issue_credential(connection, NewCredential(name=name)))[1]
    password = secrets.token_urlsafe(20)
    with connect(conninfo) as connection:
        connection.execute(
            "update access.passwords w set hash = %s, must_change = false from access.principals p"
            " where p.principal_id = w.principal_id and p.login_name = %s",
            (PasswordHasher().hash(password), name),
        )
    return name, password


def open_socket(port: int, text: str, address: str) -> socket.socket | None:
    """Send something and read nothing."""
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(5)
        made.bind((address, 0))
        made.connect(("127.0.0.1", port))
        made.sendall(text.encode())
    except OSError:
        made.close()
        return None
    return made


def measure(url: str, key: str, name: str, password: str) -> dict[str, dict[str, float]]:
    """Ask what must go on, turn about; seconds, and how often there was no answer."""
    shown, here = {"Authorization": f"Bearer {key}"}, {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
    found: dict[str, dict[str, float]] = {}
    with httpx.Client(base_url=url, timeout=60) as client:
        asked: dict[str, Callable[[], httpx.Response]] = {
            "healthz": lambda: client.get("/healthz"),
            "readyz": lambda: client.get("/readyz"),
            "locate": lambda: client.get("/locate", params=here, headers=shown),
            "log_in": lambda: httpx.post(f"{url}/session", json={"name": name, "password": password}, timeout=60),
        }
        for what, ask in asked.items():
            taken, failed = [], 0
            for _ in range(_TIMES if what != "log_in" else _TIMES // 4):
                begun = time.perf_counter()
                try:
                    failed += ask().status_code != 200
                except httpx.HTTPError:
                    failed += 1
                taken.append(time.perf_counter() - begun)
            found[what] = {
                "median_s": round(statistics.median(taken), 4), "longest_s": round(max(taken), 4), "failed": failed,
            }  # fmt: skip
    return found


def crowd(conninfo: str, url: str, port: int, stack: contextlib.ExitStack) -> Counter[str]:
    """Begin everything at once, from other addresses than the measurement; return what the server said to whom."""
    said: Counter[str] = Counter()
    keys = [new_account(conninfo, "dispatcher")[1] for _ in range(6)]
    planners = [new_account(conninfo, "planner")[1] for _ in range(2)]

    def get(path: str, key: str) -> str:
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"

    made = [
        open_socket(port, get("/collections/incidents/items?f=geojsonseq&limit=20000", keys[n % 3]), "127.0.0.2")
        for n in range(_READERS)
    ]
    made += [open_socket(port, get("/events", keys[n % 6]), f"127.0.0.{3 + n % 2}") for n in range(_LISTENERS)]
    made += [open_socket(port, "GET / HTTP/1.1\r\nX-Half: ", "127.0.0.5") for _ in range(_HALF_SENT)]
    stack.callback(lambda: [one.close() for one in made if one])

    def compare(number: int) -> None:
        with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=url, timeout=120) as client:
            client.headers["Authorization"] = f"Bearer {planners[number % 2]}"
            said[f"comparison {client.get('/boundaries/editions/2/changes?since=1').status_code}"] += 1

    comparing = ThreadPoolExecutor(_COMPARISONS)
    stack.callback(comparing.shutdown)
    over = threading.Event()
    stack.callback(over.set)

    def keep_comparing(number: int) -> None:
        while not over.is_set():
            compare(number)
            over.wait(0.5)

    for number in range(_COMPARISONS):
        comparing.submit(keep_comparing, number)
    time.sleep(5)
    return said


def drill() -> Verdict:
    """Run the drill."""
    with folder() as place, Cluster(place / "state") as cluster, contextlib.ExitStack() as stack:
        conninfo = cluster.conninfo
        migrate(conninfo)
        make_city(conninfo)
        port, (name, password) = free_port(), new_account(conninfo, "planner", "user")
        key = new_account(conninfo, "planner")[1]
        environment = {
            "GEO_GRID_DATABASE_URL": conninfo,
            "GEO_GRID_APP_DATABASE_URL": make_conninfo(conninfo, user=APPLICATION_ROLE),
            "GEO_GRID_PORT": str(port), "GEO_GRID_STATE_DIR": str(place), "GEO_GRID_LOGIN_RATE_LIMIT": "1000/minute",
            "GEO_GRID_ANONYMOUS_RATE_LIMIT": "1000/second",
        }  # fmt: skip
        url = stack.enter_context(served([sys.executable, "-m", "geo_grid", "serve"], environment, port, "/readyz"))
        alone = measure(url, key, name, password)
        with contextlib.ExitStack() as crowding:
            said = crowd(conninfo, url, port, crowding)
            beside = measure(url, key, name, password)
    verdict = Verdict({"alone": alone, "beside": beside, "said": dict(said)})
    for what, found in beside.items():
        verdict.expect(not found["failed"], f"{what} was not answered {found['failed']:.0f} times")
    return verdict
