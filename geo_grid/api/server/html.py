"""Answers that are pages: their scripts' nonce, who looks at them, and the layers of OGC API as a person reads them."""

import secrets
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from geo_grid.access import csrf_token
from geo_grid.api.server.asking import identity_of, reading
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.api.server.state import server_of
from geo_grid.layers import Layer
from geo_grid.maps import city_view, features_map, plain_page

_MAY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data: {hosts}; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts run only from our own files or with this answer's nonce; nothing is loaded from another host but the base map that is configured."""


def html_page(request: Request, html: str, hosts: str = "") -> HTMLResponse:
    """Answer with a page whose own scripts run, and no other: not one that a name may smuggle in.

    Data travels in JSON blocks with every `<` escaped, so each `<script` is the page's own.
    """
    nonce = secrets.token_urlsafe(16)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _MAY.format(nonce=nonce, hosts=hosts)}
    made = html.replace("<script", f'<script nonce="{nonce}"')
    public: PublicAddress = request.scope["geo_grid.public"]
    if prefix := public.prefix:
        made = made.replace("<html", f'<html data-base="{prefix}"', 1)
        made = made.replace(' src="/static/', f' src="{prefix}/static/').replace(
            ' href="/static/', f' href="{prefix}/static/'
        )
    return HTMLResponse(made, headers=headers)


def person_of(request: Request) -> dict[str, Any]:
    """Return who looks, for the page's script; the token is what another site's page does not know."""
    identity, secret = identity_of(request), request.scope["geo_grid.secret"]
    return {
        "name": identity.display_name, "role": identity.role, "rights": sorted(identity.rights),
        "must": identity.must, "isKiosk": identity.page is not None, "csrf": csrf_token(secret) if secret else None,
    }  # fmt: skip


def catalogue_page(request: Request, titles: tuple[str, str], answer: BaseModel) -> HTMLResponse:
    """Show an answer of OGC API as a page: its texts and its links; titles in Chinese and English."""
    lang = _language(request)
    title = titles[lang == "en"]
    told = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    options = {"person": person_of(request), "title": title, "answer": told, "isFixed": True}
    return _of_several(html_page(request, plain_page("catalogue", f"{title} · geo_grid", lang, options)))


async def features_page(request: Request, layer: Layer, address: str) -> HTMLResponse:
    """Show features on a small map, with a table; the page asks for them at `address`."""
    settings = server_of(request).settings
    async with reading(request) as database:
        view = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    lang = _language(request)
    title = layer.title_zh if lang == "zh" else layer.title_en
    options = {"person": person_of(request), "title": title, "layer": layer.name, "address": address, "isFixed": True}
    return _of_several(html_page(request, features_map(view, title, lang, options)))


def _language(request: Request) -> Literal["zh", "en"]:
    """Read the language of a page whose address is not ours to add a parameter to."""
    return "zh" if request.headers.get("accept-language", "zh").lower().startswith("zh") else "en"


def _of_several(page: HTMLResponse) -> HTMLResponse:
    page.headers["Vary"] = "Accept, Accept-Language, Cookie, Authorization"
    return page
