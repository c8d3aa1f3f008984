"""The app: routers, errors, static files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from geo_grid import __version__
from geo_grid.api import bulk, collections, health, incidents, locate, pages, problems
from geo_grid.api.middleware import BodyLimit, NamedRequests
from geo_grid.db import application_conninfo, open_pool
from geo_grid.errors import SetupError
from geo_grid.locate import Locations
from geo_grid.settings import Settings, asset_dir

_NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/vnd.apache.arrow.stream")
_BULK_AT_ONCE = 2
_LARGEST_BODY = 1 << 20
"""Bytes; where a route says nothing else."""


def create_app(settings: Settings, conninfo: str) -> FastAPI:
    """Make the app.

    Parameters
    ----------
    conninfo
        libpq connection string of a migrated database, as its owner; the server itself works as the
        role that owns nothing.

    Raises
    ------
    SetupError
        The web libraries are missing.
    UserError
        It is not said how to connect as that role.
    """
    conninfo = application_conninfo(settings, conninfo)
    static = asset_dir("static")
    if not (static / "vendor/leaflet/leaflet.js").is_file():
        message = f"the web libraries are missing from {static / 'vendor'}: run make up, which fetches them with npm"
        raise SetupError(message)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(conninfo, settings) as pool:
            app.state.pool = pool
            app.state.bulk_work = asyncio.Semaphore(_BULK_AT_ONCE)
            async with Locations.kept(conninfo, pool, settings.state_dir / "editions") as locations:
                app.state.locations = locations
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
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=_NOT_COMPRESSED)

    app.add_middleware(BodyLimit, largest=_LARGEST_BODY, exceptions={("POST", "/locate"): bulk.LARGEST_BODY})
    app.add_middleware(NamedRequests)

    for module in (locate, bulk, incidents, collections, health, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=static), name="static")
    return app
