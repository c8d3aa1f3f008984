"""The router: travel times on real roads, by Valhalla in worker processes, and an estimate when that gives none."""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
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
"""Of what we draw; circles of files come with a method of their own."""
_TOGETHER, _LONG = 10, 12
"""Sources of one part of a matrix, and how many times as long as other questions it may take."""
_POLITE = 5
"""How much the processes of long work give way to the others (nice)."""


@dataclass(frozen=True)
class Areas:
    """What is reached within some times: valid MultiPolygons, each inside the next, and how that is known.

    Attributes
    ----------
    on_foot_m
        Between the origin and the roads, where these are far off: gone on foot, which is in the times.
    was_answered
        False: no answer came in time, and another time may give a better one: such areas replace none that were routed.
    """

    shapes: Any
    method: Method
    was_answered: bool = True
    on_foot_m: float = 0.0
    why: Why | None = None


@dataclass(frozen=True)
class Arrival:
    """When somebody arrives: seconds of travel (infinite: the roads do not lead there), and how that is known.

    Attributes
    ----------
    on_foot_s, on_foot_m
        Of that: from where they are to the roads and from the roads to the place, where these are far off; 0 for
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
        n by m; infinite where the roads do not lead there.
    is_estimated
        n by m flags: a straight line.
    estimated
        How many pairs are estimates, by why.
    """

    seconds: Floats
    is_estimated: NDArray[np.bool_]
    estimated: dict[Why, int]


@dataclass(frozen=True)
class Estimate:
    """How travel is estimated without roads: straight lines, speeds in km/h and a detour factor."""

    speed_kmh: float = 30.0
    on_foot_kmh: float = 5.0
    detour_factor: float = 1.3

    def speed_of(self, ride: Ride) -> float:
        """Return the speed of a ride in km/h, with the traffic of the hour."""
        return (self.on_foot_kmh if ride.costing == "pedestrian" else self.speed_kmh) / ride.factor


class Router:
    """Answers always: from the road graph where it can, else estimated, and says which.

    Parameters
    ----------
    graph
        Folder of `graph.build_graph`; None: everything is estimated.
    workers
        Processes that ask Valhalla.
    urgent_workers
        Processes of their own for `matrix_async`, so that a dispatcher waits for no long work; 0: the same as the others.
    timeout_s
        Longest one question may take; a worker that is asked for longer is replaced.
    """

    def __init__(
        self, graph: Path | None, estimate: Estimate, workers: int = 2, timeout_s: float = 5.0, urgent_workers: int = 0
    ) -> None:
        self.graph = graph
        self.estimate = estimate
        self._timeout_s = timeout_s
        self._workers = _workers(graph, workers, _POLITE if urgent_workers else 0)
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
        """End the workers; questions that are still asked are answered by estimate."""
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
        """Begin to draw; `areas_of` makes something of the answer. So many origins are drawn at once.

        Parameters
        ----------
        patience
            How many times as long as other questions it may take.
        """
        return self._ask(worker.areas, origin, tuple(limits_s), ride, is_inbound, patience=patience)

    def areas_of(self, asked: "Future[Drawn | None]", origin: Place, limits_s: Sequence[float], ride: Ride) -> Areas:
        """Return what is reached from an origin (or reaches it) within up to three growing times in seconds."""
        found: Drawn | None = _given(asked)
        if found is not None:
            on_foot_m = found.on_foot_m * self.estimate.detour_factor
            return Areas(shapely.get_parts(shapely.from_wkb(found.wkb)), ROUTED, on_foot_m=on_foot_m)
        why = self._why(asked)
        if why == "too_large":
            log.warning("the area around %.6f, %.6f is estimated: %s", *origin, asked.exception())
        return self.estimated_areas(origin, limits_s, ride, why)

    def estimated_areas(self, origin: Place, limits_s: Sequence[float], ride: Ride, why: Why) -> Areas:
        """Return circles as the crow flies, and why."""
        speed = self.estimate.speed_of(ride)
        drawn = [
            geodesic_circles(*origin, radius_m(limit / 60, speed, self.estimate.detour_factor))[0] for limit in limits_s
        ]
        return Areas(np.array(drawn, dtype=object), ESTIMATED, why != "no_answer", why=why)

    def _why(self, asked: "Future[Any]") -> Why:
        """Say why a question that is over has no answer, or one without times."""
        if self.graph is None:
            return "no_roads"
        if asked.cancelled() or not asked.done():
            return "no_answer"
        error = asked.exception()
        return "no_road_near" if error is None else "too_large" if isinstance(error, worker.NotAsked) else "no_answer"

    def areas(
        self, origin: Place, limits_s: Sequence[float], ride: Ride | None = None, is_inbound: bool = False
    ) -> Areas:
        """Ask, and wait for it."""
        ride = ride or Ride()
        return self.areas_of(self.ask_areas(origin, limits_s, ride, is_inbound), origin, limits_s, ride)

    def matrix(
        self, sources: Sequence[Place], targets: Sequence[Place], ride: Ride | None = None
    ) -> list[list[Arrival]]:
        """Return when each source (row) arrives at each target (column); long ones by all workers at once."""
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
        """Do the same for millions of pairs.

        Raises
        ------
        GivenUp
            `given_up` was set: nobody waits for it, and no more is asked.
        """
        parts = [sources[begin : begin + _TOGETHER] for begin in range(0, len(sources), _TOGETHER)]
        asked = deque(self._ask(worker.seconds, part, targets, ride, patience=_LONG) for part in parts)
        seconds = np.empty((len(sources), len(targets)))
        estimated: Counter[Why] = Counter()
        for number in range(len(parts)):
            if given_up is not None and given_up.is_set():
                for waiting in asked:
                    waiting.cancel()
                message = "travel times are asked no further: nobody waits for them"
                raise GivenUp(message)
            answer = asked.popleft()
            found = _given(answer)  # nobody else holds it: millions of Python's numbers are large
            rows = slice(number * _TOGETHER, number * _TOGETHER + len(parts[number]))
            seconds[rows] = np.nan if found is None else np.array(found, float)  # None becomes NaN
            if count := int(np.isnan(seconds[rows]).sum()):
                estimated[self._why(answer)] += count
        is_estimated = np.isnan(seconds)
        if is_estimated.any():
            np.copyto(seconds, distances_m(sources, targets) * self._pace(ride), where=is_estimated)
        return Times(seconds, is_estimated, dict(estimated))

    async def matrix_async(self, sources: Sequence[Place], targets: Sequence[Place], ride: Ride) -> list[list[Arrival]]:
        """Do the same for a request, without holding up others; it waits for a free worker as long as for its answer."""
        found = None
        asked = self._ask(worker.journeys, sources, targets, ride, is_urgent=True)
        with contextlib.suppress(Exception):  # whatever befell the worker: estimated, and labelled
            found = await asyncio.wait_for(asyncio.wrap_future(asked), 2 * self._timeout_s)
        return self._arrivals(found, sources, targets, ride, self._why(asked))

    def way(self, stops: Sequence[Place], ride: Ride | None = None) -> Way | None:
        """Return the way through stops in their order; None where no road leads or nobody knows."""
        found: Way | None = _given(self._ask(worker.way, stops, ride or Ride()))
        return found

    def _pace(self, ride: Ride) -> float:
        """Return seconds per straight metre."""
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
    return Workers(count, worker.open_graph, str(graph), politeness, preloaded=["geo_grid.response.loops"])


def _given(asked: "Future[Any]") -> Any:
    try:
        return asked.result()
    except Exception:  # whatever befell the worker: the caller estimates, and labels it
        return None
