"""What those who are free reach now, from where they are, beside what the circles promise; and the holes, by cell.

Shares of cells are counted on points inside them, `POINTS` in each: one cell is known to within some percent, a county
of a thousand cells to within some tenths. `coverage` measures areas exactly, and takes seconds.
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
"""A unit that moved less still reaches about the same."""
_EVERY_S, _AT_LEAST_EVERY_S, _WANTED_S = 3.0, 60.0, 120.0
_DEPENDS_ON = (
    Table.PATROL_UNITS, Table.RESPONSE_CIRCLES, Table.POLICE_POSTS, Table.ROAD_CLOSURES, Table.EDITIONS,
)  # fmt: skip
_DRAWN_DEGREES = 5e-5
"""Areas are as coarse on the map: some 5 m."""
_HOLE = 0.5
type LiveGrouping = Literal["city", "county", "township", "zone"]


class LiveShare(BaseModel):
    """What of a group is reached within a tier, each between 0 and 1."""

    tier_minutes: int
    area: float = Field(description="by those who are free now")
    households: float | None = Field(description="null: nobody lives there")
    planned_area: float = Field(description="by the posts that count now, if somebody were at each")
    planned_households: float | None


class LiveGroup(BaseModel):
    """A part of the city now."""

    code: str
    name: str
    tiers: list[LiveShare]


class Hole(BaseModel):
    """A cell of which the circles promise at least half, and those who are free reach less."""

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
    """What a unit reaches within 1, 3 and 5 minutes, as the map shows it, how that is known, and why it is an estimate."""

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
    """What is reached at a moment: shares of the innermost cells by tier, and what each free unit reaches.

    Attributes
    ----------
    areas
        By unit_code, of those who are free.
    silent
        unit_code of those of them that were not heard of lately.
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
        """Say what is reached, by group; only these innermost cells count (None: all)."""
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
        """Name the holes, those with most households first."""
        found = np.flatnonzero(self.leaves.kept(cells) & (self.planned[tier] >= _HOLE) & (self.live[tier] < _HOLE))
        found = found[np.lexsort((found, -self.leaves.households[found]))]
        leaves = self.leaves
        return [
            Hole(
                grid_code=leaves.codes[at], name=leaves.names[at],
                **{by: leaves.group_names[by].get(leaves.group[by][at], "") for by in ("county", "township")},
                lon=round(float(self.places[at, 0]), 6), lat=round(float(self.places[at, 1]), 6),
                households=int(leaves.households[at]),
                planned=float(self.planned[tier][at]), live=float(self.live[tier][at]),
            )
            for at in found.tolist()
        ]  # fmt: skip

    def outline(self, codes: Iterable[str]) -> Any:
        """Return the shape of some innermost cells together."""
        return shapely.union_all(self.shapes[[self._number[code] for code in codes if code in self._number]])

    @cached_property
    def _number(self) -> dict[str, int]:
        return {code: at for at, code in enumerate(self.leaves.codes)}


class Live:
    """Keeps a snapshot up to date while somebody asks for it, in a thread of its own.

    Parameters
    ----------
    conninfo
        libpq connection string of somebody who sees everything.
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
        """Keep it while the context lasts."""
        live = cls(conninfo, upkeep, states, timezone)
        try:
            yield live
        finally:
            live._stopped.set()

    def read(self) -> Snapshot | None:
        """Return the latest; None while the first is made, which `drawing` tells the progress of."""
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
                except Exception:  # a fault in one look must not end all later ones
                    log.exception("live coverage was not brought up to date, and is tried again")
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
        free = [unit for unit in units if reasons[unit["unit_code"]] in ("free", "silent")]
        drawn = self._draw(ground, free, closures, now)
        live = {
            tier: ground.shares(np.concatenate([np.zeros(0, np.intp), *(one.hits[at] for one in drawn.values())]))
            for at, tier in enumerate(TIERS)
        }
        self._drawn = drawn
        self.snapshot = Snapshot(
            datetime.now(UTC), ground.leaves, ground.places, ground.shapes, live, planned,
            {code: one.reached for code, one in drawn.items()},
            frozenset(unit["unit_code"] for unit in free if reasons[unit["unit_code"]] == "silent"),
        )  # fmt: skip

    def _read_ground(self) -> "_Ground":
        with connect(self._conninfo) as connection:
            return _Ground(*read_leaves(connection))

    def _draw(
        self, ground: "_Ground", units: list[dict[str, Any]], closures: list[Any], now: datetime
    ) -> dict[str, _Drawn]:
        """Draw what has changed, and keep the rest."""
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
            how = (router.graph, ride) if areas.was_answered else ()  # else it is tried again
            kept[unit["unit_code"]] = _Drawn(place, how, hits, reached)
            self.drawing.done += 1
        return kept


async def units_seen(connection: AsyncConnection, unit_codes: Sequence[str]) -> frozenset[str]:
    """Return which units, of these, whoever asks sees."""
    rows = await connection.execute(QUERIES["units_seen"], {"unit_codes": list(unit_codes)})
    return frozenset(row["unit_code"] for row in await rows.fetchall())


def _apart_m(one: Place, other: Place) -> float:
    return float(distances_m([one], [other])[0, 0])


class _Ground:
    """The innermost cells with points inside each, and the circles of posts on them."""

    def __init__(self, leaves: Leaves, shapes: NDArray[Any]) -> None:
        self.leaves, self.shapes = leaves, shapes
        points = points_inside(shapes)
        self.places = points[:, 0, :].copy()
        # plain numbers from west to east: a tree of so many shapes would hold 150 MB
        self._number = np.argsort(points[:, :, 0], axis=None, kind="stable")
        self._lon, self._lat = points.reshape(-1, 2)[self._number].T.copy()
        self._circles: dict[tuple[Any, ...], dict[int, Floats]] = {}

    def inside(self, shape: Any) -> NDArray[np.intp]:
        """Return the numbers of the points that a shape holds."""
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
        """Return the share of each cell whose points are among these, however often."""
        is_hit = np.zeros(len(self.leaves.codes) * POINTS, dtype=bool)
        is_hit[hits] = True
        shares: Floats = is_hit.reshape(-1, POINTS).mean(axis=1)
        return shares

    def planned(self, connection: Connection, now: datetime) -> dict[int, Floats]:
        """Return what circles of posts that count now hold; worked out again when circles or posts have changed."""
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
    """Return `POINTS` points spread evenly inside each of n polygons, as n by POINTS by lon, lat.

    They are of Halton's sequence over each box; a polygon too thin to catch enough gets one of its own again and again.
    """
    west, south, east, north = (column[:, None] for column in shapely.bounds(shapes).reshape(-1, 4).T)
    spread = np.column_stack([_van_der_corput(6 * POINTS, base) for base in (2, 3)])
    lon, lat = west + spread[:, 0] * (east - west), south + spread[:, 1] * (north - south)
    shapely.prepare(shapes)
    is_inside = shapely.contains_xy(shapes[:, None], lon, lat)
    chosen = np.argsort(~is_inside, axis=1, kind="stable")[:, :POINTS]
    found = np.stack([np.take_along_axis(lon, chosen, 1), np.take_along_axis(lat, chosen, 1)], axis=-1)
    middle = shapely.get_coordinates(shapely.point_on_surface(shapes))
    is_out = ~np.take_along_axis(is_inside, chosen, 1)
    found[is_out] = np.repeat(middle[:, None], POINTS, axis=1)[is_out]
    return found


def _van_der_corput(count: int, base: int) -> Floats:
    """Return the first numbers of a sequence that fills 0 to 1 evenly (van der Corput, 1935); a column of Halton's.

    scipy.stats has it, and takes a second and 60 MB to import.
    """
    rest, found, share = np.arange(1, count + 1), np.zeros(count), 1.0
    while rest.any():
        share /= base
        found += share * (rest % base)
        rest //= base
    return found
