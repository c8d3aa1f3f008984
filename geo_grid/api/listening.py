"""The address, socket and signals of a server.

For whoever starts one: it does not import the server, which takes seconds.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

from geo_grid.api.server.networks import is_loopback, read_networks
from geo_grid.errors import SetupError, UserError
from geo_grid.settings import Settings


def address(settings: Settings) -> str:
    """Return the URL people open."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls_certificate else 'http'}://{host}:{settings.port}"


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen on other than loopback addresses without TLS: passwords and keys could be read on the network.

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
    """Bind the port before the slow part of a start. Raises SetupError when it is in use or not permitted."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        message = (
            f"cannot serve on {settings.host}:{settings.port}: {error.strerror}; "
            "choose another with --port or GEO_GRID_PORT"
        )
        raise SetupError(message) from None
    return bound


_ENDING = signal.SIGTERM, signal.SIGHUP


def _exit_code(number: int, until_told: bool) -> int:
    return 0 if until_told and number == signal.SIGTERM else 128 + number


@contextlib.contextmanager
def stoppable(until_told: bool = True) -> Iterator[None]:
    """Convert SIGTERM and SIGHUP to an orderly shutdown, so that the private database is stopped too.

    Parameters
    ----------
    until_told
        Whether it runs until SIGTERM, which then is no failure.
    """

    def end(number: int, _: Any) -> None:
        sys.exit(_exit_code(number, until_told))

    for number in _ENDING:
        signal.signal(number, end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with SIGINT ignored
    yield


def run_until_told(work: Coroutine[Any, Any, None], until_told: bool = True) -> None:
    """Run a coroutine on a loop of its own until it ends; within `stoppable`.

    SIGTERM and SIGHUP cancel it, as SIGINT does. An exception raised by their handlers could interrupt the loop's own bookkeeping:
    a connection that is half closed then is waited for at the end, for ever.

    Parameters
    ----------
    until_told
        See `stoppable`.

    Raises
    ------
    SystemExit
        It was cancelled by one of the two.
    """
    told: list[int] = []

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(number: int) -> None:
            if not told and task is not None:  # once: what closes must not be cancelled again
                task.cancel()
            told.append(number)

        for number in _ENDING:
            loop.add_signal_handler(number, end, number)
        await work

    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        if not told:
            raise
        sys.exit(_exit_code(told[0], until_told))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
