"""What lives as long as a server, and what it does by itself."""

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout
from starlette.datastructures import State

from geo_grid.access import Identities, digest_of, new_secret
from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.audit import settle
from geo_grid.access.login import Logins
from geo_grid.api.boundaries.drafts import publish_all_due
from geo_grid.api.ogc.tile_cache import TileCache
from geo_grid.api.server.shares import Lending, Shares
from geo_grid.boundaries.kept import division_in_force
from geo_grid.changes import Feed, check_kinds
from geo_grid.confined import Confined
from geo_grid.db import (
    Asker,
    AsyncPool,
    acting,
    acting_conninfo,
    application_conninfo,
    limited,
    open_pool,
    service_conninfo,
)
from geo_grid.derived import DerivedStates
from geo_grid.errors import GeoGridError, SetupError
from geo_grid.files.limits import SENT
from geo_grid.locate import Locations
from geo_grid.response import Travel, Upkeep
from geo_grid.response.coverage import Covered
from geo_grid.response.live import Live
from geo_grid.response.positions import QUERIES as POSITIONS
from geo_grid.response.stops import read_shifts
from geo_grid.response.unions import Unions
from geo_grid.settings import Settings
from geo_grid.state_folder import swept

if TYPE_CHECKING:
    from geo_grid.access.oidc import Provider

log = logging.getLogger(__name__)

_WAITING_FOR_SOLVERS = 4
_SOLVERS_EACH = 2
"""Sitings and proposals that one account may have at work and waiting."""
_FILES_AT_ONCE, _WAITING_FOR_FILES = 2, 16
"""Drafts that come as files: in processes of their own, as what strangers draw may take any time to compare."""
_TIDY_S = 3600.0
_SETTLE_S = 15.0
_OWN_WORK_S = 600.0
"""Longest one statement of the server itself may take, such as an edition that comes into force."""
_PUBLISH_S = 5.0
_CLOSURES_S = 30.0
_CIRCLES_DEPEND_ON = frozenset({"police_posts", "road_closures", "roads"})


@contextlib.asynccontextmanager
async def living(state: State, settings: Settings, owner: str) -> AsyncIterator[None]:
    """Keep on an app's `state` what lives as long as its server: connections, what is held in memory, what is done by itself.

    Parameters
    ----------
    owner
        libpq connection string of the database's owner, who admits the server to it.
    """
    conninfo = application_conninfo(settings, owner)
    own_conninfo = service_conninfo(settings, conninfo)
    service = Asker(digest_of(new_secret("service")))
    state.conninfo = limited(conninfo, settings.work_timeout_s)
    await _admit(owner, service)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(swept(settings.state_dir))
        pool, reserved, own_pool = [
            await stack.enter_async_context(open_pool(whose, size, settings.statement_timeout_s))
            for whose, size in (
                (conninfo, settings.pool_size),
                (conninfo, settings.reserved_pool_size),
                (own_conninfo, settings.reserved_pool_size),
            )
        ]
        state.pool, state.reserved = pool, reserved
        state.lending = Lending(max(1, settings.pool_size // 2))
        state.long_answers = Shares("long answers", settings.answers_per_account)
        state.event_streams = Shares("pages that listen to events", settings.event_streams_per_account)
        state.calculations = Shares("sitings and proposals", _SOLVERS_EACH)
        state.seeing_all = seeing_all = acting_conninfo(limited(own_conninfo, _OWN_WORK_S), service)
        state.feed = await stack.enter_async_context(Feed.kept(seeing_all))
        state.derived = derived = DerivedStates(state.feed)
        state.identities = Identities(reserved, derived)
        state.tiles = TileCache(
            state.feed, settings.tile_cache_mb << 20, settings.state_dir / "tiles", settings.tile_disk_mb << 20
        )
        stack.callback(state.tiles.close)
        state.logins = Logins(own_pool, service.credential, settings)
        state.provider = _provider(own_pool, service, state.logins, settings) if settings.oidc_issuer else None
        state.solvers = await stack.enter_async_context(
            Confined.opened(
                settings.solver_processes,
                _WAITING_FOR_SOLVERS,
                settings.solver_memory_mb,
                settings.solver_timeout_s,
            )
        )
        state.redrawing = await stack.enter_async_context(
            Confined.opened(_FILES_AT_ONCE, _WAITING_FOR_FILES, settings.solver_memory_mb, SENT.wall_s)
        )
        state.in_force = division_in_force(seeing_all, derived)
        state.unions = Unions(derived)
        state.patrol_shifts = read_shifts(settings.patrol_shifts)
        state.locations = await stack.enter_async_context(
            Locations.kept(seeing_all, settings.state_dir / "editions", derived)
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
        state.covered = Covered(seeing_all, upkeep, derived)
        state.live = stack.enter_context(Live.kept(seeing_all, upkeep, derived, settings.timezone))
        stack.callback(asyncio.create_task(asyncio.to_thread(importlib.import_module, "folium")).cancel)
        for work in (
            _tidy(own_pool, service, settings),
            _settle(own_pool, service),
            _publish(seeing_all),
            _draw_circles(upkeep, state.feed),
        ):
            stack.callback(asyncio.create_task(work).cancel)
        yield


def _provider(pool: AsyncPool, service: Asker, logins: Logins, settings: Settings) -> "Provider":
    from geo_grid.access.oidc import Provider  # a third of a second, which most servers do not need

    return Provider(pool, service.credential, logins, settings)


async def _admit(owner: str, service: Asker) -> None:
    """Have the database's owner admit this server, under a secret that dies with it."""
    try:
        async with await psycopg.AsyncConnection.connect(owner, connect_timeout=5) as connection:
            for done in await (await connection.execute(ACCOUNTS["settle"])).fetchall():
                log.warning("%s", done[0])
            await connection.execute(ACCOUNTS["admit_server"], {"digest": service.credential})
            await check_kinds(connection)
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
            for edition in await asyncio.to_thread(publish_all_due, conninfo):
                log.info("edition %d came into force", edition)
            is_told = False
        except (psycopg.Error, GeoGridError) as error:
            if not is_told:  # once, not every few seconds while the database is away
                log.warning("what is due was not published, and is tried again: %s", error)
            is_told = True


async def _draw_circles(upkeep: Upkeep, feed: Feed) -> None:
    """Draw circles again when what they depend on has changed; closures also begin and end by themselves."""
    due = asyncio.Event()
    due.set()
    feed.on_change(lambda tables: due.set() if tables & _CIRCLES_DEPEND_ON else None)
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(due.wait(), _CLOSURES_S)
        due.clear()
        try:
            await asyncio.to_thread(upkeep.look)
        except Exception:  # a fault in one drawing must not end all later ones
            log.exception("circles were not drawn, and are tried again")
