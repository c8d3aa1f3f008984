"""/maps/sheet: a part of the map on a sheet of paper, with its legend; /maps/picture: the same as PNG or PDF."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.types import Message

from geo_grid.api.server.asking import account_of, viewing, while_wanted
from geo_grid.api.server.html import html_page, person_of
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.budgets import PICTURES
from geo_grid.errors import NotFound
from geo_grid.maps import SHEET_LAYERS, city_view, sheet_map
from geo_grid.pictures import Fetched, Wanted, find_browser, take_picture, told_missing
from geo_grid.settings import Settings

router = APIRouter(tags=["maps"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

PAPERS = {"a4": (297, 210), "a3": (420, 297), "a4-portrait": (210, 297), "a3-portrait": (297, 420)}
"""Width and height in millimetres (ISO 216)."""
_PASSED_ON = {b"host", b"cookie", b"authorization", b"x-forwarded-for", b"x-forwarded-proto", b"accept-language"}
"""Headers by which a request of the picture's page is the asker's own."""
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Sheet(BaseModel):
    """A part of the map on paper."""

    model_config = ConfigDict(extra="forbid")

    view: Annotated[str, Field(pattern=r"^(|\d{1,2}(\.\d+)?,-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?)$", max_length=60)] = (
        Field(
            "",
            description="zoom, lat, lon in degrees, as the pages have it in their address; the whole city if not given",
        )
    )
    scale: int | None = Field(
        None, ge=200, le=10_000_000, description="of the print at the middle of the map: 10000 is 1 : 10,000"
    )
    layers: str = Field(
        "grid_cells,patrol_zones,police_posts",
        max_length=300,
        description=f"names with commas, among {', '.join(SHEET_LAYERS)}; empty: none",
    )
    theme: Literal["light", "dark"] = "light"
    paper: Literal["a4", "a3", "a4-portrait", "a3-portrait"] = "a4"
    title: str = Field("", max_length=120, description="written above the map; the city's name if not given")
    draft: int | None = Field(
        None, ge=1, le=2**63 - 1, description="what this draft of boundaries changes is drawn too"
    )
    lang: Literal["zh", "en"] = "zh"

    @field_validator("layers")
    @classmethod
    def _known(cls, names: str) -> str:
        for name in filter(None, names.split(",")):
            if name not in SHEET_LAYERS:
                message = f"{name!r} is no layer of a sheet; known are {', '.join(SHEET_LAYERS)}"
                raise ValueError(message)
        return names


class Picture(Sheet):
    """A picture of a sheet."""

    f: Literal["png", "pdf"] = Field(description="PNG at 192 dots per inch, or a PDF that prints at its scale")


@router.get("/maps/sheet", include_in_schema=False)
async def sheet(request: Request, settings: Configured, asked: Annotated[Sheet, Query()]) -> HTMLResponse:
    """Show a part of the map on a sheet of paper."""
    async with viewing(request) as database:
        view = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    options = {
        "paper": PAPERS[asked.paper], "view": asked.view, "scale": asked.scale, "theme": asked.theme,
        "heading": asked.title, "draft": asked.draft, "madeAt": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    names = [name for name in asked.layers.split(",") if name]
    return html_page(request, sheet_map(view, names, asked.lang, person_of(request), {"sheet": options}))


@router.get(
    "/maps/picture",
    response_class=Response,
    responses={
        200: {"content": {"image/png": _BINARY, "application/pdf": _BINARY}},
        404: PROBLEM | {"description": "There is no Chromium, or no such draft"},
    },
)
async def picture(request: Request, settings: Configured, asked: Annotated[Picture, Query()]) -> Response:
    """Return a part of the map as a picture, with legend, north arrow, scale, time, edition and source.

    It is made with the rights of whoever asks, by a browser of its own that gets every file from this server and nothing
    from elsewhere. Few are made at once.
    """
    command = _browser(settings)
    query = urlencode({name: value for name, value in asked.model_dump(exclude={"f"}).items() if value is not None})
    prefix = request.scope["geo_grid.public"].prefix
    wanted = Wanted(f"{prefix}/maps/sheet?{query}", asked.f, PAPERS[asked.paper])

    async def take() -> bytes:
        async with PICTURES.turn(account_of(request)):
            return await take_picture(command, wanted, lambda path: _answer(request, path))

    made = await while_wanted(request, take())
    when = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    headers = {"Content-Disposition": f'inline; filename="map-{when}.{asked.f}"', "Cache-Control": "no-store"}
    return Response(made, headers=headers, media_type="image/png" if asked.f == "png" else "application/pdf")


def _browser(settings: Settings) -> str:
    """Return the browser of this server. Raises NotFound, which says what to install."""
    found = find_browser(settings.chromium)
    if found is None:
        raise NotFound(told_missing(settings.chromium))
    return found


async def _answer(request: Request, path: str) -> Fetched:
    """Answer what the page of a picture asks for, as if whoever wants the picture had asked for it."""
    inner, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": request.scope["asgi"], "http_version": "1.1", "method": "GET",
        "scheme": request.scope["scheme"], "path": unquote(inner), "raw_path": inner.encode(), "root_path": "",
        "query_string": query.encode(), "client": request.scope["client"], "server": request.scope["server"],
        "geo_grid.client": request.scope["geo_grid.client"],  # whoever leaves ends all of it
        "headers": [
            (b"accept", b"text/html, */*;q=0.8" if inner.endswith("/maps/sheet") else b"*/*"),
            (b"geo-grid-background", b"1"),  # it does not extend the session
            *(pair for pair in request.scope["headers"] if pair[0] in _PASSED_ON),
        ],
    }  # fmt: skip
    status, headers, parts = 500, [], []
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # it stays until it is answered, or is given up
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        else:
            parts.append(message.get("body", b""))

    await request.app(scope, receive, send)
    return Fetched(status, headers, b"".join(parts))
