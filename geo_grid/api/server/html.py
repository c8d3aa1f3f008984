"""HTML answers: the nonce of their scripts, data about the user, and the OGC API resources as pages."""

import secrets
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from geo_grid.access import csrf_token
from geo_grid.api.server.asking import identity_of, reading
from geo_grid.api.server.negotiation import preferred_language
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.api.server.state import server_of
from geo_grid.layers import Layer
from geo_grid.maps import city_view, features_map, plain_page
from geo_grid.wording import Language

_MAY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data: {hosts}; "
    "font-src 'self'; connect-src 'self'; media-src blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts run only from our own files or with the nonce of the answer; only images of the configured base map are loaded
from other hosts. What a video shows is put together by our scripts (blob:)."""


def html_page(request: Request, html: str, hosts: str = "") -> HTMLResponse:
    """Answer with a page, and add a nonce to its scripts, so that no injected script runs.

    Data is in JSON blocks with every `<` escaped, so each `<script` is the page's own.
    """
    nonce = secrets.token_urlsafe(16)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _MAY.format(nonce=nonce, hosts=hosts)}
    page = html.replace("<script", f'<script nonce="{nonce}"')
    public: PublicAddress = request.scope["geo_grid.public"]
    if prefix := public.prefix:
        page = page.replace("<html", f'<html data-base="{prefix}"', 1)
        page = page.replace(' src="/static/', f' src="{prefix}/static/').replace(
            ' href="/static/', f' href="{prefix}/static/'
        )
    return HTMLResponse(page, headers=headers)


def person_of(request: Request) -> dict[str, Any]:
    """Return the user of a page for its script, with the CSRF token, which pages of other sites do not know."""
    identity, secret = identity_of(request), request.scope["geo_grid.secret"]
    return {
        "name": identity.display_name, "role": identity.role, "rights": sorted(identity.rights),
        "must": identity.must, "isKiosk": identity.page is not None, "csrf": csrf_token(secret) if secret else None,
    }  # fmt: skip


def catalogue_page(request: Request, titles: tuple[str, str], answer: BaseModel) -> HTMLResponse:
    """Render an answer of OGC API as a page with its texts and links; titles in Chinese and English."""
    lang = _language(request)
    title = titles[lang == "en"]
    told = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    options = {"person": person_of(request), "title": title, "answer": told, "isFixed": True}
    return _of_several(html_page(request, plain_page("catalogue", f"{title} · geo_grid", lang, options)))


async def features_page(request: Request, layer: Layer, address: str) -> HTMLResponse:
    """Render a page with a small map and a table of features, which its script loads from `address`."""
    settings = server_of(request).settings
    async with reading(request) as database:
        view = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    lang = _language(request)
    title = layer.title_zh if lang == "zh" else layer.title_en
    options = {"person": person_of(request), "title": title, "layer": layer.name, "address": address, "isFixed": True}
    return _of_several(html_page(request, features_map(view, title, lang, options)))


def _language(request: Request) -> Language:
    """Return the language by Accept-Language, for OGC resources, which take no parameter `lang`."""
    return preferred_language(",".join(request.headers.getlist("accept-language")), "zh")


def _of_several(page: HTMLResponse) -> HTMLResponse:
    page.headers["Vary"] = "Accept, Accept-Language, Cookie, Authorization"
    return page
