"""The app: routers, errors and static files."""

import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from geo_grid import __version__
from geo_grid.api import hooks, pages, pictures, streams
from geo_grid.api.access import accounts, audit, openings, session
from geo_grid.api.access.identified import Identified
from geo_grid.api.boundaries import drafts, files
from geo_grid.api.desk import (
    batches,
    bulk,
    camera_coverage,
    camera_register,
    camera_search,
    cameras,
    categories,
    deadlines,
    dispatching,
    duties,
    events,
    field,
    incidents,
    indicators,
    levels,
    locate,
    loops,
    mediation,
    names,
    overview,
    supervised,
)
from geo_grid.api.lifetime import living
from geo_grid.api.ogc import editing, exports, features, imports, styles, tiles
from geo_grid.api.open311 import routes
from geo_grid.api.open311.door import Open311Door
from geo_grid.api.response import areas, coverage, drawing, live, patrol, positions, siting
from geo_grid.api.server import health, metrics, problems
from geo_grid.api.server.middleware import BodyLimit, NamedRequests
from geo_grid.api.server.negotiation import Plainly
from geo_grid.api.server.neighbours import AmongNeighbours, Neighbours
from geo_grid.api.server.rights import check_complete
from geo_grid.api.server.static_files import StaticText
from geo_grid.compiling import make_ready
from geo_grid.db import (
    application_conninfo,
    service_conninfo,
)
from geo_grid.errors import SetupError
from geo_grid.response.stops import read_shifts
from geo_grid.settings import Settings, asset_dir

log = logging.getLogger(__name__)

_NOT_COMPRESSED = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/vnd.apache.arrow.stream",
    "application/vnd.mapbox-vector-tile",  # cached in compressed form
    "application/vnd.apache.parquet",
)
_LARGEST_BODY = 1 << 20
"""Most bytes of a request's body, if the route has no limit of its own."""
_LARGEST_LOGIN = 16 << 10
_ROUTERS = (
    locate,
    names,
    bulk,
    categories,  # these before incidents, whose numbers would take their names
    loops,
    levels,
    deadlines,
    field,
    batches,
    incidents,
    duties,
    dispatching,
    mediation,
    overview,
    supervised,
    indicators,
    camera_coverage,
    camera_register,
    camera_search,
    cameras,
    features,
    editing,
    tiles,
    styles,
    exports,
    imports,
    drafts,
    files,
    live,
    positions,
    areas,
    coverage,
    siting,
    drawing,
    patrol,
    routes,
    hooks,
    streams,
    events,
    session,
    accounts,
    audit,
    openings,
    health,
    metrics,
    pages,
    pictures,
)


def create_app(settings: Settings, conninfo: str) -> FastAPI:
    """Make the app.

    Parameters
    ----------
    conninfo
        libpq connection string of a migrated database, as its owner, who gives the server its credential; the server
        itself works with roles that own nothing.

    Raises
    ------
    SetupError
        The web libraries are missing.
    UserError
        The connection string of those roles is not configured, or shifts cannot be read.
    LookupError
        A route has no declared right.
    """
    service_conninfo(settings, application_conninfo(settings, conninfo))  # raises before the start, not during it
    read_shifts(settings.patrol_shifts)
    static = asset_dir("static")
    if not (static / "vendor/leaflet/leaflet.js").is_file():
        message = f"the web libraries are missing from {static / 'vendor'}: run make up, which fetches them with npm"
        raise SetupError(message)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        make_ready()
        async with living(settings, conninfo, app.state.neighbours) as app.state.server:
            yield

    app = FastAPI(
        title="geo_grid",
        version=__version__,
        summary="The map a city's command centre runs on",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url=None,  # served by pages.openapi, which checks rights
        docs_url=None,
        redoc_url=None,
    )
    app.state.neighbours = Neighbours(settings)
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=_NOT_COMPRESSED)
    app.add_middleware(
        BodyLimit,
        largest=_LARGEST_BODY,
        exceptions={
            ("POST", "/locate"): bulk.LARGEST_BODY,
            ("POST", "/incidents/batch"): batches.LARGEST_BODY,
            ("POST", "/imports"): imports.LARGEST_BODY,
            ("POST", "/boundaries/imports"): files.LARGEST_BODY,
            ("POST", "/units/positions"): positions.LARGEST_BODY,
            ("POST", "/cameras/states"): camera_register.LARGEST_BODY,
            ("POST", "/cameras/positions"): camera_register.LARGEST_BODY,
            ("POST", "/session"): _LARGEST_LOGIN,
        },
        unknown=_LARGEST_LOGIN,
        values={
            ("POST", "/locate"): bulk.LARGEST_BODY,
            ("POST", "/units/positions"): positions.MOST_VALUES,
            ("POST", "/cameras/states"): camera_register.MOST_VALUES,
            ("POST", "/cameras/positions"): camera_register.MOST_VALUES,
            ("POST", "/incidents/batch"): batches.MOST_VALUES,
        },
    )
    app.add_middleware(Identified, settings=settings)
    app.add_middleware(Open311Door, settings=settings)
    app.add_middleware(NamedRequests)
    app.add_middleware(AmongNeighbours, settings=settings)
    app.add_middleware(Plainly)  # outermost: it normalises the request for all others
    for module in _ROUTERS:
        app.router.routes.extend(module.router.routes)  # include_router would copy every route
    app.mount("/static", StaticText(static), name="static")
    check_complete(app)
    return app
