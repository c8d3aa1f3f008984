"""Rules of response circles: how the minutes of a tier divide into dispatch delay, turnout and travel."""

from itertools import pairwise
from typing import Any

from psycopg.errors import CheckViolation

from geo_grid.db import Connection, load_queries
from geo_grid.errors import NotFound, UserError

QUERIES = load_queries("geo_grid.response", "rules.sql")


def read_rules(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of circle_rules by circle_basis, in ascending order of tiers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(QUERIES["rules"]).fetchall():
        found.setdefault(row.pop("circle_basis"), []).append(row)
    return found


def change_rule(
    connection: Connection, basis: str, tier_minutes: int, dispatch_s: int | None, turnout_s: int | None,
    direction: str | None,
) -> int:  # fmt: skip
    """Change a tier in the caller's transaction, and return its seconds of travel. None leaves a value unchanged.

    Raises
    ------
    NotFound
        The basis has no such tier.
    UserError
        No time is left for travel, or a longer tier would have less than a shorter one.
    """
    values = {"circle_basis": basis, "tier_minutes": tier_minutes, "dispatch_s": dispatch_s, "turnout_s": turnout_s}
    try:
        changed = connection.execute(QUERIES["change"], values).fetchone()
    except CheckViolation:
        message = f"that leaves no time to travel within {tier_minutes} minutes"
        raise UserError(message) from None
    if changed is None:
        message = f"{basis} has no tier of {tier_minutes} minutes: see geo-grid circles rules"
        raise NotFound(message)
    connection.execute(QUERIES["turn"], {"circle_basis": basis, "direction": direction})
    for shorter, longer in pairwise(read_rules(connection)[basis]):
        if longer["travel_s"] <= shorter["travel_s"]:
            message = (
                f"{longer['tier_minutes']} minutes would leave {longer['travel_s']} s on the road, no more than the"
                f" {shorter['travel_s']} s of {shorter['tier_minutes']} minutes: circles must nest"
            )
            raise UserError(message)
    travel_s: int = changed["travel_s"]
    return travel_s
