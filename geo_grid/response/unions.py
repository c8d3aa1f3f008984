"""Unions of the circles of several posts: of a patrol zone, of a responsible unit, of the whole city."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import shapely
from cachetools import LRUCache

from geo_grid.changes import Table
from geo_grid.db import AsyncConnection, connect, load_queries
from geo_grid.derived import Derived, DerivedStates
from geo_grid.layers.periods import is_within
from geo_grid.layers.response_circles import Why
from geo_grid.response.circles import METHOD as ESTIMATED

QUERIES = load_queries("geo_grid.response", "unions.sql")
_KEPT = 24
_COARSE_DEGREES = 2e-5
"""Tolerance of simplification in degrees (some 2 m): below the accuracy of circles, and leaves a third of the vertices."""
_GENERALISED_PX = 4
"""Pixels of a map that gaps and spikes are wider than when unions are generalised for its zoom."""
_DEGREES_PER_PX = 360 / 256
"""Degrees of longitude per pixel at zoom 0 of the Web Mercator quad."""
_PIECES = 12
"""Columns, and rows, of pieces that a union is generalised in."""
_EXACT_FROM = 15
"""First zoom at which generalisation would change less than circles are accurate."""
type UnionGrouping = Literal["city", "zone", "unit"]


class Union(NamedTuple):
    """The union of a group's circles of one tier; an estimate when one of the circles is."""

    code: str
    name: str
    tier_minutes: int
    posts: int
    method: str
    estimated_because: Why | None
    shape: Any


type Known = LRUCache[tuple[Any, ...], list[Union]]
type Join = Callable[["Joining"], Awaitable[list[Union]]]


class Joining(NamedTuple):
    """Input of a union, as read.

    Attributes
    ----------
    known
        Cache of unions, which the result is added to.
    joined
        The cached result; None: the circles must be read and joined.
    area
        WKB of the union of the principal's cells; None: the whole city.
    zoom
        Zoom that the shapes are generalised for; None: not at all.
    """

    key: tuple[Any, ...]
    by: UnionGrouping
    posts: list[dict[str, Any]]
    known: Known
    joined: list[Union] | None
    area: bytes | None
    zoom: int | None


class Unions:
    """Caches unions until circles change. Use it on one event loop."""

    def __init__(self, states: DerivedStates) -> None:
        self._known: Derived[Known] = states.declare(
            "unions",
            (Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.EDITIONS),
            lambda: LRUCache(_KEPT),
            size=len,
        )
        self._at_work: WeakValueDictionary[tuple[Any, ...], asyncio.Lock] = WeakValueDictionary()

    async def read(
        self, connection: AsyncConnection, by: UnionGrouping, now: datetime, zoom: int | None = None
    ) -> Joining:
        """Read the posts on duty now, of those that the principal sees, and what is known of the unions of their circles.

        Parameters
        ----------
        by
            zone: the patrol zone that contains the post; unit: its responsible_unit.
        now
            Current time in the city's time zone.
        zoom
            Zoom of a map that the shapes are generalised for; None: they are exact.
        """
        # read before posts and circles: older circles must not get into a cache that is valid for newer ones
        known = self._known.read()
        posts = await (await connection.execute(QUERIES["posts"])).fetchall()
        active = [post for post in posts if is_within(post["key_periods"], now)]
        zoom = None if zoom is None or zoom >= _EXACT_FROM else zoom
        key = (by, zoom, *((post["post_code"], post["last_circle"], post[f"{by}_code"]) for post in active))
        (own,) = await (await connection.execute(QUERIES["own_area"])).fetchall()
        return Joining(key, by, active, known, known.get(key), own["geom"], zoom)

    async def joined(self, asked: Joining, join: Join) -> list[Union]:
        """Return the unions, of the whole city: the cached ones, or what `join` makes of them, once for all who ask meanwhile."""
        found = asked.joined
        if found is None:
            async with self._at_work.setdefault(asked.key, asyncio.Lock()):
                found = asked.known.get(asked.key)
                if found is None:
                    found = asked.known[asked.key] = await join(asked)
        return found


def join_apart(conninfo: str, posts: list[dict[str, Any]], by: UnionGrouping, zoom: int | None) -> list[Union]:
    """Read the circles of posts with the rights of the principal that `conninfo` names, and join them, the longest tier first.

    It takes seconds: a server calls it in a process with limits.
    """
    with connect(conninfo) as connection:
        codes = [post["post_code"] for post in posts]
        circles = connection.execute(QUERIES["circles"], {"post_codes": codes}).fetchall()
    return _join(posts, circles, by, zoom)


def within(unions: list[Union], area: bytes | None) -> list[Union]:
    """Clip unions to the WKB of the principal's cells; None: they see the whole city. Call it in a thread."""
    if area is None:
        return unions
    shape = shapely.from_wkb(area)
    return [one._replace(shape=shapely.intersection(one.shape, shape)) for one in unions]


def _join(
    posts: Sequence[dict[str, Any]], circles: Sequence[dict[str, Any]], by: UnionGrouping, zoom: int | None
) -> list[Union]:
    group = {post["post_code"]: (post[f"{by}_code"], post[f"{by}_name"]) for post in posts}
    of_group: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for circle in circles:
        code, name = group[circle["post_code"]]
        if code or by == "city":
            of_group.setdefault((-circle["tier_minutes"], code, name), []).append(circle)
    joined = []
    for (tier, code, name), some in sorted(of_group.items()):
        shapes = shapely.from_wkb([one["geom"] for one in some])
        if zoom is None:
            shape = shapely.simplify(shapely.union_all(shapes), _COARSE_DEGREES)
        else:
            shape = _generalised(shapes, _GENERALISED_PX * _DEGREES_PER_PX / 2**zoom)
        first = next((one for one in some if one["method"] == ESTIMATED), some[0])
        method, why = first["method"], first["estimated_because"]
        joined.append(Union(code, name, -tier, len(some), method, why, shape))
    return joined


def _generalised(shapes: Any, width: float) -> Any:
    """Return the union of shapes without gaps and spikes narrower than about this width in degrees, which hide its form.

    A morphological closing and opening (Serra 1982): grown, joined, shrunk by half more, and grown back by that. It is shrunk
    in pieces, since the time for one shape grows faster than its vertices.
    """
    grown = shapely.simplify(shapely.buffer(shapely.simplify(shapes, width / 2), width, quad_segs=1), width / 4)
    joined = shapely.simplify(shapely.union_all(grown), width / 4)
    if joined.is_empty:
        return joined
    west, south, east, north = joined.bounds
    lons, lats = np.linspace(west, east, _PIECES + 1), np.linspace(south, north, _PIECES + 1)
    pieces = []
    for (left, right), (low, high) in itertools.product(itertools.pairwise(lons), itertools.pairwise(lats)):
        beyond = 3 * width  # where what is cut off changes nothing inside
        part = shapely.clip_by_rect(joined, left - beyond, low - beyond, right + beyond, high + beyond)
        shrunk = shapely.simplify(shapely.buffer(part, -1.5 * width, quad_segs=1), width / 4)
        pieces.append(shapely.clip_by_rect(shapely.buffer(shrunk, width / 2, quad_segs=1), left, low, right, high))
    return shapely.simplify(shapely.union_all(pieces), width / 4)
