"""Circles of several posts as one: of a patrol zone, of a unit, of the whole city."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import shapely
from cachetools import LRUCache

from geo_grid.changes import Table
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.derived import Derived, DerivedStates
from geo_grid.layers.periods import is_within
from geo_grid.layers.response_circles import Why
from geo_grid.response.circles import METHOD as ESTIMATED

QUERIES = load_queries("geo_grid.response", "unions.sql")
_KEPT = 24
_COARSE_DEGREES = 2e-5
"""Some 2 m: finer than circles are known, and a third of their corners."""
type UnionGrouping = Literal["city", "zone", "unit"]


class Union(NamedTuple):
    """What posts of a group reach together within a tier; an estimate when one of its circles is."""

    code: str
    name: str
    tier_minutes: int
    posts: int
    method: str
    estimated_because: Why | None
    shape: Any


type Known = LRUCache[tuple[Any, ...], list[Union]]


class Joining(NamedTuple):
    """What is to be joined, as it was read.

    Attributes
    ----------
    known
        What was joined before, and is kept with what will be.
    joined
        Of that, what is asked for; None: `circles` are to be joined.
    area
        WKB of the cells of whoever asks; None: the whole city.
    """

    key: tuple[Any, ...]
    by: UnionGrouping
    posts: list[dict[str, Any]]
    known: Known
    joined: list[Union] | None
    circles: list[dict[str, Any]]
    area: bytes | None


class Unions:
    """Joins circles, and keeps what was joined while the circles stay the same."""

    def __init__(self, states: DerivedStates) -> None:
        self._known: Derived[Known] = states.declare(
            "unions",
            (Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.EDITIONS),
            lambda: LRUCache(_KEPT),
            size=len,
        )
        self._lock = threading.Lock()

    async def read(self, connection: AsyncConnection, by: UnionGrouping, now: datetime) -> Joining:
        """Read the circles of the posts that count now, of those that whoever asks sees.

        Parameters
        ----------
        by
            zone: the patrol zone that the post is in; unit: its responsible_unit.
        now
            In the city's own time zone.
        """
        known = self._known.read()  # before what is joined: what is not true any more is not kept with what is
        posts = await (await connection.execute(QUERIES["posts"])).fetchall()
        active = [post for post in posts if is_within(post["key_periods"], now)]
        key = (by, *((post["post_code"], post["last_circle"], post[f"{by}_code"]) for post in active))
        circles, joined = [], self._held(known, key)
        if joined is None:
            codes = [post["post_code"] for post in active]
            circles = await (await connection.execute(QUERIES["circles"], {"post_codes": codes})).fetchall()
        (own,) = await (await connection.execute(QUERIES["own_area"])).fetchall()
        return Joining(key, by, active, known, joined, circles, own["geom"])

    def join(self, asked: Joining) -> list[Union]:
        """Join what was read, within the cells of whoever asks, the longest tier first; some seconds the first time."""
        joined = asked.joined or self._held(asked.known, asked.key)
        if joined is None:
            joined = _join(asked.posts, asked.circles, asked.by)
            with self._lock:
                asked.known[asked.key] = joined
        if asked.area is None:
            return joined
        area = shapely.from_wkb(asked.area)
        return [one._replace(shape=shapely.intersection(one.shape, area)) for one in joined]

    def _held(self, known: Known, key: tuple[Any, ...]) -> list[Union] | None:
        with self._lock:
            found: list[Union] | None = known.get(key)
        return found


def _join(posts: Sequence[dict[str, Any]], circles: Sequence[dict[str, Any]], by: UnionGrouping) -> list[Union]:
    group = {post["post_code"]: (post[f"{by}_code"], post[f"{by}_name"]) for post in posts}
    of_group: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for circle in circles:
        code, name = group[circle["post_code"]]
        if code or by == "city":
            of_group.setdefault((-circle["tier_minutes"], code, name), []).append(circle)
    joined = []
    for (tier, code, name), some in sorted(of_group.items()):
        shape = shapely.simplify(shapely.union_all(shapely.from_wkb([one["geom"] for one in some])), _COARSE_DEGREES)
        first = next((one for one in some if one["method"] == ESTIMATED), some[0])
        method, why = first["method"], first["estimated_because"]
        joined.append(Union(code, name, -tier, len(some), method, why, shape))
    return joined
