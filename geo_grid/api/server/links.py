"""Common parts of the routes of OGC API: links, formats, and refusal of unknown parameters."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from geo_grid.api.server.negotiation import accept_of, preferred
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.errors import InvalidQuery
from geo_grid.layers import REGISTRY


class Link(BaseModel):
    """A link (RFC 8288)."""

    href: str
    rel: str
    type: str | None = None
    title: str | None = None
    templated: bool | None = None


class StrictRoute(GuardedRoute):
    """A route that refuses parameters it does not know, as OGC API Features asks (req/core/query-param-unknown)."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse unknown parameters."""
        request = Request(scope)
        known = {parameter.alias for parameter in self.dependant.query_params}
        if "filter" in known:  # queryables are parameters too
            layer = REGISTRY.get(scope["path_params"].get("layer", ""))
            known |= layer.queryables.keys() if layer else set()
        for name in request.query_params:
            if name not in known:
                message = f"there is no parameter {name[:80]!r} here; there are {', '.join(sorted(known)) or 'none'}"
                raise InvalidQuery(message)
        await super().handle(scope, receive, send)


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
