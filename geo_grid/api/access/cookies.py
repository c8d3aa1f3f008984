"""Our cookies: over HTTPS under a name that no other site and no plain connection can set (RFC 6265bis, 4.1.3)."""

import re

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

SESSION = "geo_grid_session"
DEVICE = "geo_grid_device"
OIDC = "geo_grid_oidc"


def cookie_name(name: str, scheme: str) -> str:
    """Return the name under which a cookie of ours travels."""
    return f"__Host-{name}" if scheme == "https" else name


def read_cookie(headers: Headers, name: str, scheme: str) -> str | None:
    """Return the value of a cookie of ours; None where there is none, or two that differ: one was planted."""
    wanted = re.escape(cookie_name(name, scheme))
    pairs = "; ".join(headers.getlist("cookie"))
    values = set(re.findall(rf"(?:^|;)[ \t]*{wanted}=([A-Za-z0-9_-]+)[ \t]*(?=;|$)", pairs))
    return values.pop() if len(values) == 1 else None


def set_cookie(request: Request, response: Response, name: str, value: str, max_age: int | None = None) -> None:
    """Give the browser a cookie that no script reads; without `max_age` it goes when the browser does."""
    scheme = request.url.scheme
    response.set_cookie(
        cookie_name(name, scheme), value, max_age, path="/", secure=scheme == "https", httponly=True, samesite="lax"
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Take a cookie of ours back."""
    scheme = request.url.scheme
    response.delete_cookie(cookie_name(name, scheme), path="/", secure=scheme == "https", httponly=True, samesite="lax")
