"""GET /events: changes as server-sent events."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import AppStatus
from starlette.types import Receive, Scope, Send

from geo_grid.access import Identity
from geo_grid.api.server.asking import asker_of, identity_of
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.sockets import Connection
from geo_grid.api.server.state import server_of
from geo_grid.changes import Change, Feed, Place, Pulse
from geo_grid.errors import DatabaseUnavailable

router = APIRouter(tags=["events"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_PATIENCE_S = 8.0
"""Seconds after which rights are checked again when there are no events."""
_RESET = "reset"
AppStatus.enable_automatic_graceful_drain = (
    False  # it would cut streams off, which end by themselves: `Connection.ending`
)


class _Listening(EventSourceResponse):
    """A stream that counts towards its account's limit while it is open."""

    give_back: Callable[[], None]
    wake: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: Connection = scope["geo_grid.client"]
        try:
            with client.ending(self.wake):
                await super().__call__(scope, receive, send)
        finally:
            self.give_back()


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"description": "Events incident (data: the incident as it is now, as JSON), incidents (many: look again),"
                                    " edition (data: its number), layer (data: its name) and reset (look again at everything)",
                     "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def get_events(
    request: Request, last_event_id: Annotated[str | None, Header(max_length=4096)] = None
) -> EventSourceResponse:
    """Send the changes that the listener may see, after `Last-Event-ID` or from now on."""
    account = identity_of(request).principal_id
    feed = server_of(request).feed
    if last_event_id is None:
        await feed.look()  # so that changes committed before the request are not sent
    begin = feed.newest if last_event_id is None else await feed.resume(Place.read(last_event_id))
    give_back = server_of(request).event_streams.take(account)
    answer = _Listening(_events(request, feed, begin, last_event_id is not None), ping=15)
    answer.give_back, answer.wake = give_back, feed.wake
    return answer


async def _events(
    request: Request, feed: Feed, begin: Pulse, is_told_first: bool
) -> AsyncIterator[ServerSentEvent | bytes]:
    """Yield the events after a pulse; with `is_told_first` also those of the pulse itself, which the listener missed."""
    identities = server_of(request).identities
    client: Connection = request.scope["geo_grid.client"]
    told, told_at = begin, time.monotonic()
    pulses = [begin] if is_told_first else []
    yield ServerSentEvent(comment="listening", id=None if is_told_first else str(begin.place))
    while not client.is_ending:
        try:
            # looked up after the pulses were taken, so that rights are never older than the changes they apply to
            identity = await identities.current(asker_of(request))
        except DatabaseUnavailable:
            return  # the browser reconnects by itself, and resumes after the last event
        if identity is None or "map" not in identity.rights:
            return  # logged out, disabled, revoked, or without the right
        if events := b"".join(_written(pulse, identity) for pulse in pulses):
            told_at = time.monotonic()
            yield events
        elif time.monotonic() - told_at > _PATIENCE_S:
            told_at = time.monotonic()
            # moves the listener's place past changes that it may not see
            yield ServerSentEvent(comment="here", id=str(told.place))
        if feed.newest.number == told.number and not client.is_ending:
            await feed.news(_PATIENCE_S)
        pulses = feed.since(told.number)
        told = pulses[-1] if pulses else told


def _written(pulse: Pulse, identity: Identity) -> bytes:
    """Return a pulse serialised for a listener's rights; cached for all listeners who see the same.

    Only the last event has an id: a listener that is cut off before it gets the whole pulse again.
    """
    found = pulse.written.get(identity.sight)
    if found is None:
        zones = None if identity.seen.everywhere else identity.seen.zones
        seen = [one for one in pulse.changes if one.is_seen(identity.rights, identity.seen.only_cells)]
        events = [(_RESET, "")] if pulse.is_reset else [(one.kind, _data(one, zones)) for one in seen]
        found = b"".join(
            ServerSentEvent(data, event=kind, id=str(pulse.place) if number == len(events) else None).encode()
            for number, (kind, data) in enumerate(events, 1)
        )
        pulse.written[identity.sight] = found
    return found


def _data(change: Change, zones: frozenset[str] | None) -> str:
    payload = change.payload_for(zones)
    return change.subject or "" if payload is None else json.dumps(payload, ensure_ascii=False)
