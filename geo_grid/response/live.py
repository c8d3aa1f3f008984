"""Live coverage: what free units reach now from their positions, compared with the circles of posts; and the holes in it.

The covered share of a leaf cell is estimated by `POINTS` sample points inside it: to within some percent for one cell, and
some tenths of a percent for a county of a thousand cells. `coverage` measures areas exactly, and takes seconds.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from geo_grid.changes import Feed, Table
from geo_grid.coordinates import Floats
from geo_grid.db import AsyncConnection, Connection, connect, load_queries
from geo_grid.derived import DerivedStates
from geo_grid.layers.periods import is_within
from geo_grid.layers.response_circles import Why
from geo_grid.response.build import closures_in_force
from geo_grid.response.circles import Place, distances_m
from geo_grid.response.coverage import TIERS, Leaves, read_leaves
from geo_grid.response.ranking import reason_of
from geo_grid.response.travel import closures_near
from geo_grid.response.upkeep import Drawing, Upkeep

log = logging.getLogger(__name__)
QUERIES = load_queries("geo_grid.response", "live.sql")
POINTS = 16
_LIMITS_S = tuple(60 * tier for tier in TIERS)
_MOVED_M = 150.0
"""Metres that a unit must move before its reach is drawn again."""
_EVERY_S, _AT_LEAST_EVERY_S, _WANTED_S = 3.0, 60.0, 120.0
_DEPENDS_ON = (
    Table.PATROL_UNITS, Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.ROAD_CLOSURES, Table.EDITIONS,
)  # fmt: skip
_DRAWN_DEGREES = 5e-5
"""Tolerance in degrees (some 5 m) by which areas are simplified for the map."""
_HOLE = 0.5
type LiveGrouping = Literal["city", "county", "township", "zone"]


class LiveShare(BaseModel):
    """Covered shares of a group within a tier, each between 0 and 1."""

    tier_minutes: int
    area: float = Field(description="by those who are free now")
    households: float | None = Field(description="null: nobody lives there")
    planned_area: float = Field(description="by the posts that count now, if somebody were at each")
    planned_households: float | None


class LiveGroup(BaseModel):
    """Live coverage of one part of the city."""

    code: str
    name: str
    tiers: list[LiveShare]


class Hole(BaseModel):
    """A leaf cell of which circles of posts cover at least half, and free units reach less than half."""

    grid_code: str
    name: str
    county: str
    township: str
    lon: float = Field(description="of a place inside")
    lat: float
    households: int
    planned: float
    live: float


class Reached(NamedTuple):
    """Areas that a unit reaches within 1, 3 and 5 minutes, simplified for the map; their method, and why it is an estimate."""

    name: str
    method: str
    estimated_because: Why | None
    shapes: NDArray[Any]


class _Drawn(NamedTuple):
    place: Place
    how: tuple[Any, ...]
    hits: list[NDArray[np.intp]]
    reached: Reached


@dataclass(frozen=True)
class Snapshot:
    """Live coverage at one moment: covered shares of the leaf cells by tier, and the areas of each free unit. Immutable.

    Attributes
    ----------
    areas
        By unit_code of the free units that were heard of lately.
    silent
        unit_code of those that could be sent but have not reported a position lately: they may be anywhere, so nothing counts
        as reached by them.
    """

    as_of: datetime
    leaves: Leaves
    places: NDArray[np.float64]
    shapes: NDArray[Any]
    live: dict[int, Floats]
    planned: dict[int, Floats]
    areas: dict[str, Reached]
    silent: frozenset[str]

    def groups(self, by: LiveGrouping, cells: frozenset[str] | None) -> list[LiveGroup]:
        """Return the covered shares by group, of the leaf cells with these codes (None: all)."""
        return [self._group(*group) for group in self.leaves.groups(by, self.leaves.kept(cells))]

    def _group(self, code: str, name: str, kept: NDArray[np.bool_]) -> LiveGroup:
        area, households = self.leaves.area_m2[kept], self.leaves.households[kept]

        def share(covered: Floats, weight: Floats) -> float | None:
            return round(float((covered[kept] * weight).sum() / weight.sum()), 4) if weight.sum() else None

        tiers = [
            LiveShare(
                tier_minutes=tier,
                area=share(self.live[tier], area) or 0.0, households=share(self.live[tier], households),
                planned_area=share(self.planned[tier], area) or 0.0, planned_households=share(self.planned[tier], households),
            )
            for tier in TIERS
        ]  # fmt: skip
        return LiveGroup(code=code, name=name, tiers=tiers)

    def holes(self, tier: int, cells: frozenset[str] | None) -> list[Hole]:
        """Return the holes within a tier, those with most households first."""
        numbers = np.flatnonzero(self.leaves.kept(cells) & (self.planned[tier] >= _HOLE) & (self.live[tier] < _HOLE))
        numbers = numbers[np.lexsort((numbers, -self.leaves.households[numbers]))]
        leaves = self.leaves
        return [
            Hole(
                grid_code=leaves.codes[at], name=leaves.names[at],
                **{by: leaves.group_names[by].get(leaves.group[by][at], "") for by in ("county", "township")},
                lon=round(float(self.places[at, 0]), 6), lat=round(float(self.places[at, 1]), 6),
                households=int(leaves.households[at]),
                planned=float(self.planned[tier][at]), live=float(self.live[tier][at]),
            )
            for at in numbers.tolist()
        ]  # fmt: skip

    def outline(self, codes: Iterable[str]) -> Any:
        """Return the union of leaf cells by their codes."""
        return shapely.union_all(self.shapes[[self._number[code] for code in codes if code in self._number]])

    @cached_property
    def _number(self) -> dict[str, int]:
        return {code: at for at, code in enumerate(self.leaves.codes)}


class Live:
    """Keeps a snapshot up to date while clients ask for it, in a thread of its own.

    Parameters
    ----------
    conninfo
        libpq connection string of a role that sees the whole city.
    """

    def __init__(self, conninfo: str, upkeep: Upkeep, states: DerivedStates, timezone: str) -> None:
        self.drawing = Drawing()
        self.snapshot: Snapshot | None = None
        self._conninfo, self._upkeep, self._zone = conninfo, upkeep, ZoneInfo(timezone)
        self._feed: Feed = states.feed
        self._ground = states.declare(
            "live_ground", (Table.EDITIONS,), self._read_ground, size=lambda ground: len(ground.leaves.codes)
        )
        self._drawn_on: _Ground | None = None
        self._drawn: dict[str, _Drawn] = {}
        self._asked = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    @contextlib.contextmanager
    def kept(cls, conninfo: str, upkeep: Upkeep, states: DerivedStates, timezone: str) -> Iterator[Self]:
        """Run the thread while the context lasts."""
        live = cls(conninfo, upkeep, states, timezone)
        try:
            yield live
        finally:
            live._stopped.set()

    def read(self) -> Snapshot | None:
        """Return the latest snapshot, without waiting; None until the first is made (`drawing` has its progress)."""
        self._asked = time.monotonic()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="live coverage", daemon=True)
                self._thread.start()
        return self.snapshot

    def _keep(self) -> None:
        seen: tuple[tuple[int, int], ...] = ()
        looked = float("-inf")
        while not self._stopped.is_set() and time.monotonic() - self._asked < _WANTED_S:
            versions = self._feed.versions(_DEPENDS_ON)
            if versions != seen or time.monotonic() - looked > _AT_LEAST_EVERY_S:
                try:
                    self._refresh()
                except Exception:  # no error may end the thread
                    log.exception("live coverage could not be updated; trying again")
                seen, looked = versions, time.monotonic()
            self._stopped.wait(_EVERY_S)

    def _refresh(self) -> None:
        now, ground = datetime.now(self._zone), self._ground.read()
        if ground is not self._drawn_on:
            self._drawn_on, self._drawn = ground, {}
        with connect(self._conninfo) as connection:
            planned = ground.planned(connection, now)
            units = connection.execute(QUERIES["units"]).fetchall()
            closures = closures_in_force(connection)
        reasons = {unit["unit_code"]: reason_of(unit, now) for unit in units}
        free = [unit for unit in units if reasons[unit["unit_code"]] == "free"]
        drawn = self._draw(ground, free, closures, now)
        live = {
            tier: ground.shares(np.concatenate([np.zeros(0, np.intp), *(one.hits[at] for one in drawn.values())]))
            for at, tier in enumerate(TIERS)
        }
        self._drawn = drawn
        self.snapshot = Snapshot(
            datetime.now(UTC), ground.leaves, ground.places, ground.shapes, live, planned,
            {code: one.reached for code, one in drawn.items()},
            frozenset(code for code, reason in reasons.items() if reason == "silent"),
        )  # fmt: skip

    def _read_ground(self) -> "_Ground":
        with connect(self._conninfo) as connection:
            return _Ground(*read_leaves(connection))

    def _draw(
        self, ground: "_Ground", units: list[dict[str, Any]], closures: list[Any], now: datetime
    ) -> dict[str, _Drawn]:
        """Draw the areas of units that moved or whose conditions changed, and keep those of the others."""
        router, kept, asked = self._upkeep.router, {}, []
        for unit in units:
            place = (unit["lon"], unit["lat"])
            ride = self._upkeep.travel.ride(unit["kind"], now, closures_near(closures, place))
            before = self._drawn.get(unit["unit_code"])
            if before and before.how == (router.graph, ride) and _apart_m(before.place, place) < _MOVED_M:
                kept[unit["unit_code"]] = before
            else:
                asked.append((unit, place, ride, router.ask_areas(place, _LIMITS_S, ride)))
        self.drawing = Drawing(tuple(unit["unit_code"] for unit, *_ in asked))
        for unit, place, ride, answer in asked:
            if self._stopped.is_set():
                break
            areas = router.areas_of(answer, place, _LIMITS_S, ride)
            shapes = shapely.simplify(areas.shapes, _DRAWN_DEGREES)
            reached = Reached(unit["name"], areas.method, areas.why, shapes)
            hits = [ground.inside(shape) for shape in areas.shapes]
            how = (router.graph, ride) if areas.was_answered else ()  # (): drawn again at the next update
            kept[unit["unit_code"]] = _Drawn(place, how, hits, reached)
            self.drawing.done += 1
        return kept


async def units_seen(connection: AsyncConnection, unit_codes: Sequence[str]) -> frozenset[str]:
    """Return which of these units the principal of the connection sees."""
    rows = await connection.execute(QUERIES["units_seen"], {"unit_codes": list(unit_codes)})
    return frozenset(row["unit_code"] for row in await rows.fetchall())


def _apart_m(one: Place, other: Place) -> float:
    return float(distances_m([one], [other])[0, 0])


class _Ground:
    """The leaf cells with their sample points, and the circles of posts."""

    def __init__(self, leaves: Leaves, shapes: NDArray[Any]) -> None:
        self.leaves, self.shapes = leaves, shapes
        points = points_inside(shapes)
        self.places = points[:, 0, :].copy()
        # coordinates sorted from west to east: an R-tree of as many points would take 150 MB
        self._number = np.argsort(points[:, :, 0], axis=None, kind="stable")
        self._lon, self._lat = points.reshape(-1, 2)[self._number].T.copy()
        self._circles: dict[tuple[Any, ...], dict[int, Floats]] = {}

    def inside(self, shape: Any) -> NDArray[np.intp]:
        """Return the indices of the sample points inside a shape."""
        if shape.is_empty:
            return np.zeros(0, np.intp)
        west, south, east, north = shape.bounds
        near = slice(*np.searchsorted(self._lon, (west, np.nextafter(east, np.inf))))
        lat = self._lat[near]
        chosen = np.flatnonzero((south <= lat) & (lat <= north)) + near.start
        shapely.prepare(shape)
        found: NDArray[np.intp] = self._number[
            chosen[shapely.intersects_xy(shape, self._lon[chosen], self._lat[chosen])]
        ]
        return found

    def _inside_any(self, shapes: Sequence[Any]) -> NDArray[np.intp]:
        return np.concatenate([np.zeros(0, np.intp), *map(self.inside, shapes)])

    def shares(self, hits: NDArray[np.intp]) -> Floats:
        """Return the covered share of each cell from the indices of covered points; repeated indices count once."""
        is_hit = np.zeros(len(self.leaves.codes) * POINTS, dtype=bool)
        is_hit[hits] = True
        shares: Floats = is_hit.reshape(-1, POINTS).mean(axis=1)
        return shares

    def planned(self, connection: Connection, now: datetime) -> dict[int, Floats]:
        """Return by tier the share of each cell in circles of posts on duty now; cached until circles or posts change."""
        posts = connection.execute(QUERIES["posts"]).fetchall()
        active = [post["post_code"] for post in posts if is_within(post["key_periods"], now)]
        key = (*active, *(post["last_circle"] for post in posts))
        if key not in self._circles:
            rows = connection.execute(QUERIES["circles"], {"post_codes": active}).fetchall()
            of_tier: dict[int, Sequence[Any]] = {
                tier: shapely.from_wkb([row["geom"] for row in rows if row["tier_minutes"] == tier]) for tier in TIERS
            }
            self._circles = {key: {tier: self.shares(self._inside_any(of_tier[tier])) for tier in TIERS}}
        return self._circles[key]


def points_inside(shapes: NDArray[Any]) -> NDArray[np.float64]:
    """Return `POINTS` points spread evenly inside each of n polygons, an array of n by POINTS by 2 (lon, lat in degrees).

    They are the first points of a Halton sequence over the bounding box that lie inside. A polygon too thin for enough of
    them gets its point on surface for the rest.
    """
    west, south, east, north = (column[:, None] for column in shapely.bounds(shapes).reshape(-1, 4).T)
    spread = np.column_stack([_van_der_corput(6 * POINTS, base) for base in (2, 3)])
    lon, lat = west + spread[:, 0] * (east - west), south + spread[:, 1] * (north - south)
    shapely.prepare(shapes)
    is_inside = shapely.contains_xy(shapes[:, None], lon, lat)
    chosen = np.argsort(~is_inside, axis=1, kind="stable")[:, :POINTS]
    points = np.stack([np.take_along_axis(lon, chosen, 1), np.take_along_axis(lat, chosen, 1)], axis=-1)
    middle = shapely.get_coordinates(shapely.point_on_surface(shapes))
    is_out = ~np.take_along_axis(is_inside, chosen, 1)
    points[is_out] = np.repeat(middle[:, None], POINTS, axis=1)[is_out]
    return points


def _van_der_corput(count: int, base: int) -> Floats:
    """Return the first numbers of the van der Corput sequence (1935) in 0 to 1: one dimension of a Halton sequence.

    scipy.stats has it too, but takes a second and 60 MB to import.
    """
    rest, found, share = np.arange(1, count + 1), np.zeros(count), 1.0
    while rest.any():
        share /= base
        found += share * (rest % base)
        rest //= base
    return found
