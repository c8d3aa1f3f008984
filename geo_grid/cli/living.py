"""What `geo-grid demo live` does before it becomes small: the only one of its state folder, with a plan of its city."""

import fcntl
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from geo_grid.cli.access import as_owner
from geo_grid.cli.terminal import POLITENESS, ready_database
from geo_grid.errors import Conflict
from geo_grid.settings import settings
from geo_grid.state_folder import open_state_folder

if TYPE_CHECKING:
    from geo_grid.db import AsyncConnection
    from geo_grid.live_demo.plan import Plan


def live(speed: float, seed: int, lifeline: int | None) -> NoReturn:
    """Read the city and become the process that lives in it (`geo_grid.live_demo`), which needs a fraction of the memory.

    Parameters
    ----------
    lifeline
        Descriptor of the line to the supervisor, for which a city that is not the demo is nothing to say: it just ends.

    Raises
    ------
    Conflict
        This city is not the demo, or it lives already.
    """
    os.nice(POLITENESS)
    if lifeline is not None and os.read(lifeline, 1) == b"":
        raise typer.Exit(0)
    try:
        lock = _only_one()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            plan, pictures = _plan(listening.getsockname()[1]), listening.detach()
    except Conflict:
        if lifeline is None:
            raise
        raise typer.Exit(0) from None
    arguments = ["--url", _own_address(), "--speed", str(speed), "--seed", str(seed)]
    arguments += ["--timezone", settings().timezone, "--plan", str(plan), "--pictures", str(pictures)]
    kept = [lock, plan, pictures]
    if lifeline is not None:
        arguments += ["--lifeline", str(lifeline)]
        kept.append(lifeline)
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    os.execv(sys.executable, [sys.executable, "-m", "geo_grid.live_demo", *arguments])  # noqa: S606 (our own)


def _only_one() -> int:
    """Hold a lock that ends with the process, and return its descriptor. Raises Conflict."""
    folder = settings().state_dir
    open_state_folder(folder)
    lock = os.open(folder / "demo-live.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = "the demo lives here already: `geo-grid up` begins that, unless it is told --still"
        raise Conflict(message) from None
    return lock


def _plan(pictures_port: int) -> int:
    """Return a descriptor with the plan: in memory, since keys are in it. Raises Conflict."""
    from geo_grid.live_demo.plan import make_plan, register_pictures

    async def begin(connection: "AsyncConnection") -> "Plan":
        plan = await make_plan(connection)
        await register_pictures(connection, pictures_port)
        return plan

    with ready_database(migrated=False, is_watched=False) as conninfo:
        plan = as_owner(conninfo, begin)
    descriptor = os.memfd_create("geo_grid plan", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as written:
        json.dump(plan.as_json(), written, ensure_ascii=False)
    return descriptor


def _own_address() -> str:
    """Return where the server of these settings answers on this machine."""
    config = settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104 (all addresses: the loopback too)
    return f"{'https' if config.tls_certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{config.port}"
