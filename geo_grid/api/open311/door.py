"""The door of GeoReport v2: takes the API key where its clients send it, and tells of errors as the specification does."""

import gzip
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_grid.api.open311.forms import MEDIA, body_of
from geo_grid.api.server.problems import problem
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.settings import Settings

PREFIX = "/open311/v2/"
LARGEST_BODY = 64 << 10
"""Most bytes of a form: 4,000 characters of text, of at most 4 bytes each, written with percent signs."""
_KEY = "api_key"
_FORM = "application/x-www-form-urlencoded"
_STATUS = {401: 403, 422: 400}
"""Statuses of problems that the specification has otherwise: 403 for a missing or invalid key, 400 for invalid input."""


class Open311Door:
    """Moves `api_key` out of the query or the form into the header Authorization, before anybody else reads the request,
    so that it stands in no log and no audit; and gives every error back as a list of code and description.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._public = PublicAddress(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not self._public.inward(scope["path"]).startswith(PREFIX):
            await self.app(scope, receive, send)
            return
        form = "xml" if scope["path"].endswith(".xml") else "json"
        told = _Told(send, form)
        key, rest = _taken(scope["query_string"])
        if key:
            scope["query_string"] = rest
        headers = Headers(scope=scope)
        if scope["method"] == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            body = await _whole(receive)
            if body is None:
                await problem(413, f"the form is larger than {LARGEST_BODY:,} bytes")(scope, receive, told)
                return
            of_form, rest = _taken(body)
            key, body = key or of_form, rest if of_form else body
            MutableHeaders(scope=scope)["content-length"] = str(len(body))
            receive = _again(body, receive)
        if key and "authorization" not in headers:
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {key}".encode("latin-1", "replace"))]
        await self.app(scope, receive, told)


class _Told:
    """Sends an answer on; a problem as GeoReport has errors."""

    def __init__(self, send: Send, form: str) -> None:
        self._send, self._form = send, form
        self._held: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("application/problem+json"):
                self._held = message
                return
        elif self._held is not None:
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            await self._tell(self._held)
            return
        await self._send(message)

    async def _tell(self, start: Message) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        body = gzip.decompress(self._body) if headers.get("content-encoding") == "gzip" else self._body
        said: dict[str, Any] = json.loads(body)
        status = _STATUS.get(start["status"], start["status"])
        body = body_of(self._form, "errors", "error", [{"code": str(status), "description": said["detail"]}])
        del headers["content-encoding"]
        headers["content-type"], headers["content-length"] = MEDIA[self._form], str(len(body))
        await self._send({**start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _taken(encoded: bytes) -> tuple[str, bytes]:
    """Return the key of a query or form, and the rest of it."""
    if _KEY.encode() not in encoded:
        return "", encoded
    pairs = parse_qsl(encoded.decode("latin-1"), keep_blank_values=True)
    keys = [value for name, value in pairs if name == _KEY]
    return keys[0] if keys else "", urlencode([pair for pair in pairs if pair[0] != _KEY]).encode()


async def _whole(receive: Receive) -> bytes | None:
    """Read a body; None: it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read once more, and then goes on."""
    is_given = False

    async def given() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return given
