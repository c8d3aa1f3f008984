"""Unions of the circles of several posts: of a patrol zone, of a responsible unit, of the whole city."""

import itertools
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import shapely
from cachetools import LRUCache

from geo_grid.changes import Table
from geo_grid.db import AsyncConnection, Connection, load_queries
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
    """Joins circles, and caches unions until circles change."""

    def __init__(self, states: DerivedStates) -> None:
        self._known: Derived[Known] = states.declare(
            "unions",
            (Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.EDITIONS),
            lambda: LRUCache(_KEPT),
            size=len,
        )
        self._lock = threading.Lock()

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
        return Joining(key, by, active, known, self._held(known, key), own["geom"], zoom)

    def join(self, asked: Joining, connection: Connection) -> list[Union]:
        """Read all circles and join them, which takes seconds; return the unions as `cut` does."""
        joined = self._held(asked.known, asked.key)
        if joined is None:
            codes = [post["post_code"] for post in asked.posts]
            circles = connection.execute(QUERIES["circles"], {"post_codes": codes}).fetchall()
            joined = _join(asked.posts, circles, asked.by, asked.zoom)
            with self._lock:
                asked.known[asked.key] = joined
        return self.cut(asked._replace(joined=joined))

    def cut(self, asked: Joining) -> list[Union]:
        """Return cached unions clipped to the principal's cells, the longest tier first. Call it in a thread."""
        joined = asked.joined or []
        if asked.area is None:
            return joined
        area = shapely.from_wkb(asked.area)
        return [one._replace(shape=shapely.intersection(one.shape, area)) for one in joined]

    def _held(self, known: Known, key: tuple[Any, ...]) -> list[Union] | None:
        with self._lock:
            found: list[Union] | None = known.get(key)
        return found


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
