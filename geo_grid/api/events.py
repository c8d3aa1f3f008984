"""GET /events: what happens, as it happens (server-sent events)."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from geo_grid.api.asking import asker_of, identity_of, reading
from geo_grid.api.problems import PROBLEM_RESPONSES
from geo_grid.api.rights import GuardedRoute
from geo_grid.db import translated_errors
from geo_grid.errors import DatabaseUnavailable
from geo_grid.workflow import Place, events_after, place_now

router = APIRouter(tags=["events"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_PATIENCE_S = 10.0
"""How often rights are looked at again when nothing happens."""


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"description": "Events incident, incidents and edition; data is the key of what changed",
                     "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def get_events(
    request: Request, last_event_id: Annotated[str | None, Header(max_length=64)] = None
) -> EventSourceResponse:
    """Tell what happens within the rights of whoever listens, after `Last-Event-ID` or from now on."""
    identity_of(request)
    if last_event_id is not None:
        place = Place.read(last_event_id)
    else:
        async with reading(request) as database:
            place = await place_now(database)
    return EventSourceResponse(_events(request, place), ping=15)


async def _events(request: Request, place: Place) -> AsyncIterator[ServerSentEvent]:
    state = request.app.state
    yield ServerSentEvent(comment="listening", id=str(place))
    while True:
        try:
            # looked at each time: whoever is logged out, disabled or revoked hears no more
            asker, known = asker_of(request), state.identities
            if (known.held(asker, is_act=False) or await known.find(asker, is_act=False)) is None:
                return
            with translated_errors():
                async with reading(request) as database:
                    happened = await events_after(database, place)
        except DatabaseUnavailable:
            return  # the browser comes back by itself, and goes on after the last event
        for event in happened:
            place = event.place
            yield ServerSentEvent(event.key or "", event=event.kind, id=str(place))
        if not happened:
            await state.changes.event(_PATIENCE_S)
