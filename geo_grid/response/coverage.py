"""Coverage by response circles: area, households, incidents and key places, by city, county, township, zone or hour.

Area and households of a cell count by the share of its area that the union of the circles covers.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.budgets import SOLVING
from geo_grid.changes import Table
from geo_grid.coordinates import Floats
from geo_grid.db import AsyncConnection, Connection, connect, load_queries
from geo_grid.derived import DerivedStates
from geo_grid.layers.periods import is_within
from geo_grid.response.router import METHODS
from geo_grid.response.sweep import Edges, Ints, held_areas
from geo_grid.response.travel import Travel
from geo_grid.response.upkeep import Upkeep

QUERIES = load_queries("geo_grid.response", "coverage.sql")
TIERS = (1, 3, 5)
_DEPENDS_ON = (Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.EDITIONS, Table.FACILITIES)
_LONGEST_S = 600.0
"""Longest age of the derived state in seconds: incidents, which arrive all the time, do not invalidate it."""
type Grouping = Literal["city", "county", "township", "zone", "hour"]


class Leaves(NamedTuple):
    """The n leaf cells in force: codes, areas in m2, households, and by grouping the code of the group of each."""

    codes: list[str]
    names: list[str]
    area_m2: Floats
    households: Floats
    group: dict[str, NDArray[Any]]
    group_names: dict[str, dict[str, str]]

    def kept(self, cells: frozenset[str] | None) -> NDArray[np.bool_]:
        """Return n flags: whether the cell is among these codes; None: all are."""
        return np.array([cells is None or code in cells for code in self.codes], dtype=bool)

    def groups(self, by: str, kept: NDArray[np.bool_]) -> list[tuple[str, str, NDArray[np.bool_]]]:
        """Return code, name and n flags of each group: the cells in it, of those in `kept`. The city's code is empty."""
        if by == "city":
            return [("", "", kept)]
        of_leaf, names = self.group[by], self.group_names[by]
        return [(code, names[code], kept & (of_leaf == code)) for code in sorted(set(of_leaf[kept]) - {""})]


class Meetings(NamedTuple):
    """Pairs of a leaf cell and a circle of one tier that intersect; all arrays have one item per pair.

    Indices of cell, post and circle, and whether the circle contains the whole cell.
    """

    cell: Ints
    post: Ints
    is_whole: NDArray[np.bool_]
    circle: Ints
    edges: Edges
    """Edges of all circles."""


class Hits(NamedTuple):
    """Pairs of a point and a post whose circle of one tier contains it, as indices."""

    point: Ints
    post: Ints


class Tier(NamedTuple):
    """Intersections of the circles of one tier with cells, and with points of each kind."""

    meetings: Meetings
    hits: dict[str, Hits]


@dataclass(frozen=True)
class Share:
    """Covered shares of a group within a tier, each between 0 and 1; None: the group has nothing of that kind."""

    tier_minutes: int
    area: float | None
    households: float | None
    incidents: float | None
    key_places: float | None
    own_incidents: float | None
    """Incidents within the circles of posts of their own patrol zone."""


@dataclass(frozen=True)
class Group:
    """Totals of a group, and the covered share of each."""

    code: str
    name: str
    area_km2: float
    households: int
    incidents: int
    key_places: int
    traffic_factor: float
    """Factor of travel times at the moment that was asked about."""
    tiers: list[Share]


class Coverage:
    """Intersections of circles with cells and points, from one snapshot, to compute what any set of posts covers.

    May be used by several threads at the same time.

    Parameters
    ----------
    spots
        Points by kind, one array each: incidents and places.
    of_zone
        The zone_code of each incident.
    """

    def __init__(
        self, leaves: Leaves, shapes: NDArray[Any], posts: list[dict[str, Any]], spots: dict[str, NDArray[Any]],
        of_zone: NDArray[Any], travel: Travel | None,
    ) -> None:  # fmt: skip
        self.leaves, self.posts = leaves, posts
        self._shapes, self._of_zone, self._travel = shapes, of_zone, travel
        self._tree = shapely.STRtree(shapes)
        self._trees = {kind: shapely.STRtree(found) for kind, found in spots.items()}
        self._owners = {kind: _owners(self._tree, shapes, found) for kind, found in spots.items()}
        self._owners["own"] = self._owners["incidents"]
        self._of_files: list[dict[str, Any]] = []
        self._tiers: dict[float, dict[int, Tier]] = {}
        self._last: dict[tuple[float, int], tuple[NDArray[np.bool_], Floats]] = {}

    @classmethod
    def read(cls, connection: Connection, travel: Travel | None = None, months: int = 12) -> "Coverage":
        """Read cells, circles and points in the caller's transaction, and intersect them. Blocks for some seconds.

        Parameters
        ----------
        travel
            Gives the traffic factor of an hour; None: roads are always free.
        months
            Number of past months whose incidents count.
        """
        leaves, shapes = read_leaves(connection)
        posts = connection.execute(QUERIES["posts"]).fetchall()
        incidents = connection.execute(QUERIES["incidents"], {"months": months}).fetchall()
        of_zone = np.array([row["zone_code"] for row in incidents], dtype=object)
        spots = {"incidents": _spots(incidents), "places": _spots(connection.execute(QUERIES["places"]).fetchall())}
        found = cls(leaves, shapes, posts, spots, of_zone, travel)
        circles = connection.execute(QUERIES["circles"], {"drawn": METHODS}).fetchall()
        found._of_files = [row for row in circles if row["is_of_file"]]
        found.add(1.0, [row for row in circles if not row["is_of_file"]])
        return found

    def add(self, factor: float, circles: Sequence[dict[str, Any]]) -> None:
        """Add circles for a traffic factor: rows with post_code, tier_minutes and geom (EWKB).

        Imported circles count for every factor, beside these.
        """
        number = {post["post_code"]: index for index, post in enumerate(self.posts)}
        rows = [
            {**row, "post": number[row["post_code"]]}
            for row in (*self._of_files, *circles)
            if row["post_code"] in number  # else the post was added since `read`
        ]
        with ThreadPoolExecutor() as threads:  # GEOS releases the GIL
            of_tiers = threads.map(self._tier, [[row for row in rows if row["tier_minutes"] == tier] for tier in TIERS])
        self._tiers[factor] = dict(zip(TIERS, of_tiers, strict=True))
        for tier in TIERS:
            self._last[factor, tier] = (np.zeros(len(self.posts), dtype=bool), np.zeros(len(self._shapes)))

    def _tier(self, rows: list[dict[str, Any]]) -> Tier:
        post = np.array([row["post"] for row in rows], dtype=np.int64)
        drawn = shapely.from_wkb([row["geom"] for row in rows])
        shapely.prepare(drawn)
        hits = {}
        for kind, tree in self._trees.items():
            circle, point = tree.query(drawn, predicate="covers")
            hits[kind] = Hits(point, post[circle])
        hits["own"] = self._own(hits["incidents"])
        return Tier(_meet(self._tree, self._shapes, post, drawn), hits)

    def _own(self, hits: Hits) -> Hits:
        """Return the pairs in which the incident lies in the patrol zone of the post."""
        of_post = np.array([post["zone_code"] for post in self.posts], dtype=object)[hits.post]
        is_own = (self._of_zone[hits.point] == of_post) & (of_post != "")
        return Hits(hits.point[is_own], hits.post[is_own])

    def missing(self, by: Grouping, moment: datetime | None) -> set[float]:
        """Return the traffic factors whose circles must be added (`add`) before this question can be answered."""
        return {self._factor(when) for when in (_hours(moment) if by == "hour" else [moment])} - self._tiers.keys()

    def _factor(self, moment: datetime | None) -> float:
        return self._travel.factor_at(moment) if self._travel else 1.0

    def active(self, moment: datetime | None) -> NDArray[np.bool_]:
        """Return a flag for each post: whether it is on duty at a moment (in the city's time zone); None: all are."""
        return np.array([moment is None or is_within(post["key_periods"], moment) for post in self.posts], dtype=bool)

    def count(self, moment: datetime | None, seen: frozenset[str] | None) -> int:
        """Return how many posts are on duty at a moment, of those in `seen` (None: all)."""
        active = self.active(moment)
        return sum(seen is None or self.posts[at]["post_code"] in seen for at in np.flatnonzero(active))

    def covered(self, active: NDArray[np.bool_], tier: int, factor: float = 1.0) -> Floats:
        """Return the share of each leaf cell that active posts cover within a tier, an array of n between 0 and 1.

        Starts from the previous result for the factor and tier: only cells are intersected again that a post reaches
        which became active or inactive since.
        """
        before, known = self._last[factor, tier]
        cell, post, is_whole, circle, edges = self._tiers[factor][tier].meetings
        is_open = np.zeros(len(known), dtype=bool)
        is_open[cell[(active != before)[post]]] = True
        shares = np.where(is_open, 0.0, known)
        chosen = active[post] & is_open[cell]
        shares[cell[chosen & is_whole]] = 1
        pairs = np.flatnonzero(chosen & ~is_whole & (shares[cell] < 1))
        pairs = pairs[np.argsort(cell[pairs], kind="stable")]
        cells, row = np.unique(cell[pairs], return_inverse=True)
        nth = np.arange(len(row)) - np.searchsorted(row, row)  # counts the circles of each cell from 0
        circles = np.full((len(cells), int(nth.max(initial=0)) + 1), -1)
        circles[row, nth] = circle[pairs]
        shares[cells] = _on_all_cores(partial(_shares_held, edges), self._shapes[cells], circles)
        self._last[factor, tier] = (active, shares)  # replaced in one assignment: other threads read it meanwhile
        return shares

    def groups(self, by: Grouping, moment: datetime | None = None, cells: frozenset[str] | None = None) -> list[Group]:
        """Return totals and covered shares by group.

        Parameters
        ----------
        by
            Grouping; hour: the whole city at each hour of the moment's day.
        moment
            Posts on duty then count, in the city's time zone; None: all posts.
        cells
            Codes of the leaf cells that count; None: all.
        """
        kept = self.leaves.kept(cells)
        if by == "hour":
            return [
                self._group(str(when.hour), f"{when.hour:02d}:00", kept, self._factor(when), self._shares(when))
                for when in _hours(moment)
            ]
        factor, shares = self._factor(moment), self._shares(moment)
        return [self._group(code, name, here, factor, shares) for code, name, here in self.leaves.groups(by, kept)]

    def _shares(self, moment: datetime | None) -> dict[int, tuple[Floats, dict[str, NDArray[np.bool_]]]]:
        active, factor = self.active(moment), self._factor(moment)
        found = {}
        for tier in TIERS:
            reached = {}
            for kind, hits in self._tiers[factor][tier].hits.items():
                reached[kind] = np.zeros(len(self._owners[kind]), dtype=bool)
                reached[kind][hits.point[active[hits.post]]] = True
            found[tier] = (self.covered(active, tier, factor), reached)
        return found

    def _group(
        self, code: str, name: str, kept: NDArray[np.bool_], factor: float,
        shares: dict[int, tuple[Floats, dict[str, NDArray[np.bool_]]]],
    ) -> Group:  # fmt: skip
        area, households = self.leaves.area_m2[kept], self.leaves.households[kept]
        inside = {kind: np.isin(owner, np.flatnonzero(kept)) for kind, owner in self._owners.items()}
        counts = (int(inside["incidents"].sum()), int(inside["places"].sum()))
        tiers = [
            Share(
                tier, _share((covered[kept] * area).sum(), area.sum()),
                _share((covered[kept] * households).sum(), households.sum()),
                _share(float((reached["incidents"] & inside["incidents"]).sum()), counts[0]),
                _share(float((reached["places"] & inside["places"]).sum()), counts[1]),
                _share(float((reached["own"] & inside["own"]).sum()), counts[0]),
            )
            for tier, (covered, reached) in shares.items()
        ]  # fmt: skip
        return Group(code, name, float(area.sum() / 1e6), int(households.sum()), *counts, factor, tiers)


def _hours(moment: datetime | None) -> list[datetime]:
    """Return the middle of each hour of a moment's day; None: of today."""
    midnight = (moment or datetime.now()).replace(hour=0, minute=30, second=0, microsecond=0)
    return [midnight + timedelta(hours=hour) for hour in range(24)]


def _share(part: float, whole: float) -> float | None:
    return round(float(part / whole), 6) if whole else None


def read_leaves(connection: Connection) -> tuple[Leaves, NDArray[Any]]:
    """Read the leaf cells in force, and their shapes (array of n, EPSG:4490)."""
    rows = {row["grid_code"]: row for row in connection.execute(QUERIES["cells"]).fetchall()}
    leaves = [row for row in rows.values() if row["geom"] is not None]
    shapes = shapely.from_wkb([row["geom"] for row in leaves])

    def above(row: dict[str, Any], level: int) -> str:
        while row["grid_level"] > level and row["parent_code"] in rows:
            row = rows[row["parent_code"]]
        return str(row["grid_code"]) if row["grid_level"] == level else ""

    zones = connection.execute(QUERIES["zones"]).fetchall()
    of_zone = np.full(len(leaves), "", dtype=object)
    if zones and leaves:
        tree = shapely.STRtree(shapely.from_wkb([row["geom"] for row in zones]))
        leaf, zone = tree.query(shapely.point_on_surface(shapes), predicate="intersects")
        of_zone[leaf] = np.array([row["zone_code"] for row in zones], dtype=object)[zone]
    names = {code: str(row["name"]) for code, row in rows.items()}
    group = {
        "county": np.array([above(row, 1) for row in leaves], dtype=object),
        "township": np.array([above(row, 2) for row in leaves], dtype=object),
        "zone": of_zone,
    }
    found = Leaves(
        [row["grid_code"] for row in leaves], [row["name"] for row in leaves],
        np.array([row["area_m2"] for row in leaves], float), np.array([row["households"] for row in leaves], float),
        group, {"county": names, "township": names, "zone": {row["zone_code"]: row["name"] for row in zones}},
    )  # fmt: skip
    return found, shapes


def _spots(rows: list[dict[str, Any]]) -> NDArray[Any]:
    spots: NDArray[Any] = shapely.points(np.array([(row["lon"], row["lat"]) for row in rows], float).reshape(-1, 2))
    return spots


def _owners(tree: shapely.STRtree, shapes: NDArray[Any], spots: NDArray[Any]) -> Ints:
    """Return the index of the leaf cell of each point, -1: none. On a border any of the cells, which suffices for shares."""
    found = np.full(len(spots), -1, dtype=np.int64)
    if len(spots) and len(shapes):
        spot, cell = tree.query(spots, predicate="intersects")
        found[spot] = cell
    return found


def _meet(tree: shapely.STRtree, shapes: NDArray[Any], post: Ints, circles: NDArray[Any]) -> Meetings:
    circle, cell = tree.query(circles, predicate="intersects")
    return Meetings(cell, post[circle], shapely.covers(circles[circle], shapes[cell]), circle, Edges.of(circles))


def _shares_held(circles: Edges, cells: NDArray[Any], of_cell: Ints) -> Floats:
    """Return the share of each of n cells that the union of its circles covers.

    `of_cell` has the indices of circles, n by the largest number of circles of a cell; -1 fills the rest.
    """
    shares: Floats = np.minimum(held_areas(cells, circles, of_cell) / shapely.area(cells), 1.0)
    return shares


def _on_all_cores(work: Callable[..., NDArray[Any]], *arrays: NDArray[Any]) -> NDArray[Any]:
    """Call `work` on slices of the arrays in several threads, one per core: the compiled functions release the GIL."""
    if not len(arrays[0]):
        return arrays[0]
    pieces = [np.array_split(array, 2 * (os.cpu_count() or 1)) for array in arrays]
    with ThreadPoolExecutor() as threads:
        return np.concatenate([part for part in threads.map(work, *pieces) if len(part)])


async def response_times(connection: AsyncConnection, by: Grouping, months: int, timezone: str) -> list[dict[str, Any]]:
    """Return n, P50 and P90 in seconds of each stage of response by group, and how many incidents are excluded and why."""
    rows = await connection.execute(QUERIES["times"], {"by": by, "months": months, "timezone": timezone})
    return await rows.fetchall()


class Covered:
    """Coverage as derived state: invalidated by changes of circles, posts or boundaries, and after 10 minutes.

    Parameters
    ----------
    conninfo
        libpq connection string of a role that sees the whole city.
    upkeep
        Draws the circles for the traffic factor of an hour.
    """

    def __init__(self, conninfo: str, upkeep: Upkeep, states: DerivedStates) -> None:
        self._conninfo, self._upkeep = conninfo, upkeep
        self._reading = asyncio.Lock()
        self._coverage = states.declare(
            "coverage", _DEPENDS_ON, self._read, size=lambda held: len(held.leaves.codes), longest_s=_LONGEST_S, is_large=True
        )  # fmt: skip

    async def read(self, by: Grouping, moment: datetime | None) -> Coverage:
        """Return the coverage with all circles that a question needs. Takes seconds the first time, after a change, and
        for each new traffic factor; it waits in a thread of SOLVING, not on the event loop.
        """
        async with self._reading:  # callers that wait for another's read hold no thread
            return await SOLVING.run(None, self._for, by, moment)

    def _read(self) -> Coverage:
        with connect(self._conninfo) as connection:
            return Coverage.read(connection, self._upkeep.travel)

    def _for(self, by: Grouping, moment: datetime | None) -> Coverage:
        coverage = self._coverage.read()
        for factor in coverage.missing(by, moment):
            with connect(self._conninfo) as connection:
                coverage.add(factor, self._upkeep.circles_in_traffic(connection, factor))
        return coverage
