"""Cookies: over HTTPS with the prefix __Host-, which other sites and plain connections cannot set (RFC 6265bis, 4.1.3)."""

import re

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

SESSION = "geo_grid_session"
DEVICE = "geo_grid_device"
OIDC = "geo_grid_oidc"


def cookie_name(name: str, scheme: str) -> str:
    """Return the full name of a cookie, with the prefix under HTTPS."""
    return f"__Host-{name}" if scheme == "https" else name


def read_cookie(headers: Headers, name: str, scheme: str) -> str | None:
    """Return the value of a cookie; None: it is missing, or occurs with two values, one of which an attacker set."""
    wanted = re.escape(cookie_name(name, scheme))
    pairs = "; ".join(headers.getlist("cookie"))
    values = set(re.findall(rf"(?:^|;)[ \t]*{wanted}=([A-Za-z0-9_-]+)[ \t]*(?=;|$)", pairs))
    return values.pop() if len(values) == 1 else None


def set_cookie(request: Request, response: Response, name: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that scripts cannot read; without `max_age` (seconds) it ends when the browser is closed."""
    scheme = request.url.scheme
    response.set_cookie(
        cookie_name(name, scheme), value, max_age, path="/", secure=scheme == "https", httponly=True, samesite="lax"
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Delete a cookie in the browser."""
    scheme = request.url.scheme
    response.delete_cookie(cookie_name(name, scheme), path="/", secure=scheme == "https", httponly=True, samesite="lax")
