"""Draws the circles of posts and keeps them, and knows which are out of date."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import shapely

from geo_grid.db import AsyncConnection, Connection, ewkb, insert_rows, load_queries
from geo_grid.response.circles import METHOD, geodesic_circles, radius_m
from geo_grid.response.router import METHODS, Router
from geo_grid.response.rules import QUERIES as RULES
from geo_grid.response.rules import read_rules
from geo_grid.response.travel import Travel, closures_near

QUERIES = load_queries("geo_grid.response", "circles.sql")
_COLUMNS = (
    "post_code", "tier_minutes", "circle_basis", "direction", "dispatch_s", "turnout_s", "travel_s", "method",
    "speed_kmh", "detour_factor", "responsible_unit", "geom", "is_demo", "drawn_from",
)  # fmt: skip
_SMALLEST_M2 = 30_000.0
"""A place whose largest circle is smaller than about 100 m around it leads nowhere."""
_AT_ONCE = 24
"""Posts that are drawn and stored together: what is lost when the work is interrupted."""


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
    return connection.execute(QUERIES["posts"], {"post_code": None, "drawn": METHODS}).fetchall()


def stale_posts(connection: Connection, conditions: Conditions) -> list[dict[str, Any]]:
    """Return the posts whose circles are missing or were drawn from something else."""
    return [post for post in _posts(connection) if post["drawn_from"] != conditions.digest(post)]


def build_circles(
    connection: Connection,
    router: Router,
    conditions: Conditions,
    posts: Sequence[dict[str, Any]] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, int]:
    """Draw the circles of posts again, of all by default; return how many were made by each method.

    Old circles are served until the caller's transaction commits.
    """
    if posts is None:
        posts = _posts(connection)
    made: dict[str, int] = {}
    for begin in range(0, len(posts), _AT_ONCE):
        some = posts[begin : begin + _AT_ONCE]
        rows = list(_drawn(some, router, conditions))
        connection.execute(QUERIES["clear"], {"post_codes": [post["post_code"] for post in some], "drawn": METHODS})
        insert_rows(connection, "response_circles", _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))
        for row in rows:
            made[row["method"]] = made.get(row["method"], 0) + 1
        progress(len(some))
    return made


def circles_in_traffic(
    connection: Connection, router: Router, conditions: Conditions, factor: float
) -> list[dict[str, Any]]:
    """Draw the outbound circles of all posts as they are when travel takes so many times as long; nothing is kept.

    Returns
    -------
    Rows with post_code, tier_minutes and geom, EWKB.
    """
    return [row for row in _drawn(_posts(connection), router, conditions, factor) if row["direction"] == "outbound"]


def _drawn(
    posts: Sequence[dict[str, Any]], router: Router, conditions: Conditions, factor: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Yield the circles of posts; they are all asked for before the first is waited for.

    Estimates for want of an answer in time are out of date from the beginning: they are tried again.
    """
    asked = []
    for post in posts:
        place, rules = (post["lon"], post["lat"]), conditions.rules[post["circle_basis"]]
        ride = conditions.travel.ride(closed=closures_near(conditions.closures, place))._replace(factor=factor)
        limits = [rule["travel_s"] for rule in rules]
        is_inbound = rules[0]["direction"] == "inbound"
        asked.append((post, place, rules, ride, limits, router.ask_areas(place, limits, ride, is_inbound)))
    estimate = conditions.travel.estimate
    for post, place, rules, ride, limits, answer in asked:
        areas = router.areas_of(answer, place, limits, ride)
        is_estimate = areas.method == METHOD
        for rule, geom in zip(rules, ewkb(areas.shapes), strict=True):
            yield {
                **rule, "post_code": post["post_code"], "circle_basis": post["circle_basis"], "method": areas.method,
                "speed_kmh": estimate.speed_kmh if is_estimate else None,
                "detour_factor": estimate.detour_factor if is_estimate else None,
                "responsible_unit": post["responsible_unit"], "geom": geom, "is_demo": post["is_demo"],
                "drawn_from": conditions.digest(post) if areas.was_answered else "",
            }  # fmt: skip


async def build_circles_of(connection: AsyncConnection, post_code: str, speed_kmh: float, detour_factor: float) -> None:
    """Estimate the circles of one post, which was made or moved in the caller's transaction, until they are drawn on roads."""
    post = await (await connection.execute(QUERIES["posts"], {"post_code": post_code, "drawn": METHODS})).fetchone()
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
