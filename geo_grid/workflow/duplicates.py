"""Which other incidents may be reports of the same: proposed by distance, time, category and text; merged by a person."""

from collections import Counter
from datetime import datetime

from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, load_queries
from geo_grid.workflow.incidents import get

QUERIES = load_queries("geo_grid.workflow", "duplicates.sql")
FAR_M, APART_S = 500.0, 7200.0
"""Beyond this distance (metres on the ellipsoid) or time (seconds between both reports) nothing is proposed. Ours: no source
gives a figure."""
_WEIGHTS = {"distance": 0.4, "time": 0.25, "category": 0.15, "text": 0.2}
_UNKNOWN = 0.5
"""What a text counts for that says nothing: neither for nor against, so that one that agrees counts for more."""
_LEAST = 0.5
"""Least score of a proposal."""


class Duplicate(BaseModel):
    """Another open incident that may be a report of the same."""

    incident_id: int
    category: str
    step: str
    received_at: datetime
    description: str
    address: str
    lon: float
    lat: float
    distance_m: float = Field(description="metres on the ellipsoid")
    apart_s: float = Field(description="seconds between both reports")
    text_likeness: float | None = Field(description="0 to 1, of pairs of characters; null: one of them says nothing")
    score: float = Field(
        description="0 to 1: weighted mean of nearness, time, same category and text; 0.5 of it where there is no text"
    )


def text_likeness(one: str, other: str) -> float | None:
    """Return how alike two texts are, from 0 to 1; None: one has fewer than two letters, digits or Chinese characters.

    Twice the pairs of neighbouring characters that both have, divided by all pairs of both (L. R. Dice, Ecology 26, 1945);
    it works without a dictionary, for Chinese too.
    """
    pairs = [_pairs(one), _pairs(other)]
    total = sum(pairs[0].values()) + sum(pairs[1].values())
    if not pairs[0] or not pairs[1]:
        return None
    return 2 * sum((pairs[0] & pairs[1]).values()) / total


def _pairs(text: str) -> Counter[str]:
    written = "".join(letter for letter in text.casefold() if letter.isalnum())
    return Counter(written[at : at + 2] for at in range(len(written) - 1))


def score(distance_m: float, apart_s: float, is_same_category: bool, likeness: float | None) -> float:
    """Return how likely it is, from 0 to 1, that two reports are of the same: a weighted mean."""
    parts = {
        "distance": max(0.0, 1 - distance_m / FAR_M),
        "time": max(0.0, 1 - apart_s / APART_S),
        "category": float(is_same_category),
        "text": _UNKNOWN if likeness is None else likeness,
    }
    return sum(_WEIGHTS[name] * part for name, part in parts.items())


async def duplicates_of(connection: AsyncConnection, incident_id: int, limit: int = 10) -> list[Duplicate]:
    """Propose open incidents that may be reports of the same as one, the likeliest first. Raises NotFound."""
    own = await get(connection, incident_id)
    values = {"incident_id": incident_id, "lon": own.lon, "lat": own.lat, "received_at": own.received_at,
              "far_m": FAR_M, "apart_s": APART_S}  # fmt: skip
    rows = await (await connection.execute(QUERIES["near"], values)).fetchall()
    found = []
    for row in rows:
        likeness = text_likeness(own.description + own.address, row["description"] + row["address"])
        points = score(row["distance_m"], row["apart_s"], row["category"] == own.category, likeness)
        if points >= _LEAST:
            found.append(Duplicate.model_validate({**row, "text_likeness": likeness, "score": round(points, 3)}))
    return sorted(found, key=lambda one: (-one.score, one.incident_id))[:limit]
