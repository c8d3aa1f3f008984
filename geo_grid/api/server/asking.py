"""The principal of a request, and transactions with its rights."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from threading import Event
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from geo_grid.access import Identity
from geo_grid.api.server.state import server_of
from geo_grid.budgets import DRAFTS, SEARCHES, VIEWS, Budget
from geo_grid.db import (
    Asker,
    AsyncConnection,
    AsyncPool,
    Connection,
    Lends,
    Replicas,
    acting,
    acting_conninfo,
    acting_in_thread,
    ask_once,
    broken_off,
)
from geo_grid.errors import GivenUp, NotLoggedIn

_DESK = "geo_grid.api.desk."
"""Room of the routes for which some connections are kept free."""


def asker_of(request: Request) -> Asker:
    """Return the credential, address and id of a request."""
    found: Asker = request.scope["geo_grid.asker"]
    return found


def identity_of(request: Request) -> Identity:
    """Return the identity of a request. Raises NotLoggedIn."""
    found: Identity | None = request.scope["geo_grid.identity"]
    if found is None:
        message = "log in first, or send Authorization: Bearer with an API key that is in force"
        raise NotLoggedIn(message)
    return found


def account_of(request: Request) -> int | None:
    """Return the number of the account of a request; None: it is not logged in."""
    found: Identity | None = request.scope["geo_grid.identity"]
    return found.principal_id if found else None


def reading(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a read-only transaction in one snapshot with the rights of the request's principal."""
    return _acting(request, read_only=True)


def reading_much(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a transaction as `reading` does, for a long answer with a slot of BULK: from a pool that the desk does not use."""
    return acting(_heavy(request, server_of(request).long_pool), asker_of(request))


@contextlib.asynccontextmanager
async def searching(request: Request) -> AsyncIterator[AsyncConnection]:
    """Have a turn in SEARCHES, and a transaction as `reading` opens: whoever asks chose what is looked for, and how."""
    pool = _heavy(request, server_of(request).search_pool)
    async with SEARCHES.turn(account_of(request)), acting(pool, asker_of(request)) as found:
        yield found


@contextlib.asynccontextmanager
async def viewing(request: Request) -> AsyncIterator[AsyncConnection]:
    """Have a turn in VIEWS, and a transaction as `reading` opens, for what a map shows."""
    pool = _heavy(request, server_of(request).view_pool)
    async with VIEWS.turn(account_of(request)), acting(pool, asker_of(request)) as found:
        yield found


def writing(request: Request) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a transaction with the rights of the principal; leaving the context commits, before the answer is sent."""
    return _acting(request, read_only=False)


async def read_once(request: Request, statement: str, values: dict[str, Any], is_heavy: bool = False) -> dict[str, Any]:
    """Run one query with the rights of the principal, in one round trip (see `ask_once`); return its first row, or none.

    Parameters
    ----------
    is_heavy
        Whether a replica may answer.
    """
    server = server_of(request)
    pool = _heavy(request, server.pool) if is_heavy else server.pool
    async with server.lending.to(account_of(request), _is_for_desk(request)):
        rows = await ask_once(pool, asker_of(request), statement, values)
    return rows[0] if rows else {}


async def file_incident(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    """Store an incident with the rights of the principal, together with those of theirs that wait at the same time."""
    return await server_of(request).filing.file(asker_of(request), account_of(request), asked)


@contextlib.asynccontextmanager
async def _acting(request: Request, read_only: bool) -> AsyncIterator[AsyncConnection]:
    server = server_of(request)
    async with (
        server.lending.to(account_of(request), _is_for_desk(request)),
        acting(server.pool, asker_of(request), read_only) as connection,
    ):
        yield connection


def _heavy(request: Request, pool: AsyncPool) -> Lends:
    """Return what lends connections for a heavy read: replicas, where there are some, before a pool of the primary."""
    replicas = _replicas_for(request)
    return pool if replicas is None else replicas.before(pool)


def _replicas_for(request: Request) -> Replicas | None:
    """Return the replicas that a request may ask: a read that none of them has broken off yet (`GuardedRoute`)."""
    is_read = request.method in ("GET", "HEAD") and "geo_grid.broken_off" not in request.scope
    return server_of(request).replicas if is_read else None


def _is_for_desk(request: Request) -> bool:
    return bool(request.scope["endpoint"].__module__.startswith(_DESK))


async def with_rights[T](request: Request, do: Callable[[Connection], T], budget: Budget = DRAFTS) -> T:
    """Run work in one transaction with the rights of whoever asks, beside the event loop. Raises TooMany, Busy.

    Who leaves, waits for a turn no longer; what is at work by then is done, or ends with its statement.
    """
    pool, asker = server_of(request).threads[budget], asker_of(request)

    def run() -> T:
        with acting_in_thread(pool, asker) as connection:
            return do(connection)

    return await while_wanted(request, budget.run(account_of(request), run))


async def apart[T](request: Request, budget: Budget, do: Callable[..., T], *more: object, is_heavy: bool = False) -> T:
    """Have work done in a process with limits of time and memory, which ends with whoever asks; its body was read.

    Parameters
    ----------
    do
        Called with how to connect as whoever asks, and the rest.
    is_heavy
        Whether it reads only, so that a replica may answer.

    Raises
    ------
    TooMany, Busy
        There is no turn.
    TooMuch
        It took more memory or time than one may.
    """
    server, asker = server_of(request), asker_of(request)
    replicas = _replicas_for(request) if is_heavy else None

    async def work() -> T:
        async with budget.turn(account_of(request)), server.apart[budget].turn() as turn:
            replica = await replicas.place(server.long_pool) if replicas else None
            with broken_off() if replica else contextlib.nullcontext():
                return await turn.do(do, acting_conninfo(replica or server.conninfo, asker), *more)

    return await while_wanted(request, work())


@contextlib.asynccontextmanager
async def leaving(request: Request) -> AsyncIterator[Callable[[object], None]]:
    """Watch whether a client whose body was read goes away; what work beside the loop calls, now and then, raises then."""
    left = Event()

    async def watch() -> None:
        await _gone(request)
        left.set()

    def refuse_left(_: object) -> None:
        if left.is_set():
            message = "nobody waits for this any more"
            raise GivenUp(message)

    watching = asyncio.create_task(watch())
    try:
        yield refuse_left
    finally:
        watching.cancel()


async def while_wanted[T](request: Request, work: Coroutine[None, None, T]) -> T:
    """Run long work for a request whose body was read, and cancel it when the client disconnects."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(408, "the client has disconnected")  # nobody reads it
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
