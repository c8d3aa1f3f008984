"""Which calls come in, and when: for each hour of the calendar they follow from the seed alone.

So the demo can be started again at any moment, and goes on with the calls that it would have had.
"""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from geo_grid.live_demo.texts import text_of

HOUR_S = 3600


class Call(NamedTuple):
    """A call to the desk.

    Attributes
    ----------
    at
        When it comes, in seconds since 1970.
    name
        Its own among the calls of a seed: the hour, and the number within it.
    caller_number
        Eleven digits that no telephone in China can have.
    """

    at: float
    name: str
    lon: float
    lat: float
    category: str
    subtype: str
    description: str
    address: str
    caller_number: str


def calls_of(
    begins: float, ends: float, seed: int, places: Sequence[dict[str, Any]], a_day: float, zone: ZoneInfo
) -> list[Call]:
    """Return the calls from a moment until another (seconds since 1970), in order.

    Parameters
    ----------
    a_day
        How many come in a day on average; more in the evening of the city's time zone than at night (see `share_of`).
    """
    hours = range(int(begins // HOUR_S), int(ends // HOUR_S) + 1)
    return [call for hour in hours for call in _of_hour(hour, seed, places, a_day, zone) if begins <= call.at < ends]


def share_of(hour: int) -> float:
    """Return the share of a day's calls that come in an hour of the day, the same curve that the demo is loaded with."""
    return _weight(hour) / sum(map(_weight, range(24)))


def _weight(hour: int) -> float:
    return 0.35 + math.exp(-((hour - 10) ** 2) / 18) + 1.4 * math.exp(-((hour - 20) ** 2) / 14)


def _of_hour(hour: int, seed: int, places: Sequence[dict[str, Any]], a_day: float, zone: ZoneInfo) -> Iterator[Call]:
    rng = random.Random(f"{seed} {hour}")  # noqa: S311 (a play, no secret)
    local = datetime.fromtimestamp(hour * HOUR_S, UTC).astimezone(zone).hour
    at, number = float(hour * HOUR_S), 0
    while places:  # gaps of a Poisson process are exponential
        at += rng.expovariate(a_day * share_of(local) / HOUR_S)
        if at >= (hour + 1) * HOUR_S:
            return
        number += 1
        place = rng.choice(places)
        yield Call(
            at, f"{hour}-{number}", place["lon"], place["lat"], place["category"], place["subtype"],
            text_of(place["subtype"], rng), f"{place['address']}附近", f"12{rng.randrange(10**9):09d}",
        )  # fmt: skip
