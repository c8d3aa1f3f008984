"""On whose behalf a request is answered, and transactions for it."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager

from starlette.exceptions import HTTPException
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


async def while_wanted[T](request: Request, work: Coroutine[None, None, T]) -> T:
    """Do long work for a request whose body was read, and cancel it when whoever asks has gone."""
    asked = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise HTTPException(408, "whoever asked has gone")  # nobody reads it
        return asked.result()
    finally:
        asked.cancel()
        gone.cancel()
        await asyncio.gather(asked, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
