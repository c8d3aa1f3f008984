"""Positions as a platform tells them, until they are written: the newest of each device, in the datum of the platform.

Whether one is a place in the city is found when it is written. Until then one that cannot be, or may not be, takes no other's
place: of the future, or far from what the device told just before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from geo_grid.cameras.positions import CameraPosition
from geo_grid.coordinates import to_lonlat
from geo_grid.errors import UserError
from geo_grid.gb28181.manscdp import Body, Whereabouts, positions_of
from geo_grid.moments import Times
from geo_grid.reported import MOST_AT_ONCE, in_future

_FAR = 0.1
"""Degrees, or metres, farther than which no device gets between two looks."""
_MOST_EACH = 4


@dataclass(frozen=True)
class ToldPosition:
    """Where a device is, as the platform has it, and when it was there."""

    where: Whereabouts
    moment: datetime


class ToldPositions:
    """Positions of the devices of one platform that wait, by id; so many that one batch takes them.

    Parameters
    ----------
    zone
        Of times that name none.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._times = Times(zone)
        self._newest: dict[tuple[str, bool], list[ToldPosition]] = {}  # by device, and whether they are of the future
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take(self, body: Body) -> None:
        """Take what a message tells. A time that is none is no position; one that is not told is now."""
        for where in positions_of(body):
            try:
                moment = self._times.read(where.time) if where.time else datetime.now(UTC)
            except ValueError:
                continue
            self._keep(ToldPosition(where, moment))

    def _keep(self, one: ToldPosition) -> None:
        key = (one.where.device_id, in_future(one.moment) is not None)
        held = self._newest.get(key, [])
        near = [other for other in held if _is_near(one, other)]
        if any(other.moment >= one.moment for other in near):
            return
        kept = sorted([one, *(other for other in held if other not in near)], key=lambda other: other.moment)
        room = min(_MOST_EACH, MOST_AT_ONCE - self._count + len(held))
        if room:
            self._newest[key] = kept[-room:]
            self._count += len(self._newest[key]) - len(held)

    def due(self) -> list[ToldPosition]:
        """Take out what is to be written."""
        found = [one for held in self._newest.values() for one in held]
        self._newest, self._count = {}, 0
        return found

    def take_back(self, told: Sequence[ToldPosition]) -> None:
        """Take back what could not be written, unless something newer was told."""
        for one in told:
            self._keep(one)


def _is_near(one: ToldPosition, other: ToldPosition) -> bool:
    return abs(one.where.x - other.where.x) <= _FAR and abs(one.where.y - other.where.y) <= _FAR


def placed(told: Sequence[ToldPosition], source_crs: str) -> tuple[list[CameraPosition], list[str]]:
    """Return positions in degrees on the lattice, by device, and what is wrong with those that are no places.

    Parameters
    ----------
    source_crs
        Of the platform; see `coordinates.source_crs`, which may block.
    """
    good: list[CameraPosition] = []
    wrong: list[str] = []
    for one in told:
        where = one.where
        try:
            lon, lat = to_lonlat(where.x, where.y, source_crs)
        except UserError as error:
            wrong.append(f"{where.device_id}: {error}")
            continue
        good.append(
            CameraPosition.model_construct(
                gb28181_id=where.device_id, lon=lon, lat=lat, positioned_at=one.moment, speed_kmh=where.speed_kmh,
                heading_deg=where.heading_deg,
            )
        )  # fmt: skip
    return good, wrong
