"""GET /events: what happens, as it happens (server-sent events)."""

import time
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from geo_grid.api.server.asking import asker_of, identity_of, reading
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.db import translated_errors
from geo_grid.errors import DatabaseUnavailable
from geo_grid.workflow import MOST, Event, Feed, Place, events_after

router = APIRouter(tags=["events"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_PATIENCE_S = 8.0
"""How often rights are looked at again when nothing happens."""
_BEGUN_S = 5.0


class _Listening(EventSourceResponse):
    """A stream that counts against its account while it lasts."""

    give_back: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.give_back()


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"description": "Events incident, incidents, edition and layer; data is the key of what changed",
                     "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def get_events(
    request: Request, last_event_id: Annotated[str | None, Header(max_length=64)] = None
) -> EventSourceResponse:
    """Tell what happens within the rights of whoever listens, after `Last-Event-ID` or from now on."""
    account = identity_of(request).principal_id
    feed = server_of(request).feed
    try:
        await feed.begun(_BEGUN_S)
    except TimeoutError:
        message = "events cannot be read now: the database is away; try again"
        raise DatabaseUnavailable(message) from None
    place = Place.read(last_event_id) if last_event_id is not None else feed.place
    give_back = server_of(request).event_streams.take(account)
    answer = _Listening(_events(request, feed, place), ping=15)
    answer.give_back = give_back
    return answer


async def _events(request: Request, feed: Feed, place: Place) -> AsyncIterator[ServerSentEvent | bytes]:
    told, told_at = place, time.monotonic()
    yield ServerSentEvent(comment="listening", id=str(place))
    while True:
        try:
            found = await _next(request, feed, place)
        except DatabaseUnavailable:
            return  # the browser comes back by itself, and goes on after the last event
        if found is None:
            return  # logged out, disabled, revoked, or without the right: they hear no more
        events, place = found
        if events:
            told, told_at = place, time.monotonic()
            yield b"".join(map(_encoded, events))
            continue
        if told < place and time.monotonic() - told_at > _PATIENCE_S:
            told, told_at = place, time.monotonic()
            yield ServerSentEvent(comment="here", id=str(place))  # what others see need not be asked for again
        if feed.place <= place:
            await feed.news(_PATIENCE_S)


async def _next(request: Request, feed: Feed, place: Place) -> tuple[list[Event], Place] | None:
    """Return what happened after a place, of what whoever listens may see, and how far that goes; None: they may not listen.

    Rights are looked at each time, as of a state of the database not older than the events: what is given out is what
    the policy would show.
    """
    identities = server_of(request).identities
    while True:
        versions = feed.versions
        identity = await identities.current(asker_of(request), versions)
        if identity is None or "map" not in identity.rights:
            return None
        if versions is feed.versions:  # else there are newer events meanwhile
            break
    read_to, happened = feed.place, feed.after(place)
    if happened is not None:
        cells = identity.seen.only_cells
        return [event for event in happened if event.is_seen(identity.rights, cells)], max(place, read_to)
    with translated_errors():
        async with reading(request) as database:
            missed = await events_after(database, place)
    if len(missed) == MOST:
        return missed, missed[-1].place
    return missed, max([read_to, *(event.place for event in missed[-1:])])


@lru_cache(maxsize=4096)
def _encoded(event: Event) -> bytes:
    """Write an event as it is sent to all who see it."""
    return ServerSentEvent(event.key or "", event=event.kind, id=str(event.place)).encode()
