"""The demo's roads as a graph, and the quickest way from one place to another over it."""

import heapq
import math
from array import array
from collections import defaultdict
from collections.abc import Sequence

type Place = tuple[float, float]
"""lon, lat in degrees."""

_M_PER_DEGREE = 111_200.0
_CELL_DEGREES = 0.02
_FASTEST_MS = 120 / 3.6


def apart_m(one: Place, other: Place) -> float:
    """Return the metres between two places some kilometres apart, on a sphere."""
    west_east = (one[0] - other[0]) * math.cos(math.radians((one[1] + other[1]) / 2))
    return math.hypot(west_east, one[1] - other[1]) * _M_PER_DEGREE


class Roads:
    """A graph of roads between nodes: who drives is on it, or walks to it in a straight line.

    Parameters
    ----------
    nodes
        Places where roads meet.
    roads
        Pairs of positions in `nodes`, which are driven both ways, with the speed in km/h.
    """

    def __init__(self, nodes: Sequence[Place], roads: Sequence[tuple[int, int, float]]) -> None:
        self._lon = array("d", (lon for lon, _ in nodes))
        self._lat = array("d", (lat for _, lat in nodes))
        ends: list[list[tuple[int, float]]] = [[] for _ in nodes]
        for one, other, speed_kmh in roads:
            ends[one].append((other, speed_kmh))
            ends[other].append((one, speed_kmh))
        self._first = array("l", [0])
        self._to, self._kmh = array("l"), array("f")
        for leaving in ends:
            self._to.extend(other for other, _ in leaving)
            self._kmh.extend(speed for _, speed in leaving)
            self._first.append(len(self._to))
        self._near: dict[tuple[int, int], list[int]] = defaultdict(list)
        for node, place in enumerate(nodes):
            if ends[node]:
                self._near[_cell(place)].append(node)
        self.closed: frozenset[int] = frozenset()
        """Two neighbours between which nobody drives now; empty: none."""

    def place(self, node: int) -> Place:
        """Return where a node is."""
        return self._lon[node], self._lat[node]

    def nearest(self, place: Place) -> int | None:
        """Return the node nearest to a place within some kilometres; None: there is none."""
        near = self.around(place, 1) or self.around(place, 3)
        return min(near, key=lambda node: (apart_m(self.place(node), place), node), default=None)

    def around(self, place: Place, rings: int) -> list[int]:
        """Return nodes within some two kilometres of a place for each ring, in order."""
        x, y = _cell(place)
        span = range(-rings, rings + 1)
        return [node for dx in span for dy in span for node in self._near.get((x + dx, y + dy), ())]

    def next_to(self, node: int) -> list[int]:
        """Return the neighbours of a node."""
        return list(self._to[self._first[node] : self._first[node + 1]])

    def way(self, begin: Place, end: Place) -> list[Place]:
        """Return the places along the quickest way, from the first to the last; a straight line where no road leads.

        A* (Hart, Nilsson, Raphael, 1968): the straight line at the fastest speed never overestimates what is left.
        """
        source, target = self.nearest(begin), self.nearest(end)
        nodes = self._search(source, target) if source is not None and target is not None else []
        return [begin, *map(self.place, nodes), end]

    def _search(self, source: int, target: int) -> list[int]:
        goal = self.place(target)
        best, before = {source: 0.0}, {source: source}
        waiting, done = [(0.0, source)], set[int]()
        while waiting:
            _, node = heapq.heappop(waiting)
            if node == target:
                break
            if node in done:
                continue
            done.add(node)
            here = self.place(node)
            for at in range(self._first[node], self._first[node + 1]):
                other = self._to[at]
                if self.closed == {node, other}:
                    continue
                there = self.place(other)
                took = best[node] + apart_m(here, there) / (self._kmh[at] / 3.6)
                if took < best.get(other, math.inf):
                    best[other], before[other] = took, node
                    heapq.heappush(waiting, (took + apart_m(there, goal) / _FASTEST_MS, other))
        if target not in before:
            return []
        path = [target]
        while path[-1] != source:
            path.append(before[path[-1]])
        return path[::-1]


def _cell(place: Place) -> tuple[int, int]:
    return math.floor(place[0] / _CELL_DEGREES), math.floor(place[1] / _CELL_DEGREES)
