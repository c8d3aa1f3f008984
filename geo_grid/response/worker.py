"""Functions that run in a routing worker: a process with Valhalla, which may crash or hang without harm to the server."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from cachetools import LRUCache
from numpy.typing import NDArray

from geo_grid.compiling import make_ready
from geo_grid.coordinates import LATTICE_STEP, snap_geometry
from geo_grid.response.circles import Place, distances_m, geodesic_circles
from geo_grid.response.cut_edges import Cut, Edge, Ring, cut_edges
from geo_grid.response.expansion import Stretches, read_expansion
from geo_grid.response.graph import actor_config
from geo_grid.response.reach import AROUND_ROAD_M, mended, reached_areas

if TYPE_CHECKING:
    from valhalla import Actor

_actor: "Actor | None" = None
_wide_actor: "Actor | None" = None
_config: str | None = None
"""File with the configuration of this process's graph; each expansion opens a new Actor with it."""
_first: str | None = None
"""The first graph of this process. A second one, which only tests open, does not share the cache of tiles."""
_WIDE = 50
"""Number of targets from which on timedistancematrix (one forward search from each source) is faster than costmatrix (a
search from both ends): twenty times with thousands. Its reverse search is wrong by up to minutes, and is not used."""
_BESIDE_M = 20.0
"""Metres added to the distance of the nearest road for the query itself: allows for rounding and the other carriageway."""
_MOST_MET = 20_000
_met: "LRUCache[tuple[Place, Ride], float | None]" = LRUCache(_MOST_MET)
"""Metres from places to the nearest road, by how it is travelled: posts, cells and units at rest are asked again and again."""
_edges: "LRUCache[tuple[Spot, Ride], list[Edge]]" = LRUCache(_MOST_MET)
"""The stretches that places near closures are on."""
_LONG_DEGREES = 0.05
"""Farther from a closure, some 5 km, no place is on a stretch that it crosses: hardly any is longer."""


class Ride(NamedTuple):
    """How a unit travels, as parameters of a question to Valhalla.

    Attributes
    ----------
    costing, options
        Valhalla's costing model and its options.
    factor
        Traffic factor: multiplies the times on the road.
    road_reach_m
        Longest distance in metres between a place and a road that counts as being on the road.
    walk_reach_m, walk_s_per_m
        Longest distance in metres between a place and a road at all. Beyond `road_reach_m` the straight line to the nearest
        road is walked, at this many seconds per metre.
    closed
        Rings of lon, lat in degrees whose roads are avoided: closed areas first, then buffered lines.
    closed_areas
        How many of them are areas.
    cut
        How they are told to Valhalla for the places that are asked about; None: as they are.
    """

    costing: str = "auto"
    options: tuple[tuple[str, Any], ...] = ()
    factor: float = 1.0
    road_reach_m: float = 200.0
    closed: tuple[Ring, ...] = ()
    walk_reach_m: float = 0.0
    walk_s_per_m: float = 1.3 / (5 / 3.6)
    closed_areas: int = 0
    cut: Cut | None = None


class Spot(NamedTuple):
    """A place to be matched to a road: lon, lat in degrees, search radius in metres, and metres on foot to the road."""

    lon: float
    lat: float
    reach_m: float
    on_foot_m: float = 0.0


class Journeys(NamedTuple):
    """Travel times between sources (rows) and targets (columns) on roads, and the straight metres on foot at both ends.

    Seconds are infinite where no road leads there, None where no road is near.
    """

    seconds: list[list[float | None]]
    from_m: list[float]
    to_m: list[float]


class NotAsked(Exception):
    """The question exceeds a limit of Valhalla (distance, number of places): the answer is unknown, not "no road"."""


_NO_WAY = frozenset({170, 171, 442, 443})
"""Error codes of Valhalla that are answers: not connected, no road near, no path (valhalla/src/worker.cc)."""
_OF_PAIRS = frozenset({150, 154})
"""Error codes of limits that depend on the number of places or the distance of a pair: parts of the question may pass."""


def open_graph(folder: str, politeness: int = 0) -> None:
    """Open a graph in this process; `politeness` is added to its niceness (nice(2))."""
    global _actor, _wide_actor, _config, _first  # noqa: PLW0603  # one of each per process
    from valhalla import Actor  # not at the top: the server, which names these functions, asks nothing itself

    os.nice(politeness)
    make_ready()
    _first = _first or folder
    _wide_actor = Actor(_file_of(actor_config(Path(folder), "timedistancematrix", folder == _first)))
    _config = _file_of(actor_config(Path(folder), is_shared=folder == _first))
    _actor = Actor(_config)


def _file_of(config: dict[str, Any]) -> str:
    """Write a configuration to a file in memory (memfd), which vanishes with the process; pyvalhalla leaves files behind."""
    descriptor = os.memfd_create("valhalla")
    with open(descriptor, "w", closefd=False) as file:  # a descriptor
        json.dump(config, file)
    return f"/proc/self/fd/{descriptor}"


class Refused(Exception):
    """Valhalla cannot answer: its code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)  # both: it is made again of them in another process
        self.code, self.message = code, message


def _ask(action: str, question: dict[str, Any], is_wide: bool = False, is_fresh: bool = False) -> str:
    """Send a question to Valhalla and return its answer as text; is_fresh: by a new Actor (see `expansion`). Raises Refused."""
    from valhalla import Actor, ValhallaError

    actor = _wide_actor if is_wide else _actor
    if is_fresh and _config is not None:
        actor = Actor(_config)
    if actor is None:
        message = "no graph is open in this process"
        raise AssertionError(message)
    try:
        answer: str = getattr(actor, action)(json.dumps(question))
    except ValhallaError as error:
        raise Refused(error.code, error.message) from None
    return answer


def _at(spots: Sequence[Spot]) -> list[dict[str, float]]:
    return [{"lon": lon, "lat": lat, "search_cutoff": reach_m} for lon, lat, reach_m, _ in spots]


def _spots(places: Sequence[Place], reach_m: float) -> list[Spot]:
    return [Spot(lon, lat, reach_m) for lon, lat in places]


def _how(ride: Ride) -> dict[str, Any]:
    how: dict[str, Any] = {"costing": ride.costing, "costing_options": {ride.costing: dict(ride.options)}}
    if not ride.closed:
        return how
    if ride.cut is None:
        return how | {"exclude_polygons": ride.closed}
    points = [{"lon": lon, "lat": lat, "node_snap_tolerance": 0} for lon, lat in ride.cut.points]
    return how | {"exclude_polygons": ride.cut.rings, "exclude_locations": points}


def _cut(spots: Sequence[Spot], ride: Ride) -> Ride:
    """Return how to travel between spots: past closures that cross the stretches they are on, too."""
    if not ride.closed:
        return ride
    closed = shapely.STRtree(shapely.polygons([shapely.linearrings(ring) for ring in ride.closed]))
    near, _ = closed.query(shapely.points([(spot.lon, spot.lat) for spot in spots]), "dwithin", _LONG_DEGREES)
    some = [spots[number] for number in np.unique(near)]
    free = ride._replace(closed=(), closed_areas=0, factor=1.0)
    known = {spot: _edges[spot, free] for spot in some if (spot, free) in _edges}
    fresh = [spot for spot in dict.fromkeys(some) if spot not in known]
    found = _located(fresh, free, is_verbose=True) if fresh else []
    known |= {spot: [_edge(one) for one in edges] for spot, edges in zip(fresh, found, strict=True)}
    _edges.update({(spot, free): known[spot] for spot in fresh[:_MOST_MET]})
    return ride._replace(
        cut=cut_edges([(spot.lon, spot.lat) for spot in some], [known[spot] for spot in some], ride.closed)
    )


def _edge(told: dict[str, Any]) -> Edge:
    return Edge(tuple(_decoded(told["edge_info"]["shape"])), (told["correlated_lon"], told["correlated_lat"]))


class Drawn(NamedTuple):
    """Areas as the WKB of one geometry collection, and the straight metres on foot between the origin and the roads."""

    wkb: bytes
    on_foot_m: float


def areas(origin: Place, limits_s: tuple[float, ...], ride: Ride, is_inbound: bool) -> Drawn | None:
    """Draw the areas that are reached within each time; None: no road is near.

    When the nearest road is beyond `road_reach_m`, the straight line to it is walked.

    Raises
    ------
    NotAsked
        The question exceeds a limit of Valhalla.
    """
    (spot,) = _met_at([origin], ride)
    ride = _cut([spot], ride)
    drawn = _own_place(origin, len(limits_s)) if _shut([spot], ride)[0] else _drawn(spot, limits_s, ride, is_inbound)
    return None if drawn is None else Drawn(shapely.to_wkb(shapely.geometrycollections(drawn)), spot.on_foot_m)


def _drawn(spot: Spot, limits_s: tuple[float, ...], ride: Ride, is_inbound: bool) -> Any:
    """Return nested areas; None: no road is near the spot."""
    origin, walk_s = (spot.lon, spot.lat), spot.on_foot_m * ride.walk_s_per_m
    left = [(limit - walk_s) / ride.factor for limit in limits_s if limit > walk_s]
    roads: Any = []
    if left:
        stretches = _reached(spot, left[-1], ride, is_inbound)
        if stretches is None:  # no open road near: check for a closed one
            is_closed = ride.closed and _near_roads([spot], ride._replace(closed=()))[0]
            return _own_place(origin, len(limits_s)) if is_closed else None
        roads = _open(reached_areas(origin, stretches, left), ride)
    if not spot.on_foot_m:
        return roads
    around = [geodesic_circles(*origin, limit / ride.walk_s_per_m)[0] for limit in limits_s]
    for number, area in enumerate(roads, len(limits_s) - len(left)):
        around[number] = _joined(around[number], area)
    for number in range(1, len(around)):
        if not shapely.covers(around[number], around[number - 1]):
            around[number] = _joined(around[number - 1], around[number])
    return around


def _reached(spot: Spot, limit_s: float, ride: Ride, is_inbound: bool) -> Stretches | None:
    """Return the reached stretches of road; None: no open road is near. Raises NotAsked."""
    try:
        return expansion(spot, limit_s, ride, is_inbound)
    except Refused as error:
        if error.code not in _NO_WAY:
            raise NotAsked(error.message) from None
        return None
    except ValueError:
        return None


def _open(drawn: Any, ride: Ride) -> Any:
    """Subtract closed areas from reached ones: Valhalla takes the edge that a ride begins on whole, also where it is closed."""
    if ride.closed_areas:
        closed = shapely.union_all(_closed_areas(ride))
        if shapely.intersects(drawn, closed).any():
            return mended(snap_geometry(shapely.difference(drawn, closed)))
    return drawn


def _joined(one: Any, other: Any) -> Any:
    """Return the union of two areas as a MultiPolygon on the lattice."""
    both = shapely.union(one, other, grid_size=LATTICE_STEP)
    return shapely.multipolygons(shapely.get_parts(both))


def _own_place(origin: Place, count: int) -> Any:
    """Return `count` equal areas for a place that closures cut off: only the place itself."""
    return [geodesic_circles(*origin, metres)[0] for metres in AROUND_ROAD_M[-count:]]


def _closed_areas(ride: Ride) -> Any:
    return shapely.polygons([shapely.linearrings(ring) for ring in ride.closed[: ride.closed_areas]])


def _shut(spots: Sequence[Spot], ride: Ride) -> NDArray[np.bool_]:
    """Say of each place whether it lies in a closed area, or between closures: Valhalla lets a ride leave there."""
    is_shut = np.zeros(len(spots), bool)
    if ride.closed_areas:
        places = shapely.points([(spot.lon, spot.lat) for spot in spots])
        is_shut[shapely.STRtree(_closed_areas(ride)).query(places, predicate="intersects")[0]] = True
    if ride.cut is not None:
        is_shut |= [(spot.lon, spot.lat) in ride.cut.hemmed for spot in spots]
    return is_shut


def expansion(origin: Spot, limit_s: float, ride: Ride, is_inbound: bool) -> Stretches:
    """Return the stretches of road that are reached from an origin (or from which it is reached) within a time in seconds.

    An Actor of pyvalhalla 3.9.1 that has expanded over all of a small network (an island, a compound, a small extract)
    crashes in its next expansion; so each expansion has a new Actor. That costs some 3 ms, since the Actors of a process
    share a cache of tiles (graph.actor_config).

    Raises
    ------
    Refused, ValueError
        No road is near.
    """
    question = {
        "locations": _at([origin]), "reverse": is_inbound, "action": "isochrone", "format": "pbf",
        "contours": [{"time": limit_s / 60}], "expansion_properties": ["duration", "edge_id", "pred_edge_id"],
    }  # fmt: skip
    try:
        answer = _ask("expansion", question | _how(ride), is_fresh=True).encode()
    except UnicodeDecodeError as error:  # pyvalhalla decodes every answer as text, also protobuf
        answer = error.object
    return read_expansion(answer)


def seconds(sources: Sequence[Place], targets: Sequence[Place], ride: Ride) -> list[list[float | None]]:
    """Return the travel time of each source (row) to each target (column), with the parts on foot; see `Journeys`."""
    found, from_m, to_m = journeys(sources, targets, ride)
    if not any(from_m) and not any(to_m):
        return found
    pace = ride.walk_s_per_m
    return [
        [None if time is None else time + (start + end) * pace for time, end in zip(row, to_m, strict=True)]
        for row, start in zip(found, from_m, strict=True)
    ]


def journeys(sources: Sequence[Place], targets: Sequence[Place], ride: Ride) -> Journeys:
    """Return the travel times between sources and targets on roads, and the metres on foot at both ends."""
    starts, ends = _met_at(sources, ride), _met_at(targets, ride)
    ride = _cut([*starts, *ends], ride)
    return Journeys(_of_all(starts, ends, ride), [one.on_foot_m for one in starts], [one.on_foot_m for one in ends])


def _met_at(places: Sequence[Place], ride: Ride) -> list[Spot]:
    """Match places to roads first: that takes less time than a matrix that fails for one of them."""
    near = _spots(places, ride.road_reach_m)
    if not ride.walk_reach_m:
        return near
    return [far or at for far, at in zip(_off_the_road(places, ride), near, strict=True)]


def _off_the_road(places: Sequence[Place], ride: Ride) -> list[Spot | None]:
    """Match each place to the nearest road, closed or not; None: no road is within `walk_reach_m`.

    Closures are ignored here: nobody in a closed area walks out of it to another road.
    """
    free = ride._replace(closed=(), closed_areas=0, factor=1.0, road_reach_m=max(ride.road_reach_m, ride.walk_reach_m))
    known = {place: _met[place, free] for place in places if (place, free) in _met}
    fresh = [place for place in dict.fromkeys(places) if place not in known]
    known |= zip(fresh, _distances(fresh, free), strict=True)
    _met.update({(place, free): known[place] for place in fresh[:_MOST_MET]})
    found: list[Spot | None] = []
    for place in places:
        metres = known[place]
        if metres is None:
            found.append(None)
        elif metres <= ride.road_reach_m:
            found.append(Spot(*place, ride.road_reach_m))
        else:
            found.append(Spot(*place, metres + _BESIDE_M, metres))
    return found


def _distances(places: Sequence[Place], ride: Ride) -> list[float | None]:
    """Return the straight metres from each place to the nearest road; None: none is within reach."""
    if not places:
        return []
    found: list[float | None] = []
    for place, edges in zip(places, _located(_spots(places, ride.road_reach_m), ride), strict=True):
        points = [(edge["correlated_lon"], edge["correlated_lat"]) for edge in edges]
        found.append(float(distances_m([place], points).min()) if points else None)
    return found


def _of_all(sources: Sequence[Spot], targets: Sequence[Spot], ride: Ride) -> list[list[float | None]]:
    """Return the seconds on roads from each source (row) to each target (column).

    Infinite where no open road leads there; None where no road is near, or the pair exceeds a limit of Valhalla.

    Raises
    ------
    NotAsked
        The whole question exceeds a limit of Valhalla.
    """
    shut_in, shut_out = _shut(sources, ride), _shut(targets, ride)
    if shut_in.any() or shut_out.any():
        return _of_open(sources, targets, ride, ~shut_in, ~shut_out)
    question = {"sources": _at(sources), "targets": _at(targets), "verbose": False} | _how(ride)
    is_wide = len(targets) >= max(_WIDE, len(sources))
    try:
        found = json.loads(_ask("matrix", question, is_wide))["sources_to_targets"]["durations"]
    except Refused as error:
        if error.code not in _NO_WAY | _OF_PAIRS:
            raise NotAsked(error.message) from None
        return _halved(sources, targets, ride, is_no_way=error.code in _NO_WAY)
    return [[math.inf if time is None else time * ride.factor for time in row] for row in found]


def _halved(sources: Sequence[Spot], targets: Sequence[Spot], ride: Ride, is_no_way: bool) -> list[list[float | None]]:
    """Ask again without the places that have no road near, then in halves: one such place, or one on an island, makes the
    whole matrix fail.
    """
    half = max(len(sources), len(targets)) // 2
    if half == 0:
        is_near = _near_roads([*sources, *targets], ride._replace(closed=()))
        return [[math.inf if is_no_way and all(is_near) else None]]
    is_near = _near_roads([*sources, *targets], ride)
    if not all(is_near):
        return _of_some(sources, targets, ride, is_near[: len(sources)], is_near[len(sources) :])
    if len(sources) >= len(targets):
        return [*_of_all(sources[:half], targets, ride), *_of_all(sources[half:], targets, ride)]
    parts = (_of_all(sources, targets[:half], ride), _of_all(sources, targets[half:], ride))
    return [[*left, *right] for left, right in zip(*parts, strict=True)]


def _of_open(
    sources: Sequence[Spot],
    targets: Sequence[Spot],
    ride: Ride,
    from_open: NDArray[np.bool_],
    to_open: NDArray[np.bool_],
) -> list[list[float | None]]:
    """Ask without the places in closed areas, which cannot be left or reached."""
    answer: list[list[float | None]] = [[math.inf] * len(targets) for _ in sources]
    rows, columns = np.flatnonzero(from_open).tolist(), np.flatnonzero(to_open).tolist()
    if rows and columns:
        found = _of_all([sources[row] for row in rows], [targets[column] for column in columns], ride)
        for row, times in zip(rows, found, strict=True):
            for column, time in zip(columns, times, strict=True):
                answer[row][column] = time
    return answer


def _of_some(
    sources: Sequence[Spot], targets: Sequence[Spot], ride: Ride, from_some: list[bool], to_some: list[bool]
) -> list[list[float | None]]:
    """Ask for the places with an open road near; find out for the others whether only closures keep them from a road."""
    free = ride._replace(closed=())
    from_free, to_free = (_near_roads(spots, free) if ride.closed else near for spots, near in ((sources, from_some), (targets, to_some)))  # fmt: skip
    answer: list[list[float | None]] = [[math.inf if a and b else None for b in to_free] for a in from_free]
    rows, columns = np.flatnonzero(from_some).tolist(), np.flatnonzero(to_some).tolist()
    if len(rows) and len(columns):
        found = _of_all([sources[row] for row in rows], [targets[column] for column in columns], ride)
        for row, times in zip(rows, found, strict=True):
            for column, time in zip(columns, times, strict=True):
                answer[row][column] = time
    return answer


def _near_roads(spots: Sequence[Spot], ride: Ride) -> list[bool]:
    """Return a flag for each place: an open road is near."""
    return [bool(edges) for edges in _located(spots, ride)]


def _located(spots: Sequence[Spot], ride: Ride, is_verbose: bool = False) -> list[list[dict[str, Any]]]:
    """Return the open roads near each place, as Valhalla's locate tells them."""
    question = {"locations": _at(spots), "verbose": is_verbose} | _how(ride)
    try:
        return [one["edges"] or [] for one in json.loads(_ask("locate", question))]
    except Refused:
        return [[] for _ in spots]


class Way(NamedTuple):
    """A route on roads: seconds, metres, and its line of lon, lat in degrees."""

    duration_s: float
    length_m: float
    line: list[Place]


_POLYLINE_SCALE = 1e-6


def way(stops: Sequence[Place], ride: Ride) -> Way | None:
    """Return the way over the roads through stops in their order, without what is gone on foot; None where none leads."""
    spots = _met_at(stops, ride)
    question = {"locations": _at(spots), "directions_type": "none", "shape_format": "polyline6"} | _how(
        _cut(spots, ride)
    )
    try:
        trip = json.loads(_ask("route", question))["trip"]
    except Refused:
        return None
    line = [place for leg in trip["legs"] for place in _decoded(leg["shape"])]
    return Way(trip["summary"]["time"] * ride.factor, trip["summary"]["length"] * 1000, line)


def _decoded(text: str) -> list[Place]:
    """Decode Valhalla's shape: Google's polyline algorithm with six decimals (valhalla.github.io/decoding)."""
    numbers, value, shift = [], 0, 0
    for byte in text.encode():
        value |= ((byte - 63) & 31) << shift
        shift += 5
        if byte - 63 < 32:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value, shift = 0, 0
    lat = lon = 0
    line = []
    for step_lat, step_lon in zip(numbers[::2], numbers[1::2], strict=True):
        lat, lon = lat + step_lat, lon + step_lon
        line.append((lon * _POLYLINE_SCALE, lat * _POLYLINE_SCALE))
    return line
