"""Draws the circles of posts and keeps them, and knows which are out of date."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
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
"""A place whose largest circle is smaller than about 100 m around it leads nowhere."""
_AT_ONCE = 24
"""Posts that are drawn and stored together: what is lost when the work is interrupted."""
_PATIENCE = (4, 12)
"""How many times as long as a dispatcher's question drawing may take, at the first and the second try: nobody waits for it."""


@dataclass
class Built:
    """Circles that were drawn, by method, and the posts for which no answer came: they keep the routed circles they had."""

    made: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Conditions:
    """What circles depend on besides their post.

    Attributes
    ----------
    rules
        Rows of circle_rules by circle_basis, tiers growing.
    closures
        Areas and lines in force.
    graph
        Name of the road graph; empty: none.
    """

    travel: Travel
    rules: dict[str, list[dict[str, Any]]]
    closures: list[Any]
    graph: str

    def digest(self, post: dict[str, Any]) -> str:
        """Return what the circles of a post must have been drawn from to be up to date."""
        near = closures_near(self.closures, (post["lon"], post["lat"]))
        told = repr((
            post["lon"], post["lat"], self.rules[post["circle_basis"]], self.graph, replace(self.travel, traffic=()),  # as on free roads
            [shapely.to_wkb(shape, hex=True) for shape in near],
        ))  # fmt: skip
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_conditions(connection: Connection, travel: Travel, graph: Path | None) -> Conditions:
    """Read what circles depend on, at the moment of the transaction."""
    return Conditions(travel, read_rules(connection), closures_in_force(connection), graph.name if graph else "")


def closures_in_force(connection: Connection) -> list[Any]:
    """Read the areas and lines that are closed or avoided at the moment of the transaction."""
    return [shapely.from_wkb(row["geom"]) for row in connection.execute(QUERIES["closures"]).fetchall()]


def _posts(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute(QUERIES["posts"], {"post_code": None, "drawn": METHODS, "routed": ROUTED}).fetchall()


def stale_posts(connection: Connection, conditions: Conditions) -> list[dict[str, Any]]:
    """Return the posts whose circles are missing or were drawn from something else."""
    return [post for post in _posts(connection) if post["drawn_from"] != conditions.digest(post)]


def build_circles(
    connection: Connection,
    router: Router,
    conditions: Conditions,
    posts: Sequence[dict[str, Any]] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Built:
    """Draw the circles of posts again, of all by default.

    Old circles are served until the caller's transaction commits; routed ones stay where no answer came in time.
    """
    if posts is None:
        posts = _posts(connection)
    built = Built()
    has_answers = True
    for begin in range(0, len(posts), _AT_ONCE):
        some = posts[begin : begin + _AT_ONCE]
        areas = _areas(some, router, conditions, is_asked=has_answers)
        has_answers = any(
            one.was_answered for one in areas
        )  # where a whole lot got none, the others would wait in vain
        built.unanswered += [post["post_code"] for post, one in zip(some, areas, strict=True) if not one.was_answered]
        drawn = [
            (post, one) for post, one in zip(some, areas, strict=True) if one.was_answered or not post["is_routed"]
        ]
        rows = [row for post, one in drawn for row in _rows(post, one, conditions)]
        connection.execute(QUERIES["clear"], {"post_codes": [post["post_code"] for post, _ in drawn], "drawn": METHODS})
        insert_rows(connection, "response_circles", _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))
        for row in rows:
            built.made[row["method"]] = built.made.get(row["method"], 0) + 1
        progress(len(some))
    return built


def circles_in_traffic(
    connection: Connection, router: Router, conditions: Conditions, factor: float
) -> list[dict[str, Any]]:
    """Draw the outbound circles of all posts as they are when travel takes so many times as long; nothing is kept.

    Returns
    -------
    Rows with post_code, tier_minutes and geom, EWKB.
    """
    posts = [
        post for post in _posts(connection) if conditions.rules[post["circle_basis"]][0]["direction"] == "outbound"
    ]
    drawn = zip(posts, _areas(posts, router, conditions, factor), strict=True)
    return [row for post, areas in drawn for row in _rows(post, areas, conditions)]


def _areas(
    posts: Sequence[dict[str, Any]], router: Router, conditions: Conditions, factor: float = 1.0, is_asked: bool = True
) -> list[Areas]:
    """Draw what each post reaches: all are asked for before the first is waited for, and those without an answer once more."""
    questions = []
    for post in posts:
        place, rules = (post["lon"], post["lat"]), conditions.rules[post["circle_basis"]]
        ride = conditions.travel.ride(closed=closures_near(conditions.closures, place))._replace(factor=factor)
        questions.append((place, [rule["travel_s"] for rule in rules], ride, rules[0]["direction"] == "inbound"))
    found = [router.estimated_areas(*question[:3], why="no_answer") for question in questions]
    for patience in _PATIENCE if is_asked else ():
        waiting = [number for number, areas in enumerate(found) if not areas.was_answered]
        asked = [(number, router.ask_areas(*questions[number], patience)) for number in waiting]
        for number, answer in asked:
            found[number] = router.areas_of(answer, *questions[number][:3])
    return found


def _rows(post: dict[str, Any], areas: Areas, conditions: Conditions) -> Iterator[dict[str, Any]]:
    """Yield the circles of a post. An estimate made because no worker answered in time counts as out of date: it is retried."""
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
    """Estimate the circles of one post, which was made or moved in the caller's transaction, until they are drawn on roads."""
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
    """Return the posts, of those that whoever asks sees, that hardly get anywhere on the roads."""
    rows = await connection.execute(QUERIES["isolated"], {"smallest_m2": _SMALLEST_M2})
    return [row["post_code"] for row in await rows.fetchall()]
