"""The parts of a running server, as one typed object; `geo_grid.api.lifetime` builds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limits.strategies import SlidingWindowCounterRateLimiter

from geo_grid.access import Identities
from geo_grid.access.login import Logins
from geo_grid.api.server.requests import Requests
from geo_grid.api.server.shares import Beginning, Lending, Shares, Together
from geo_grid.api.server.tile_cache import TileCache
from geo_grid.boundaries.division import Division
from geo_grid.budgets import Budget
from geo_grid.changes import Feed
from geo_grid.confined import Confined
from geo_grid.db import AsyncPool, Replicas, ThreadPool
from geo_grid.derived import Derived, DerivedStates
from geo_grid.due import Due
from geo_grid.feeds.live import CameraFeeds
from geo_grid.locate import Locations
from geo_grid.names import Search
from geo_grid.own_work import Doing
from geo_grid.response import Upkeep
from geo_grid.response.coverage import Covered
from geo_grid.response.live import Live
from geo_grid.response.stops import Shift
from geo_grid.response.unions import Unions
from geo_grid.settings import Settings
from geo_grid.workflow import Filing

if TYPE_CHECKING:
    from geo_grid.access.oidc import Provider


@dataclass(frozen=True)
class Server:
    """The parts of a server that routes use.

    Attributes
    ----------
    storage
        Folders that it stores data in, by a name for messages.
    pool, lending
        Connection pool for requests, and the limit of connections of one account.
    beginning
        Turns of accounts to begin a request.
    filing
        Stores incidents, those that wait at the same time together.
    reserved
        Connections besides, for log-in, who asks, health and events.
    search_pool, view_pool, long_pool
        Connections besides, for lists of features, for what maps show, and for answers in bulk that are read on the event loop.
    threads
        Pools for work in threads, one for each group of budgets.
    replicas
        What answers heavy reads instead of the primary; None: nothing does.
    pools
        All pools, by name.
    limiter
        Counts requests against limits of rates, with all processes of this state folder.
    conninfo, seeing_all
        How work in processes connects: for whoever asks, and as the server itself, which sees everything.
    readiness
        What the database says of itself when whoever asks for health.
    solvers
        Processes for long calculations of planners.
    apart
        Processes for work that takes much memory, or any time as strangers drew it, by whose turns it takes.
    """

    settings: Settings
    storage: Mapping[str, Path]
    pool: AsyncPool
    reserved: AsyncPool
    lending: Lending
    beginning: Beginning
    filing: Filing
    search_pool: AsyncPool
    view_pool: AsyncPool
    long_pool: AsyncPool
    replicas: Replicas | None
    threads: Mapping[Budget, ThreadPool]
    pools: Mapping[str, AsyncPool | ThreadPool]
    conninfo: str
    seeing_all: str
    readiness: Together[dict[str, Any]]
    long_answers: Shares
    event_streams: Shares
    calculations: Shares
    feed: Feed
    derived: DerivedStates
    identities: Identities
    logins: Logins
    provider: "Provider | None"
    tiles: TileCache
    solvers: Confined
    apart: Mapping[Budget, Confined]
    in_force: Derived[Division]
    locations: Locations
    names: Search
    unions: Unions
    patrol_shifts: Sequence[Shift]
    upkeep: Upkeep
    covered: Covered
    live: Live
    due: Due[Doing]
    camera_feeds: CameraFeeds
    requests: Requests
    limiter: SlidingWindowCounterRateLimiter


def server_of(asked: Mapping[str, Any]) -> Server:
    """Return the server of a request, or of an ASGI scope."""
    found: Server = asked["app"].state.server
    return found
