"""The map pages and the API's own page. Nothing is loaded from another host."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse

from geo_grid.api.parameters import Configured, Database
from geo_grid.api.problems import PROBLEM_RESPONSES
from geo_grid.maps import CityView, city_view, wall_page

router = APIRouter(include_in_schema=False, responses=PROBLEM_RESPONSES)


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
    return HTMLResponse(wall_page(view, lang), headers={"Cache-Control": "no-cache"})


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show the API, from our own copy of Swagger UI."""
    return get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title="geo_grid API",
        swagger_js_url="/static/vendor/swagger-ui/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
    )
