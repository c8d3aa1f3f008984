"""The app: routers, errors, static files, and what lives as long as the server."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from psycopg_pool import PoolTimeout
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from geo_grid import __version__
from geo_grid.access import Identities, digest_of, new_secret
from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import settle
from geo_grid.access.login import Logins
from geo_grid.access.oidc import Provider
from geo_grid.api import (
    accounts,
    audit,
    boundaries,
    bulk,
    cameras,
    draft_files,
    editing,
    events,
    exports,
    features,
    health,
    imports,
    incidents,
    live,
    locate,
    pages,
    patrol,
    problems,
    response,
    session,
    styles,
    tiles,
)
from geo_grid.api.identified import Identified
from geo_grid.api.middleware import BodyLimit, NamedRequests
from geo_grid.api.rights import check_complete
from geo_grid.api.tile_cache import TileCache
from geo_grid.boundaries.kept import InForce
from geo_grid.compiling import make_ready
from geo_grid.db import Asker, AsyncPool, Changes, acting, acting_conninfo, application_conninfo, open_pool
from geo_grid.errors import GeoGridError, SetupError
from geo_grid.locate import Locations
from geo_grid.response import Travel, Upkeep
from geo_grid.response.coverage import Covered
from geo_grid.response.live import Live
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.response.stops import read_shifts
from geo_grid.response.unions import Unions
from geo_grid.settings import Settings, asset_dir

log = logging.getLogger(__name__)

_NOT_COMPRESSED = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/vnd.apache.arrow.stream",
    "application/vnd.mapbox-vector-tile",  # kept packed
    "application/vnd.apache.parquet",
)
_BULK_AT_ONCE = 2
_LARGEST_BODY = 1 << 20
"""Bytes; where a route says nothing else."""
_LARGEST_LOGIN = 16 << 10
_TIDY_S = 3600.0
_SETTLE_S = 15.0
_PUBLISH_S = 5.0
_CLOSURES_S = 30.0
_CIRCLES_DEPEND_ON = frozenset({"police_posts", "road_closures", "roads"})
_ROUTERS = (
    locate,
    bulk,
    incidents,
    cameras,
    features,
    editing,
    tiles,
    styles,
    exports,
    imports,
    boundaries,
    draft_files,
    live,
    response,
    patrol,
    events,
    session,
    accounts,
    audit,
    health,
    pages,
)


def create_app(settings: Settings, conninfo: str) -> FastAPI:
    """Make the app.

    Parameters
    ----------
    conninfo
        libpq connection string of a migrated database, as its owner, who admits the server to it; the server
        itself works as the role that owns nothing.

    Raises
    ------
    SetupError
        The web libraries are missing.
    UserError
        It is not said how to connect as that role.
    LookupError
        A route was not decided about.
    """
    owner, conninfo = conninfo, application_conninfo(settings, conninfo)
    static = asset_dir("static")
    if not (static / "vendor/leaflet/leaflet.js").is_file():
        message = f"the web libraries are missing from {static / 'vendor'}: run make up, which fetches them with npm"
        raise SetupError(message)
    make_ready()
    service = Asker(digest_of(new_secret("service")))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state
        state.conninfo = conninfo
        state.bulk_work = asyncio.Semaphore(_BULK_AT_ONCE)
        await _admit(owner, service)
        async with contextlib.AsyncExitStack() as stack:
            state.pool = pool = await stack.enter_async_context(open_pool(conninfo, settings))
            state.changes = await stack.enter_async_context(Changes.watched(conninfo))
            state.identities = Identities(pool, state.changes)
            state.tiles = TileCache(
                state.changes, settings.tile_cache_mb << 20, settings.state_dir / "tiles", settings.tile_disk_mb << 20
            )
            stack.callback(state.tiles.close)
            state.logins = Logins(pool, service.credential, settings)
            state.provider = (
                Provider(pool, service.credential, state.logins, settings) if settings.oidc_issuer else None
            )
            state.seeing_all = seeing_all = acting_conninfo(conninfo, service)
            state.in_force = InForce(seeing_all)
            state.unions = Unions()
            state.patrol_shifts = read_shifts(settings.patrol_shifts)
            state.locations = await stack.enter_async_context(
                Locations.kept(seeing_all, settings.state_dir / "editions")
            )
            state.upkeep = upkeep = stack.enter_context(
                Upkeep.kept(
                    seeing_all,
                    settings.roads_dir,
                    Travel.of(settings),
                    settings.response_workers,
                    settings.response_timeout_s,
                )
            )
            state.covered = Covered(seeing_all, upkeep)
            state.live = stack.enter_context(Live.kept(seeing_all, upkeep, state.changes, settings.timezone))
            for work in (
                _tidy(pool, service, settings),
                _settle(pool, service),
                _publish(seeing_all),
                _draw_circles(upkeep, state.changes),
            ):
                stack.callback(asyncio.create_task(work).cancel)
            yield

    app = FastAPI(
        title="geo_grid",
        version=__version__,
        summary="The map a city's command centre runs on",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url=None,  # pages.openapi gives it out, to whom it is for
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=_NOT_COMPRESSED)
    app.add_middleware(
        BodyLimit,
        largest=_LARGEST_BODY,
        exceptions={
            ("POST", "/locate"): bulk.LARGEST_BODY,
            ("POST", "/imports"): imports.LARGEST_BODY,
            ("POST", "/boundaries/imports"): draft_files.LARGEST_BODY,
            ("POST", "/units/positions"): response.LARGEST_BODY,
            ("POST", "/session"): _LARGEST_LOGIN,
        },
        unknown=_LARGEST_LOGIN,
    )
    app.add_middleware(Identified, settings=settings)
    app.add_middleware(NamedRequests)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=static), name="static")
    check_complete(app)
    return app


async def _admit(owner: str, service: Asker) -> None:
    """Have the database's owner admit this server, under a secret that dies with it."""
    try:
        async with await psycopg.AsyncConnection.connect(owner, connect_timeout=5) as connection:
            await connection.execute(ACCOUNTS["admit_server"], {"digest": service.credential})
    except psycopg.Error as error:
        message = f"the database does not admit the server: {str(error).strip()}"
        raise SetupError(message) from None


async def _tidy(pool: AsyncPool, service: Asker, settings: Settings) -> None:
    """Purge what is past its time, every hour."""
    while True:
        try:
            async with acting(pool, service, read_only=False) as connection:
                await connection.execute(ACCOUNTS["tidy"], {"callers_days": settings.caller_retention_days})
                await connection.execute(POSITIONS["tidy"], {"kept_s": settings.track_retention_h * 3600})
        except (psycopg.Error, GeoGridError) as error:
            log.warning("what is past its time was not purged: %s", error)
        await asyncio.sleep(_TIDY_S)


async def _settle(pool: AsyncPool, service: Asker) -> None:
    """Write down in the audit, soon after each minute, how often what happened often did."""
    while True:
        await asyncio.sleep(_SETTLE_S)
        try:
            async with acting(pool, service, read_only=False) as connection:
                await settle(connection)
        except (psycopg.Error, GeoGridError, PoolTimeout) as error:
            log.warning("what happened often is not in the audit yet: %s", error)


async def _publish(conninfo: str) -> None:
    """Bring into force what was approved for a time, when it comes."""
    is_told = False
    while True:
        await asyncio.sleep(_PUBLISH_S)
        try:
            for edition in await asyncio.to_thread(boundaries.publish_all_due, conninfo):
                log.info("edition %d came into force", edition)
            is_told = False
        except (psycopg.Error, GeoGridError) as error:
            if not is_told:  # once, not every few seconds while the database is away
                log.warning("what is due was not published, and is tried again: %s", error)
            is_told = True


async def _draw_circles(upkeep: Upkeep, changes: Changes) -> None:
    """Draw circles again when what they depend on has changed; closures also begin and end by themselves."""
    due = asyncio.Event()
    due.set()
    changes.on_change(lambda tables: due.set() if tables & _CIRCLES_DEPEND_ON else None)
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(due.wait(), _CLOSURES_S)
        due.clear()
        try:
            await asyncio.to_thread(upkeep.look)
        except Exception:  # a fault in one drawing must not end all later ones
            log.exception("circles were not drawn, and are tried again")
