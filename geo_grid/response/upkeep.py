"""Keeps a server's router and the stored circles up to date with imported roads, posts and closures."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from geo_grid.db import Connection
from geo_grid.response.build import build_circles, circles_in_traffic, read_conditions, stale_posts
from geo_grid.response.graph import find_graph, imported_graph
from geo_grid.response.router import Router
from geo_grid.response.travel import Travel

log = logging.getLogger(__name__)
_TOGETHER = 120
"""Posts whose circles are drawn in one transaction: each commit invalidates the circles of the lookup."""

_URGENT_WORKERS = 2
"""Workers for the desk, which asks for vehicles and for units on foot at the same time."""


@dataclass
class Drawing:
    """Progress of drawing stale circles or areas.

    Attributes
    ----------
    codes
        Codes of the posts or units to draw, in order.
    done
        Number of them that are drawn.
    """

    codes: tuple[str, ...] = ()
    done: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all are drawn."""
        return self.done >= len(self.codes)

    def progress(self, seen: frozenset[str] | None) -> dict[str, int]:
        """Return `done` and `total`, counting only codes in `seen` (None: all), so that no other numbers are disclosed."""
        counts = [seen is None or code in seen for code in self.codes]
        return {"done": sum(counts[: self.done]), "total": sum(counts)}


class Upkeep:
    """Owns the router, replaces it when roads are imported, and draws stale circles.

    Parameters
    ----------
    roads_dir
        Folder of the road graphs.
    """

    def __init__(self, roads_dir: Path, travel: Travel, workers: int, timeout_s: float) -> None:
        self.travel = travel
        self.drawing = Drawing()
        self._roads_dir = roads_dir
        self._workers, self._timeout_s = workers, timeout_s
        self._stopped, self._following = threading.Event(), threading.Lock()
        self.router = self._new_router(None)

    @classmethod
    @contextlib.contextmanager
    def kept(cls, roads_dir: Path, travel: Travel, workers: int, timeout_s: float) -> Iterator[Self]:
        """Open it while the context lasts; leaving ends the router's workers."""
        upkeep = cls(roads_dir, travel, workers, timeout_s)
        try:
            yield upkeep
        finally:
            upkeep._stopped.set()
            upkeep.router.close()

    def _new_router(self, graph: Path | None) -> Router:
        return Router(graph, self.travel.estimate, self._workers, self._timeout_s, _URGENT_WORKERS)

    def draw(self, connection: Connection) -> bool:
        """Draw a batch of stale circles in the caller's transaction; return whether more are stale. Blocks."""
        if self._stopped.is_set():
            return True  # another server is drawing: look again
        try:
            if self.drawing.is_over:
                self._begin(connection)
            return self._go_on(connection)
        except BaseException:
            self.drawing = Drawing()  # the next call reads the stale posts again
            raise

    def _begin(self, connection: Connection) -> None:
        self.follow_roads(connection)
        stale: list[dict[str, Any]] = []
        if self.router.graph is not None:  # estimates are drawn with their posts
            stale = stale_posts(connection, read_conditions(connection, self.travel, self.router.graph))
        self.drawing = Drawing(tuple(post["post_code"] for post in stale))

    def _go_on(self, connection: Connection) -> bool:
        end = min(self.drawing.done + _TOGETHER, len(self.drawing.codes))
        codes = set(self.drawing.codes[self.drawing.done : end])
        if codes:
            conditions = read_conditions(connection, self.travel, self.router.graph)
            posts = [post for post in stale_posts(connection, conditions) if post["post_code"] in codes]
            build_circles(connection, self.router, conditions, posts, self._advance)
        self.drawing.done = end  # other servers draw too
        return not self.drawing.is_over

    def circles_in_traffic(self, connection: Connection, factor: float) -> list[dict[str, Any]]:
        """Draw the circles of all posts with travel times multiplied by `factor`: see `build.circles_in_traffic`."""
        router = self.router
        return circles_in_traffic(connection, router, read_conditions(connection, self.travel, router.graph), factor)

    def _advance(self, count: int) -> None:
        self.drawing.done += count

    def follow_roads(self, connection: Connection) -> None:
        """Open a router on the graph of the imported roads, if that is another one."""
        extract = imported_graph(connection)
        graph = find_graph(self._roads_dir, extract)
        with self._following:
            if extract and graph is None and self.router.graph is None:
                log.info(
                    "the graph of the imported roads is not in %s, and travel times are estimated: import the roads on this"
                    " machine too", self._roads_dir,
                )  # fmt: skip
            if graph != self.router.graph:
                before, self.router = self.router, self._new_router(graph)
                before.close()
