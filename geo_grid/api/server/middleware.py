"""What happens to every request: it gets a name, and a body has an end."""

import uuid

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), bluetooth=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(),"
        b" idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(),"
        b" xr-spatial-tracking=()",
    ),
]
_SECURE = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NOT_KEPT = (b"cache-control", b"no-store")
_NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class NamedRequests:
    """Gives every answer a request id, and tells browsers what they may not do with it.

    A page brings its own Content-Security-Policy; what is no page may load and run nothing at all. What does not
    say itself how long it may be kept is kept by nobody: it may be about somebody's account.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = scope["geo_grid.request_id"] = uuid.uuid4().hex

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-request-id", name.encode()), *_HEADERS]
                if scope["scheme"] == "https":
                    headers.append(_SECURE)
                given = {name.lower() for name, _ in headers}
                if b"content-security-policy" not in given:
                    headers.append(_NO_PAGE)
                if b"cache-control" not in given and not scope["path"].startswith("/static/"):
                    headers.append(_NOT_KEPT)
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, named)


class BodyLimit:
    """Refuses bodies that are too large, told by their header or counted as they come.

    Starlette has such a limit, but answers it in plain text, not as a problem.
    """

    def __init__(self, app: ASGIApp, largest: int, exceptions: dict[tuple[str, str], int], unknown: int) -> None:
        """Limit bodies to `largest` bytes; `exceptions` by method and path; `unknown` for who is not logged in."""
        self.app = app
        self.largest = largest
        self.unknown = unknown
        self.exceptions = exceptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse its body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):  # nobody reads a body there
            await self.app(scope, receive, send)
            return
        limit = self.exceptions.get((scope["method"], scope["path"]), self.largest)
        if scope["geo_grid.identity"] is None:
            limit = min(limit, self.unknown)
        announced = Headers(scope=scope).get("content-length", "0")
        received = int(announced) if announced.isascii() and announced.isdigit() and int(announced) > limit else 0

        async def limited() -> Message:
            nonlocal received
            if received <= limit:
                message = await receive()
                received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"the body is larger than {limit:,} bytes; send it in parts")
            return message

        await self.app(scope, limited, send)
