"""Running the server in the foreground, or in the background with a lock that says so."""

import contextlib
import fcntl
import http
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geo_grid.api.networks import is_loopback, read_networks
from geo_grid.api.sockets import Config, Server, raise_descriptor_limit
from geo_grid.errors import SetupError, UserError
from geo_grid.settings import Settings


class _Announcing(Server):
    """Tells where it can be reached once it can."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()


def address(settings: Settings) -> str:
    """Return the URL people open."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls_certificate else 'http'}://{host}:{settings.port}"


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen beyond this machine in plain text: passwords and keys would pass for all to read.

    Raises
    ------
    UserError
        Neither TLS nor a trusted proxy is configured.
    """
    proxies = read_networks(settings.trusted_proxies)
    if is_loopback(settings.host) or settings.tls_certificate is not None or proxies:
        return
    message = (
        f"GEO_GRID_HOST={settings.host} would let others read passwords on the way: set GEO_GRID_TLS_CERTIFICATE and "
        "GEO_GRID_TLS_KEY, or GEO_GRID_TRUSTED_PROXIES to the proxy that speaks TLS for this server"
    )
    raise UserError(message)


def listen(settings: Settings) -> socket.socket:
    """Bind the port before long work begins. Raises SetupError when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        message = (
            f"cannot serve on {settings.host}:{settings.port}: {error.strerror}; choose another with GEO_GRID_PORT"
        )
        raise SetupError(message) from None
    return bound


def serve(settings: Settings, conninfo: str, bound: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM."""
    from geo_grid.api.app import create_app  # not at the top: whoever only waits for a server needs no app

    raise_descriptor_limit()
    config = Config(
        create_app(settings, conninfo),
        settings,
        loop="uvloop",
        timeout_graceful_shutdown=5,  # walls listen to events for ever
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    server = _Announcing(config)
    server.announce = announce
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[bound])


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an orderly end, so that the database is stopped too."""

    def end(number: int, _: Any) -> None:
        sys.exit(0 if number == signal.SIGTERM else 128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    yield


class ServerLock:
    """One server per state folder; the lock dies with its process, the file says who holds it."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "server.lock"
        self.log = state_dir / "server.log"

    @contextlib.contextmanager
    def held(self, url: str) -> Iterator[bool]:
        """Hold the lock; yields False when another server has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            opened.truncate(0)
            opened.write(json.dumps({"pid": os.getpid(), "url": url}))
            opened.flush()
            yield True

    def holder(self) -> dict[str, Any] | None:
        """Return pid and url of the running server, or None."""
        if not self.path.exists():
            return None
        with self.path.open("r+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found: dict[str, Any] = json.loads(opened.read() or "{}")
                return found or {"pid": None, "url": "?"}
        return None


def start_detached(settings: Settings, arguments: list[str]) -> None:
    """Start `geo-grid up` in the background and wait until it is ready, showing its words meanwhile.

    Raises
    ------
    SetupError
        It ended before it was ready.
    """
    lock = ServerLock(settings.state_dir)
    lock.log.parent.mkdir(parents=True, exist_ok=True)
    told, tell = os.pipe()  # for passwords that are shown once: they must not stand in the log
    with lock.log.open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "geo_grid", "up", *arguments, "--tell", str(tell)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[tell],
        )  # fmt: skip
    os.close(tell)
    with lock.log.open(encoding="utf-8", errors="replace") as said:
        while True:
            sys.stderr.write(said.read())
            if started.poll() is not None:
                message = f"the server ended with exit code {started.returncode} before it was ready (log: {lock.log})"
                raise SetupError(message)
            if lock.holder() is not None and _answers(f"{address(settings)}/readyz"):
                sys.stderr.write(said.read())
                os.set_blocking(told, False)
                with contextlib.suppress(BlockingIOError):  # nothing was told
                    sys.stderr.write(os.read(told, 1 << 16).decode())
                os.close(told)
                return
            time.sleep(0.2)


def _answers(url: str) -> bool:
    itself = ssl.create_default_context()  # our own certificate may bear another name than this address
    itself.check_hostname, itself.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=2, context=itself) as answer:  # noqa: S310 (our own address)
            return bool(answer.status == http.HTTPStatus.OK)
    except OSError:
        return False


def stop_detached(settings: Settings, patience_s: float = 30) -> str | None:
    """Stop the server of this state folder; return its URL, or None when none runs."""
    lock = ServerLock(settings.state_dir)
    holder = lock.holder()
    if holder is None or holder["pid"] is None:
        return None
    os.kill(holder["pid"], signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while lock.holder() is not None:
        if time.monotonic() > deadline:
            message = f"process {holder['pid']} did not stop within {patience_s:.0f} s"
            raise SetupError(message)
        time.sleep(0.1)
    return str(holder["url"])
