"""The router: travel times and reached areas on roads, by Valhalla in worker processes, with a straight-line estimate as
fallback."""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_grid.coordinates import Floats
from geo_grid.errors import GivenUp
from geo_grid.layers.response_circles import Why
from geo_grid.response import worker
from geo_grid.response.circles import METHOD as ESTIMATED
from geo_grid.response.circles import Place, distances_m, geodesic_circles, radius_m
from geo_grid.response.worker import Drawn, Journeys, Ride, Way
from geo_grid.response.workers import Workers

log = logging.getLogger(__name__)
type Method = Literal["valhalla", "geodesic_estimate"]
ROUTED: Method = "valhalla"
METHODS: list[Method] = [ROUTED, ESTIMATED]
"""Methods of circles that geo_grid draws; imported circles have methods of their own."""
_TOGETHER, _LONG = 10, 12
"""Sources in one part of a matrix, and the factor of its time-out."""
_POLITE = 5
"""Niceness of worker processes for long work (nice(2))."""


@dataclass(frozen=True)
class Areas:
    """Reached areas for some times: valid MultiPolygons (EPSG:4490), each inside the next, and their method.

    Attributes
    ----------
    on_foot_m
        Straight metres on foot between the origin and the nearest road, when that is far; the times include them.
    was_answered
        False: the question timed out or its worker was lost, and a retry may succeed. Such estimates must not replace
        routed areas.
    """

    shapes: Any
    method: Method
    was_answered: bool = True
    on_foot_m: float = 0.0
    why: Why | None = None


@dataclass(frozen=True)
class Arrival:
    """Travel time in seconds (infinite: no road leads there), and its method.

    Attributes
    ----------
    on_foot_s, on_foot_m
        Part of it on foot, in seconds and metres: between the nearest road and a start or destination far from it; 0 for
        estimates.
    """

    travel_s: float
    method: Method
    on_foot_s: float = 0.0
    on_foot_m: float = 0.0
    why: Why | None = None


class Times(NamedTuple):
    """Travel times of n sources (rows) to m targets (columns).

    Attributes
    ----------
    seconds
        n by m; infinite where no road leads there.
    is_estimated
        n by m flags: a straight-line estimate.
    estimated
        Number of pairs that are estimates, by reason.
    """

    seconds: Floats
    is_estimated: NDArray[np.bool_]
    estimated: dict[Why, int]


@dataclass(frozen=True)
class Estimate:
    """Parameters of estimates without roads: speeds in km/h, and the detour factor of straight lines."""

    speed_kmh: float = 30.0
    on_foot_kmh: float = 5.0
    detour_factor: float = 1.3

    def speed_of(self, ride: Ride) -> float:
        """Return the speed of a ride in km/h, divided by its traffic factor."""
        return (self.on_foot_kmh if ride.costing == "pedestrian" else self.speed_kmh) / ride.factor


class Router:
    """Answers every question: by the road graph if possible, else by an estimate; each answer names its method.

    Any thread may call it. Methods block until the answer comes, but for `ask_areas` and `matrix_async`.

    Parameters
    ----------
    graph
        Folder made by `graph.build_graph`; None: everything is estimated.
    workers
        Number of processes that run Valhalla.
    urgent_workers
        Number of further processes for `matrix_async`, so that a dispatcher does not wait for long work; 0: none, the
        others serve it.
    timeout_s
        Time-out of one question in seconds; a worker that exceeds it is replaced.
    """

    def __init__(
        self, graph: Path | None, estimate: Estimate, workers: int = 2, timeout_s: float = 5.0, urgent_workers: int = 0
    ) -> None:
        self.graph = graph
        self.estimate = estimate
        self._timeout_s = timeout_s
        self._workers = _workers(graph, workers, _POLITE)
        self._urgent = _workers(graph, urgent_workers, 0) if urgent_workers else self._workers

    @classmethod
    @contextlib.contextmanager
    def opened(cls, graph: Path | None, estimate: Estimate, workers: int = 2, timeout_s: float = 5.0) -> Iterator[Self]:
        """Open a router while the context lasts."""
        router = cls(graph, estimate, workers, timeout_s)
        try:
            yield router
        finally:
            router.close()

    def close(self) -> None:
        """End the workers; questions in progress and later ones are answered by estimates."""
        for workers in (self._workers, self._urgent):
            if workers is not None:
                workers.close()

    def _ask(self, function: Any, *arguments: Any, patience: float = 1.0, is_urgent: bool = False) -> "Future[Any]":
        workers = self._urgent if is_urgent else self._workers
        if workers is not None:
            return workers.ask(function, *arguments, timeout_s=self._timeout_s * patience)
        nothing: Future[Any] = Future()
        nothing.set_result(None)
        return nothing

    def ask_areas(
        self, origin: Place, limits_s: Sequence[float], ride: Ride, is_inbound: bool = False, patience: float = 1.0
    ) -> "Future[Drawn | None]":
        """Start drawing the areas of an origin; pass the result to `areas_of`. Several can be drawn at the same time.

        Parameters
        ----------
        patience
            Factor of the time-out.
        """
        return self._ask(worker.areas, origin, tuple(limits_s), ride, is_inbound, patience=patience)

    def areas_of(self, asked: "Future[Drawn | None]", origin: Place, limits_s: Sequence[float], ride: Ride) -> Areas:
        """Wait for the answer to `ask_areas` with the same arguments, and return the areas, or estimates in their place."""
        found: Drawn | None = _given(asked)
        if found is not None:
            on_foot_m = found.on_foot_m * self.estimate.detour_factor
            return Areas(shapely.get_parts(shapely.from_wkb(found.wkb)), ROUTED, on_foot_m=on_foot_m)
        why = self._why(asked)
        if why == "too_large":
            log.warning("the area around %.6f, %.6f is estimated: %s", *origin, asked.exception())
        return self.estimated_areas(origin, limits_s, ride, why)

    def estimated_areas(self, origin: Place, limits_s: Sequence[float], ride: Ride, why: Why) -> Areas:
        """Return circles around an origin (straight lines), with the reason of the estimate."""
        speed = self.estimate.speed_of(ride)
        drawn = [
            geodesic_circles(*origin, radius_m(limit / 60, speed, self.estimate.detour_factor))[0] for limit in limits_s
        ]
        return Areas(np.array(drawn, dtype=object), ESTIMATED, why != "no_answer", why=why)

    def _why(self, asked: "Future[Any]") -> Why:
        """Return the reason why a finished question has no answer, or no times."""
        if self.graph is None:
            return "no_roads"
        if asked.cancelled() or not asked.done():
            return "no_answer"
        error = asked.exception()
        return "no_road_near" if error is None else "too_large" if isinstance(error, worker.NotAsked) else "no_answer"

    def areas(
        self, origin: Place, limits_s: Sequence[float], ride: Ride | None = None, is_inbound: bool = False
    ) -> Areas:
        """Return the areas that are reached from an origin (or from which it is reached) within up to three ascending
        times in seconds.
        """
        ride = ride or Ride()
        return self.areas_of(self.ask_areas(origin, limits_s, ride, is_inbound), origin, limits_s, ride)

    def matrix(
        self, sources: Sequence[Place], targets: Sequence[Place], ride: Ride | None = None
    ) -> list[list[Arrival]]:
        """Return the arrival of each source (row) at each target (column); all workers share the sources."""
        ride = ride or Ride()
        parts = [sources[begin : begin + _TOGETHER] for begin in range(0, len(sources), _TOGETHER)]
        asked = [self._ask(worker.journeys, part, targets, ride, patience=_LONG) for part in parts]
        return [
            row
            for part, answer in zip(parts, asked, strict=True)
            for row in self._arrivals(_given(answer), part, targets, ride, self._why(answer))
        ]

    def times(
        self, sources: Sequence[Place], targets: Sequence[Place], ride: Ride, given_up: Event | None = None
    ) -> Times:
        """Return travel times as arrays, for millions of pairs.

        Raises
        ------
        GivenUp
            `given_up` was set while it ran.
        """
        parts = [sources[begin : begin + _TOGETHER] for begin in range(0, len(sources), _TOGETHER)]
        pending = deque(self._ask(worker.seconds, part, targets, ride, patience=_LONG) for part in parts)
        seconds = np.empty((len(sources), len(targets)))
        estimated: Counter[Why] = Counter()
        for number in range(len(parts)):
            if given_up is not None and given_up.is_set():
                for waiting in pending:
                    waiting.cancel()
                message = "the computation of travel times was cancelled: its client has gone"
                raise GivenUp(message)
            answer = pending.popleft()
            rows_found = _given(answer)  # the only reference to it, since millions of Python floats take much memory
            rows = slice(number * _TOGETHER, number * _TOGETHER + len(parts[number]))
            seconds[rows] = np.nan if rows_found is None else np.array(rows_found, float)  # None becomes NaN
            if count := int(np.isnan(seconds[rows]).sum()):
                estimated[self._why(answer)] += count
        is_estimated = np.isnan(seconds)
        if is_estimated.any():
            np.copyto(seconds, distances_m(sources, targets) * self._pace(ride), where=is_estimated)
        return Times(seconds, is_estimated, dict(estimated))

    async def matrix_async(self, sources: Sequence[Place], targets: Sequence[Place], ride: Ride) -> list[list[Arrival]]:
        """Return arrivals as `matrix` does, on the event loop, by the urgent workers. Estimates after twice the time-out."""
        found = None
        asked = self._ask(worker.journeys, sources, targets, ride, is_urgent=True)
        with contextlib.suppress(Exception):  # whatever happened to the worker: use an estimate, labelled as such
            found = await asyncio.wait_for(asyncio.wrap_future(asked), 2 * self._timeout_s)
        return self._arrivals(found, sources, targets, ride, self._why(asked))

    def way(self, stops: Sequence[Place], ride: Ride | None = None) -> Way | None:
        """Return the route through stops in their order; None: no road leads there, or there is no answer."""
        found: Way | None = _given(self._ask(worker.way, stops, ride or Ride()))
        return found

    def _pace(self, ride: Ride) -> float:
        """Return the seconds per metre of a straight line."""
        return self.estimate.detour_factor / (self.estimate.speed_of(ride) / 3.6)

    def _arrivals(
        self, found: Journeys | None, sources: Sequence[Place], targets: Sequence[Place], ride: Ride, why: Why
    ) -> list[list[Arrival]]:
        pace, straight = self._pace(ride), distances_m(sources, targets)

        def arrival(row: int, column: int) -> Arrival:
            time = found.seconds[row][column] if found else None
            if found is None or time is None:
                return Arrival(float(straight[row, column]) * pace, ESTIMATED, why=why)
            off_m = found.from_m[row] + found.to_m[column]
            walk_s = off_m * ride.walk_s_per_m
            return Arrival(time + walk_s, ROUTED, walk_s, off_m * self.estimate.detour_factor)

        return [[arrival(row, column) for column in range(len(targets))] for row in range(len(sources))]


def _workers(graph: Path | None, count: int, politeness: int) -> Workers | None:
    if graph is None:
        return None
    return Workers(count, worker.open_graph, str(graph), politeness)


def _given(asked: "Future[Any]") -> Any:
    try:
        return asked.result()
    except (worker.NotAsked, CancelledError, OSError, EOFError):  # of lost workers and time-outs the workers tell
        return None
    except Exception:  # whatever it is: the caller uses an estimate, labelled as such
        log.warning("a question about roads failed, an estimate takes its place", exc_info=True)
        return None
