"""Builds the circles of posts and keeps them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from geo_grid.db import AsyncConnection, Connection, copy_rows, ewkb, load_queries
from geo_grid.response.circles import METHOD, TIERS, geodesic_circles, radius_m

QUERIES = load_queries("geo_grid.response", "circles.sql")
_COLUMNS = (
    "post_code", "tier_minutes", "method", "speed_kmh", "detour_factor", "responsible_unit", "geom", "is_demo",
)  # fmt: skip


def build_circles(connection: Connection, speed_kmh: float, detour_factor: float) -> int:
    """Build the 1-, 3- and 5-minute circles of every post again and return how many were made.

    Old circles are served until the caller's transaction commits.
    """
    posts = connection.execute(QUERIES["posts"]).fetchall()
    connection.execute(QUERIES["clear"], {"method": METHOD, "post_code": None})
    return copy_rows(connection, "response_circles", _COLUMNS, _circles(posts, speed_kmh, detour_factor))


async def build_circles_of(connection: AsyncConnection, post_code: str, speed_kmh: float, detour_factor: float) -> None:
    """Build the circles of one post again, which was made or moved in the caller's transaction."""
    posts = await (await connection.execute(QUERIES["post"], {"post_code": post_code})).fetchall()
    await connection.execute(QUERIES["clear"], {"method": METHOD, "post_code": post_code})
    for row in _circles(posts, speed_kmh, detour_factor):
        await connection.execute(QUERIES["insert"], dict(zip(_COLUMNS, row, strict=True)))


def _circles(posts: Sequence[dict[str, Any]], speed_kmh: float, detour_factor: float) -> Iterator[tuple[Any, ...]]:
    lon, lat = np.array([p["lon"] for p in posts]), np.array([p["lat"] for p in posts])
    for tier in TIERS if posts else ():
        circles = ewkb(geodesic_circles(lon, lat, radius_m(tier, speed_kmh, detour_factor)))
        for p, geom in zip(posts, circles, strict=True):
            yield p["post_code"], tier, METHOD, speed_kmh, detour_factor, p["responsible_unit"], geom, p["is_demo"]
