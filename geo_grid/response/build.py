"""Draws and stores the response circles of posts, and finds those that are stale."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import shapely

from geo_grid.db import AsyncConnection, Connection, ewkb, insert_rows, load_queries
from geo_grid.response.circles import METHOD, geodesic_circles, radius_m
from geo_grid.response.router import METHODS, ROUTED, Areas, Router
from geo_grid.response.rules import QUERIES as RULES
from geo_grid.response.rules import read_rules
from geo_grid.response.travel import Travel, closures_near

QUERIES = load_queries("geo_grid.response", "circles.sql")
_COLUMNS = (
    "post_code", "tier_minutes", "circle_basis", "direction", "dispatch_s", "turnout_s", "travel_s", "method",
    "speed_kmh", "detour_factor", "responsible_unit", "geom", "is_demo", "drawn_from", "on_foot_m",
    "estimated_because",
)  # fmt: skip
_SMALLEST_M2 = 30_000.0
"""Area in m2 of a circle of about 100 m radius: a post whose largest circle is smaller counts as isolated."""
_AT_ONCE = 24
"""Posts of one batch: the work that is lost at an interruption."""
_PATIENCE = (4, 12)
"""Factors of the router's time-out for the first and the second attempt to draw: no dispatcher waits for it."""


@dataclass
class Built:
    """Number of circles drawn by method, and codes of the posts whose attempts timed out: they keep their routed circles."""

    made: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """Circles of some posts: codes of those that were drawn, their rows, and codes of those whose attempts timed out."""

    drawn: list[str]
    rows: list[dict[str, Any]]
    unanswered: list[str]


@dataclass(frozen=True)
class Conditions:
    """What circles depend on besides their post.

    Attributes
    ----------
    rules
        Rows of circle_rules by circle_basis, in ascending order of tiers.
    closures
        Polygons and lines in force, EPSG:4490.
    graph
        Name of the road graph; empty: none.
    """

    travel: Travel
    rules: dict[str, list[dict[str, Any]]]
    closures: list[Any]
    graph: str

    def digest(self, post: dict[str, Any]) -> str:
        """Return a digest of all inputs of a post's circles; stored circles with another digest are stale."""
        near = closures_near(self.closures, (post["lon"], post["lat"]))
        told = repr((
            post["lon"], post["lat"], self.rules[post["circle_basis"]], self.graph, replace(self.travel, traffic=()),  # as on free roads
            [shapely.to_wkb(shape, hex=True) for shape in near],
        ))  # fmt: skip
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_conditions(connection: Connection, travel: Travel, graph: Path | None) -> Conditions:
    """Read what circles depend on, in force at the transaction's time."""
    return Conditions(travel, read_rules(connection), closures_in_force(connection), graph.name if graph else "")


def closures_in_force(connection: Connection) -> list[Any]:
    """Read the polygons and lines (EPSG:4490) that are closed or avoided at the transaction's time."""
    return [shapely.from_wkb(row["geom"]) for row in connection.execute(QUERIES["closures"]).fetchall()]


def read_posts(connection: Connection) -> list[dict[str, Any]]:
    """Read what all posts' circles are drawn from, and whether those that are stored were drawn on roads."""
    return connection.execute(QUERIES["posts"], {"post_code": None, "drawn": METHODS, "routed": ROUTED}).fetchall()


def stale_posts(connection: Connection, conditions: Conditions) -> list[dict[str, Any]]:
    """Return the posts whose circles are missing, or were drawn from other inputs."""
    return [post for post in read_posts(connection) if post["drawn_from"] != conditions.digest(post)]


def build_circles(
    connection: Connection,
    router: Router,
    conditions: Conditions,
    posts: Sequence[dict[str, Any]] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Built:
    """Draw and store the circles of posts, by default of all, in the caller's transaction. Blocks: call it in a thread.

    Old circles are served until the transaction commits. Where the router did not answer in time, routed circles stay.

    Parameters
    ----------
    progress
        Called with the number of posts after each batch.
    """
    if posts is None:
        posts = read_posts(connection)
    return store_circles(connection, draw_circles(posts, router, conditions, progress))


def draw_circles(
    posts: Sequence[dict[str, Any]],
    router: Router,
    conditions: Conditions,
    progress: Callable[[int], None] = lambda count: None,
) -> Iterator[Batch]:
    """Draw the circles of posts, batch by batch, without the database; see `build_circles`. Blocks.

    After batches in which no post got an answer, 1, 2, 4 ... batches are estimated without asking: they would only wait.
    """
    silent = not_asked = 0  # batches: one after the other without an answer, and to be estimated now
    for begin in range(0, len(posts), _AT_ONCE):
        batch = posts[begin : begin + _AT_ONCE]
        areas = _areas(batch, router, conditions, is_asked=not not_asked)
        if not_asked:
            not_asked -= 1
        elif any(one.was_answered for one in areas):
            silent = 0
        else:
            silent, not_asked = silent + 1, 1 << silent
        drawn = [
            (post, one) for post, one in zip(batch, areas, strict=True) if one.was_answered or not post["is_routed"]
        ]
        yield Batch(
            [post["post_code"] for post, _ in drawn],
            [row for post, one in drawn for row in _rows(post, one, conditions)],
            [post["post_code"] for post, one in zip(batch, areas, strict=True) if not one.was_answered],
        )
        progress(len(batch))


def store_circles(connection: Connection, batches: Iterable[Batch]) -> Built:
    """Store circles that `draw_circles` drew, in the caller's transaction."""
    built = Built()
    for batch in batches:
        built.unanswered += batch.unanswered
        connection.execute(QUERIES["clear"], {"post_codes": batch.drawn, "drawn": METHODS})
        insert_rows(connection, "response_circles", _COLUMNS, ([row[name] for name in _COLUMNS] for row in batch.rows))
        for row in batch.rows:
            built.made[row["method"]] = built.made.get(row["method"], 0) + 1
    return built


def circles_in_traffic(
    connection: Connection, router: Router, conditions: Conditions, factor: float
) -> list[dict[str, Any]]:
    """Draw the outbound circles of all posts with travel times multiplied by `factor`; nothing is stored.

    Returns
    -------
    Rows with post_code, tier_minutes and geom, EWKB.
    """
    posts = [
        post for post in read_posts(connection) if conditions.rules[post["circle_basis"]][0]["direction"] == "outbound"
    ]
    drawn = zip(posts, _areas(posts, router, conditions, factor), strict=True)
    return [row for post, areas in drawn for row in _rows(post, areas, conditions)]


def _areas(
    posts: Sequence[dict[str, Any]], router: Router, conditions: Conditions, factor: float = 1.0, is_asked: bool = True
) -> list[Areas]:
    """Draw the areas of posts: sends all questions before it waits for answers, and asks a second time after a time-out."""
    questions = []
    for post in posts:
        place, rules = (post["lon"], post["lat"]), conditions.rules[post["circle_basis"]]
        ride = conditions.travel.ride(closed=closures_near(conditions.closures, place))._replace(factor=factor)
        questions.append((place, [rule["travel_s"] for rule in rules], ride, rules[0]["direction"] == "inbound"))
    results = [router.estimated_areas(*question[:3], why="no_answer") for question in questions]
    for patience in _PATIENCE if is_asked else ():
        waiting = [number for number, areas in enumerate(results) if not areas.was_answered]
        pending = [(number, router.ask_areas(*questions[number], patience)) for number in waiting]
        for number, answer in pending:
            results[number] = router.areas_of(answer, *questions[number][:3])
    return results


def _rows(post: dict[str, Any], areas: Areas, conditions: Conditions) -> Iterator[dict[str, Any]]:
    """Yield the rows of a post's circles. Estimates after a time-out get no digest, so that they are stale and retried."""
    estimate, is_estimate = conditions.travel.estimate, areas.method == METHOD
    for rule, geom in zip(conditions.rules[post["circle_basis"]], ewkb(areas.shapes), strict=True):
        yield {
            **rule, "post_code": post["post_code"], "circle_basis": post["circle_basis"], "method": areas.method,
            "speed_kmh": estimate.speed_kmh if is_estimate else None,
            "detour_factor": estimate.detour_factor if is_estimate else None,
            "responsible_unit": post["responsible_unit"], "geom": geom, "is_demo": post["is_demo"],
            "drawn_from": conditions.digest(post) if areas.was_answered else "", "on_foot_m": round(areas.on_foot_m),
            "estimated_because": areas.why,
        }  # fmt: skip


async def build_circles_of(connection: AsyncConnection, post_code: str, speed_kmh: float, detour_factor: float) -> None:
    """Store estimated circles of a post that the caller's transaction made or moved; due work draws them on roads later."""
    post = await (
        await connection.execute(QUERIES["posts"], {"post_code": post_code, "drawn": METHODS, "routed": ROUTED})
    ).fetchone()
    rules = await (await connection.execute(RULES["rules"])).fetchall()
    await connection.execute(QUERIES["clear"], {"post_codes": [post_code], "drawn": METHODS})
    for rule in rules:
        if post is None or rule["circle_basis"] != post["circle_basis"]:
            continue
        circle = geodesic_circles(post["lon"], post["lat"], radius_m(rule["travel_s"] / 60, speed_kmh, detour_factor))
        values = {**post, **rule, "method": METHOD, "speed_kmh": speed_kmh, "detour_factor": detour_factor}
        await connection.execute(QUERIES["insert"], {**values, "geom": ewkb(circle)[0], "drawn_from": ""})


async def isolated_posts(connection: AsyncConnection) -> list[str]:
    """Return the codes of isolated posts (largest circle below 30,000 m2), of those that the principal sees."""
    rows = await connection.execute(QUERIES["isolated"], {"smallest_m2": _SMALLEST_M2})
    return [row["post_code"] for row in await rows.fetchall()]
