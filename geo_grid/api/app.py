"""The app: routers, errors, static files."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from geo_grid import __version__
from geo_grid.api import collections, health, incidents, locate, pages, problems
from geo_grid.db import open_pool
from geo_grid.errors import SetupError
from geo_grid.settings import Settings, asset_dir


def create_app(settings: Settings, conninfo: str) -> FastAPI:
    """Make the app.

    Parameters
    ----------
    conninfo
        libpq connection string of a migrated database.

    Raises
    ------
    SetupError
        The web libraries are missing.
    """
    static = asset_dir("static")
    if not (static / "vendor/leaflet/leaflet.js").is_file():
        message = f"the web libraries are missing from {static / 'vendor'}: run make up, which fetches them with npm"
        raise SetupError(message)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(conninfo, settings) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(
        title="geo_grid",
        version=__version__,
        summary="The map a city's command centre runs on",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)

    @app.middleware("http")
    async def name_request(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        response.headers["X-Request-ID"] = uuid.uuid4().hex
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    for module in (locate, incidents, collections, health, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=static), name="static")
    return app
