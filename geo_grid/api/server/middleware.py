"""Middleware for every request: request id and security headers, and limits of bodies."""

import asyncio
import uuid

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_grid.api.server.problems import problem
from geo_grid.api.server.requests import Answered
from geo_grid.api.server.state import server_of
from geo_grid.log_lines import REQUEST_ID

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SECURE = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NO_DEVICES = (
    b"permissions-policy",
    b"accelerometer=(), bluetooth=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(),"
    b" idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(),"
    b" xr-spatial-tracking=()",
)
_NOT_KEPT = (b"cache-control", b"no-store")
_NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class NamedRequests:
    """Adds a request id and security headers to every answer.

    Pages set their own Content-Security-Policy; other answers get one that forbids everything. Answers without a
    Permissions-Policy get one that allows no device; those without Cache-Control `no-store`, since they may concern an account.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = scope["geo_grid.request_id"] = uuid.uuid4().hex
        REQUEST_ID.set(name)
        answered = scope["geo_grid.answered"] = Answered()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                headers = [*message["headers"], (b"x-request-id", name.encode()), *_HEADERS]
                if scope["scheme"] == "https":
                    headers.append(_SECURE)
                given = {name.lower() for name, _ in headers}
                if b"content-security-policy" not in given:
                    headers.append(_NO_PAGE)
                if b"permissions-policy" not in given:  # the phone page asks where it is
                    headers.append(_NO_DEVICES)
                if b"cache-control" not in given and not scope["path"].startswith("/static/"):
                    headers.append(_NOT_KEPT)
                message["headers"] = headers
            await send(message)

        try:
            await self.app(scope, receive, named)
        except asyncio.CancelledError:  # the server ends, and has waited for this answer as long as it does
            if not answered.status:
                ending = problem(
                    503,
                    "the server ends before this was answered; whether it was done is not known: look, then ask again",
                )
                await ending(scope, receive, named)
            raise  # whoever asks within the server, as pictures do, waits until it has ended
        finally:
            server_of(scope).requests.note(scope["method"], answered)


_MOST_VALUES = 15_000
"""In a body of JSON that is read whole, told by its commas: a drawn area of 5,000 corners has 10,000. Each that is wrong
costs some microseconds on the event loop to say so."""
_MOST_NAMES = 2_500
"""In such a body, told by its colons: of names that nobody knows each is found out by itself, though few are told."""


class BodyLimit:
    """Refuses bodies with too many bytes or values, by Content-Length or counted while they are received.

    Starlette has a limit of bytes too, but answers in plain text, not as a problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        largest: int,
        exceptions: dict[tuple[str, str], int],
        unknown: int,
        values: dict[tuple[str, str], int],
    ) -> None:
        """Set the limits: `largest` bytes, `exceptions` to it by method and path, and `unknown` for clients without log-in.

        `values` has the most values of a JSON body by method and path, where that is more than the default.
        """
        self.app = app
        self.largest = largest
        self.unknown = unknown
        self.exceptions = exceptions
        self.values = values

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse its body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):  # their bodies are ignored
            await self.app(scope, receive, send)
            return
        limit = self.exceptions.get((scope["method"], scope["path"]), self.largest)
        if scope["geo_grid.identity"] is None:
            limit = min(limit, self.unknown)
        headers = Headers(scope=scope)
        is_form = headers.get("content-type", "").lower().startswith("multipart/")
        most_values = float("inf") if is_form else self.values.get((scope["method"], scope["path"]), _MOST_VALUES)
        most_names = _MOST_NAMES if most_values == _MOST_VALUES else float("inf")
        values = names = 0
        announced = headers.get("content-length", "0")
        received = int(announced) if announced.isascii() and announced.isdigit() and int(announced) > limit else 0

        async def limited() -> Message:
            nonlocal received, values, names
            if received <= limit:
                message = await receive()
                part = message.get("body", b"")
                received += len(part)
                values += part.count(b",")
                names += part.count(b":")
            if received > limit:
                raise HTTPException(413, f"the body is larger than {limit:,} bytes; send it in parts")
            if values > most_values:
                raise HTTPException(413, f"the body has more than {most_values:,} values; send it in parts")
            if names > most_names:
                raise HTTPException(413, f"the body names more than {most_names:,} things; send it in parts")
            return message

        await self.app(scope, limited, send)
