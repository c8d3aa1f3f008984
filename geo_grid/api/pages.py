"""The map pages and the API's own page. Nothing is loaded from another host."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse

from geo_grid.api.parameters import Configured, Database
from geo_grid.api.problems import PROBLEM_RESPONSES
from geo_grid.maps import CityView, city_view, wall_page

router = APIRouter(include_in_schema=False, responses=PROBLEM_RESPONSES)

_MAY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts run only from our own files or with this answer's nonce; nothing is loaded from another host."""


def _page(html: str) -> HTMLResponse:
    """Answer with a page whose own scripts run, and no other: not one that a name may smuggle in.

    Data travels in JSON blocks with every `<` escaped, so each `<script` is the page's own.
    """
    nonce = secrets.token_urlsafe(16)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _MAY.format(nonce=nonce)}
    return HTMLResponse(html.replace("<script", f'<script nonce="{nonce}"'), headers=headers)


@router.get("/")
async def home() -> Response:
    """Lead to the wall."""
    return RedirectResponse("/maps/wall")


@router.get("/maps/wall")
async def wall(
    database: Database, settings: Configured, lang: Annotated[Literal["zh", "en"], Query()] = "zh"
) -> HTMLResponse:
    """Show the wall."""
    view: CityView = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    return _page(wall_page(view, lang))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show the API, from our own copy of Swagger UI."""
    made = get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title="geo_grid API",
        swagger_js_url="/static/vendor/swagger-ui/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
    )
    return _page(bytes(made.body).decode())
