"""Builds and closes the parts of a server: pools, caches, processes and background tasks."""

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from limits.strategies import SlidingWindowCounterRateLimiter

from geo_grid.access import Identities, digest_of, new_secret
from geo_grid.access.accounts import QUERIES as ACCOUNTS
from geo_grid.access.login import Logins
from geo_grid.api.server.counters import Counters
from geo_grid.api.server.neighbours import Neighbours
from geo_grid.api.server.requests import Requests
from geo_grid.api.server.shares import Beginning, Lending, Shares, Together
from geo_grid.api.server.state import Server
from geo_grid.api.server.tile_cache import TileCache
from geo_grid.boundaries.kept import division_in_force
from geo_grid.budgets import BULK, DRAWING, FILES, IN_BULK, REDRAWING, SEARCHES, SOLVING, VIEWS, Budget
from geo_grid.changes import Feed, Table, check_kinds
from geo_grid.confined import Confined
from geo_grid.coordinates import resolve_usual
from geo_grid.db import (
    Asker,
    AsyncPool,
    Replicas,
    ThreadPool,
    acting_conninfo,
    application_conninfo,
    ask_once,
    connect,
    limited,
    open_pool,
    open_thread_pool,
    replica_conninfo,
    service_conninfo,
    storage,
)
from geo_grid.derived import DerivedStates
from geo_grid.due import Due
from geo_grid.errors import GeoGridError, SetupError
from geo_grid.feeds.live import CameraFeeds
from geo_grid.files.limits import SENT
from geo_grid.hooks import Sender
from geo_grid.locate import Locations
from geo_grid.names import Search
from geo_grid.own_work import KINDS, Doing
from geo_grid.response import Travel, Upkeep
from geo_grid.response.coverage import Covered
from geo_grid.response.live import Live
from geo_grid.response.stops import read_shifts
from geo_grid.response.unions import Unions
from geo_grid.settings import Settings
from geo_grid.state_folder import swept
from geo_grid.wording import LANGUAGES, catalogue
from geo_grid.workflow import Filing

if TYPE_CHECKING:
    from geo_grid.access.oidc import Provider

log = logging.getLogger(__name__)

_AT_WORK_EACH, _WAITING_EACH = 16, 1000
"""Requests of one account that may be at work, and that may wait to begin."""
_WAITING_FOR_SOLVERS = 4
_SOLVERS_EACH = 2
"""Sitings and proposals that one account may have at work and waiting."""
_APART = (BULK, FILES), (REDRAWING, SOLVING)
"""Kinds of work that have processes in common: files that come and go; what is drawn, and compared."""
_CIRCLES_DEPEND_ON = frozenset({Table.POLICE_POSTS, Table.ROAD_CLOSURES, Table.ROADS})
_OWN_WORK_S = 600.0
"""Time-out in seconds of a statement of the service role, such as the publishing of an edition."""


@contextlib.asynccontextmanager
async def living(settings: Settings, owner: str, neighbours: Neighbours) -> AsyncIterator[Server]:
    """Build a server, and run its pools, derived state and background tasks while the context lasts.

    Parameters
    ----------
    owner
        libpq connection string of the database's owner, who gives the server its credential.
    """
    conninfo = application_conninfo(settings, owner)
    own_conninfo = service_conninfo(settings, conninfo)
    service = Asker(digest_of(new_secret("service")))
    seeing_all = acting_conninfo(limited(own_conninfo, _OWN_WORK_S), service)
    await _admit(owner, service)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        usual_systems = asyncio.create_task(asyncio.to_thread(resolve_usual))
        languages = asyncio.create_task(asyncio.to_thread(lambda: [catalogue(one) for one in LANGUAGES]))
        stack.enter_context(swept(settings.state_dir))
        pool, reserved, own_pool = [
            await enter(open_pool(whose, size, settings.statement_timeout_s))
            for whose, size in (
                (conninfo, settings.pool_size),
                (conninfo, settings.reserved_pool_size),
                (own_conninfo, settings.reserved_pool_size),
            )
        ]
        search_pool = await enter(open_pool(conninfo, SEARCHES.at_once, settings.statement_timeout_s, least=0))
        view_pool = await enter(open_pool(conninfo, VIEWS.at_once, settings.statement_timeout_s, least=0))
        long_pool = await enter(open_pool(conninfo, BULK.most_at_once, settings.work_timeout_s, least=0))
        threads: dict[Budget, ThreadPool] = {}
        pools: dict[str, AsyncPool | ThreadPool] = {
            "desk": pool, "reserved": reserved, "own": own_pool, "lists": search_pool, "views": view_pool, "long_answers": long_pool
        }  # fmt: skip
        for name, group in (("bulk", IN_BULK), ("drawing", DRAWING)):
            pools[name] = lent = stack.enter_context(
                open_thread_pool(conninfo, group.connections, settings.work_timeout_s)
            )
            threads |= dict.fromkeys(group.kinds, lent)
        replicas = None
        if settings.replica_url is not None:
            replica = replica_conninfo(settings.replica_url, conninfo)
            instead = {
                primary: await enter(open_pool(replica, primary.max_size, longest_s, least=0))
                for primary, longest_s in (
                    (pool, settings.statement_timeout_s),
                    (search_pool, settings.statement_timeout_s),
                    (view_pool, settings.statement_timeout_s),
                    (long_pool, settings.work_timeout_s),
                )
            }
            replicas = await enter(Replicas.kept(limited(replica, settings.work_timeout_s), instead))
        apart: dict[Budget, Confined] = {}
        for kinds, longest_s in zip(_APART, (settings.solver_timeout_s, SENT.wall_s), strict=True):
            at_once = sum(kind.most_at_once for kind in kinds)  # none waits but for its turn
            done = await enter(Confined.opened(at_once, 0, settings.solver_memory_mb, longest_s))
            apart |= dict.fromkeys(kinds, done)
        feed = await enter(Feed.kept(seeing_all))
        derived = DerivedStates(feed)
        logins = Logins(own_pool, service.credential, settings)
        upkeep = stack.enter_context(
            Upkeep.kept(settings.roads_dir, Travel.of(settings), settings.response_workers, settings.response_timeout_s)
        )
        live = stack.enter_context(Live.kept(seeing_all, upkeep, derived, settings.timezone))
        counters = Counters(settings.state_dir / "rates")
        stack.callback(counters.close)
        lending = Lending(max(1, settings.pool_size // 2), max(1, settings.pool_size * 3 // 4))

        async def write(
            asker: Asker, account: int | None, statement: str, values: dict[str, Any]
        ) -> list[dict[str, Any]]:
            async with lending.to(account, is_for_desk=True):
                return await ask_once(pool, asker, statement, values, read_only=False)

        sender = Sender(settings.webhook_listed, settings.webhook_timeout_s)
        server = Server(
            settings=settings,
            storage=storage(settings),
            pool=pool,
            reserved=reserved,
            lending=lending,
            beginning=Beginning(_AT_WORK_EACH, _WAITING_EACH),
            filing=Filing(write),
            search_pool=search_pool,
            view_pool=view_pool,
            long_pool=long_pool,
            replicas=replicas,
            threads=threads,
            pools=pools,
            conninfo=limited(conninfo, settings.work_timeout_s),
            seeing_all=seeing_all,
            readiness=Together(),
            long_answers=Shares("long answers", settings.answers_per_account),
            event_streams=Shares("pages that listen to events", settings.event_streams_per_account),
            calculations=Shares("sitings and proposals", _SOLVERS_EACH),
            feed=feed,
            derived=derived,
            identities=Identities(reserved, derived),
            logins=logins,
            provider=_provider(own_pool, service, logins, settings) if settings.oidc_issuer else None,
            tiles=TileCache(
                feed, settings.tile_cache_mb << 20, settings.state_dir / "tiles", settings.tile_disk_mb << 20
            ),
            solvers=await enter(
                Confined.opened(
                    settings.solver_processes,
                    _WAITING_FOR_SOLVERS,
                    settings.solver_memory_mb,
                    settings.solver_timeout_s,
                )
            ),
            apart=apart,
            in_force=division_in_force(seeing_all, derived),
            locations=await enter(Locations.kept(seeing_all, settings.state_dir / "editions", derived)),
            names=Search(seeing_all, derived),
            unions=Unions(derived),
            patrol_shifts=read_shifts(settings.patrol_shifts),
            upkeep=upkeep,
            covered=Covered(seeing_all, upkeep, derived),
            live=live,
            due=await enter(
                Due(
                    KINDS,
                    Doing(settings, upkeep, live, sender, seeing_all),
                    own_pool,
                    service,
                    partial(connect, seeing_all),
                ).kept()
            ),
            camera_feeds=await enter(CameraFeeds.kept(settings, reserved, own_pool, service, neighbours.letter)),
            requests=Requests(settings.log_requests),
            limiter=SlidingWindowCounterRateLimiter(counters),
        )
        stack.callback(server.tiles.close)
        stack.push_async_callback(neighbours.close)
        following = _Following(upkeep, seeing_all, server.due)
        feed.on_change(following.hear)
        following.begin()
        stack.callback(asyncio.create_task(asyncio.to_thread(_import_later)).cancel)
        await usual_systems  # before the first request: of many who name one that is unknown so far, some are sent away
        await languages
        yield server


def _import_later() -> None:
    """Load what no request needs at once, before one does; each takes a fifth of a second."""
    for module in ("geo_grid.maps.pages", "pyarrow.compute"):
        importlib.import_module(module)


def _provider(pool: AsyncPool, service: Asker, logins: Logins, settings: Settings) -> "Provider":
    from geo_grid.access.oidc import Provider  # imported here: takes a third of a second, and few servers need it

    return Provider(pool, service.credential, logins, settings)


async def _admit(owner: str, service: Asker) -> None:
    """Register the credential of the service role for this server, as the database's owner; it is valid for one start."""
    try:
        async with await psycopg.AsyncConnection.connect(owner, connect_timeout=5) as connection:
            for done in await (await connection.execute(ACCOUNTS["settle"])).fetchall():
                log.warning("%s", done[0])
            await connection.execute(ACCOUNTS["admit_server"], {"digest": service.credential})
            await check_kinds(connection)
    except psycopg.Error as error:
        message = f"the database does not admit the server: {str(error).strip()}"
        raise SetupError(message) from None


class _Following:
    """Opens the graph of newly imported roads in this server, whichever server draws the circles, and polls due work at once
    after changes that cause some.
    """

    def __init__(self, upkeep: Upkeep, conninfo: str, due: Due[Doing]) -> None:
        self._upkeep, self._conninfo, self._due = upkeep, conninfo, due
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, tables: frozenset[str]) -> None:
        if tables & _CIRCLES_DEPEND_ON:
            self._due.soon()
        if Table.ROADS in tables:
            self.begin()

    def begin(self) -> None:
        task = asyncio.create_task(SOLVING.run(None, self._follow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _follow(self) -> None:
        try:
            with connect(self._conninfo) as connection:
                self._upkeep.follow_roads(connection)
        except (psycopg.Error, GeoGridError) as error:
            log.warning("the new road graph could not be opened; trying again when circles are drawn: %s", error)
