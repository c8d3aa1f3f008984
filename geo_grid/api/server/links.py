"""Common parts of the routes of OGC API: links and formats."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel

from geo_grid.api.server.negotiation import accept_of, preferred
from geo_grid.api.server.public_address import PublicAddress


class Link(BaseModel):
    """A link (RFC 8288)."""

    href: str
    rel: str
    type: str | None = None
    title: str | None = None
    templated: bool | None = None


def wants_html(request: Request, f: str | None) -> bool:
    """Say whether to answer with HTML: by the parameter `f`, or the header Accept. Raises NotAcceptable."""
    return (f or chosen(request, {"json": "application/json", "html": "text/html"})) == "html"


def chosen(request: Request, forms: Mapping[str, str]) -> str:
    """Return the name of the form that a client wants most, of media types by name, the usual one first. Raises NotAcceptable."""
    named = {media: name for name, media in forms.items()}
    return named[preferred(accept_of(request), list(named))]


def base_url(request: Request) -> str:
    """Return the address of the server as the client sees it, without a slash at its end."""
    public: PublicAddress = request.scope["geo_grid.public"]
    return public.base_of(request.scope)


def here(request: Request, **changes: Any) -> str:
    """Return the URL of this request with some parameters changed; None removes one."""
    kept = {name: value for name, value in request.query_params.items() if name not in changes}
    query = urlencode([*kept.items(), *((name, value) for name, value in changes.items() if value is not None)])
    return f"{base_url(request)}{request.url.path}{'?' if query else ''}{query}"


def self_links(request: Request, media: str = "application/json", forms: dict[str, str] | None = None) -> list[Link]:
    """Return the links of an answer to itself and to its other formats; `forms` has media types by value of `f`."""
    others = forms or {"json": media, "html": "text/html"}
    mine = next((f for f, kind in others.items() if kind == media), "json")
    return [
        Link(href=here(request, f=form), rel="self" if form == mine else "alternate", type=kind, title=form)
        for form, kind in others.items()
    ]
