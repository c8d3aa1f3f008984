"""The door of lower platforms over a real database, in a thread with a loop of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from geo_grid.cameras.link import Timing
from geo_grid.cameras.lower_platforms import LowerPlatforms, Taken
from geo_grid.db import connect, open_pool
from geo_grid.exchange.catalogues import take_catalogue
from geo_grid.gb28181.sip import Identity
from tests.cameras.lower import PASSWORD, UPPER

QUICK = Timing(
    quiet_s=2.0, settle_s=0.3, lost_s=600.0, gone_s=1.0, hold_s=1.5, doubt_s=30.0, sure_s=0.0, gather_s=0.5, pause_s=0.5, again_s=600.0
)  # fmt: skip
PLATFORM, OTHER = "13050200002000000001", "13050200002000000002"
PATIENCE_S = 60.0
CITY = ZoneInfo("Asia/Shanghai")


@dataclass
class Door:
    port: int
    platforms: LowerPlatforms
    database: str
    imports: list[tuple[str, bool]]

    def link(self, code: str = "P1") -> dict:
        with connect(self.database) as connection:
            return connection.execute("select * from platform_links where platform_code = %s", [code]).fetchone() or {}

    def wait_for(self, what: Callable[[dict], object], code: str = "P1") -> dict:
        found: dict = {}

        def is_so() -> object:
            found.update(self.link(code))
            return found and what(found)

        until(is_so, lambda: f"the link is {found}")
        return found


def until(what: Callable[[], object], said: Callable[[], str] = lambda: "it never was so") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def ask(database: str, question: str, *values: object) -> list[dict]:
    with connect(database) as connection:
        return connection.execute(question, values).fetchall()


def states(database: str) -> dict[str, str]:
    return {row["gb28181_id"][-2:]: row["state"] for row in ask(
        database, "select c.gb28181_id, s.state from camera_states s join cameras c using (camera_id) order by 1")}  # fmt: skip


def admit(database: str, folder: Path, source_crs: str = "EPSG:4490") -> Path:
    """Let the platforms P1 and P2 register, whose password is known, and P3, which has none; return the file of passwords."""
    with connect(database) as connection:
        for code, sip_id in (("P1", PLATFORM), ("P2", OTHER), ("P3", "13050200002000000003")):
            connection.execute(
                "insert into camera_platforms (platform_code, name, source_crs, gb28181_id, is_enabled) values (%s, %s, %s, %s, true)"
                " on conflict do nothing", [code, code, source_crs, sip_id],
            )  # fmt: skip
    netrc = folder / "platforms.netrc"
    netrc.write_text("".join(f"machine {one} login {one} password {PASSWORD}\n" for one in (PLATFORM, OTHER)))
    netrc.chmod(0o600)
    return netrc


@contextlib.contextmanager
def door_process(database: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The door as it runs in production, a process that can be killed."""
    environment = {
        **os.environ, "GEO_GRID_DATABASE_URL": database, "GEO_GRID_STATE_DIR": str(folder), "GEO_GRID_TIMEZONE": str(CITY),
        "GEO_GRID_SIP_ID": UPPER, "GEO_GRID_SIP_PORT": str(port), "GEO_GRID_SIP_NETRC": str(admit(database, folder)),
    }  # fmt: skip
    (began,) = (row["now"] for row in ask(database, "select now()"))
    running = subprocess.Popen([sys.executable, "-m", "geo_grid", "cameras", "listen"], env=environment)
    try:
        until(lambda: ask(database, "select from platform_door where opened_at > %s", began))
        yield running
    finally:
        running.kill()
        running.wait()


@contextlib.contextmanager
def door(database: str, folder: Path, timing: Timing = QUICK, source_crs: str = "EPSG:4490") -> Iterator[Door]:
    """Open the door to the platforms P1 and P2, whose password is known; P3 has none."""
    netrc = admit(database, folder, source_crs)
    made: list[Door] = []
    is_open, loop_of = threading.Event(), []
    imports: list[tuple[str, bool]] = []

    async def take(path: Path, code: str, is_whole: bool) -> Taken:
        imports.append((code, is_whole))
        return await asyncio.to_thread(take_catalogue, database, path, code, is_whole, "Asia/Shanghai")

    async def keep() -> None:
        closing = asyncio.Event()
        loop_of.append((asyncio.get_running_loop(), closing))
        async with open_pool(database, 2, 30) as pool:
            platforms = LowerPlatforms(Identity(UPPER, CITY), pool, netrc, folder / "catalogues", take, timing)
            async with platforms.listening("127.0.0.1", 0) as sockets:
                made.append(Door(sockets.port, platforms, database, imports))
                is_open.set()
                await closing.wait()

    thread = threading.Thread(target=asyncio.run, args=[keep()])
    thread.start()
    try:
        assert is_open.wait(PATIENCE_S)
        until(lambda: made[0].platforms._links)  # it has read who may register
        yield made[0]
    finally:
        loop, closing = loop_of[0]
        loop.call_soon_threadsafe(closing.set)
        thread.join(PATIENCE_S)


def want_picture(database: str, camera: str, state: str = "asked") -> None:
    """Want the picture of a camera, as a server does, or did before its door was opened."""
    with connect(database) as connection:
        connection.execute(
            "insert into platform_calls (camera_id, media_port, transport, ssrc, state)"
            " select camera_id, 31099, 'udp', '0500000001', %s from cameras where gb28181_id = %s",
            (state, camera),
        )
