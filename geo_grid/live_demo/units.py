"""Where the demo's units are: some drive on patrol, those who are sent drive there, the rest stand and say so now and then."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from geo_grid.live_demo.roads import Place, Roads, apart_m

_ON_PATROL = 60
"""Units that drive about; all of them would be a thousand positions a minute."""
_SPEED_MS = {"car": 30 / 3.6, "motorcycle": 27 / 3.6, "foot": 5 / 3.6, "volunteers": 4 / 3.6}
"""On patrol; whoever is sent drives half as fast again."""
_STANDS_S = 600.0
"""Seconds, of the server's clock, after which who stands says where: a third of what counts as silent."""
_RESTS_S = (30.0, 240.0)
_HURRY = 1.5


@dataclass
class Moving:
    """A unit.

    Attributes
    ----------
    line
        What is left of its way, the next place first.
    mission
        The incident that it was sent to; None: none.
    told
        When it last said where it is, in seconds of the server's clock.
    rests_until
        In seconds of the demo's clock.
    frees
        Whether it was loaded as sent, but to nothing.
    """

    code: str
    kind: str
    home: Place
    place: Place
    is_patrol: bool
    line: list[Place] = field(default_factory=list)
    mission: int | None = None
    told: float = float("-inf")
    rests_until: float = 0.0
    frees: bool = False


class Fleet:
    """All units of the demo.

    Parameters
    ----------
    units
        unit_code, unit_kind, unit_status, lon, lat.
    """

    def __init__(self, units: Sequence[dict[str, Any]], roads: Roads, seed: int, begins: float) -> None:
        self._roads = roads
        self._rng = random.Random(f"{seed} units")  # noqa: S311 (a play, no secret)
        drivers = [one["unit_code"] for one in units if _drives(one)]
        chosen = set(self._rng.sample(drivers, min(_ON_PATROL, len(drivers))))
        self.units = {
            one["unit_code"]: Moving(
                one["unit_code"], one["unit_kind"], (one["lon"], one["lat"]), (one["lon"], one["lat"]),
                is_patrol=one["unit_code"] in chosen, told=begins - self._rng.uniform(0, _STANDS_S),
                frees=one["unit_status"] in ("dispatched", "on_scene"),
            )
            for one in units
            if one["unit_status"] != "off_duty"
        }  # fmt: skip

    def send(self, code: str, incident_id: int, place: Place) -> None:
        """Let a unit drive to an incident."""
        unit = self.units[code]
        unit.mission, unit.line, unit.frees = incident_id, self._roads.way(unit.place, place)[1:], False

    def release(self, code: str) -> None:
        """Let a unit go home from where its incident was."""
        unit = self.units[code]
        unit.mission, unit.line = None, self._roads.way(unit.place, unit.home)[1:]

    def move(self, now: float, seconds: float, real: float) -> Iterator[Moving]:
        """Move all for some seconds; yield those who are to say where they are, until they are `heard`.

        Parameters
        ----------
        now, seconds
            Of the demo's clock.
        real
            Now on the server's clock.
        """
        for unit in self.units.values():
            if not unit.line and unit.is_patrol and unit.mission is None and now >= unit.rests_until:
                unit.line = self._roads.way(unit.place, self._goal(unit))[1:]
            was_on_the_way = bool(unit.line)
            if was_on_the_way:
                self._advance(unit, seconds)
                if not unit.line:
                    unit.rests_until = now + self._rng.uniform(*_RESTS_S)
            if was_on_the_way or real - unit.told >= _STANDS_S:
                yield unit

    def heard(self, units: Iterable[Moving], real: float) -> None:
        """Note that the server knows where units are, at a moment of its clock."""
        for unit in units:
            unit.told, unit.frees = real, False

    def has_arrived(self, code: str) -> bool:
        """Whether a unit is where it was sent."""
        return not self.units[code].line

    def _goal(self, unit: Moving) -> Place:
        near = self._roads.around(unit.home, 1)
        return self._roads.place(self._rng.choice(near)) if near else unit.home

    @staticmethod
    def _advance(unit: Moving, seconds: float) -> None:
        left = seconds * _SPEED_MS[unit.kind] * (_HURRY if unit.mission is not None else 1)
        while unit.line and left > 0:
            gap = apart_m(unit.place, unit.line[0])
            if gap <= left:
                left -= gap
                unit.place = unit.line.pop(0)
                continue
            share = left / gap
            (lon, lat), (to_lon, to_lat) = unit.place, unit.line[0]
            unit.place, left = (lon + (to_lon - lon) * share, lat + (to_lat - lat) * share), 0.0


def _drives(unit: dict[str, Any]) -> bool:
    return unit["unit_kind"] in ("car", "motorcycle") and unit["unit_status"] != "off_duty"
