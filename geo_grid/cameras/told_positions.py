"""Positions as a platform tells them, until they are written: the newest of each device, in the datum of the platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from geo_grid.cameras.positions import CameraPosition
from geo_grid.coordinates import to_lonlat
from geo_grid.errors import UserError
from geo_grid.gb28181.manscdp import Body, Whereabouts, positions_of
from geo_grid.moments import Times
from geo_grid.reported import MOST_AT_ONCE


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
        self._newest: dict[str, ToldPosition] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def take(self, body: Body) -> None:
        """Take what a message tells. A time that is none is no position; one that is not told is now."""
        for where in positions_of(body):
            try:
                moment = self._times.read(where.time) if where.time else datetime.now(UTC)
            except ValueError:
                continue
            self._keep(ToldPosition(where, moment))

    def _keep(self, one: ToldPosition) -> None:
        known = self._newest.get(one.where.device_id)
        if known.moment < one.moment if known is not None else len(self._newest) < MOST_AT_ONCE:
            self._newest[one.where.device_id] = one

    def due(self) -> list[ToldPosition]:
        """Take out what is to be written."""
        found, self._newest = list(self._newest.values()), {}
        return found

    def take_back(self, told: Sequence[ToldPosition]) -> None:
        """Take back what could not be written, unless something newer was told."""
        for one in told:
            self._keep(one)


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
