"""Builds the circles of posts and keeps them."""

import numpy as np

from geo_grid.db import Connection, copy_rows, ewkb, load_queries
from geo_grid.response.circles import METHOD, TIERS, geodesic_circles, radius_m

QUERIES = load_queries("geo_grid.response", "circles.sql")


def build_circles(connection: Connection, speed_kmh: float, detour_factor: float) -> int:
    """Build the 1-, 3- and 5-minute circles of every post again and return how many were made.

    Old circles are served until the caller's transaction commits.
    """
    posts = connection.execute(QUERIES["posts"]).fetchall()
    connection.execute(QUERIES["clear"], {"method": METHOD})
    lon, lat = np.array([p["lon"] for p in posts]), np.array([p["lat"] for p in posts])
    made = 0
    for tier in TIERS:
        circles = geodesic_circles(lon, lat, radius_m(tier, speed_kmh, detour_factor)) if posts else []
        made += copy_rows(
            connection,
            "response_circles",
            [
                "post_code",
                "tier_minutes",
                "method",
                "speed_kmh",
                "detour_factor",
                "responsible_unit",
                "geom",
                "is_demo",
            ],
            (
                (
                    p["post_code"],
                    tier,
                    METHOD,
                    speed_kmh,
                    detour_factor,
                    p["responsible_unit"],
                    geom,
                    p["is_demo"],
                )
                for p, geom in zip(posts, ewkb(circles) if posts else [], strict=True)
            ),
        )
    return made
