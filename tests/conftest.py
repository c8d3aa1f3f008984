"""Real things for tests: a private PostGIS per run, a database per test, the demo city once, a live server."""

import asyncio
import contextlib
import functools
import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import hypothesis
import pytest
import uvicorn.server
from httpx._transports import default
from psycopg.conninfo import make_conninfo

from geo_grid.access import passwords
from geo_grid.api.app import create_app
from geo_grid.api.server.sockets import Config, Server
from geo_grid.db import Cluster, connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.exchange import import_osm
from geo_grid.locate import current
from geo_grid.progress import silent
from geo_grid.settings import Settings
from tests import commands, databases
from tests.databases import DEMO_TEMPLATE, FAST, make_template, new_database, state_folder
from tests.heidelberg import EXTRACT, THINGS, wait_for_circles, with_roads
from tests.identities import CHEAP, api_key, bearing
from tests.squares import two_by_two

SHARED = Path(__file__).parents[2] / "shared/data"
CASES = Path(__file__).parents[2] / "shared/cases"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each command that a test starts compiles all it imports again
# the same examples at each run, however busy the machine is; others with --hypothesis-profile=searching
hypothesis.settings.register_profile("usual", derandomize=True, deadline=None)
hypothesis.settings.register_profile("searching", deadline=None)
hypothesis.settings.load_profile("usual")
LONGEST = (
    "tests/test_documents.py",
    "tests/access/test_rights.py",
    "tests/test_supervising.py",
    "tests/test_drills.py",
    "tests/test_packaging.py",
    "tests/test_workers.py",
    "tests/live_demo/test_live_demo.py",
    "tests/response/test_reach.py",
    "tests/browser/",
    "tests/access/test_api_document.py",
    "tests/test_cli.py",
    "tests/demo/test_demo.py",
    "tests/api/test_crowds.py",
    "tests/feeds/test_opening.py",
    "tests/cameras/test_lower_platforms.py",
    "tests/backups/test_backups.py",
    "tests/api/test_bulk.py",
    "tests/access/test_network.py",
    "tests/locate/",
    "tests/hooks/test_hooks.py",
    "tests/exchange/test_foreign_boundaries.py",
)
"""Files of half a minute and more, which begin first, in this order: at the end no core waits for one of them. The
browser's are together, since it is started for those that come after each other."""


@pytest.fixture(scope="session", autouse=True)
def _forked_processes() -> None:
    commands.prepare()


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Servers of this process hash passwords quickly, those of unknown names too; commands as users' servers do."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_HASHER", CHEAP)
        patched.setattr(passwords, "_NOBODY", passwords._hash_of_nothing())
        yield


@pytest.fixture(scope="session", autouse=True)
def _trusted_once() -> Iterator[None]:
    """Clients read the certificates of all authorities once; each for itself takes 26 ms, and none needs them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(default, "create_ssl_context", functools.cache(default.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _ended_soon() -> Iterator[None]:
    """A server that ends leaves its connections 10 ms to close, not 100: some 700 servers end."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(uvicorn.server, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
        yield


@pytest.fixture(scope="session", autouse=True)
def _collected_once() -> Iterator[None]:
    """What is imported by now is no garbage. Each server that starts looks through all of its process once, and when it
    ends has it looked through again (`locate.current`): 390,000 objects here, 0.4 s of a core."""
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(current, "gc", SimpleNamespace(collect=bool, freeze=bool, unfreeze=bool))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.fail(f"the real data is missing: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs that failed once, with their right answers in a README beside them."""
    if not CASES.is_dir():
        pytest.fail(f"the cases are missing: {CASES}")
    return CASES


@pytest.fixture
def state_dir() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with state_folder() as folder, Cluster(folder, FAST) as running:
        make_template(running)
        yield running


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """libpq connection string of an empty, migrated database."""
    with new_database(cluster, f"test_{time.monotonic_ns()}") as conninfo:
        yield conninfo


@pytest.fixture(scope="session")
def demo_cluster() -> Iterator[Cluster]:
    """Another cluster, where DEMO_TEMPLATE is the full-size demo city, to make others from: nobody is connected to it."""
    with databases.demo_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def demo(demo_cluster: Cluster) -> Iterator[str]:
    """libpq connection string of the full-size demo city, with 20,000 incidents; tests do not change it."""
    with new_database(demo_cluster, "demo", DEMO_TEMPLATE) as conninfo:
        yield conninfo


@pytest.fixture(scope="session")
def four_cells_template(cluster: Cluster) -> Iterator[str]:
    """Name of a database with the city of four cells (`two_by_two`), to make others from."""
    name = "template_four_cells"
    with new_database(cluster, name) as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
        yield name


@pytest.fixture
def small_city(cluster: Cluster, four_cells_template: str) -> Iterator[str]:
    """libpq connection string of a city of four cells of the test's own."""
    with new_database(cluster, f"small_city_{time.monotonic_ns()}", four_cells_template) as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
def four_cells(cluster: Cluster, four_cells_template: str) -> Iterator[str]:
    """libpq connection string of a city of four cells that tests of one file have in common: they change nothing in it."""
    with new_database(cluster, f"four_cells_{time.monotonic_ns()}", four_cells_template) as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
def refused(four_cells: str) -> Iterator[httpx.Client]:
    """A client, who sees everything, of a server over that city; nothing it asks for is done."""
    with live_server(four_cells) as url, bearing(url, api_key(four_cells, "supervisor")) as client:
        yield client


class _Served(Server):
    """A server in a thread, which is told that it is to end; in production it looks ten times a second."""

    _loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # sets the header with the date, to the second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1)

    def end(self) -> None:
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._told.set)


@contextlib.contextmanager
def live_server(conninfo: str, **options: object) -> Iterator[str]:
    """Serve on a free port of the loopback, as in production but in a thread; yields the address."""
    if "state_dir" not in options:
        with state_folder() as folder, live_server(conninfo, state_dir=folder, **options) as url:
            yield url
        return
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    as_application = make_conninfo(conninfo, user=APPLICATION_ROLE)
    unlimited = dict.fromkeys(("rate_limit", "anonymous_rate_limit", "login_rate_limit"), "1000000/second")
    settings = Settings(database_url=conninfo, app_database_url=as_application, **{**unlimited, **options})
    app = create_app(settings, conninfo)
    server = _Served(Config(app, settings, loop="asyncio", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 90  # a busy machine
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        if thread.is_alive():
            server.end()
        thread.join(20)


@pytest.fixture(scope="session")
def demo_server(demo: str) -> Iterator[str]:
    with live_server(demo) as url:
        yield url


@pytest.fixture(scope="session")
def demo_key(demo: str) -> str:
    return api_key(demo, "supervisor")


@pytest.fixture
def demo_client(demo_server: str, demo_key: str) -> Iterator[httpx.Client]:
    """A client who sees the whole demo city."""
    with bearing(demo_server, demo_key) as client:
        yield client


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    """A client, who sees everything, of a server over an empty database."""
    with live_server(database) as url, bearing(url, api_key(database, "supervisor", sees_secret=True)) as client:
        yield client


@pytest.fixture(scope="session")
def heidelberg_template(cluster: Cluster, shared: Path) -> Iterator[str]:
    """Name of a database with the roads of Heidelberg and the circles of its posts, to make others from."""
    name = "template_heidelberg"
    with new_database(cluster, name) as conninfo, with_roads(shared) as folder:
        with connect(conninfo) as connection:
            import_osm(connection, shared / EXTRACT, silent, None, roads_dir=folder / "roads")
            connection.execute(THINGS)
        with live_server(conninfo, state_dir=folder) as url, bearing(url, api_key(conninfo, "supervisor")) as client:
            wait_for_circles(client)
        yield name


@pytest.fixture
def heidelberg(cluster: Cluster, heidelberg_template: str, shared: Path) -> Iterator[tuple[httpx.Client, str]]:
    """A supervisor's client of a server with the roads of Heidelberg, and the database."""
    name = f"heidelberg_{time.monotonic_ns()}"
    with new_database(cluster, name, heidelberg_template) as database, with_roads(shared) as folder:
        with connect(database) as connection:
            connection.execute("update patrol_units set reported_at = now()")
        with live_server(database, state_dir=folder) as url, bearing(url, api_key(database, "supervisor")) as client:
            wait_for_circles(client)
            yield client, database
