"""Running the HTTP server on a socket that `listening` bound."""

import contextlib
import gc
import socket
from collections.abc import Callable

from fastapi import FastAPI

from geo_grid.api.server.neighbours import Neighbours
from geo_grid.api.server.sockets import Config, Server, raise_descriptor_limit
from geo_grid.settings import Settings


def serve(
    app: FastAPI, settings: Settings, bound: socket.socket, announce: Callable[[], None], number: int = 0
) -> None:
    """Serve an app until SIGINT or SIGTERM (blocks); `announce` is called once it accepts connections.

    Parameters
    ----------
    number
        Of this process among those that serve from the same socket (see `Neighbours`).
    """

    class Announcing(Server):
        """Calls `announce` once it accepts connections."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                gc.freeze()  # what a start makes is there to stay: a collection that walks it keeps everybody waiting for 0.1 s
                announce()

    raise_descriptor_limit()
    config = Config(
        app,
        settings,
        loop="asyncio",  # accepts all pending connections in one iteration of the loop; uvloop accepts one per iteration
        timeout_graceful_shutdown=5,  # a client may read a long answer slowly, for hours
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    app.state.neighbours = neighbours = Neighbours(settings, number)
    with neighbours.opened() as own, contextlib.suppress(KeyboardInterrupt):
        Announcing(config).run(sockets=[bound, *own])
