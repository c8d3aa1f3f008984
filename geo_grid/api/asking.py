"""On whose behalf a request is answered, and transactions for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from threading import Event

from starlette.requests import Request

from geo_grid.access import Identity
from geo_grid.db import Asker, AsyncConnection, acting
from geo_grid.errors import NotLoggedIn


def asker_of(request: Request) -> Asker:
    """Return what the request showed, and where from."""
    found: Asker = request.scope["geo_grid.asker"]
    return found


def identity_of(request: Request) -> Identity:
    """Return who asks. Raises NotLoggedIn."""
    found: Identity | None = request.scope["geo_grid.identity"]
    if found is None:
        message = "log in first, or send Authorization: Bearer with an API key that is in force"
        raise NotLoggedIn(message)
    return found


def reading(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a transaction that reads one state of the database with the rights of whoever asks."""
    return acting(request.app.state.pool, asker_of(request))


def writing(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a transaction with the rights of whoever asks; committed when it is left, before the answer goes out."""
    return acting(request.app.state.pool, asker_of(request), read_only=False)


@contextlib.asynccontextmanager
async def leaving(request: Request) -> AsyncIterator[Event]:
    """Watch whether a client whose body was read goes away; the event is set when it does, for work beside the loop."""
    left = Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()

    watching = asyncio.create_task(watch())
    try:
        yield left
    finally:
        watching.cancel()
