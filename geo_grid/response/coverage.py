"""What circles cover: area, households, incidents and key places, by city, county, township, zone or hour.

Area and households of a cell count by the share of its area that is covered: the union of the circles' parts in it.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.db import AsyncConnection, Changes, Connection, connect, load_queries
from geo_grid.layers.periods import is_within
from geo_grid.response.sweep import held_areas

QUERIES = load_queries("geo_grid.response", "coverage.sql")
TIERS = (1, 3, 5)
_DEPENDS_ON = ("response_circles", "police_posts", "editions", "facilities")
_LONGEST_S = 600.0
"""Incidents come in all the time; their shares may be so old."""
type Grouping = Literal["city", "county", "township", "zone", "hour"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Leaves(NamedTuple):
    """The innermost cells: n codes, areas in m2, households, and the code of what each belongs to, by grouping."""

    codes: list[str]
    names: list[str]
    area_m2: Floats
    households: Floats
    group: dict[str, NDArray[Any]]
    group_names: dict[str, dict[str, str]]

    def kept(self, cells: frozenset[str] | None) -> NDArray[np.bool_]:
        """Say which of them count: those of these codes, None: all."""
        return np.array([cells is None or code in cells for code in self.codes], dtype=bool)

    def groups(self, by: str, kept: NDArray[np.bool_]) -> list[tuple[str, str, NDArray[np.bool_]]]:
        """Return code and name of each group, and which of those that count are in it; city: one without a code."""
        if by == "city":
            return [("", "", kept)]
        of_leaf, names = self.group[by], self.group_names[by]
        return [(code, names[code], kept & (of_leaf == code)) for code in sorted(set(of_leaf[kept]) - {""})]


class Meetings(NamedTuple):
    """Where n circles of a tier and cells meet, by pair: cell, post, whether the circle holds the whole cell, the circle."""

    cell: Ints
    post: Ints
    is_whole: NDArray[np.bool_]
    circle: NDArray[Any]


class Hits(NamedTuple):
    """Which points lie in which circles of a tier."""

    point: Ints
    post: Ints


@dataclass(frozen=True)
class Share:
    """What of a group is covered within a tier, each between 0 and 1; None where the group has none."""

    tier_minutes: int
    area: float | None
    households: float | None
    incidents: float | None
    key_places: float | None
    own_incidents: float | None
    """Incidents within the circles of posts of their own patrol zone."""


@dataclass(frozen=True)
class Group:
    """What a group has, and what of it is covered."""

    code: str
    name: str
    area_km2: float
    households: int
    incidents: int
    key_places: int
    tiers: list[Share]


class Coverage:
    """All that is needed to say what any set of posts covers, as of one state of the database."""

    def __init__(
        self, leaves: Leaves, shapes: NDArray[Any], posts: list[dict[str, Any]], meetings: dict[int, Meetings],
        points: dict[str, tuple[Ints, dict[int, Hits]]],
    ) -> None:  # fmt: skip
        self.leaves, self.posts = leaves, posts
        self._shapes, self._meetings, self._points = shapes, meetings, points
        self._last: dict[int, tuple[NDArray[np.bool_], Floats]] = {
            tier: (np.zeros(len(posts), dtype=bool), np.zeros(len(shapes))) for tier in meetings
        }

    @classmethod
    def read(cls, connection: Connection, months: int = 12) -> "Coverage":
        """Read and intersect everything, in the caller's transaction.

        Parameters
        ----------
        months
            Incidents of so many last months count.
        """
        leaves, shapes = read_leaves(connection)
        posts = connection.execute(QUERIES["posts"]).fetchall()
        number = {post["post_code"]: index for index, post in enumerate(posts)}
        circles: dict[int, list[tuple[int, Any]]] = {tier: [] for tier in TIERS}
        for row in connection.execute(QUERIES["circles"]).fetchall():
            circles[row["tier_minutes"]].append((number[row["post_code"]], row["geom"]))
        tree = shapely.STRtree(shapes)
        incidents = connection.execute(QUERIES["incidents"], {"months": months}).fetchall()
        of_zone = np.array([row["zone_code"] for row in incidents], dtype=object)
        spots = {"incidents": _spots(incidents), "places": _spots(connection.execute(QUERIES["places"]).fetchall())}
        owners = {name: _owners(tree, shapes, found) for name, found in spots.items()}
        meetings: dict[int, Meetings] = {}
        hits: dict[str, dict[int, Hits]] = {name: {} for name in spots}
        for tier, of_tier in circles.items():
            post = np.array([index for index, _ in of_tier], dtype=np.int64)
            drawn = shapely.from_wkb([geom for _, geom in of_tier])
            shapely.prepare(drawn)
            meetings[tier] = _meet(tree, shapes, post, drawn)
            for name, found in spots.items():
                circle, point = shapely.STRtree(found).query(drawn, predicate="covers")
                hits[name][tier] = Hits(point, post[circle])
        hits["own"] = _own(hits["incidents"], of_zone, np.array([post["zone_code"] for post in posts], dtype=object))
        owners["own"] = owners["incidents"]
        points = {name: (owners[name], hits[name]) for name in owners}
        return cls(leaves, shapes, posts, meetings, points)

    def active(self, moment: datetime | None) -> NDArray[np.bool_]:
        """Say which posts count at a moment, in the city's own time; all of them at none."""
        return np.array([moment is None or is_within(post["key_periods"], moment) for post in self.posts], dtype=bool)

    def covered(self, active: NDArray[np.bool_], tier: int) -> Floats:
        """Return the share of each innermost cell that active posts cover within a tier.

        Only cells that posts reach which were not asked about last time, or are not now, are cut again.
        """
        before, known = self._last[tier]
        cell, post, is_whole, circle = self._meetings[tier]
        is_open = np.zeros(len(known), dtype=bool)
        is_open[cell[(active != before)[post]]] = True
        found = np.where(is_open, 0.0, known)
        chosen = active[post] & is_open[cell]
        found[cell[chosen & is_whole]] = 1
        pairs = np.flatnonzero(chosen & ~is_whole & (found[cell] < 1))
        pairs = pairs[np.argsort(cell[pairs], kind="stable")]
        cells, row = np.unique(cell[pairs], return_inverse=True)
        nth = np.arange(len(row)) - np.searchsorted(row, row)  # of the circles that meet its cell
        circles = np.full((len(cells), int(nth.max(initial=0)) + 1), None, dtype=object)
        circles[row, nth] = circle[pairs]
        found[cells] = _on_all_cores(_shares_held, self._shapes[cells], circles)
        self._last[tier] = (active, found)  # whole: others ask at the same time
        return found

    def groups(self, by: Grouping, moment: datetime | None = None, cells: frozenset[str] | None = None) -> list[Group]:
        """Say what is covered, by group.

        Parameters
        ----------
        by
            hour: the whole city at each hour of the moment's day.
        moment
            Posts that count then are asked about; None: all. In the city's own time.
        cells
            Only these innermost cells count; None: all.
        """
        kept = self.leaves.kept(cells)
        if by == "hour":
            midnight = (moment or datetime.now()).replace(hour=0, minute=30, second=0, microsecond=0)
            hours = [midnight + timedelta(hours=hour) for hour in range(24)]
            return [
                self._group(str(hour.hour), f"{hour.hour:02d}:00", kept, self._shares(self.active(hour)))
                for hour in hours
            ]
        shares = self._shares(self.active(moment))
        return [self._group(code, name, here, shares) for code, name, here in self.leaves.groups(by, kept)]

    def _shares(self, active: NDArray[np.bool_]) -> dict[int, tuple[Floats, dict[str, NDArray[np.bool_]]]]:
        found = {}
        for tier in TIERS:
            reached = {}
            for name, (owner, hits) in self._points.items():
                reached[name] = np.zeros(len(owner), dtype=bool)
                reached[name][hits[tier].point[active[hits[tier].post]]] = True
            found[tier] = (self.covered(active, tier), reached)
        return found

    def _group(
        self, code: str, name: str, kept: NDArray[np.bool_],
        shares: dict[int, tuple[Floats, dict[str, NDArray[np.bool_]]]],
    ) -> Group:  # fmt: skip
        area, households = self.leaves.area_m2[kept], self.leaves.households[kept]
        inside = {kind: np.isin(owner, np.flatnonzero(kept)) for kind, (owner, _) in self._points.items()}
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
        return Group(code, name, float(area.sum() / 1e6), int(households.sum()), *counts, tiers)


def _share(part: float, whole: float) -> float | None:
    return round(float(part / whole), 6) if whole else None


def read_leaves(connection: Connection) -> tuple[Leaves, NDArray[Any]]:
    """Read the innermost cells in force, and their shapes."""
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


def _own(hits: dict[int, Hits], of_incident: NDArray[Any], of_post: NDArray[Any]) -> dict[int, Hits]:
    """Keep the incidents that lie in circles of posts of their own zone, by the zone_code of each; empty: of no zone."""
    found = {}
    for tier, (point, post) in hits.items():
        is_own = (of_incident[point] == of_post[post]) & (of_post[post] != "")
        found[tier] = Hits(point[is_own], post[is_own])
    return found


def _owners(tree: shapely.STRtree, shapes: NDArray[Any], spots: NDArray[Any]) -> Ints:
    """Return the innermost cell of each point, -1 for none; on a border any of them: shares do not change by it."""
    found = np.full(len(spots), -1, dtype=np.int64)
    if len(spots) and len(shapes):
        spot, cell = tree.query(spots, predicate="intersects")
        found[spot] = cell
    return found


def _meet(tree: shapely.STRtree, shapes: NDArray[Any], post: Ints, circles: NDArray[Any]) -> Meetings:
    if not len(circles) or not len(shapes):
        none = np.zeros(0, dtype=np.int64)
        return Meetings(none, none, none.astype(bool), np.zeros(0, dtype=object))
    circle, cell = tree.query(circles, predicate="intersects")
    return Meetings(cell, post[circle], shapely.covers(circles[circle], shapes[cell]), circles[circle])


def _shares_held(cells: NDArray[Any], circles: NDArray[Any]) -> Floats:
    """Return the share of each of n cells that its circles (n by most, None where it has fewer) hold together.

    Circles are first cut by their cell's box, which is quick, so that little of a large one is left to do.
    """
    is_circle = ~shapely.is_missing(circles)
    boxes, row = shapely.bounds(cells).tolist(), np.nonzero(is_circle)[0]
    boxed = np.full(circles.shape, None, dtype=object)
    boxed[is_circle] = [
        shapely.clip_by_rect(circle, *boxes[at]) for circle, at in zip(circles[is_circle], row, strict=True)
    ]
    shares: Floats = np.minimum(held_areas(cells, boxed) / shapely.area(cells), 1.0)
    return shares


def _on_all_cores(work: Callable[..., NDArray[Any]], *arrays: NDArray[Any]) -> NDArray[Any]:
    """Do work on pieces of arrays side by side: GEOS lets go of Python meanwhile."""
    if not len(arrays[0]):
        return arrays[0]
    pieces = [np.array_split(array, 2 * (os.cpu_count() or 1)) for array in arrays]
    with ThreadPoolExecutor() as threads:
        return np.concatenate([part for part in threads.map(work, *pieces) if len(part)])


async def response_times(connection: AsyncConnection, by: Grouping, months: int, timezone: str) -> list[dict[str, Any]]:
    """Return what the clocks of incidents say: n, P50 and P90 of each stage in seconds, and how many are left out and why."""
    rows = await connection.execute(QUERIES["times"], {"by": by, "months": months, "timezone": timezone})
    return await rows.fetchall()


class Covered:
    """Coverage as of now, read again when circles, posts or boundaries have changed, or after a while.

    Parameters
    ----------
    conninfo
        libpq connection string of somebody who sees everything.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, ...], float, Coverage] | None = None

    def read(self, changes: Changes) -> Coverage:
        """Return it; the first time, and after a change, that takes some seconds."""
        with self._lock:
            versions = changes.versions(_DEPENDS_ON)
            if self._held is None or self._held[0] != versions or time.monotonic() - self._held[1] > _LONGEST_S:
                with connect(self._conninfo) as connection:
                    self._held = (versions, time.monotonic(), Coverage.read(connection))
            return self._held[2]
