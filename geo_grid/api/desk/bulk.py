"""POST /locate: owners of any number of points, in the format of the request."""

import asyncio
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from geo_grid.api.server.asking import account_of, identity_of, leaving, reading_much
from geo_grid.api.server.long_answers import LongAnswer
from geo_grid.api.server.parameters import At, Configured, Located, SourceCrs, known_crs, moment_of
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import BULK
from geo_grid.errors import UserError
from geo_grid.exchange import Asked, locate_points
from geo_grid.files.limits import SENT_POINTS

FORMS = {"application/json": "json", "text/csv": "csv", "application/vnd.apache.arrow.stream": "arrow"}
LARGEST_BODY = 1 << 30
MOST_POINTS = 20_000_000
_SILENCE_S = 30
"""Seconds without data from the client after which the request is refused."""

router = APIRouter(tags=["locate"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

_POINTS = {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}}
_JSON_BODY = {"type": "object", "required": ["points"], "properties": {"points": _POINTS}}
_OWNER = {
    "type": "object",
    "properties": {
        "grid_code": {"type": ["string", "null"], "description": "innermost cell"},
        "zone_code": {"type": ["string", "null"]},
        "distance_to_boundary_m": {"type": ["number", "null"]},
        "unassigned": {"type": "boolean"},
    },
}
_JSON_ANSWER = {
    "type": "object",
    "properties": {"edition": {"type": ["integer", "null"]}, "points": {"type": "array", "items": _OWNER}},
}


def _content(json_schema: dict[str, Any]) -> dict[str, Any]:
    text = {"schema": {"type": "string", "format": "binary"}}
    return {media: {"schema": json_schema} if form == "json" else text for media, form in FORMS.items()}


@router.post(
    "/locate",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The points with their owners, in the form and order they came in",
              "content": _content(_JSON_ANSWER)},
        408: PROBLEM | {"description": "The body stopped coming"},
        415: PROBLEM | {"description": "The Content-Type is none of those"},
    },
    openapi_extra={"requestBody": {"required": True, "content": _content(_JSON_BODY)}},
)  # fmt: skip
async def post_locate(
    request: Request,
    locations: Located,
    settings: Configured,
    source_crs: SourceCrs = "EPSG:4490",
    at: At = None,
    levels: Annotated[
        str, Query(description="grid levels whose codes are wanted too: 1,2", pattern=r"^([0-9](,[0-9]){0,9})?$")
    ] = "",
    skip_invalid: Annotated[bool, Query(description="answer the other points and name the problem of these")] = False,
) -> StreamingResponse:
    """Find the owners of many points: JSON `{"points": [[lon, lat], ...]}`, CSV or an Arrow stream with lon and lat.

    All points or none, unless `skip_invalid`. CSV and Arrow keep their other columns.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in FORMS:
        raise HTTPException(415, f"Content-Type is {media or 'missing'}; send {', '.join(FORMS)}")
    await known_crs(request, source_crs)
    wanted = tuple(int(level) for level in levels.split(",") if level)
    asked = Asked(source_crs, wanted, skip_invalid, identity_of(request).seen, MOST_POINTS, limits=SENT_POINTS)
    with LongAnswer.begun(request, settings) as answer, tempfile.TemporaryFile(dir=answer.spool) as body:
        await _receive(request, body)
        async with BULK.turn(account_of(request)):  # a past edition may have to be compiled
            city = await locations.city(lambda: reading_much(request), moment_of(request, at))
        async with leaving(request) as refuse_left:
            done = await BULK.run(
                account_of(request),
                locate_points,
                city,
                _path(body),
                _path(answer.file),
                FORMS[media],
                asked,
                lambda step, total=None: nullcontext(refuse_left),
                partial(refuse_left, 0),
            )
    headers = {
        "Geo-Grid-Edition": str(city.edition),
        "Geo-Grid-Points": str(done.points),
        "Geo-Grid-Unassigned": str(done.unassigned),
    }
    return answer.sent(media, headers)


async def _receive(request: Request, body: BinaryIO) -> None:
    """Write the body to disk, so that memory stays small, and errors are known before the answer begins."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_SILENCE_S):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise HTTPException(408, f"nothing came for {_SILENCE_S} s; send the body again") from None
        except ClientDisconnect:
            message = "the client went away before the body was complete"
            raise UserError(message) from None
        if chunk is None:
            body.flush()
            return
        body.write(chunk)


def _path(opened: BinaryIO) -> Path:
    """Return the path in /proc of an open file without a name, which the system deletes even if the process is killed."""
    return Path(f"/proc/self/fd/{opened.fileno()}")
